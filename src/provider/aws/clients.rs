//! The SDK's clients: a set for each region and role, made when it is needed and dropped when nobody used it for long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::budget::{Budget, Budgets, account_of};
use super::connection::{self, Connection, Line};
use super::own_calls::OwnCalls;
use super::requests::Measured;
use super::{APP_NAME, autoscaling, ec2, eks, eventbridge, iam, logs, s3, sagemaker, sqs};
use crate::api::AssumeRole;
use crate::leadership::Authority;
use crate::metrics::Metrics;
use crate::scope::Scope;

/// The time for which an unused set of clients is kept: longer than the resync period while events come.
const KEPT: Duration = Duration::from_mins(75);

/// The time that a call that waits may take: half as long again as the longest wait of SQS.
const POLLED: Duration = Duration::from_secs(30);

/// The time for which the identity behind the credentials is cached.
const IDENTITY_HOLDS: Duration = Duration::from_mins(10);

/// The key of a set of clients: a region, and the role and external id it works through.
type ClientKey = (String, Option<(String, Option<String>)>);

/// All sets of clients.
pub(super) struct ClientSets {
    common: Arc<Common>,
    sets: Mutex<Sets>,
}

type Sets = BTreeMap<ClientKey, (Instant, Arc<OnceCell<Arc<Clients>>>)>;

/// The configuration that all sets are made from.
struct Common {
    config: SdkConfig,
    s3_path_style: bool,
    https: SharedHttpClient,
    authority: Authority,
    measured: Measured,
    /// The period of snapshots.
    shared_for: Duration,
    lines: Mutex<BTreeMap<(String, &'static str), Weak<Line>>>,
    budgets: Budgets,
    metrics: Arc<Metrics>,
}

impl ClientSets {
    pub(super) fn new(
        config: SdkConfig,
        s3_path_style: bool,
        shared_for: Duration,
        authority: Authority,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (https, measured) = (connection::https(), Measured::new(Arc::clone(&metrics), Arc::default()));
        let (lines, budgets) = (Mutex::default(), Budgets::default());
        let common = Common { config, s3_path_style, https, authority, measured, shared_for, lines, budgets, metrics };
        Self { common: Arc::new(common), sets: Mutex::default() }
    }

    /// The memory of this process's own calls.
    pub(super) fn own_calls(&self) -> &OwnCalls {
        self.common.measured.own_calls()
    }

    /// True where bucket names are put into the path.
    pub(super) fn s3_path_style(&self) -> bool {
        self.common.s3_path_style
    }

    /// The region of the environment.
    pub(super) fn home(&self) -> &str {
        self.common.config.region().map_or("us-east-1", AsRef::as_ref)
    }

    /// The clients for a region, for the role that the scope names.
    pub(super) async fn of(&self, region: &str, scope: &Scope) -> Arc<Clients> {
        let assumed = scope.assume_role.as_ref();
        let key = (region.to_string(), assumed.map(|role| (role.role_arn.clone(), role.external_id.clone())));
        let cell = self.cell(key, Instant::now());
        Arc::clone(cell.get_or_init(|| async { Arc::new(Common::connect(&self.common, region, assumed).await) }).await)
    }

    /// The sets for a region that are kept.
    pub(super) fn in_region(&self, region: &str) -> Vec<Arc<Clients>> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let there = sets.iter().filter(|((of, _), _)| of == region);
        there.filter_map(|(_, (_, cell))| cell.get().cloned()).collect()
    }

    fn cell(&self, key: ClientKey, now: Instant) -> Arc<OnceCell<Arc<Clients>>> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sets.len();
        sets.retain(|_, (used, _)| now.saturating_duration_since(*used) < KEPT);
        if sets.len() < before {
            let mut lines = self.common.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let (used, cell) = sets.entry(key).or_insert_with(|| (now, Arc::default()));
        *used = now;
        Arc::clone(cell)
    }
}

impl Common {
    async fn connect(common: &Arc<Self>, region: &str, assumed: Option<&AssumeRole>) -> Clients {
        let account = account_of(assumed.map(|role| role.role_arn.as_str()));
        let budget = common.budgets.of("sts", region, account, &common.metrics);
        let sts = Connection::new(common.https.clone(), common.line("sts", region), budget, None);
        let mut config = common.config.to_builder().region(Region::new(region.to_string())).http_client(sts).build();
        if let Some(role) = assumed {
            let mut provider = AssumeRoleProvider::builder(&role.role_arn)
                .session_name(APP_NAME)
                .region(Region::new(region.to_string()))
                .configure(&config);
            if let Some(external_id) = &role.external_id {
                provider = provider.external_id(external_id);
            }
            let credentials = SharedCredentialsProvider::new(provider.build().await);
            config = config.into_builder().credentials_provider(credentials).build();
        }
        let measured = common.measured.of_another_account();
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(measured.clone()).build();
        Clients {
            common: Arc::clone(common),
            measured,
            region: region.into(),
            account: account.into(),
            sts: aws_sdk_sts::Client::from_conf(sts),
            config,
            identity: Mutex::default(),
            autoscaling: OnceLock::new(),
            ec2: OnceLock::new(),
            eks: OnceLock::new(),
            eventbridge: OnceLock::new(),
            iam: OnceLock::new(),
            logs: OnceLock::new(),
            s3: OnceLock::new(),
            sagemaker: OnceLock::new(),
            sqs: OnceLock::new(),
        }
    }

    /// The line to a service in a region, which all accounts share: if it is down, it is down for all.
    fn line(&self, service: &'static str, region: &str) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lines.entry((region.to_string(), service)).or_default();
        known.upgrade().unwrap_or_else(|| {
            let line = Arc::new(Line::new(service, region));
            *known = Arc::downgrade(&line);
            line
        })
    }
}

/// The identity behind credentials.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The account.
    pub(super) account: String,
    /// The ARN of the user, or of the session of a role.
    pub(super) arn: String,
}

/// The clients for one region and role. That of a service is made at its first call: a region that does not exist is
/// asked whose the credentials are, and nothing else.
pub(super) struct Clients {
    common: Arc<Common>,
    measured: Measured,
    region: String,
    /// The account of the role; empty for the operator's own credentials.
    account: String,
    config: SdkConfig,
    pub(super) sts: aws_sdk_sts::Client,
    identity: Mutex<Option<(Instant, Identity)>>,
    autoscaling: OnceLock<autoscaling::Autoscaling>,
    ec2: OnceLock<ec2::Ec2>,
    eks: OnceLock<eks::Eks>,
    eventbridge: OnceLock<eventbridge::EventBridge>,
    iam: OnceLock<iam::Iam>,
    logs: OnceLock<logs::Logs>,
    s3: OnceLock<s3::S3>,
    sagemaker: OnceLock<sagemaker::SageMaker>,
    sqs: OnceLock<sqs::Sqs>,
}

impl Clients {
    pub(super) fn autoscaling(&self) -> &autoscaling::Autoscaling {
        self.autoscaling.get_or_init(|| {
            autoscaling::Autoscaling::new(
                &self.config("application-autoscaling"),
                self.measured("application-autoscaling"),
                self.common.shared_for,
            )
        })
    }

    pub(super) fn ec2(&self) -> &ec2::Ec2 {
        self.ec2.get_or_init(|| ec2::Ec2::new(&self.config("ec2"), self.measured("ec2"), self.common.shared_for))
    }

    pub(super) fn eks(&self) -> &eks::Eks {
        self.eks.get_or_init(|| eks::Eks::new(&self.config("eks"), self.measured("eks")))
    }

    pub(super) fn iam(&self) -> &iam::Iam {
        self.iam.get_or_init(|| iam::Iam::new(&self.config("iam"), self.measured("iam"), self.common.shared_for))
    }

    pub(super) fn logs(&self) -> &logs::Logs {
        self.logs.get_or_init(|| logs::Logs::new(&self.config("logs"), self.measured("logs")))
    }

    pub(super) fn s3(&self) -> &s3::S3 {
        self.s3.get_or_init(|| s3::S3::new(&self.config("s3"), self.common.s3_path_style, self.measured("s3")))
    }

    pub(super) fn sagemaker(&self) -> &sagemaker::SageMaker {
        self.sagemaker.get_or_init(|| {
            sagemaker::SageMaker::new(&self.config("sagemaker"), self.measured("sagemaker"), self.common.shared_for)
        })
    }

    pub(super) fn eventbridge(&self) -> &eventbridge::EventBridge {
        self.eventbridge.get_or_init(|| eventbridge::EventBridge::new(&self.config("events"), self.measured("events")))
    }

    pub(super) fn sqs(&self) -> &sqs::Sqs {
        self.sqs.get_or_init(|| sqs::Sqs::new(&self.config("sqs"), &self.polling_config(), &self.measured))
    }

    /// The identity that the credentials belong to, where it was read not long ago.
    pub(super) fn identity(&self) -> Option<Identity> {
        let known = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|(at, _)| at.elapsed() < IDENTITY_HOLDS).map(|(_, identity)| identity)
    }

    pub(super) fn keep_identity(&self, identity: &Identity) {
        self.measured.know_account(&identity.account);
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), identity.clone()));
    }

    /// The settings of one service's client, with a connection of its own.
    pub(super) fn config(&self, service: &'static str) -> SdkConfig {
        let Common { https, authority, .. } = &*self.common;
        let line = self.common.line(service, &self.region);
        let connection = Connection::new(https.clone(), line, self.budget(service), Some(authority.clone()));
        self.config.to_builder().http_client(connection).build()
    }

    /// The settings of a client for calls that wait, and change nothing. They take longer than an answer may, which says
    /// nothing about the service, so that they are not sent over the line that all accounts share.
    fn polling_config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(POLLED).operation_timeout(POLLED).build();
        let config = self.config.to_builder().http_client(self.common.https.clone()).timeout_config(timeouts);
        config.retry_config(RetryConfig::disabled()).build()
    }

    fn measured(&self, service: &'static str) -> Measured {
        self.measured.within(self.budget(service))
    }

    fn budget(&self, service: &'static str) -> Arc<Budget> {
        self.common.budgets.of(service, &self.region, &self.account, &self.common.metrics)
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn sets() -> ClientSets {
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        ClientSets::new(config, false, Duration::ZERO, Authority::unelected(CancellationToken::new()), Arc::default())
    }

    fn key(region: &str) -> ClientKey {
        (region.into(), None)
    }

    #[test]
    fn what_nobody_used_for_long_is_dropped() {
        let (sets, began) = (sets(), Instant::now());
        for number in 0..200 {
            sets.cell(key(&format!("eu-west-{number}")), began);
        }
        assert_eq!(sets.sets.lock().unwrap().len(), 200);
        sets.cell(key("eu-west-1"), began + KEPT / 2);
        sets.cell(key("eu-west-2"), began + KEPT);
        let kept: Vec<String> = sets.sets.lock().unwrap().keys().map(|(region, _)| region.clone()).collect();
        assert_eq!(kept, ["eu-west-1", "eu-west-2"]);
    }

    #[test]
    fn all_accounts_share_the_line_to_a_service() {
        let sets = sets();
        let line = sets.common.line("s3", "eu-west-1");
        assert!(Arc::ptr_eq(&line, &sets.common.line("s3", "eu-west-1")));
        assert!(!Arc::ptr_eq(&line, &sets.common.line("s3", "eu-west-2")));
        assert!(!Arc::ptr_eq(&line, &sets.common.line("sts", "eu-west-1")));
    }

    #[tokio::test]
    async fn a_region_has_no_clients_but_for_the_question_whose_the_credentials_are() {
        let sets = sets();
        let scope = Scope {
            region: "eu-west-9".into(),
            account_id: String::new(),
            owner: String::new(),
            uid: String::new(),
            assume_role: None,
        };
        let clients = sets.of("eu-west-9", &scope).await;
        assert!(clients.s3.get().is_none() && clients.iam.get().is_none());
        clients.s3();
        assert!(clients.s3.get().is_some() && clients.iam.get().is_none());
    }
}
