//! The adapters against the AWS simulator, pass by pass and without a cluster: what is refused holds up nothing else.

mod bucket_ends;
mod bucket_parts;
mod crashes;
mod credentials;
mod drifts;
mod edits;
mod network;
mod never_attempted;
mod ownership;
mod refusals;
mod resync;
mod roles;
mod shared_reads;
mod strangers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aiplatform::api::AIPlatform;
use aiplatform::api::status::ResourceStatus;
use aiplatform::failure::Error;
use aiplatform::failures::Failures;
use aiplatform::guardrails::Guardrails;
use aiplatform::kind::Backend;
use aiplatform::leadership::Authority;
use aiplatform::lookup::{Answers, Lookup};
use aiplatform::outcome::Applied;
use aiplatform::plan::{Plan, Step};
use aiplatform::propagation::RoleWrites;
use aiplatform::provider::Provider;
use aiplatform::provider::aws::Aws;
use aiplatform::reconcile::{Pass, PassContext, dry_run, reconcile};
use aiplatform::resource::{Observations, Request};
use aiplatform::schedule::Next;
use aiplatform::scope::Scope;
use aiplatform::session::{PassInput, Session};
use aws_config::retry::RetryConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::memory::{FakeCloud, Memory};
use crate::support::simulator::Simulator;

/// How long a test waits for SageMaker before it gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// AWS, and a cluster in memory.
struct AwsAndCluster {
    aws: Aws,
    cluster: Memory,
}

impl Provider for AwsAndCluster {
    async fn account(&self, scope: &Scope) -> Result<String, Error> {
        self.aws.account(scope).await
    }

    async fn look_up(&self, scope: &Scope, lookups: &[Lookup], covered: Duration) -> Answers {
        self.aws.look_up(scope, lookups, covered).await
    }

    async fn observe(&self, scope: &Scope, requests: &[Request]) -> Observations {
        let is_in_cluster = |request: &&Request| request.key.kind.info().backend.service().is_none();
        let in_cluster: Vec<Request> = requests.iter().filter(is_in_cluster).cloned().collect();
        let in_aws: Vec<&Request> = requests.iter().filter(|request| !is_in_cluster(request)).collect();
        let seen = self.cluster.observe(scope, &in_cluster).await;
        seen.into_iter().chain(self.aws.observe(scope, &in_aws).await).collect()
    }

    async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match step.key.kind.info().backend {
            Backend::Aws(_) => self.aws.apply(scope, step).await,
            Backend::Cluster(_) => self.cluster.apply(scope, step).await,
        }
    }
}

/// One object and its AWS, pass after pass.
struct Run {
    aws: Simulator,
    config: SdkConfig,
    provider: AwsAndCluster,
    guardrails: Guardrails,
    object: AIPlatform,
    role_writes: RoleWrites,
    /// What is remembered from pass to pass, where that matters; without it each pass reads everything.
    session: Option<Session>,
    /// Seconds since the tests began, as the passes see it.
    clock: i64,
}

impl Run {
    async fn new(spec: Value) -> Self {
        let aws = Simulator::start();
        let credentials = Credentials::new("operator", "secret", None, None, "tests");
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .endpoint_url(aws.url())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .app_name(AppName::new("aiplatform").expect("a name"))
            .load()
            .await;
        let provider = AwsAndCluster {
            aws: aws_of(&config, Duration::ZERO),
            cluster: Memory::new("123456789012", FakeCloud::default()),
        };
        let object = json!({
            "apiVersion": "aiplatform.dev/v1alpha1",
            "kind": "AIPlatform",
            "metadata": {"name": "assistant", "namespace": "support", "generation": 1, "uid": "0a1b2c3d-0000-4000-8000-000000000001"},
            "spec": spec,
        });
        let object = serde_json::from_value(object).expect("the object parses");
        let (role_writes, guardrails) = (RoleWrites::default(), Guardrails::Unbounded);
        Self { aws, config, provider, guardrails, object, role_writes, session: None, clock: 1_800_000_000 }
    }

    /// Begins anew with nothing remembered and snapshots that are shared for this long, as after a restart.
    fn restart(&mut self, shared_for: Duration) {
        self.provider.aws = aws_of(&self.config, shared_for);
        self.session = Some(Session::default());
    }

    fn context(&self) -> PassContext<'_> {
        PassContext { cluster: "tests", guardrails: &self.guardrails, labels: Ok(None) }
    }

    /// One pass, whose status is kept.
    async fn pass(&mut self) -> Pass {
        self.clock += 1;
        let now = Timestamp::from_second(self.clock).expect("the time exists");
        let input = match &mut self.session {
            Some(session) => session.begin(&self.object, now),
            None => PassInput { role_writes: self.role_writes.clone(), ..PassInput::default() },
        };
        let authority = Authority::unelected(CancellationToken::new());
        let pass = reconcile(&self.provider, &self.object, self.context(), &input, now, &authority);
        let pass = Box::pin(pass).await;
        self.role_writes.record(&pass.plan, &pass.outcomes, now);
        if let Some(session) = &mut self.session {
            session.end(&input, &pass.result(), now);
        }
        self.object.status = Some(pass.status.clone());
        pass
    }

    /// The passes that write nothing to AWS: one lists what will be made, one finds that the account is the right one.
    async fn announce(&mut self) {
        for _ in 0..2 {
            let pass = self.pass().await;
            assert!(pass.plan.steps.is_empty(), "nothing is made yet: {:#?}", pass.plan);
        }
    }

    /// Passes until one has nothing more to do.
    async fn settle(&mut self) -> Pass {
        let began = Instant::now();
        loop {
            let pass = self.pass().await;
            let is_done = matches!(pass.next, Next::Resync | Next::Slow | Next::Never);
            if is_done || pass.finished {
                return pass;
            }
            assert!(began.elapsed() < PATIENCE, "it never comes to rest: {:#?}", pass.status);
        }
    }

    /// Passes until the object is ready.
    async fn settle_ready(&mut self) {
        let pass = self.settle().await;
        assert_eq!(ready(&pass), "True", "{:#?}", pass.status);
    }

    /// The spec, changed as by an edit.
    fn edit(&mut self, spec: Value) {
        self.object.spec = serde_json::from_value(spec).expect("the spec parses");
        self.object.metadata.generation = self.object.metadata.generation.map(|generation| generation + 1);
    }

    /// The object on its way out.
    fn delete(&mut self) {
        self.object.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("the time parses"));
        self.object.metadata.generation = self.object.metadata.generation.map(|generation| generation + 1);
    }

    /// What would be done now.
    async fn plan(&self) -> Plan {
        Box::pin(dry_run(&self.provider, &self.object, self.context())).await.expect("a plan").plan
    }

    fn resource(&self, kind: &str) -> &ResourceStatus {
        let status = self.object.status.as_ref().expect("a status");
        status.resources.iter().find(|resource| resource.kind == kind).expect("it is listed")
    }

    fn name(&self, kind: &str) -> String {
        self.resource(kind).name.clone()
    }

    /// Lets every call of an operation fail from here on.
    fn refuse(&self, operation: &str, code: &str, status: u16, message: &str) {
        self.refuse_times(operation, code, status, message, None);
    }

    fn refuse_times(&self, operation: &str, code: &str, status: u16, message: &str, times: Option<u32>) {
        let error = json!({"code": code, "status": status, "message": message});
        let fault = json!({"service": "*", "operation": operation, "when": "before", "times": times, "error": error});
        self.aws.control("faults", fault);
    }

    fn refuse_nothing(&self) {
        self.aws.end_faults();
    }
}

/// AWS as the simulator plays it, with snapshots that are shared for this long.
fn aws_of(config: &SdkConfig, shared_for: Duration) -> Aws {
    let authority = Authority::unelected(CancellationToken::new());
    Aws::with_config(config.clone(), true, shared_for, authority, Arc::default())
}

fn condition<'a>(pass: &'a Pass, kind: &str) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    pass.status.conditions.iter().find(|condition| condition.type_ == kind)
}

fn ready(pass: &Pass) -> &str {
    condition(pass, "Ready").map_or("", |ready| &ready.status)
}

fn reason(pass: &Pass) -> &str {
    condition(pass, "Ready").map_or("", |ready| &ready.reason)
}

fn message(pass: &Pass) -> &str {
    condition(pass, "Ready").map_or("", |ready| &ready.message)
}

/// A spec with these fields beside the usual ones.
fn spec(fields: Value) -> Value {
    let mut spec = json!({
        "region": "eu-west-1",
        "accountId": "123456789012",
        "ownership": {"team": "support", "contact": "support-ml@example.com", "environment": "test"},
    });
    let Value::Object(fields) = fields else { panic!("fields are an object: {fields}") };
    for (field, value) in fields {
        spec[field] = value;
    }
    spec
}

/// A spec with these buckets.
fn buckets(buckets: Value) -> Value {
    spec(json!({"storage": {"buckets": buckets}}))
}

/// Where buckets are made by hand.
fn here() -> CreateBucketConfiguration {
    CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1).build()
}

/// A trust policy.
fn trusting(principal: Value) -> String {
    json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]})
    .to_string()
}

/// Makes a role by hand; its ARN.
async fn put_role(run: &Run, name: &str) -> String {
    let trust = trusting(json!({"Service": "ec2.amazonaws.com"}));
    let made = run.aws.iam().create_role().role_name(name).assume_role_policy_document(trust).send().await;
    made.expect("made").role.expect("a role").arn
}

/// Deletes a role by hand.
async fn drop_role(run: &Run, name: &str) {
    run.aws.iam().delete_role().role_name(name).send().await.expect("deleted");
}
