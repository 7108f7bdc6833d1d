//! AWS: one client set per region, one file per service. SDK types never leave these files.

mod failure;
pub mod s3;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use futures::future::join_all;

use super::{Applied, Error, Place, Provider};
use crate::plan::Step;
use crate::resource::{Kind, Observations, Observed, Request};

/// How the operator names itself to AWS, as seen in CloudTrail.
const APP_NAME: &str = "aiplatform";

/// How long the answer to "whose credentials are these" holds.
const ACCOUNT_HOLDS: Duration = Duration::from_mins(10);

/// AWS, with the credentials and endpoints the SDK finds in the environment.
pub struct Aws {
    config: SdkConfig,
    s3_path_style: bool,
    regions: Mutex<BTreeMap<String, Arc<Clients>>>,
}

struct Clients {
    s3: s3::S3,
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
        Self { config: loader.load().await, s3_path_style, regions: Mutex::default() }
    }

    /// Where the operator's own credentials are asked about: the region of the environment, with no account expected.
    #[must_use]
    pub fn home(&self) -> Place {
        let region = self.config.region().map_or("us-east-1", AsRef::as_ref);
        Place { region: region.to_string(), account_id: "of the operator".into(), owner: String::new() }
    }

    fn clients(&self, place: &Place) -> Arc<Clients> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let config = self.config.to_builder().region(Region::new(place.region.clone())).build();
            Arc::new(Clients {
                s3: s3::S3::new(&config, self.s3_path_style),
                sts: aws_sdk_sts::Client::new(&config),
                account: Mutex::default(),
            })
        };
        Arc::clone(regions.entry(place.region.clone()).or_insert_with(make))
    }
}

impl Provider for Aws {
    async fn account(&self, place: &Place) -> Result<String, Error> {
        let clients = self.clients(place);
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

    async fn observe(&self, place: &Place, requests: &[Request]) -> Observations {
        let clients = self.clients(place);
        let clients = &clients;
        let looks = requests.iter().map(|request| async move {
            let seen = match request.key.kind {
                Kind::Bucket => Box::pin(clients.s3.observe(place, request)).await,
            };
            (request.key.clone(), seen.unwrap_or_else(Observed::unreadable))
        });
        join_all(looks).await.into_iter().collect()
    }

    async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        let clients = self.clients(place);
        match step.key.kind {
            Kind::Bucket => Box::pin(clients.s3.apply(place, step)).await,
        }
    }
}
