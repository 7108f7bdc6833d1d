//! Observations that a pass has to make anew before it acts on them: what it had from the cache or from a list that others
//! share is enough to leave something as it is, and not to write.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::attainment::grounds;
use crate::plan::{Action, Plan, Step};
use crate::resource::{Key, Observations, ObservedState};

/// Cached observations that the plan made with them contradicts: what needs something that is missing now may have gone
/// with it, and nothing is written on parts that were not read in the same pass.
#[must_use]
pub fn contradicted(plan: &Plan, cached: &Observations, cached_parts: &Observations) -> BTreeSet<Key> {
    let is_there = |key: &&&Key| cached.get(**key).is_some_and(|it| !matches!(it.state, ObservedState::Absent));
    let made = needing(plan, |action| *action == Action::Create);
    let writes = plan.steps.iter().any(Step::is_taken);
    let parts = cached_parts.keys().filter(|_| writes);
    made.iter().filter(is_there).copied().chain(parts).cloned().collect()
}

/// Observations that a pass has to make anew before it writes, because they were not made for it alone.
#[must_use]
pub fn unverified(plan: &Plan, observations: &Observations) -> BTreeSet<Key> {
    let writes = plan.steps.iter().any(Step::is_taken);
    let shared = observations.iter().filter(|(_, observed)| writes && observed.is_shared);
    shared.map(|(key, _)| key.clone()).collect()
}

/// Observations of earlier passes that a pass has to make anew that an edit started, or in which events vouch for them,
/// because it does more with them than leave them as they are: those of what it may write, of what that stands on, and of
/// what it grants something on.
#[must_use]
pub fn unsettled(plan: &Plan, observations: &Observations) -> BTreeSet<Key> {
    let steps: BTreeMap<&Key, &Step> = plan.steps.iter().map(|step| (&step.key, step)).collect();
    let mut found: BTreeSet<&Key> = plan.steps.iter().filter(|step| !is_at_rest(step)).map(|step| &step.key).collect();
    let mut written: Vec<&Step> = plan.steps.iter().filter(|step| step.may_be_taken()).collect();
    found.extend(written.iter().flat_map(|step| grounds(step)));
    while let Some(step) = written.pop() {
        let needs = step.needs.iter().chain(&step.awaits);
        written.extend(needs.filter(|need| found.insert(need)).filter_map(|need| steps.get(need)));
    }
    let is_remembered = |key: &&Key| observations.get(*key).is_some_and(|observed| observed.is_remembered);
    found.into_iter().filter(is_remembered).cloned().collect()
}

/// True of a step that leaves everything as it is, and of which everything is known.
fn is_at_rest(step: &Step) -> bool {
    matches!(step.action, Action::Keep | Action::Retain(_))
        && !step.may_be_taken()
        && step.held_back.is_none()
        && step.unknown.is_empty()
}

/// Resources that are written in such a way, and everything that needs them, by however many others in between that are
/// not written to themselves.
pub(crate) fn needing(plan: &Plan, is_such: impl Fn(&Action) -> bool) -> BTreeSet<&Key> {
    let mut found = BTreeSet::new();
    for step in &plan.steps {
        let is_written = step.is_taken() && is_such(&step.action);
        if is_written || (!step.is_taken() && step.needs.iter().any(|need| found.contains(need))) {
            found.insert(&step.key);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Kind, Observed};
    use crate::testing::plan_of as plan;

    #[test]
    fn an_edit_reads_anew_what_it_writes_and_what_that_stands_on_however_far_away() {
        let unread = |action: Action| -> Vec<String> {
            let (mut plan, mut observations) = plan(&[
                ("role", Kind::Role, Action::Keep),
                ("model", Kind::SageMakerModel, Action::Keep),
                ("endpoint", Kind::SageMakerEndpoint, action),
                ("target", Kind::ScalableTarget, Action::Keep),
                ("bucket", Kind::Bucket, Action::Keep),
            ]);
            for index in 1..4 {
                plan.steps[index].needs = vec![plan.steps[index - 1].key.clone()];
            }
            assert!(unsettled(&plan, &observations).is_empty(), "all of it was read");
            for observed in observations.values_mut() {
                observed.is_remembered = true;
            }
            unsettled(&plan, &observations).into_iter().map(|key| key.name).collect()
        };
        assert!(unread(Action::Keep).is_empty());
        let mut read = unread(Action::Update(Vec::new()));
        read.sort();
        assert_eq!(read, ["endpoint", "model", "role"]);
        let refusal = crate::plan::Refusal { reason: "Conflict", message: String::new() };
        for action in [Action::Wait(String::new()), Action::Blocked(Vec::new()), Action::Refuse(refusal)] {
            assert_eq!(unread(action), ["endpoint"], "it does not leave it as it is");
        }
    }

    #[test]
    fn a_plan_that_writes_contradicts_parts_and_what_went_with_what_is_missing() {
        let pass = |action: Action| {
            let mut pass = plan(&[
                ("target", Kind::ScalableTarget, action),
                ("action", Kind::ScheduledAction, Action::Keep),
                ("bucket", Kind::Bucket, Action::Keep),
            ]);
            pass.0.steps[1].needs = vec![pass.0.steps[0].key.clone()];
            pass
        };
        let names = |action: Action, state: ObservedState| -> Vec<String> {
            let (plan, mut observations) = pass(action);
            let parts = observations.split_off(&plan.steps[2].key);
            let parts: Observations = parts.into_iter().filter(|(key, _)| key.kind == Kind::Bucket).collect();
            let action = Observed { state, ..Observed::absent() };
            let cached = Observations::from([(plan.steps[1].key.clone(), action)]);
            contradicted(&plan, &cached, &parts).into_iter().map(|key| key.name).collect()
        };
        assert!(names(Action::Keep, ObservedState::Ready).is_empty());
        assert_eq!(names(Action::Update(Vec::new()), ObservedState::Ready), ["bucket"]);
        assert_eq!(names(Action::Create, ObservedState::Ready), ["bucket", "action"]);
        assert_eq!(names(Action::Create, ObservedState::Absent), ["bucket"], "it cannot have gone");
    }

    #[test]
    fn a_pass_that_writes_reads_what_was_shared_by_itself() {
        let shared = |action: Action| {
            let (plan, mut observations) = plan(&[
                ("one", Kind::Bucket, Action::Keep),
                ("role", Kind::Role, Action::Keep),
                ("two", Kind::Bucket, action),
            ]);
            let role = observations.get_mut(&plan.steps[1].key).unwrap();
            role.is_shared = true;
            let keys: Vec<String> = unverified(&plan, &observations).into_iter().map(|key| key.name).collect();
            keys
        };
        assert_eq!(shared(Action::Update(Vec::new())), ["role"]);
        assert_eq!(shared(Action::Delete { with_contents: false }), ["role"]);
        assert!(shared(Action::Keep).is_empty() && shared(Action::Wait("Creating".into())).is_empty());
    }
}
