//! A check that a plan leaves nothing out: what has no step is neither made nor deleted, and is never reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Intent, Plan, adjusted};
use crate::resource::{Desired, Key, Observations, Observed, ObservedState, Owner};

/// A flaw of a plan. Nothing of such a plan is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// This was not observed, although it is declared or was once made.
    Unobserved(Key),
    /// Nothing is planned for this.
    Missing(Key),
    /// So many things are planned for this.
    Repeated(Key, usize),
    /// The step for the first needs the second, and no step before it is for that.
    Disordered(Key, Key),
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unobserved(key) => write!(formatter, "nothing was observed of {key}"),
            Self::Missing(key) => write!(formatter, "there is no step for {key}"),
            Self::Repeated(key, times) => write!(formatter, "there are {times} steps for {key}"),
            Self::Disordered(key, need) => write!(formatter, "the step for {key} comes before that for {need}"),
        }
    }
}

/// Checks that a plan has exactly one step for everything that is wanted and for everything of ours that was observed,
/// and that each step comes after those it needs. `known` is what must have been observed.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check<'a>(
    plan: &Plan,
    desired: &[Desired],
    known: impl IntoIterator<Item = &'a Key>,
    observations: &Observations,
    intent: &Intent,
) -> Result<(), Vec<Flaw>> {
    let mut steps: BTreeMap<&Key, usize> = BTreeMap::new();
    let mut flaws = Vec::new();
    for step in &plan.steps {
        let later = step.needs.iter().filter(|need| !steps.contains_key(need));
        flaws.extend(later.map(|need| Flaw::Disordered(step.key.clone(), need.clone())));
        *steps.entry(&step.key).or_default() += 1;
    }
    let repeated = steps.iter().filter(|(_, times)| **times > 1);
    flaws.extend(repeated.map(|(key, times)| Flaw::Repeated((*key).clone(), *times)));
    let unobserved = known.into_iter().filter(|key| !observations.contains_key(key));
    flaws.extend(unobserved.map(|key| Flaw::Unobserved(key.clone())));
    let wanted = adjusted(desired, observations, intent).desired.into_iter().map(|item| item.resource.key());
    let ours = observations.iter().filter(|(_, observed)| concerns_us(observed)).map(|(key, _)| key.clone());
    let expected: BTreeSet<Key> = wanted.chain(ours).collect();
    flaws.extend(expected.into_iter().filter(|key| !steps.contains_key(key)).map(Flaw::Missing));
    if flaws.is_empty() { Ok(()) } else { Err(flaws) }
}

/// True when something has to become of it: it is there and ours, or may be.
fn concerns_us(observed: &Observed) -> bool {
    match observed.state {
        ObservedState::Absent => false,
        ObservedState::Unreadable(_) => !matches!(observed.owner, Owner::Theirs(_)),
        ObservedState::Ready | ObservedState::Progressing(_) | ObservedState::Failed(_) => {
            observed.owner == Owner::Ours
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ManagementPolicy::Full;
    use crate::plan::{Action, plan};
    use crate::resource::Observed;
    use crate::testing::{bucket_key, ours, seen, step, wanted_bucket};

    fn checked(steps: Vec<crate::plan::Step>, known: &[&str], observations: &Observations) -> Vec<String> {
        let plan = Plan { steps, ..Plan::default() };
        let known: Vec<Key> = known.iter().map(|name| bucket_key(name)).collect();
        let flaws = check(&plan, &[wanted_bucket("one")], &known, observations, &Intent::keep(Full));
        flaws.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn whatever_is_left_out_is_named() {
        let desired = wanted_bucket("one");
        let there = seen([("one", Observed::absent()), ("old", ours(&wanted_bucket("old").resource))]);
        let keep = |name: &str, needs: &[&str]| step(name, Action::Keep, needs);
        assert!(checked(vec![keep("one", &[]), keep("old", &["one"])], &["one", "old"], &there).is_empty());
        for (steps, known, expected) in [
            (vec![keep("one", &[])], vec!["one"], "there is no step for Bucket old"),
            (vec![keep("old", &[])], vec![], "there is no step for Bucket one"),
            (vec![keep("one", &[]), keep("old", &[]), keep("old", &[])], vec![], "there are 2 steps for Bucket old"),
            (
                vec![keep("one", &["old"]), keep("old", &[])],
                vec![],
                "the step for Bucket one comes before that for Bucket old",
            ),
            (vec![keep("one", &[]), keep("old", &[])], vec!["lost"], "nothing was observed of Bucket lost"),
        ] {
            assert_eq!(checked(steps, &known, &there), [expected]);
        }
        let made = plan("support", "assistant", std::slice::from_ref(&desired), &there, &Intent::keep(Full));
        assert_eq!(check(&made, &[desired], there.keys(), &there, &Intent::keep(Full)), Ok(()));
    }

    #[test]
    fn what_is_not_there_or_not_ours_needs_no_step() {
        let theirs = Observed::present(wanted_bucket("theirs").resource, Owner::Theirs("another".into()));
        let there = seen([("gone", Observed::absent()), ("theirs", theirs)]);
        let made = step("one", Action::Create, &[]);
        assert!(checked(vec![made], &["gone", "theirs"], &there).is_empty());
    }
}
