//! Progress: a status that can be written a little later, together with what the next pass finds.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::PROGRESSING;
use crate::api::status::{AIPlatformStatus, ModelStatus};

/// True where `now` tells of nothing but how far the work has come that `written` already shows under way: the same
/// resources for the same generation, none of which failed, and no model that goes back to an earlier revision or does
/// not serve any more.
#[must_use]
pub fn is_only_progress(written: &AIPlatformStatus, now: &AIPlatformStatus) -> bool {
    let is_under_way = |status| ready(status).is_some_and(|it| it.status == "Unknown" && it.reason == PROGRESSING);
    let promised = |status: &AIPlatformStatus| {
        (status.observed_generation, status.account_check, status.deletion_policy.clone(), status.phase)
    };
    let goes_back = |model: &ModelStatus| model.outcome.as_deref() == Some("RollingBack");
    let serves = |model: &ModelStatus| model.ready;
    is_under_way(written)
        && is_under_way(now)
        && promised(written) == promised(now)
        && listed(written) == listed(now)
        && models(written, goes_back) == models(now, goes_back)
        && models(written, serves).is_subset(&models(now, serves))
}

fn ready(status: &AIPlatformStatus) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.type_ == "Ready")
}

/// The names of models that are such.
fn models(status: &AIPlatformStatus, is_such: impl Fn(&ModelStatus) -> bool) -> BTreeSet<&str> {
    status.models.iter().filter(|model| is_such(model)).map(|model| model.name.as_str()).collect()
}

/// The inventory, with what each entry promises about the resource's end.
fn listed(status: &AIPlatformStatus) -> BTreeSet<(&str, &str, Option<&str>, bool)> {
    let resources = status.resources.iter();
    resources.map(|it| (&*it.kind, &*it.name, it.deletion_policy.as_deref(), it.never_attempted)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(changes: &Value) -> AIPlatformStatus {
        let mut status = json!({
            "observedGeneration": 2, "phase": "Progressing", "accountCheck": "Passed", "ready": "0/1",
            "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Progressing", "message": "1 to create",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "resources": [{"kind": "Bucket", "name": "x", "state": "Progressing", "deletionPolicy": "Retain"}],
            "models": [{"name": "rank", "backend": "SageMaker", "ready": false, "outcome": "Creating"}],
        });
        for (pointer, value) in changes.as_object().into_iter().flatten() {
            *status.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value(status).unwrap()
    }

    fn waits(before: &Value, now: &Value) -> bool {
        is_only_progress(&status(before), &status(now))
    }

    #[test]
    fn how_far_something_has_come_may_be_written_later() {
        let further = json!({"/ready": "1/1", "/conditions/0/message": "1 on its way", "/resources/0/state": "Ready",
            "/models/0/outcome": "Updating"});
        assert!(waits(&json!({}), &further));
    }

    #[test]
    fn a_model_that_does_not_serve_any_more_is_told_of_at_once() {
        let serving = json!({"/models/0/ready": true});
        assert!(waits(&json!({}), &serving), "it came up while something else is on its way");
        assert!(!waits(&serving, &json!({})));
    }

    #[test]
    fn what_somebody_waits_for_or_has_to_know_is_written_at_once() {
        for news in [
            json!({"/conditions/0/status": "True", "/conditions/0/reason": "Ready"}),
            json!({"/conditions/0/status": "False", "/conditions/0/reason": "ProgressingWithRetry"}),
            json!({"/conditions/0/status": "False", "/conditions/0/reason": "AccessDenied"}),
            json!({"/observedGeneration": 3}),
            json!({"/accountCheck": "Pending"}),
            json!({"/phase": "Deleting"}),
            json!({"/resources/0/name": "y"}),
            json!({"/resources/0/deletionPolicy": "Delete"}),
            json!({"/models/0/outcome": "RollingBack"}),
        ] {
            assert!(!waits(&json!({}), &news), "{news}");
            assert!(!waits(&news, &json!({})), "{news}");
        }
    }
}
