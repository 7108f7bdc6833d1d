//! The knowledge about a deletion under way, so that each of its passes reads only what the one before could not tell.
//! Losing it costs one full read.
//!
//! A resource that waits for something else to go is read when the deletion begins, or was by the pass before it, and
//! again when it is on its own way out. What stays is read once. What was deleted is read until a read finds nothing,
//! and not after that; as long as anything waits, that read can wait too, since the finalizer does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::kind::Reads;
use crate::observation_cache::{HOURLY, Remembered};
use crate::outcome::{Applied, Outcome};
use crate::plan::{Action, Step};
use crate::resource::{Departure, Key, Kind, Observations, Observed, ObservedState};
use crate::session::PassResult;

/// The time for which an observation of something holds that waits for something else to go, or that stays.
const WAITING_HOLDS: Duration = Duration::from_mins(10);

/// The knowledge that one pass of a deletion begins with.
#[derive(Clone, Debug, Default)]
pub struct Departed {
    /// Observations that need not be made.
    pub observations: Observations,
    /// Those among them that nobody made: a call that deleted the resource was answered, and the read that finds nothing
    /// is put off because something else waits. The finalizer does not go on the strength of them.
    pub assumed: BTreeSet<Key>,
    /// The departures of resources that are read.
    pub departures: BTreeMap<Key, Departure>,
    /// True while anything waits for something else to go.
    pub is_any_waiting: bool,
}

impl Departed {
    /// The departure of a resource that is read.
    #[must_use]
    pub fn of(&self, key: &Key) -> Departure {
        self.departures.get(key).copied().unwrap_or_default()
    }
}

/// The memory of a deletion under way.
#[derive(Clone, Debug, Default)]
pub struct Departures {
    /// Resources that a step of this deletion has deleted.
    deleted: BTreeSet<Key>,
    /// Those among them that no read has found gone since the deletion was answered.
    answered: BTreeSet<Key>,
    held: BTreeMap<Key, Held>,
}

/// An observation that holds.
#[derive(Clone, Debug)]
struct Held {
    observed: Observed,
    /// The time at which it was made.
    read: Timestamp,
    /// True while the resource waits for something else to go.
    waits: bool,
}

impl Departures {
    /// A deletion that begins with observations of earlier passes.
    #[must_use]
    pub fn beginning_with(remembered: BTreeMap<Key, Remembered>) -> Self {
        let held = |Remembered { observed, read }| Held { observed, read, waits: true };
        Self { held: remembered.into_iter().map(|(key, it)| (key, held(it))).collect(), ..Self::default() }
    }

    /// The knowledge that a pass begins with.
    #[must_use]
    pub fn departed(&self, now: Timestamp) -> Departed {
        let held: Vec<(&Key, &Held)> = self.held.iter().filter(|(key, held)| held.holds(key.kind, now)).collect();
        let is_any_waiting = held.iter().any(|(_, held)| held.waits);
        let leaves = |key: &Key, held: &Held| is_absent(&held.observed) && !key.kind.info().leaves.is_empty();
        let mut departed = Departed { is_any_waiting, ..Departed::default() };
        for (key, held) in held {
            if !is_any_waiting && leaves(key, held) {
                departed.departures.insert(key.clone(), Departure::Confirmed);
            } else {
                departed.observations.insert(key.clone(), held.observed.clone());
            }
        }
        for key in &self.answered {
            if is_any_waiting {
                departed.observations.insert(key.clone(), Observed::absent());
                departed.assumed.insert(key.clone());
            } else {
                departed.departures.insert(key.clone(), Departure::Answered);
            }
        }
        departed
    }

    /// Takes note of a pass that began with `departed`. What it had from there becomes no younger by that.
    pub fn record(&mut self, result: &PassResult, departed: &Departed, now: Timestamp) {
        // A pass that only announces what the next one does has observed nothing.
        if result.observations.is_empty() {
            return;
        }
        let mut before = std::mem::take(&mut self.held);
        let steps: BTreeMap<&Key, &Step> = result.plan.steps.iter().map(|step| (&step.key, step)).collect();
        for (key, observed) in result.observations.iter().filter(|(key, _)| !departed.assumed.contains(*key)) {
            let step = steps.get(key).copied();
            let waits = step.is_some_and(|step| waits(step, result.outcomes.get(key)));
            let holds = if is_absent(observed) {
                self.answered.remove(key);
                // What was never deleted may still be on its way: a call to make it was given up a moment ago.
                self.deleted.contains(key)
            } else {
                let stays = step.is_some_and(|step| matches!(step.action, Action::Retain(_)));
                (waits || stays) && matches!(observed.state, ObservedState::Ready) && observed.unknown.is_empty()
            };
            if holds {
                let earlier = before.remove(key).filter(|_| departed.observations.contains_key(key));
                let read = earlier.map_or(now, |earlier| earlier.read);
                self.held.insert(key.clone(), Held { observed: observed.clone(), read, waits });
            }
        }
        for step in result.plan.steps.iter().filter(|step| matches!(step.action, Action::Delete { .. })) {
            self.answered.remove(&step.key);
            let Some(Outcome::Done(applied)) = result.outcomes.get(&step.key) else { continue };
            let is_answered = matches!(applied, Applied::Gone);
            if is_answered || matches!(applied, Applied::Progressing(_)) {
                self.deleted.insert(step.key.clone());
            }
            if is_answered {
                self.answered.insert(step.key.clone());
            }
        }
    }
}

impl Held {
    fn holds(&self, kind: Kind, now: Timestamp) -> bool {
        let period = match kind.info().reads {
            Reads::Hourly | Reads::HourlyAsFixed => HOURLY,
            Reads::Resync | Reads::ResyncBut(_) | Reads::Always => WAITING_HOLDS,
        };
        is_absent(&self.observed) || now.duration_since(self.read).unsigned_abs() < period
    }
}

/// True where something waits for something else to go, so that another read would tell nothing new.
fn waits(step: &Step, outcome: Option<&Outcome>) -> bool {
    matches!(step.action, Action::Blocked(_))
        || matches!((&step.action, outcome), (Action::Delete { .. }, Some(Outcome::Blocked(_))))
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

    fn names<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<&'a str> {
        keys.into_iter().map(|key| key.name.as_str()).collect()
    }

    type Taken<'a> = (&'a str, Action, Option<Outcome>, Observed);

    /// Records a pass at a second, and returns what is known a second later.
    fn after(departures: &mut Departures, second: i64, taken: &[Taken]) -> Departed {
        let steps = taken.iter().filter(|(.., observed)| !is_absent(observed));
        let steps = steps.map(|(name, action, ..)| step(name, action.clone(), &[])).collect();
        let plan = Plan { steps, ..Plan::default() };
        let outcomes: Outcomes =
            taken.iter().filter_map(|(name, _, outcome, _)| Some((bucket_key(name), outcome.clone()?))).collect();
        let departed = departures.departed(at(second));
        let observed = taken.iter().map(|(name, _, _, observed)| (bucket_key(name), observed.clone()));
        let observations: Observations = observed.chain(departed.observations.clone()).collect();
        let result = PassResult {
            plan: &plan,
            outcomes: &outcomes,
            observations: &observations,
            denied: &BTreeMap::new(),
            next: Next::Transition,
        };
        departures.record(&result, &departed, at(second));
        departures.departed(at(second + 1))
    }

    fn delete() -> Action {
        Action::Delete { with_contents: false }
    }

    fn gone() -> Outcome {
        Outcome::Done(Applied::Gone)
    }

    fn waiting(name: &'static str) -> Taken<'static> {
        (name, Action::Blocked(vec![bucket_key("aaa")]), None, there(name))
    }

    #[test]
    fn what_was_deleted_is_read_until_a_read_finds_nothing() {
        let mut departures = Departures::default();
        let departed = after(&mut departures, 0, &[("aaa", delete(), Some(gone()), there("aaa"))]);
        assert!(departed.observations.is_empty() && departed.assumed.is_empty(), "an answer is no read");
        assert_eq!(departed.of(&bucket_key("aaa")), Departure::Answered);
        let absent = || ("aaa", Action::Keep, None, Observed::absent());
        for second in [5, 50_000] {
            let departed = after(&mut departures, second, &[absent()]);
            assert_eq!((names(departed.observations.keys()), departed.is_any_waiting), (vec!["aaa"], false));
            assert!(departed.assumed.is_empty() && departed.departures.is_empty(), "nobody makes it again");
        }
    }

    #[test]
    fn the_read_that_finds_nothing_can_wait_while_others_do() {
        let mut departures = Departures::default();
        let first = [("aaa", delete(), Some(gone()), there("aaa")), waiting("bbb")];
        let departed = after(&mut departures, 0, &first);
        assert_eq!(names(departed.observations.keys()), ["aaa", "bbb"]);
        assert_eq!(names(&departed.assumed), ["aaa"]);
        assert!(departed.departures.is_empty());
        let departed = after(&mut departures, 5, &[waiting("bbb")]);
        assert_eq!(names(&departed.assumed), ["aaa"], "nobody read it");
        let departed = after(&mut departures, 9, &[("bbb", delete(), Some(gone()), there("bbb"))]);
        assert!(departed.observations.is_empty() && departed.assumed.is_empty(), "both are read before the end");
        assert_eq!(names(departed.departures.keys()), ["aaa", "bbb"]);
        let failed = Some(Outcome::Interrupted);
        let departed = after(&mut departures, 12, &[("aaa", delete(), failed, there("aaa"))]);
        assert_eq!(departed.of(&bucket_key("aaa")), Departure::Unknown, "it was there all the same");
    }

    #[test]
    fn what_may_have_left_something_is_read_for_that_to_the_end() {
        let key = Key { kind: Kind::SageMakerEndpoint, name: "rank".into() };
        let held = Held { observed: Observed::absent(), read: at(0), waits: false };
        let mut departures = Departures { held: [(key.clone(), held)].into(), ..Departures::default() };
        assert_eq!(departures.departed(at(1)).of(&key), Departure::Confirmed);
        let departed = after(&mut departures, 1, &[waiting("bbb")]);
        assert_eq!(departed.of(&key), Departure::Unknown);
    }

    #[test]
    fn what_was_never_there_is_read_each_time() {
        let mut departures = Departures::default();
        let departed = after(&mut departures, 0, &[("aaa", Action::Keep, None, Observed::absent())]);
        assert!(departed.observations.is_empty(), "a call that was given up may still make it");
    }

    #[test]
    fn what_waits_for_others_to_go_is_not_read_meanwhile() {
        let mut departures = Departures::default();
        let waits = || {
            let blocked = Some(Outcome::Blocked(vec![bucket_key("aaa")]));
            [("bbb", delete(), blocked, there("bbb")), waiting("ccc")]
        };
        let held =
            |departed: Departed| -> Vec<String> { departed.observations.into_keys().map(|key| key.name).collect() };
        assert_eq!(held(after(&mut departures, 0, &waits())), ["bbb", "ccc"]);
        assert_eq!(held(after(&mut departures, 400, &waits())), ["bbb", "ccc"]);
        assert!(departures.departed(at(700)).observations.is_empty(), "it becomes no younger");
        let failed = ("bbb", delete(), Some(Outcome::Interrupted), there("bbb"));
        assert!(held(after(&mut departures, 700, &[failed])).is_empty());
        let mut unknown = there("bbb");
        unknown.unknown.insert("contents".into(), crate::failure::Error::bug("read", "bbb", "it is not known"));
        let waits = ("bbb", delete(), Some(Outcome::Blocked(Vec::new())), unknown);
        assert!(held(after(&mut departures, 701, &[waits])).is_empty(), "part of it is not known");
    }

    #[test]
    fn what_stays_is_read_once_and_waits_for_nothing() {
        let mut departures = Departures::default();
        let departed = after(&mut departures, 0, &[("ddd", Action::Retain("why".into()), None, there("ddd"))]);
        assert_eq!((names(departed.observations.keys()), departed.is_any_waiting), (vec!["ddd"], false));
    }

    #[test]
    fn a_deletion_begins_with_what_earlier_passes_saw_and_an_announcement_forgets_none_of_it() {
        let remembered = Remembered { observed: there("aaa"), read: at(0) };
        let mut departures = Departures::beginning_with([(bucket_key("aaa"), remembered)].into());
        let nothing = (Plan::default(), Outcomes::new(), Observations::new(), BTreeMap::new());
        let (plan, outcomes, observations, denied) = (&nothing.0, &nothing.1, &nothing.2, &nothing.3);
        let result = PassResult { plan, outcomes, observations, denied, next: Next::Now };
        departures.record(&result, &Departed::default(), at(1));
        let departed = departures.departed(at(2));
        assert_eq!((names(departed.observations.keys()), departed.is_any_waiting), (vec!["aaa"], true));
        assert!(departures.departed(at(601)).observations.is_empty(), "it is old");
        let departed = after(&mut departures, 2, &[("aaa", delete(), Some(gone()), there("aaa"))]);
        assert_eq!(departed.of(&bucket_key("aaa")), Departure::Answered);
    }
}
