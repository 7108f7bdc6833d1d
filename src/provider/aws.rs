//! AWS: one client set per region and role, one file or folder per service. SDK types never leave these files.

pub mod autoscaling;
mod breaker;
mod clients;
mod connection;
pub mod eks;
mod failure;
pub mod iam;
pub mod s3;
pub mod sagemaker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use futures::StreamExt;

use crate::failure::Error;
use crate::failures::Failures;
use crate::leadership::{Authority, LONGEST_CALL};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::pod_identity_association::Place as Account;
use crate::resource::scaling::scaled_endpoint;
use crate::resource::{Key, Kind, Observed, ObservedState, Owner, Request};
use crate::scope::Place;
use clients::{ClientSets, Clients};

/// How the operator names itself to AWS, as seen in CloudTrail.
const APP_NAME: &str = "aiplatform";

/// What one platform looks at side by side, so that a large one leaves room for the others.
const CONCURRENT_LOOKS: usize = 16;

/// AWS, with the credentials and endpoints the SDK finds in the environment.
pub struct Aws {
    clients: ClientSets,
}

impl Aws {
    /// Reads the environment as every AWS tool does. `s3_path_style` puts bucket names into the path, for endpoints
    /// that are not AWS's own. Without the `authority` to, nothing is sent but the question whose the credentials are.
    pub async fn new(s3_path_style: bool, authority: Authority) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(200)))
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(LONGEST_CALL)
                    .operation_timeout(Duration::from_mins(1))
                    .build(),
            );
        if let Ok(name) = aws_config::AppName::new(APP_NAME) {
            loader = loader.app_name(name);
        }
        Self::with_config(loader.load().await, s3_path_style, authority)
    }

    /// AWS as this configuration reaches it.
    #[must_use]
    pub fn with_config(config: SdkConfig, s3_path_style: bool, authority: Authority) -> Self {
        Self { clients: ClientSets::new(config, s3_path_style, authority) }
    }

    /// Where the operator's own credentials are asked about: the region of the environment, with no account expected.
    #[must_use]
    pub fn home(&self) -> Place {
        Place {
            region: self.clients.home().to_string(),
            account_id: "of the operator".into(),
            owner: String::new(),
            uid: String::new(),
            assume_role: None,
        }
    }

    /// The account that the credentials for a place belong to.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn account(&self, place: &Place) -> Result<String, Error> {
        let clients = self.clients(&place.region, place).await;
        if let Some(account) = clients.account() {
            return Ok(account);
        }
        let answer = clients.sts.get_caller_identity().send().await.map_err(|error| {
            let subject = format!("account {} in region {}", place.account_id, place.region);
            failure::classify("sts:GetCallerIdentity", &subject, &error, |_| None)
        })?;
        let account = answer.account().unwrap_or_default().to_string();
        clients.keep_account(&account);
        Ok(account)
    }

    /// Looks at everything asked about, and tells also what was found around it. What cannot be read is told as such.
    pub async fn observe(&self, place: &Place, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let asked: BTreeSet<&Key> = requests.iter().map(|request| &request.key).collect();
        let (scaling, others): (Vec<&Request>, Vec<&Request>) =
            requests.iter().partition(|request| is_scaling(request.key.kind));
        let looks: Vec<_> = others.into_iter().map(|request| self.look(place, request, &asked)).collect();
        let each = futures::stream::iter(looks).buffer_unordered(CONCURRENT_LOOKS).collect::<Vec<_>>();
        let scaling = async {
            if scaling.is_empty() {
                return Vec::new();
            }
            let clients = self.clients(&place.region, place).await;
            Box::pin(clients.autoscaling().observe(place, &scaling)).await
        };
        let (each, scaling) = futures::join!(each, scaling);
        let mut seen: Vec<(Key, Observed)> = each.into_iter().flatten().collect();
        let scaling = self.owned_by_endpoints(place, scaling, &seen).await;
        seen.extend(scaling);
        seen
    }

    /// What scales an endpoint and carries no owner tag of its own belongs to whoever the endpoint belongs to.
    async fn owned_by_endpoints(
        &self,
        place: &Place,
        mut scaling: Vec<(Key, Observed)>,
        seen: &[(Key, Observed)],
    ) -> Vec<(Key, Observed)> {
        let is_open =
            |observed: &Observed| observed.owner == Owner::Nobody && matches!(observed.state, ObservedState::Ready);
        let open = scaling.iter().filter(|(_, observed)| is_open(observed));
        let endpoints: BTreeSet<String> =
            open.filter_map(|(_, observed)| scaled_endpoint(observed.resource.as_ref()?)).collect();
        let owners = endpoints.into_iter().map(|endpoint| async move {
            let key = Key { kind: Kind::SageMakerEndpoint, name: endpoint };
            let known = seen.iter().find(|(seen, _)| *seen == key).map(|(_, observed)| holder(observed));
            let owner = if let Some(owner) = known {
                owner
            } else {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.sagemaker().holder(place, &key.name)).await
            };
            (key.name, owner)
        });
        let owners: Vec<_> = owners.collect();
        let owners: BTreeMap<String, Result<Owner, Error>> =
            futures::stream::iter(owners).buffer_unordered(CONCURRENT_LOOKS).collect().await;
        for (_, observed) in scaling.iter_mut().filter(|(_, observed)| is_open(observed)) {
            let endpoint = observed.resource.as_ref().and_then(scaled_endpoint).unwrap_or_default();
            match owners.get(&endpoint) {
                Some(Ok(owner)) => observed.owner = owner.clone(),
                Some(Err(error)) => *observed = Observed::unreadable(error.clone()),
                None => {}
            }
        }
        scaling
    }

    async fn look(&self, place: &Place, request: &Request, asked: &BTreeSet<&Key>) -> Vec<(Key, Observed)> {
        let found = match request.key.kind {
            Kind::SageMakerModel | Kind::SageMakerEndpointConfig | Kind::SageMakerEndpoint => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.sagemaker().observe(place, request, asked)).await
            }
            Kind::Bucket
            | Kind::Role
            | Kind::ScalableTarget
            | Kind::ScalingPolicy
            | Kind::ScheduledAction
            | Kind::PodIdentityAssociation
            | Kind::ServiceAccount => {
                self.look_at_one(place, request).await.map(|observed| vec![(request.key.clone(), observed)])
            }
        };
        found.unwrap_or_else(|error| vec![(request.key.clone(), Observed::unreadable(error))])
    }

    async fn look_at_one(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        match request.key.kind {
            Kind::Bucket => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.s3().observe(place, request)).await
            }
            Kind::Role => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.iam().observe(place, request)).await
            }
            Kind::PodIdentityAssociation => {
                // A name that is none was never made by us.
                let Some(account) = Account::parse(&request.key.name, &place.region) else {
                    return Ok(Observed::absent());
                };
                let clients = self.clients(&account.region, place).await;
                Box::pin(clients.eks().observe(place, &account, request)).await
            }
            Kind::SageMakerModel
            | Kind::SageMakerEndpointConfig
            | Kind::SageMakerEndpoint
            | Kind::ScalableTarget
            | Kind::ScalingPolicy
            | Kind::ScheduledAction
            | Kind::ServiceAccount => {
                Err(Error::bug("observe", &request.key.to_string(), "it is not looked at by itself in AWS"))
            }
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// What AWS says about each part that it refuses.
    pub async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Failures> {
        match step.key.kind {
            Kind::Bucket => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.s3().apply(place, step)).await
            }
            Kind::Role => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.iam().apply(place, step)).await
            }
            Kind::PodIdentityAssociation => {
                let region = Account::parse(&step.key.name, &place.region).map(|account| account.region);
                let clients = self.clients(region.as_deref().unwrap_or(&place.region), place).await;
                Box::pin(clients.eks().apply(place, step)).await
            }
            Kind::SageMakerModel | Kind::SageMakerEndpointConfig | Kind::SageMakerEndpoint => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.sagemaker().apply(place, step)).await
            }
            Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction => {
                let clients = self.clients(&place.region, place).await;
                Box::pin(clients.autoscaling().apply(step)).await
            }
            Kind::ServiceAccount => Err(Error::bug("apply", &step.key.to_string(), "it is not in AWS").into()),
        }
    }

    async fn clients(&self, region: &str, place: &Place) -> Arc<Clients> {
        self.clients.of(region, place).await
    }
}

/// Who holds what was seen. What is not there is nobody's.
fn holder(observed: &Observed) -> Result<Owner, Error> {
    match &observed.state {
        ObservedState::Unreadable(error) => Err(error.clone()),
        ObservedState::Absent => Ok(Owner::Nobody),
        ObservedState::Ready | ObservedState::Progressing(_) | ObservedState::Failed(_) => Ok(observed.owner.clone()),
    }
}

fn is_scaling(kind: Kind) -> bool {
    matches!(kind, Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction)
}
