//! Writes that have no effect: made a few times, then stopped and reported, so that no pass repeats them for ever.

use std::collections::BTreeMap;

use crate::api::RECONCILE_AT;
use crate::diff::Change;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Purpose, Refusal, Step};
use crate::resource::Key;

/// The number of times that the same update is made in a row.
const MOST: u32 = 2;

/// The number of times that something which failed is deleted to be made again, in a row.
const MOST_REPLACEMENTS: u32 = 3;

/// The writes to an object's resources that do not lead anywhere.
#[derive(Clone, Debug, Default)]
pub struct UpdateLoopGuard {
    /// The last update of each, and how often it was made, as long as it is followed by the same again.
    updates: BTreeMap<Key, (Vec<Change>, u32)>,
    /// The number of times that each failed and was deleted to be made again, until it is there.
    replacements: BTreeMap<Key, u32>,
}

impl UpdateLoopGuard {
    /// The plan, with refusals in place of an update that was made twice and did not stay, and of the replacement of
    /// something that failed again and again.
    #[must_use]
    pub fn check(&self, mut plan: Plan) -> Plan {
        for step in &mut plan.steps {
            if let Some(times) = self.replacements.get(&step.key)
                && is_replacement(step)
                && *times >= MOST_REPLACEMENTS
            {
                let message = format!(
                    "{}: it failed, was deleted and made again {times} times, and failed each time ({}): it is tried again \
                     when the object changes or is annotated with {RECONCILE_AT}",
                    step.key,
                    step.remarks.join("; ")
                );
                step.action = Action::Refuse(Refusal { reason: "Failed", message });
                continue;
            }
            let Action::Update(changes) = &step.action else { continue };
            let Some((before, times)) = self.updates.get(&step.key) else { continue };
            if before == changes && *times >= MOST {
                let fields: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
                let message = format!(
                    "{}: the same change was written twice and did not stay ({}): somebody changes it back at once, or AWS \
                     ignores it; it is tried again when the object changes or is annotated",
                    step.key,
                    fields.join(", ")
                );
                step.action = Action::Refuse(Refusal { reason: "Conflict", message });
            }
        }
        plan
    }

    /// Takes note of what a pass did.
    pub fn record(&mut self, plan: &Plan, outcomes: &Outcomes) {
        for step in &plan.steps {
            if is_replacement(step) && matches!(outcomes.get(&step.key), Some(Outcome::Done(_))) {
                *self.replacements.entry(step.key.clone()).or_default() += 1;
            } else if matches!(step.action, Action::Keep | Action::Update(_)) {
                self.replacements.remove(&step.key);
            }
            match (&step.action, outcomes.get(&step.key)) {
                (Action::Update(changes), Some(Outcome::Done(_))) => {
                    let entry = self.updates.entry(step.key.clone()).or_insert_with(|| (changes.clone(), 0));
                    if entry.0 == *changes {
                        entry.1 += 1;
                    } else {
                        *entry = (changes.clone(), 1);
                    }
                }
                (Action::Update(_) | Action::Refuse(_), _) => {}
                _ => {
                    self.updates.remove(&step.key);
                }
            }
        }
    }

    /// Forgets everything, so that what was stopped is tried again.
    pub fn clear(&mut self) {
        self.updates.clear();
        self.replacements.clear();
    }
}

fn is_replacement(step: &Step) -> bool {
    step.purpose == Purpose::Replacement && matches!(step.action, Action::Delete { .. })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::outcome::Applied;
    use crate::testing::step;

    fn update(to: u32) -> Plan {
        let change = Change { path: "versioning".into(), from: json!(null), to: json!(to) };
        Plan { steps: vec![step("a", Action::Update(vec![change]), &[])], ..Plan::default() }
    }

    fn done(plan: &Plan) -> Outcomes {
        plan.steps.iter().map(|step| (step.key.clone(), Outcome::Done(Applied::Ready))).collect()
    }

    fn is_stopped(plan: &Plan) -> bool {
        matches!(plan.steps[0].action, Action::Refuse(_))
    }

    #[test]
    fn the_same_update_is_stopped_after_two() {
        let mut repeats = UpdateLoopGuard::default();
        for _ in 0..2 {
            let plan = repeats.check(update(1));
            assert!(!is_stopped(&plan));
            repeats.record(&plan, &done(&plan));
        }
        let stopped = repeats.check(update(1));
        assert!(is_stopped(&stopped));
        repeats.record(&stopped, &Outcomes::new());
        assert!(is_stopped(&repeats.check(update(1))), "and stays stopped");
        repeats.clear();
        assert!(!is_stopped(&repeats.check(update(1))));
    }

    #[test]
    fn an_update_that_took_effect_starts_the_count_anew() {
        let mut repeats = UpdateLoopGuard::default();
        for _ in 0..3 {
            let plan = repeats.check(update(1));
            assert!(!is_stopped(&plan));
            repeats.record(&plan, &done(&plan));
            let kept = Plan { steps: vec![step("a", Action::Keep, &[])], ..Plan::default() };
            repeats.record(&kept, &Outcomes::new());
        }
    }

    #[test]
    fn what_fails_again_and_again_is_replaced_three_times_and_then_reported() {
        let replacement = || {
            let mut failed = step("a", Action::Delete { with_contents: false }, &[]);
            failed.purpose = Purpose::Replacement;
            failed.remarks.push("no addresses are free".into());
            Plan { steps: vec![failed], ..Plan::default() }
        };
        let of = |action: Action| Plan { steps: vec![step("a", action, &[])], ..Plan::default() };
        let mut repeats = UpdateLoopGuard::default();
        let replaced = |repeats: &mut UpdateLoopGuard| {
            let plan = repeats.check(replacement());
            repeats.record(&plan, &done(&plan));
            for action in [Action::Wait("deleting".into()), Action::Create, Action::Wait("pending".into())] {
                let plan = of(action);
                repeats.record(&plan, &done(&plan));
            }
            !is_stopped(&plan)
        };
        assert_eq!([(); 5].map(|()| replaced(&mut repeats)), [true, true, true, false, false]);
        let Action::Refuse(refusal) = &repeats.check(replacement()).steps[0].action else { panic!() };
        assert!(refusal.message.contains("no addresses are free"), "{}", refusal.message);
        repeats.clear();
        assert!(replaced(&mut repeats), "when the user asks");
        repeats.record(&of(Action::Keep), &Outcomes::new());
        assert_eq!([(); 4].map(|()| replaced(&mut repeats)), [true, true, true, false], "it was there meanwhile");
        let mut repeats = UpdateLoopGuard::default();
        for _ in 0..5 {
            let plan = repeats.check(replacement());
            assert!(!is_stopped(&plan), "what was not deleted does not count");
            repeats.record(&plan, &Outcomes::new());
        }
    }

    #[test]
    fn another_update_and_a_failed_one_do_not_count() {
        let mut repeats = UpdateLoopGuard::default();
        for to in 0..4 {
            let plan = repeats.check(update(to % 2));
            assert!(!is_stopped(&plan));
            repeats.record(&plan, &done(&plan));
        }
        let mut repeats = UpdateLoopGuard::default();
        for _ in 0..4 {
            let plan = repeats.check(update(1));
            assert!(!is_stopped(&plan));
            repeats.record(&plan, &Outcomes::new());
        }
    }
}
