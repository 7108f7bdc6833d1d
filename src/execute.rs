//! Carries a plan out: every step as soon as what it needs is done, independent steps side by side.
//!
//! It never waits for AWS to finish something: a long transition is an outcome, and a later pass sees how far it came.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::plan::{Action, Plan, Step};
use crate::provider::{Applied, Error, Place, Provider};
use crate::resource::Key;

/// What became of a step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was taken.
    Done(Applied),
    /// It failed; the others went on.
    Failed(Error),
    /// It was not taken, because these are not done.
    Blocked(Vec<Key>),
    /// It was not taken, because the operator is ending.
    Interrupted,
    /// There was nothing to take.
    NotTaken,
}

/// The outcome of every step, by resource.
pub type Outcomes = BTreeMap<Key, Outcome>;

/// Calls in flight for one platform at most, so that one large platform leaves room for the others.
const CONCURRENT_STEPS: usize = 8;

/// Takes every step of the plan that can be taken. Needs point to earlier steps only, so one walk in the plan's order
/// finds everything that can start and everything that cannot any more.
pub async fn execute<P: Provider>(provider: &P, place: &Place, plan: &Plan, stop: &CancellationToken) -> Outcomes {
    let mut outcomes = Outcomes::new();
    let mut waiting: Vec<&Step> = Vec::new();
    for step in &plan.steps {
        if step.is_taken() {
            waiting.push(step);
        } else {
            outcomes.insert(step.key.clone(), Outcome::NotTaken);
        }
    }
    let settled: BTreeSet<&Key> =
        plan.steps.iter().filter(|step| matches!(step.action, Action::Keep)).map(|step| &step.key).collect();
    let planned: BTreeSet<&Key> = plan.steps.iter().map(|step| &step.key).collect();
    let mut running = FuturesUnordered::new();
    loop {
        if stop.is_cancelled() {
            outcomes.extend(waiting.drain(..).map(|step| (step.key.clone(), Outcome::Interrupted)));
        }
        let mut held_up = Vec::new();
        for step in std::mem::take(&mut waiting) {
            let open: Vec<Key> = step
                .needs
                .iter()
                .filter(|need| planned.contains(need) && !settled.contains(need) && !is_done(outcomes.get(*need)))
                .cloned()
                .collect();
            let hopeless = open.iter().any(|need| outcomes.contains_key(need));
            if hopeless {
                outcomes.insert(step.key.clone(), Outcome::Blocked(open));
            } else if open.is_empty() && running.len() < CONCURRENT_STEPS {
                running.push(async move { (step.key.clone(), provider.apply(place, step).await) });
            } else {
                held_up.push(step);
            }
        }
        waiting = held_up;
        let Some((key, result)) = running.next().await else { break };
        outcomes.insert(
            key,
            match result {
                Ok(applied) => Outcome::Done(applied),
                Err(error) => Outcome::Failed(error),
            },
        );
    }
    outcomes
}

fn is_done(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Done(Applied::Ready | Applied::Gone)))
}

#[cfg(test)]
mod tests;
