//! AWS: one client set per region and role, one file or folder per service. SDK types never leave these files.

pub mod autoscaling;
mod breaker;
mod budget;
mod clients;
mod connection;
mod ec2;
pub mod eks;
mod eventbridge;
mod failure;
pub mod iam;
mod inbox;
mod logs;
mod own_calls;
mod probes;
mod recent;
mod requests;
pub mod s3;
pub mod sagemaker;
pub mod snapshots;
mod sqs;
mod token_bucket;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use futures::StreamExt;
use futures::future::BoxFuture;

use crate::failure::Error;
use crate::failures::Failures;
use crate::kind::Service;
use crate::leadership::Authority;
use crate::lookup::{Answer, Answers, Caller, Lookup};
use crate::metrics::Metrics;
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::pod_identity_association::ServiceAccountId;
use crate::resource::scaling::scaled_endpoint;
use crate::resource::{Departure, Key, Kind, Observed, ObservedState, Owner, Request};
use crate::scope::Scope;
use clients::{ClientSets, Clients, Identity};
pub use own_calls::OwnCalls;
pub use sqs::Message;

/// The name of the operator in its calls to AWS, as seen in CloudTrail.
const APP_NAME: &str = "aiplatform";

/// The longest that an operation is waited for, with its retries and with all waiting for a turn.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(1);

/// The number of concurrent reads of one platform, limited so that a large one leaves room for the others.
const CONCURRENT_LOOKS: usize = 16;

/// AWS, with the credentials and endpoints the SDK finds in the environment.
pub struct Aws {
    clients: ClientSets,
}

impl Aws {
    /// Reads the environment as every AWS tool does. `s3_path_style` puts bucket names into the path, for endpoints
    /// that are not AWS's own, and platforms share snapshots for `shared_for`, see [`snapshots::period`]. Without the
    /// `authority` to, nothing is sent but the question whose the credentials are.
    pub async fn new(s3_path_style: bool, shared_for: Duration, authority: Authority, metrics: Arc<Metrics>) -> Self {
        Self::with_config(configuration(3).await, s3_path_style, shared_for, authority, metrics)
    }

    /// The same for checks, which somebody waits for: an attempt takes as long as the operator would wait, and few are
    /// made.
    pub async fn for_checks(s3_path_style: bool) -> Self {
        let config = configuration(2).await;
        Self::with_config(config, s3_path_style, Duration::ZERO, Authority::default(), Arc::default())
    }

    /// AWS as this configuration reaches it.
    #[must_use]
    pub fn with_config(
        config: SdkConfig,
        s3_path_style: bool,
        shared_for: Duration,
        authority: Authority,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { clients: ClientSets::new(config, s3_path_style, shared_for, authority, metrics) }
    }

    /// The scope in which the operator's own credentials are checked: the region of the environment, with no account
    /// expected.
    #[must_use]
    pub fn home(&self) -> Scope {
        Scope {
            region: self.clients.home().to_string(),
            account_id: "of the operator".into(),
            owner: String::new(),
            uid: String::new(),
            assume_role: None,
        }
    }

    /// The scope of checks in a region, with no account expected.
    #[must_use]
    pub fn scope_in(&self, region: &str) -> Scope {
        Scope { region: region.into(), ..self.home() }
    }

    /// The account that the credentials for a scope belong to.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn account(&self, scope: &Scope) -> Result<String, Error> {
        Ok(self.identity(scope).await?.account)
    }

    /// The identity that the credentials for a scope belong to.
    async fn identity(&self, scope: &Scope) -> Result<Identity, Error> {
        let clients = self.clients(&scope.region, scope).await;
        if let Some(identity) = clients.identity() {
            return Ok(identity);
        }
        let answer = clients.sts.get_caller_identity().send().await.map_err(|error| {
            let subject = format!("account {} in region {}", scope.account_id, scope.region);
            failure::classify("sts:GetCallerIdentity", &subject, &error, |_| None)
        })?;
        let identity = Identity {
            account: answer.account().unwrap_or_default().to_string(),
            arn: answer.arn().unwrap_or_default().to_string(),
        };
        clients.keep_identity(&identity);
        Ok(identity)
    }

    /// Answers lookups, from as long ago as events have told of every change by others: for the time that is `covered`.
    pub async fn look_up(&self, scope: &Scope, lookups: &[Lookup], covered: Duration) -> Answers {
        let mut answers = Answers::new();
        for lookup in lookups {
            let answer = match lookup {
                Lookup::Network(network) => {
                    let clients = self.clients(&scope.region, scope).await;
                    Box::pin(clients.ec2().look_up(scope, network, covered)).await.map(Answer::Network)
                }
                Lookup::Caller => {
                    self.identity(scope).await.map(|identity| Answer::Caller(Caller { arn: identity.arn }))
                }
                Lookup::Owner(_) | Lookup::Borrowers { .. } | Lookup::Api(_) => {
                    Err(Error::bug("look up", "something in the cluster", "it is not in AWS"))
                }
            };
            answers.insert(lookup.clone(), answer);
        }
        answers
    }

    /// Forgets what networks in a region are made of, of which something has one of these ids: somebody changed it, or may
    /// have.
    pub fn forget_networks(&self, region: &str, is_changed: impl Fn(&str) -> bool) {
        for clients in self.clients.in_region(region) {
            clients.ec2().forget_networks(&is_changed);
        }
    }

    /// Observes everything that is requested, and what was found around it. What cannot be read is observed as such.
    pub async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let requested: BTreeSet<&Key> = requests.iter().map(|request| &request.key).collect();
        let mut by_service: BTreeMap<Option<Service>, Vec<&Request>> = BTreeMap::new();
        for &request in requests {
            by_service.entry(service_of(request.key.kind)).or_default().push(request);
        }
        let reads = by_service.into_iter().flat_map(|(service, batch)| self.reads(scope, service, batch, &requested));
        let reads: Vec<_> = reads.collect();
        let found = futures::stream::iter(reads).buffer_unordered(CONCURRENT_LOOKS).collect::<Vec<_>>().await;
        let (scaling, mut seen): (Vec<_>, Vec<_>) =
            found.into_iter().flatten().partition(|(key, _)| service_of(key.kind) == Some(Service::AutoScaling));
        let scaling = self.owned_by_endpoints(scope, scaling, &seen).await;
        seen.extend(scaling);
        seen
    }

    /// The reads for what is requested of one service: one for all of it, where the service takes many in one call, and
    /// one for each where it does not.
    fn reads<'a>(
        &'a self,
        scope: &'a Scope,
        service: Option<Service>,
        requests: Vec<&'a Request>,
        requested: &'a BTreeSet<&'a Key>,
    ) -> Vec<BoxFuture<'a, Vec<(Key, Observed)>>> {
        match service {
            Some(Service::AutoScaling) => vec![Box::pin(async move {
                let clients = self.clients(&scope.region, scope).await;
                clients.autoscaling().observe(scope, &requests).await
            })],
            Some(Service::Ec2) => vec![Box::pin(async move {
                let clients = self.clients(&scope.region, scope).await;
                clients.ec2().observe(scope, &requests).await
            })],
            Some(Service::Logs) => vec![Box::pin(async move {
                let clients = self.clients(&scope.region, scope).await;
                clients.logs().observe(scope, &requests).await
            })],
            Some(Service::SageMaker) => vec![Box::pin(async move {
                let clients = self.clients(&scope.region, scope).await;
                clients.sagemaker().observe(scope, &requests, requested).await
            })],
            Some(Service::Iam) => vec![Box::pin(async move {
                let clients = self.clients(&scope.region, scope).await;
                clients.iam().observe(scope, &requests).await
            })],
            Some(service @ (Service::S3 | Service::Eks)) => {
                let is_departed = |request: &&Request| request.departure == Departure::Answered;
                let is_listed = |request: &&Request| service == Service::S3 && is_departed(request);
                let (departed, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(is_listed);
                let departed: Option<BoxFuture<'a, _>> = (!departed.is_empty()).then(|| -> BoxFuture<'a, _> {
                    Box::pin(async move {
                        let clients = self.clients(&scope.region, scope).await;
                        clients.s3().observe_departed(scope, &departed).await
                    })
                });
                let each = others.into_iter().map(|request| -> BoxFuture<'a, _> {
                    Box::pin(async move {
                        let seen = self.read(scope, service, request).await;
                        vec![(request.key.clone(), seen.unwrap_or_else(Observed::unreadable))]
                    })
                });
                each.chain(departed).collect()
            }
            None => {
                let bug = |key: &Key| Error::bug("observe", &key.to_string(), "it is not in AWS");
                let each =
                    requests.into_iter().map(|request| (request.key.clone(), Observed::unreadable(bug(&request.key))));
                let each: Vec<_> = each.collect();
                vec![Box::pin(async move { each })]
            }
        }
    }

    /// The owner of something that scales an endpoint and carries no owner tag: the owner of the endpoint.
    async fn owned_by_endpoints(
        &self,
        scope: &Scope,
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
                let clients = self.clients(&scope.region, scope).await;
                Box::pin(clients.sagemaker().holder(scope, &key.name)).await
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

    async fn read(&self, scope: &Scope, service: Service, request: &Request) -> Result<Observed, Error> {
        match service {
            Service::S3 => Box::pin(self.clients(&scope.region, scope).await.s3().observe(scope, request)).await,
            Service::Eks => {
                // A name that is none was never made by us.
                let Some(account) = ServiceAccountId::parse(&request.key.name, &scope.region) else {
                    return Ok(Observed::absent());
                };
                let clients = self.clients(&account.region, scope).await;
                Box::pin(clients.eks().observe(scope, &account, request)).await
            }
            Service::Iam | Service::Ec2 | Service::SageMaker | Service::AutoScaling | Service::Logs => {
                Err(Error::bug("observe", &request.key.to_string(), "its service reads many at once"))
            }
        }
    }

    /// Takes one step.
    ///
    /// # Errors
    /// The error for each part that AWS refuses.
    pub async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        let service = service_of(step.key.kind)
            .ok_or_else(|| Failures::from(Error::bug("apply", &step.key.to_string(), "it is not in AWS")))?;
        let region = match service {
            Service::Eks => ServiceAccountId::parse(&step.key.name, &scope.region).map(|account| account.region),
            Service::Ec2 | Service::S3 | Service::Iam | Service::SageMaker | Service::AutoScaling | Service::Logs => {
                None
            }
        };
        let clients = self.clients(region.as_deref().unwrap_or(&scope.region), scope).await;
        match service {
            Service::S3 => Box::pin(clients.s3().apply(scope, step)).await,
            Service::Iam => Box::pin(clients.iam().apply(scope, step)).await,
            Service::Eks => Box::pin(clients.eks().apply(scope, step)).await,
            Service::SageMaker => Box::pin(clients.sagemaker().apply(scope, step)).await,
            Service::AutoScaling => Box::pin(clients.autoscaling().apply(step)).await,
            Service::Logs => Box::pin(clients.logs().apply(scope, step)).await,
            Service::Ec2 => Box::pin(clients.ec2().apply(scope, step)).await,
        }
    }

    async fn clients(&self, region: &str, scope: &Scope) -> Arc<Clients> {
        self.clients.of(region, scope).await
    }
}

/// The environment, as every AWS tool reads it.
async fn configuration(attempts: u32) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(200));
    let timeouts = TimeoutConfig::builder()
        // An attempt may have to wait for its turn; from when it is sent on, the connection bounds it.
        .operation_attempt_timeout(OPERATION_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut loader =
        aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(retries).timeout_config(timeouts);
    if let Ok(name) = aws_config::AppName::new(APP_NAME) {
        loader = loader.app_name(name);
    }
    loader.load().await
}

/// The holder of what was observed. What does not exist is nobody's.
fn holder(observed: &Observed) -> Result<Owner, Error> {
    match &observed.state {
        ObservedState::Unreadable(error) => Err(error.clone()),
        ObservedState::Absent => Ok(Owner::Nobody),
        ObservedState::Ready | ObservedState::Progressing(_) | ObservedState::Failed(_) => Ok(observed.owner.clone()),
    }
}

fn service_of(kind: Kind) -> Option<Service> {
    kind.info().backend.service()
}
