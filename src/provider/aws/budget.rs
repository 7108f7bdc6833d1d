//! The budget of calls to one service of one account in one region, which all platforms share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::token_bucket::{Rates, Ticket, TokenBucket};
use crate::metrics::Metrics;
use crate::priority;

/// The longest time after which a call that waits looks again: those before it may have gone.
const PATIENCE: Duration = Duration::from_millis(250);

/// The rates with which a budget begins. AWS publishes no rates for most calls that manage resources, and what it grants
/// differs from account to account, so that they only keep the operator from flooding an account before the first
/// refusal says what it bears.
fn rates(service: &str) -> Rates {
    let most = match service {
        // Its quotas are thousands per prefix of a bucket. Source: "Best practices design patterns" of Amazon S3.
        "s3" => 1000.0,
        _ => 200.0,
    };
    Rates { least: 5.0, most }
}

/// The account that a role belongs to, by its ARN; empty for the operator's own credentials.
pub(super) fn account_of(role: Option<&str>) -> &str {
    role.and_then(|arn| arn.split(':').nth(4)).unwrap_or_default()
}

/// All budgets that somebody uses.
#[derive(Default)]
pub(super) struct Budgets(Mutex<BTreeMap<BudgetKey, Weak<Budget>>>);

/// The key of a budget: region, account and service.
type BudgetKey = (String, String, &'static str);

impl Budgets {
    /// The budget of a service. IAM is one for all regions.
    pub(super) fn of(&self, service: &'static str, region: &str, account: &str, metrics: &Arc<Metrics>) -> Arc<Budget> {
        let region = if service == "iam" { "" } else { region };
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.retain(|_, budget| budget.strong_count() > 0);
        let known = budgets.entry((region.to_string(), account.to_string(), service)).or_default();
        known.upgrade().unwrap_or_else(|| {
            let budget = Arc::new(Budget::new(service, rates(service), Arc::clone(metrics)));
            *known = Arc::downgrade(&budget);
            budget
        })
    }
}

/// The budget of one service.
pub(super) struct Budget {
    service: &'static str,
    bucket: Mutex<TokenBucket>,
    metrics: Arc<Metrics>,
    began: Instant,
}

impl Budget {
    fn new(service: &'static str, rates: Rates, metrics: Arc<Metrics>) -> Self {
        Self { service, bucket: Mutex::new(TokenBucket::new(rates)), metrics, began: Instant::now() }
    }

    /// Waits until a call of the work in hand may be sent.
    pub(super) async fn wait(&self) {
        let priority = priority::current();
        let now = self.began.elapsed();
        let place = Place { budget: self, ticket: self.bucket().enter(priority, now) };
        let Err(mut pause) = self.bucket().take(place.ticket, now) else { return };
        let _waiting = Waiting::begin(self, priority.name());
        loop {
            tokio::time::sleep(pause.min(PATIENCE)).await;
            match self.bucket().take(place.ticket, self.began.elapsed()) {
                Ok(()) => return,
                Err(longer) => pause = longer,
            }
        }
    }

    /// The service says that too much was asked.
    pub(super) fn throttled(&self) {
        self.bucket().throttled(self.began.elapsed());
    }

    fn bucket(&self) -> MutexGuard<'_, TokenBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Budget").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A place in the line, which is left when nobody waits any more.
struct Place<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.bucket().leave(self.ticket);
    }
}

/// Shows in metrics that a call waits.
struct Waiting<'a> {
    budget: &'a Budget,
    priority: &'static str,
}

impl<'a> Waiting<'a> {
    fn begin(budget: &'a Budget, priority: &'static str) -> Self {
        budget.metrics.aws.waits(budget.service, priority);
        Self { budget, priority }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.metrics.aws.waits_no_more(self.budget.service, self.priority);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::priority::Priority;

    fn budget() -> Budget {
        Budget::new("iam", Rates { least: 1.0, most: 1.0 }, Arc::default())
    }

    fn waiting(budget: &Budget) -> Vec<String> {
        let text = budget.metrics.text();
        let lines = text.lines().filter(|line| line.starts_with("aiplatform_aws_requests_waiting{"));
        lines.map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn what_waits_is_shown_until_it_waits_no_more() {
        let budget = budget();
        budget.wait().await;
        assert!(waiting(&budget).is_empty());
        let mut second = Box::pin(priority::scope(Priority::Drift, budget.wait()));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(waiting(&budget), ["aiplatform_aws_requests_waiting{service=\"iam\",priority=\"drift\"} 1"]);
        drop(second);
        assert_eq!(waiting(&budget), ["aiplatform_aws_requests_waiting{service=\"iam\",priority=\"drift\"} 0"]);
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_line() {
        let budget = budget();
        budget.wait().await;
        let mut given_up = Box::pin(budget.wait());
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        tokio::time::timeout(Duration::from_secs(30), budget.wait()).await.expect("nobody is before it");
    }

    #[test]
    fn platforms_of_one_account_share_a_budget_whatever_their_role() {
        let (budgets, metrics) = (Budgets::default(), Arc::default());
        let role = |name: &str| format!("arn:aws:iam::210987654321:role/{name}");
        let of = |service, region, role: Option<&str>| budgets.of(service, region, account_of(role), &metrics);
        let one = of("s3", "eu-west-1", Some(&role("a")));
        assert!(Arc::ptr_eq(&one, &of("s3", "eu-west-1", Some(&role("b")))));
        assert!(!Arc::ptr_eq(&one, &of("s3", "eu-west-1", None)));
        assert!(!Arc::ptr_eq(&one, &of("s3", "eu-west-2", Some(&role("a")))));
        assert!(!Arc::ptr_eq(&one, &of("ec2", "eu-west-1", Some(&role("a")))));
        let iam = of("iam", "eu-west-1", None);
        assert!(Arc::ptr_eq(&iam, &of("iam", "eu-west-2", None)), "IAM is not regional");
    }
}
