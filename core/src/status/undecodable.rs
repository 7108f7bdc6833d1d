//! The status of an object that cannot be decoded. It is edited as JSON, because what is there may be beyond our types:
//! the inventory in it is all that is known of what was made.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::printable::printable;

/// The reason in its conditions.
pub const REASON: &str = "InvalidSpec";

/// Conditions that say how the object as a whole is.
const OF_THE_WHOLE: [&str; 3] = ["Ready", "Reconciling", "Stalled"];

/// The status of an object that does not fit this version: everything that `previous` holds, with what is said now about
/// the object as a whole in place of what was said before. A server-side apply of less would delete the rest.
#[must_use]
pub fn undecodable(
    previous: Option<&Value>,
    generation: Option<i64>,
    deleting: bool,
    error: &str,
    now: Timestamp,
) -> Value {
    let mut status = previous.and_then(Value::as_object).cloned().unwrap_or_default();
    let before: Vec<Value> = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let message = format!(
        "the object does not fit this version of aiplatform: {error}; nothing is changed in AWS: correct the object, or run \
         the version of aiplatform that it was written for"
    );
    let condition = |kind: &str, status: &str| {
        let unchanged = before.iter().find(|it| it["type"] == kind && it["status"] == status);
        let since = unchanged.and_then(|it| it.get("lastTransitionTime")).cloned();
        json!({"type": kind, "status": status, "reason": REASON, "message": printable(&message),
            "observedGeneration": generation, "lastTransitionTime": since.unwrap_or_else(|| json!(now.to_string()))})
    };
    let of_parts = before.iter().filter(|it| !OF_THE_WHOLE.iter().any(|kind| it["type"] == *kind)).cloned();
    let conditions: Vec<Value> =
        [condition("Ready", "False"), condition("Stalled", "True")].into_iter().chain(of_parts).collect();
    let said = json!({
        "observedGeneration": generation,
        "phase": if deleting { "Deleting" } else { "Stalled" },
        "conditions": conditions,
    });
    if let Value::Object(said) = said {
        status.extend(said.into_iter().collect::<Map<_, _>>());
    }
    Value::Object(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn everything_that_was_known_is_carried_over() {
        let previous = json!({
            "observedGeneration": 3, "phase": "Ready", "ready": "2/2", "accountCheck": "Passed", "writtenBy": "9.9.9",
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2027-01-15T08:00:00Z"},
                {"type": "Reconciling", "status": "True", "reason": "Progressing", "message": ""},
                {"type": "StorageReady", "status": "True", "reason": "Ready", "message": "2 of 2 ready"},
            ],
            "resources": [{"kind": "Bucket", "name": "b2", "state": "Ready", "deletionPolicy": "DeleteWithContents"}],
            "plan": [{"action": "Wait", "kind": "Bucket", "name": "b2"}], "models": [{"name": "m"}], "access": [{"name": "a"}],
            "ofTheFuture": {"a": [1]},
        });
        let status = undecodable(Some(&previous), Some(4), false, "unknown variant `Future`", at(0));
        for field in ["ready", "accountCheck", "writtenBy", "resources", "plan", "models", "access", "ofTheFuture"] {
            assert_eq!(status[field], previous[field], "{field}");
        }
        assert_eq!(status["observedGeneration"], 4);
        assert_eq!(status["phase"], "Stalled");
        let kinds: Vec<&Value> = status["conditions"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
        assert_eq!(kinds, ["Ready", "Stalled", "StorageReady"]);
        assert_eq!(status["conditions"][0]["status"], "False");
        assert!(status["conditions"][0]["message"].as_str().unwrap().contains("unknown variant `Future`"));
        assert_eq!(status["conditions"][2], previous["conditions"][2]);
    }

    #[test]
    fn said_again_it_is_the_same() {
        let first = undecodable(None, Some(1), false, "x", at(0));
        assert_eq!(undecodable(Some(&first), Some(1), false, "x", at(9)), first);
        let other = undecodable(Some(&first), Some(2), true, "y", at(9));
        assert_eq!(other["conditions"][1]["lastTransitionTime"], first["conditions"][1]["lastTransitionTime"]);
        assert_eq!(other["phase"], "Deleting");
    }

    #[test]
    fn a_status_that_is_no_object_is_replaced() {
        for odd in [json!(null), json!("x"), json!([1]), json!({"conditions": "x"})] {
            let status = undecodable(Some(&odd), None, false, "x", at(0));
            assert_eq!(status["conditions"].as_array().unwrap().len(), 2, "{odd}");
        }
    }
}
