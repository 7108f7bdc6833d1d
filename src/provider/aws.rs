//! AWS: one client set per region and role, one file or folder per service. SDK types never leave these files.

pub mod autoscaling;
pub mod eks;
mod failure;
pub mod iam;
pub mod s3;
pub mod sagemaker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use futures::future::join_all;
use tokio::sync::OnceCell;

use super::{Applied, Error, Place};
use crate::api::AssumeRole;
use crate::operator_policy::{Need, On};
use crate::plan::Step;
use crate::resource::pod_identity_association::Place as Account;
use crate::resource::{Key, Kind, Observed, Request};

/// How the operator names itself to AWS, as seen in CloudTrail.
const APP_NAME: &str = "aiplatform";

/// How long the answer to "whose credentials are these" holds.
const ACCOUNT_HOLDS: Duration = Duration::from_mins(10);

/// What working through another role needs. Asking whose the credentials are needs nothing.
const ASSUMING: &[Need] = &[Need {
    sid: "WorkThroughRoles",
    actions: &["sts:AssumeRole"],
    on: &[On::AssumedRole],
    when: &[],
    reason: "works through the roles that platforms name in spec.assumeRole",
}];

/// What the calls of all adapters need, by service.
pub const NEEDS: [(&str, &[Need]); 6] = [
    ("s3", s3::NEEDS),
    ("iam", iam::NEEDS),
    ("eks", eks::NEEDS),
    ("sagemaker", sagemaker::NEEDS),
    ("autoscaling", autoscaling::NEEDS),
    ("sts", ASSUMING),
];

/// AWS, with the credentials and endpoints the SDK finds in the environment.
pub struct Aws {
    config: SdkConfig,
    s3_path_style: bool,
    clients: Mutex<BTreeMap<Scope, Arc<OnceCell<Arc<Clients>>>>>,
}

/// What a set of clients is for: a region, and the role and external id it works through.
type Scope = (String, Option<(String, Option<String>)>);

struct Clients {
    autoscaling: autoscaling::Autoscaling,
    eks: eks::Eks,
    iam: iam::Iam,
    s3: s3::S3,
    sagemaker: sagemaker::SageMaker,
    sts: aws_sdk_sts::Client,
    account: Mutex<Option<(Instant, String)>>,
}

impl Aws {
    /// Reads the environment as every AWS tool does. `s3_path_style` puts bucket names into the path, for endpoints
    /// that are not AWS's own.
    pub async fn new(s3_path_style: bool) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(200)))
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(Duration::from_secs(10))
                    .operation_timeout(Duration::from_mins(1))
                    .build(),
            );
        if let Ok(name) = aws_config::AppName::new(APP_NAME) {
            loader = loader.app_name(name);
        }
        Self { config: loader.load().await, s3_path_style, clients: Mutex::default() }
    }

    /// Where the operator's own credentials are asked about: the region of the environment, with no account expected.
    #[must_use]
    pub fn home(&self) -> Place {
        let region = self.config.region().map_or("us-east-1", AsRef::as_ref);
        Place {
            region: region.to_string(),
            account_id: "of the operator".into(),
            owner: String::new(),
            assume_role: None,
        }
    }

    /// The account that the credentials for a place belong to.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn account(&self, place: &Place) -> Result<String, Error> {
        let clients = self.clients(&place.region, place).await;
        let known = clients.account.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, account)) = known
            && at.elapsed() < ACCOUNT_HOLDS
        {
            return Ok(account);
        }
        let answer = clients.sts.get_caller_identity().send().await.map_err(|error| {
            let subject = format!("account {} in region {}", place.account_id, place.region);
            failure::classify("sts:GetCallerIdentity", &subject, &error, |_| None)
        })?;
        let account = answer.account().unwrap_or_default().to_string();
        *clients.account.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), account.clone()));
        Ok(account)
    }

    /// Looks at everything asked about, and tells also what was found around it. What cannot be read is told as such.
    pub async fn observe(&self, place: &Place, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let asked: BTreeSet<&Key> = requests.iter().map(|request| &request.key).collect();
        let (scaling, others): (Vec<&Request>, Vec<&Request>) =
            requests.iter().partition(|request| is_scaling(request.key.kind));
        let each = join_all(others.into_iter().map(|request| self.look(place, request, &asked)));
        let scaling = async {
            if scaling.is_empty() {
                return Vec::new();
            }
            let clients = self.clients(&place.region, place).await;
            Box::pin(clients.autoscaling.observe(place, &scaling)).await
        };
        let (each, scaling) = futures::join!(each, scaling);
        each.into_iter().flatten().chain(scaling).collect()
    }

    async fn look(&self, place: &Place, request: &Request, asked: &BTreeSet<&Key>) -> Vec<(Key, Observed)> {
        let found = match request.key.kind {
            Kind::SageMakerModel | Kind::SageMakerEndpointConfig | Kind::SageMakerEndpoint => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.sagemaker.observe(place, request, asked)).await
            }
            _ => self.look_at_one(place, request).await.map(|observed| vec![(request.key.clone(), observed)]),
        };
        found.unwrap_or_else(|error| vec![(request.key.clone(), Observed::unreadable(error))])
    }

    async fn look_at_one(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        match request.key.kind {
            Kind::Bucket => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.s3.observe(place, request)).await
            }
            Kind::Role => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.iam.observe(place, request)).await
            }
            Kind::PodIdentityAssociation => {
                let Some(account) = Account::parse(&request.key.name, &place.region) else {
                    return Ok(Observed::absent());
                };
                let clients = self.clients(&account.region, place).await;
                Box::pin(clients.eks.observe(place, &account, request)).await
            }
            _ => Ok(Observed::absent()),
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// What AWS says.
    pub async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        match step.key.kind {
            Kind::Bucket => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.s3.apply(place, step)).await
            }
            Kind::Role => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.iam.apply(place, step)).await
            }
            Kind::PodIdentityAssociation => {
                let region = Account::parse(&step.key.name, &place.region).map(|account| account.region);
                let clients = self.clients(region.as_deref().unwrap_or(&place.region), place).await;
                Box::pin(clients.eks.apply(step)).await
            }
            Kind::SageMakerModel | Kind::SageMakerEndpointConfig | Kind::SageMakerEndpoint => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.sagemaker.apply(place, step)).await
            }
            kind if is_scaling(kind) => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.autoscaling.apply(step)).await
            }
            _ => Ok(Applied::Ready),
        }
    }

    async fn clients(&self, region: &str, place: &Place) -> Arc<Clients> {
        let assumed = place.assume_role.as_ref();
        let scope = (region.to_string(), assumed.map(|role| (role.role_arn.clone(), role.external_id.clone())));
        let cell = Arc::clone(self.clients.lock().unwrap_or_else(PoisonError::into_inner).entry(scope).or_default());
        Arc::clone(cell.get_or_init(|| async { Arc::new(self.connect(region, assumed).await) }).await)
    }

    async fn connect(&self, region: &str, assumed: Option<&AssumeRole>) -> Clients {
        let mut config = self.config.to_builder().region(Region::new(region.to_string()));
        if let Some(role) = assumed {
            let mut provider = AssumeRoleProvider::builder(&role.role_arn)
                .session_name(APP_NAME)
                .region(Region::new(region.to_string()))
                .configure(&self.config);
            if let Some(external_id) = &role.external_id {
                provider = provider.external_id(external_id);
            }
            config = config.credentials_provider(SharedCredentialsProvider::new(provider.build().await));
        }
        let config = config.build();
        Clients {
            autoscaling: autoscaling::Autoscaling::new(&config),
            eks: eks::Eks::new(&config),
            iam: iam::Iam::new(&config),
            s3: s3::S3::new(&config, self.s3_path_style),
            sagemaker: sagemaker::SageMaker::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            account: Mutex::default(),
        }
    }
}

fn is_scaling(kind: Kind) -> bool {
    matches!(kind, Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction)
}
