//! The repairs of drift in a pass's work: something that was as desired, is desired in the same way, and had to be
//! written again, because somebody else changed it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::diff::Change;
use crate::drift_events::Touch;
use crate::outcome::{Applied, Outcome, Outcomes};
use crate::plan::{Action, Plan, Step};
use crate::resource::{Key, Resource};

/// The longest value that is shown, in characters.
const SHOWN: usize = 80;

/// Principals that are named at most.
const NAMED: usize = 3;

/// The memory of what was in sync. Losing it makes the next repair of each resource look like any other update.
#[derive(Clone, Debug, Default)]
pub struct InSync(BTreeMap<Key, u64>);

/// One repair.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// The resource.
    pub key: Key,
    /// The changes that were undone; none where the resource was gone and was created again.
    pub changes: Vec<Change>,
    /// The people behind them, as events name them, where any came.
    pub touches: Vec<Touch>,
}

impl Repair {
    /// The fields that were repaired, each once, as they are called in the description of the kind; `existence` where the
    /// resource was gone.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        if self.changes.is_empty() {
            return vec!["existence"];
        }
        let mut fields: Vec<&str> = self.changes.iter().map(field).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The repair in a sentence: each field, from what to what, and who had changed it where that is known.
    #[must_use]
    pub fn describe(&self) -> String {
        let by = self.by();
        if self.changes.is_empty() {
            return match by {
                Some(by) => format!("{}: deleted by {by}, created again", self.key),
                None => format!("{}: it was gone and is created again", self.key),
            };
        }
        let changes = self.changes.iter().map(|change| {
            if is_confidential(&change.path) {
                change.path.clone()
            } else {
                format!("{} from {} to {}", change.path, shown(&change.from), shown(&change.to))
            }
        });
        let changes = changes.collect::<Vec<_>>().join(", ");
        match by {
            Some(by) => {
                let paths: Vec<&str> = self.changes.iter().map(|change| change.path.as_str()).collect();
                format!("{}: {} changed by {by}, repaired: {changes}", self.key, paths.join(", "))
            }
            None => format!("{}: changed back {changes}", self.key),
        }
    }

    /// Those who made the changes, each with the last of its calls, the latest first.
    fn by(&self) -> Option<String> {
        let mut latest: BTreeMap<&str, &Touch> = BTreeMap::new();
        for touch in &self.touches {
            let known = latest.entry(&touch.by).or_insert(touch);
            if touch.at > known.at {
                *known = touch;
            }
        }
        let mut latest: Vec<&Touch> = latest.into_values().collect();
        latest.sort_by_key(|touch| std::cmp::Reverse(touch.at));
        let more = latest.len().saturating_sub(NAMED);
        let named = latest.iter().take(NAMED).map(|Touch { by, at, call, .. }| format!("{by} at {at} ({call})"));
        let more = (more > 0).then(|| format!("{more} more"));
        let named: Vec<String> = named.chain(more).collect();
        (!named.is_empty()).then(|| named.join(" and "))
    }
}

fn field(change: &Change) -> &str {
    change.path.split(['.', '[']).next().unwrap_or_default()
}

/// True of values that are the user's own and may hold anything: what programs are started with.
fn is_confidential(path: &str) -> bool {
    let mut words = path.split(['.', '[', ']']);
    words.any(|word| matches!(word, "env" | "envFrom" | "environment" | "args" | "command" | "data"))
}

fn shown(value: &Value) -> String {
    let text = if value.is_null() { "nothing".to_string() } else { value.to_string() };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

impl InSync {
    /// The repairs of drift among the steps that were taken.
    #[must_use]
    pub fn repairs(&self, plan: &Plan, outcomes: &Outcomes) -> Vec<Repair> {
        plan.steps.iter().filter_map(|step| self.repair(step, outcomes.get(&step.key))).collect()
    }

    fn repair(&self, step: &Step, outcome: Option<&Outcome>) -> Option<Repair> {
        if self.0.get(&step.key).copied()? != fingerprint(step.desired.as_ref()?) {
            return None;
        }
        let is_written = |change: &&Change| match outcome {
            Some(Outcome::Done(_)) => true,
            Some(Outcome::Failed(failures)) => failures.wrote() && !failures.concerns(&change.path),
            _ => false,
        };
        let changes: Vec<Change> = match (&step.action, outcome) {
            (Action::Update(changes), _) => changes.iter().filter(is_written).cloned().collect(),
            (Action::Create, Some(Outcome::Done(_))) => {
                return Some(Repair { key: step.key.clone(), changes: Vec::new(), touches: Vec::new() });
            }
            _ => return None,
        };
        (!changes.is_empty()).then(|| Repair { key: step.key.clone(), changes, touches: Vec::new() })
    }

    /// Takes note of what a pass found or left in sync.
    pub fn record(&mut self, plan: &Plan, outcomes: &Outcomes) {
        for step in &plan.steps {
            let Some(desired) = &step.desired else {
                self.0.remove(&step.key);
                continue;
            };
            let is_in_sync = match (&step.action, outcomes.get(&step.key)) {
                (Action::Keep, _) => step.is_reliable(),
                (Action::Create | Action::Update(_), Some(Outcome::Done(applied))) => {
                    matches!(
                        applied,
                        Applied::Ready | Applied::ReadyAs { .. } | Applied::Created { .. } | Applied::Progressing(_)
                    )
                }
                (Action::Delete { .. }, _) => {
                    self.0.remove(&step.key);
                    false
                }
                _ => false,
            };
            if is_in_sync {
                self.0.insert(step.key.clone(), fingerprint(desired));
            }
        }
    }
}

fn fingerprint(desired: &Resource) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(desired).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{at, bucket_of, step, wanted_bucket};

    fn plan(action: Action, versioning: bool) -> Plan {
        let mut taken = step("a", action, &[]);
        let mut desired = wanted_bucket("bucket-one").resource;
        bucket_of(&mut desired).versioning = versioning;
        taken.desired = Some(desired);
        Plan { steps: vec![taken], ..Plan::default() }
    }

    fn update() -> Action {
        Action::Update(vec![
            Change { path: "versioning".into(), from: json!("Suspended"), to: json!("Enabled") },
            Change { path: "tags.team".into(), from: json!(null), to: json!("a") },
        ])
    }

    fn done(plan: &Plan) -> Outcomes {
        plan.steps.iter().map(|step| (step.key.clone(), Outcome::Done(Applied::Ready))).collect()
    }

    fn described(memory: &InSync, plan: &Plan) -> Vec<String> {
        memory.repairs(plan, &done(plan)).iter().map(Repair::describe).collect()
    }

    #[test]
    fn what_was_in_sync_and_is_desired_in_the_same_way_is_repaired() {
        let mut memory = InSync::default();
        assert!(described(&memory, &plan(update(), true)).is_empty(), "nothing is known yet");
        memory.record(&plan(Action::Keep, true), &Outcomes::new());
        let repairs = memory.repairs(&plan(update(), true), &done(&plan(update(), true)));
        assert_eq!(repairs[0].fields(), ["tags", "versioning"]);
        assert_eq!(
            described(&memory, &plan(update(), true)),
            ["Bucket a: changed back versioning from \"Suspended\" to \"Enabled\", tags.team from nothing to \"a\""]
        );
        assert!(described(&memory, &plan(update(), false)).is_empty(), "an edit");
        assert!(memory.repairs(&plan(update(), true), &Outcomes::new()).is_empty(), "not taken");
        assert_eq!(described(&memory, &plan(Action::Create, true)), ["Bucket a: it was gone and is created again"]);
    }

    #[test]
    fn a_repair_names_those_who_made_it_necessary() {
        let touch = |by: &str, second: i64, call: &str| Touch {
            key: step("a", Action::Keep, &[]).key,
            by: by.into(),
            at: at(second),
            call: call.into(),
        };
        let mut memory = InSync::default();
        memory.record(&plan(Action::Keep, true), &Outcomes::new());
        let repaired = |action: Action, touches: Vec<Touch>| {
            let plan = plan(action, true);
            let repair = memory.repairs(&plan, &done(&plan)).remove(0);
            Repair { touches, ..repair }.describe()
        };
        let touches = vec![
            touch("jane", 1, "PutBucketTagging"),
            touch("jane", 5, "PutBucketVersioning"),
            touch("joe", 3, "PutBucketTagging"),
        ];
        assert_eq!(
            repaired(update(), touches),
            "Bucket a: versioning, tags.team changed by jane at 2027-01-15T08:00:05Z (PutBucketVersioning) and joe at \
             2027-01-15T08:00:03Z (PutBucketTagging), repaired: versioning from \"Suspended\" to \"Enabled\", tags.team from \
             nothing to \"a\""
        );
        let many = (0..9).map(|number| touch(&number.to_string(), number, "DeleteBucket")).collect();
        let text = repaired(Action::Create, many);
        assert!(
            text.starts_with("Bucket a: deleted by 8 at ") && text.ends_with(" and 6 more, created again"),
            "{text}"
        );
    }

    #[test]
    fn what_we_delete_ourselves_is_no_drift_when_it_comes_again() {
        let mut memory = InSync::default();
        memory.record(&plan(Action::Keep, true), &Outcomes::new());
        memory.record(&plan(Action::Delete { with_contents: false }, true), &Outcomes::new());
        assert!(described(&memory, &plan(Action::Create, true)).is_empty());
    }

    #[test]
    fn values_that_programs_are_started_with_are_not_shown() {
        let change = |path: &str| Change { path: path.into(), from: json!("secret"), to: json!("x".repeat(200)) };
        let repair = Repair {
            key: step("a", Action::Keep, &[]).key,
            changes: vec![change("containers[engine].env[TOKEN].value"), change("owner")],
            touches: Vec::new(),
        };
        let text = repair.describe();
        assert_eq!(text.matches("secret").count(), 1, "{text}");
        assert!(text.len() < 200, "{text}");
    }
}
