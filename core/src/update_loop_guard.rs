//! Writes that have no effect: made twice, then stopped and reported, so that no pass repeats them for ever.

use std::collections::BTreeMap;

use crate::diff::Change;
use crate::outcome::{Outcome, Outcomes};
use crate::plan::{Action, Plan, Refusal};
use crate::resource::Key;

/// The number of times that the same update is made in a row.
const MOST: u32 = 2;

/// The updates made to an object's resources, as long as each is followed by the same again.
#[derive(Clone, Debug, Default)]
pub struct UpdateLoopGuard(BTreeMap<Key, (Vec<Change>, u32)>);

impl UpdateLoopGuard {
    /// The plan, with a refusal in place of an update that was made twice and did not stay.
    #[must_use]
    pub fn check(&self, mut plan: Plan) -> Plan {
        for step in &mut plan.steps {
            let Action::Update(changes) = &step.action else { continue };
            let Some((before, times)) = self.0.get(&step.key) else { continue };
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
            match (&step.action, outcomes.get(&step.key)) {
                (Action::Update(changes), Some(Outcome::Done(_))) => {
                    let entry = self.0.entry(step.key.clone()).or_insert_with(|| (changes.clone(), 0));
                    if entry.0 == *changes {
                        entry.1 += 1;
                    } else {
                        *entry = (changes.clone(), 1);
                    }
                }
                (Action::Update(_) | Action::Refuse(_), _) => {}
                _ => {
                    self.0.remove(&step.key);
                }
            }
        }
    }

    /// Forgets everything, so that what was stopped is tried again.
    pub fn clear(&mut self) {
        self.0.clear();
    }
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
