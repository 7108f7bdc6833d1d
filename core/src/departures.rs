//! Observations of a deletion that need not be made again in it. Losing them costs one full read.
//!
//! What was deleted is read until a read finds nothing, and not after that. What waits for something else to go is read
//! when the deletion begins, and again when it is on its own way out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::{Applied, Outcome};
use crate::plan::{Action, Step};
use crate::resource::{Key, Kind, Observations, Observed, ObservedState};
use crate::session::PassResult;

/// The time for which an observation of something holds that waits for something else to go.
const WAITING_HOLDS: Duration = Duration::from_mins(10);

/// What is known of a deletion under way.
#[derive(Clone, Debug, Default)]
pub struct Departures {
    /// Resources that a step of this deletion has deleted.
    deleted: BTreeSet<Key>,
    held: BTreeMap<Key, Held>,
}

/// An observation that holds.
#[derive(Clone, Debug)]
struct Held {
    observed: Observed,
    /// The time at which it was made.
    read: Timestamp,
}

impl Departures {
    /// The observations that still hold.
    #[must_use]
    pub fn held(&self, now: Timestamp) -> Observations {
        let holds =
            |held: &Held| is_absent(&held.observed) || now.duration_since(held.read).unsigned_abs() < WAITING_HOLDS;
        let held = self.held.iter().filter(|(_, held)| holds(held));
        held.map(|(key, held)| (key.clone(), held.observed.clone())).collect()
    }

    /// Takes note of a pass that had `held` from here, which becomes no younger by that.
    pub fn record(&mut self, result: &PassResult, held: &Observations, now: Timestamp) {
        let mut before = std::mem::take(&mut self.held);
        let steps: BTreeMap<&Key, &Step> = result.plan.steps.iter().map(|step| (&step.key, step)).collect();
        for (key, observed) in result.observations {
            let is_settled = if is_absent(observed) {
                self.is_gone(key)
            } else {
                steps.get(key).is_some_and(|step| waits(step, result.outcomes.get(key), observed))
            };
            if is_settled {
                let earlier = before.remove(key).filter(|_| held.contains_key(key));
                let kept = earlier.unwrap_or_else(|| Held { observed: observed.clone(), read: now });
                self.held.insert(key.clone(), kept);
            }
        }
        for step in &result.plan.steps {
            let outcome = result.outcomes.get(&step.key);
            let is_deleted = matches!(outcome, Some(Outcome::Done(Applied::Gone | Applied::Progressing(_))));
            if is_deleted && matches!(step.action, Action::Delete { .. }) {
                self.deleted.insert(step.key.clone());
            }
        }
    }

    /// True where what is not there need not be looked for again. What was never deleted may still be on its way: a call
    /// to make it was given up a moment ago. And what is read with an endpoint, its revisions, is looked for to the end.
    fn is_gone(&self, key: &Key) -> bool {
        self.deleted.contains(key) && key.kind != Kind::SageMakerEndpoint
    }
}

/// True while any of these waits for something else to go.
#[must_use]
pub fn is_any_waiting(held: &Observations) -> bool {
    held.values().any(|observed| !is_absent(observed))
}

/// True where something waits for something else to go, so that another read would tell nothing new.
fn waits(step: &Step, outcome: Option<&Outcome>, observed: &Observed) -> bool {
    let waits = matches!(step.action, Action::Blocked(_))
        || matches!((&step.action, outcome), (Action::Delete { .. }, Some(Outcome::Blocked(_))));
    waits && matches!(observed.state, ObservedState::Ready) && observed.unknown.is_empty()
}

fn is_absent(observed: &Observed) -> bool {
    matches!(observed.state, ObservedState::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcomes;
    use crate::plan::Plan;
    use crate::resource::Owner;
    use crate::schedule::Next;
    use crate::testing::{at, bucket_key, step, wanted_bucket};

    fn there(name: &str) -> Observed {
        Observed::present(wanted_bucket(name).resource, Owner::Ours)
    }

    /// Records a pass at a second, and returns what holds a second later.
    fn after(
        departures: &mut Departures,
        second: i64,
        steps: &[(&str, Action, Option<Outcome>, Observed)],
    ) -> Vec<String> {
        let plan = Plan {
            steps: steps.iter().map(|(name, action, ..)| step(name, action.clone(), &[])).collect(),
            ..Plan::default()
        };
        let outcomes: Outcomes =
            steps.iter().filter_map(|(name, _, outcome, _)| Some((bucket_key(name), outcome.clone()?))).collect();
        let observations: Observations =
            steps.iter().map(|(name, _, _, observed)| (bucket_key(name), observed.clone())).collect();
        let result = PassResult {
            plan: &plan,
            outcomes: &outcomes,
            observations: &observations,
            denied: &BTreeMap::new(),
            next: Next::Transition,
        };
        let held = departures.held(at(second));
        departures.record(&result, &held, at(second));
        departures.held(at(second + 1)).into_keys().map(|key| key.name).collect()
    }

    fn delete() -> Action {
        Action::Delete { with_contents: false }
    }

    #[test]
    fn what_was_deleted_is_read_until_a_read_finds_nothing() {
        let mut departures = Departures::default();
        let gone = Some(Outcome::Done(Applied::Gone));
        assert!(after(&mut departures, 0, &[("aaa", delete(), gone, there("aaa"))]).is_empty(), "an answer is no read");
        // What is not there has no step.
        let absent = Observations::from([(bucket_key("aaa"), Observed::absent())]);
        for second in [5, 50_000] {
            let (plan, outcomes, denied) = (Plan::default(), Outcomes::new(), BTreeMap::new());
            let (plan, outcomes, observations, denied) = (&plan, &outcomes, &absent, &denied);
            let result = PassResult { plan, outcomes, observations, denied, next: Next::Transition };
            departures.record(&result, &departures.held(at(second)), at(second));
            let held = departures.held(at(second + 1));
            assert!(held.contains_key(&bucket_key("aaa")) && !is_any_waiting(&held), "nobody makes it again");
        }
    }

    #[test]
    fn what_was_never_there_is_read_each_time() {
        let mut departures = Departures::default();
        let absent = ("aaa", Action::Keep, None, Observed::absent());
        assert!(after(&mut departures, 0, &[absent]).is_empty(), "a call that was given up may still make it");
    }

    #[test]
    fn what_waits_for_others_to_go_is_not_read_meanwhile() {
        let mut departures = Departures::default();
        let waits = || {
            let blocked = Some(Outcome::Blocked(vec![bucket_key("aaa")]));
            [
                ("bbb", delete(), blocked, there("bbb")),
                ("ccc", Action::Blocked(vec![bucket_key("aaa")]), None, there("ccc")),
            ]
        };
        assert_eq!(after(&mut departures, 0, &waits()), ["bbb", "ccc"]);
        assert_eq!(after(&mut departures, 400, &waits()), ["bbb", "ccc"]);
        assert!(departures.held(at(700)).is_empty(), "it becomes no younger");
        let retained = ("ddd", Action::Retain("why".into()), None, there("ddd"));
        assert!(after(&mut departures, 700, &[retained]).is_empty(), "it waits for nothing");
        let failed = ("bbb", delete(), Some(Outcome::Interrupted), there("bbb"));
        assert!(after(&mut departures, 700, &[failed]).is_empty());
        let mut unknown = there("bbb");
        unknown.unknown.insert("contents".into(), crate::failure::Error::bug("read", "bbb", "it is not known"));
        let waits = ("bbb", delete(), Some(Outcome::Blocked(Vec::new())), unknown);
        assert!(after(&mut departures, 701, &[waits]).is_empty(), "part of it is not known");
    }
}
