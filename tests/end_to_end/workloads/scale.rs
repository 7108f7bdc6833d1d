//! Many models at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aiplatform::api::ManagementPolicy;
use aiplatform::execute::execute;
use aiplatform::failure::Error;
use aiplatform::failures::Failures;
use aiplatform::leadership::Authority;
use aiplatform::lookup::{Answers, Lookup};
use aiplatform::outcome::{Applied, Outcome};
use aiplatform::plan::{Intent, Plan, Step, plan};
use aiplatform::provider::Provider;
use aiplatform::resource::{Departure, Desired, Freshness, Observations, Request, Resource};
use aiplatform::scope::Scope;
use tokio_util::sync::CancellationToken;

use super::{Env, PLATFORM, everything, install_optional_apis};

/// The adapter, with the number of writes in flight at most and in all.
struct Counting<'a> {
    env: &'a Env,
    now: AtomicUsize,
    most: AtomicUsize,
    writes: AtomicUsize,
}

impl Provider for Counting<'_> {
    async fn account(&self, scope: &Scope) -> Result<String, Error> {
        Ok(scope.account_id.clone())
    }

    async fn look_up(&self, _: &Scope, _: &[Lookup], _: Duration) -> Answers {
        Answers::new()
    }

    async fn observe(&self, scope: &Scope, requests: &[Request]) -> Observations {
        let requests: Vec<&Request> = requests.iter().collect();
        self.env.adapter.observe_all(scope, &requests).await.into_iter().collect()
    }

    async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let applied = self.env.adapter.apply(scope, step).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        applied
    }
}

#[tokio::test]
async fn twenty_models_are_made_eight_writes_at_a_time_and_nothing_is_written_when_they_are_there() {
    let env = Env::new("twenty").await;
    install_optional_apis(env.cluster, &env.adapter).await;
    let all: Vec<Resource> = (0..20).flat_map(|number| everything(&env, &format!("model-{number}"))).collect();
    let desired: Vec<Desired> = all.iter().cloned().map(Desired::made).collect();
    let requests: Vec<Request> = all
        .iter()
        .map(|resource| Request {
            key: resource.key(),
            adopt: false,
            pruning: false,
            may_be_made: false,
            thorough: true,
            omitted: &[],
            freshness: Freshness::Current,
            departure: Departure::default(),
            vpc_id: None,
        })
        .collect();
    let (now, most, writes) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let provider = Counting { env: &env, now, most, writes };
    let pass = async || -> Plan {
        let observations = provider.observe(&env.scope(), &requests).await;
        let planned = plan(&env.namespace, PLATFORM, &desired, &observations, &Intent::keep(ManagementPolicy::Full));
        let authority = Authority::unelected(CancellationToken::new());
        let (planned, outcomes) = execute(&provider, &env.scope(), &planned, &authority).await;
        let failed: Vec<_> = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        planned
    };
    let first = pass().await;
    assert_eq!(first.summary().create, all.len());
    let most = provider.most.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "{most} writes at a time");
    let written = provider.writes.load(Ordering::SeqCst);
    let second = pass().await;
    assert_eq!(provider.writes.load(Ordering::SeqCst), written, "{second}");
}
