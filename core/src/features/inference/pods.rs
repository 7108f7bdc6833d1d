//! Pods as their status shows them: which of them serve, and in the words of kubelet and scheduler why the others do not.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::printable::printable;
use crate::tags;

/// The most characters of a message of others.
const WORDS_LIMIT: usize = 300;

/// The time that an image, or what a container refers to, may be missing before somebody has to act: a registry may be
/// away for a moment, and a secret may be on its way.
const PATIENCE: Duration = Duration::from_mins(2);

/// Restarts of a container that does not become ready before somebody has to act. Kubelet waits from the second on.
const CRASHES: i64 = 2;

/// A condition of an object.
pub(super) struct Condition<'a> {
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// The reason in one word.
    pub reason: &'a str,
    message: &'a str,
}

impl Condition<'_> {
    /// The reason and the message, as far as there are any.
    pub fn words(&self) -> String {
        let parts = [self.reason, self.message].into_iter().filter(|part| !part.is_empty());
        shown(&parts.collect::<Vec<_>>().join(": "))
    }

    /// The message, or the reason where there is none.
    pub fn message(&self) -> String {
        shown(if self.message.is_empty() { self.reason } else { self.message })
    }
}

/// A condition of an object, by its type.
pub(super) fn condition<'a>(object: &'a Value, name: &str) -> Option<Condition<'a>> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| text(condition, "/type") == Some(name))?;
    let part = |name: &str| text(found, name).unwrap_or_default();
    Some(Condition { status: part("/status"), reason: part("/reason"), message: part("/message") })
}

/// A text of others, on one line and not too long.
pub(super) fn shown(words: &str) -> String {
    let words = printable(words.trim());
    match words.char_indices().nth(WORDS_LIMIT) {
        Some((end, _)) => format!("{}...", words[..end].trim_end()),
        None => words.into_owned(),
    }
}

/// A pod.
#[derive(Debug)]
pub(super) struct Pod {
    /// The revision that it runs.
    pub revision: Option<String>,
    /// True when it takes requests.
    pub is_ready: bool,
    /// The trouble that keeps it from being ready, as far as its status shows any.
    pub trouble: Option<Trouble>,
}

/// The trouble that a pod has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The reason in one word, in kubelet's vocabulary where it has one.
    pub reason: &'static str,
    /// The reason in a sentence.
    pub words: String,
    /// True when somebody has to act.
    pub needs_somebody: bool,
}

/// The pods of those that are not on their way out.
pub(super) fn pods(objects: &[Value], now: Timestamp) -> Vec<Pod> {
    let live = objects.iter().filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
    live.map(|pod| {
        let is_ready = condition(pod, "Ready").is_some_and(|ready| ready.status == "True");
        let revision = pod.pointer("/metadata/labels").and_then(|labels| labels.get(tags::REVISION_LABEL));
        Pod {
            revision: revision.and_then(Value::as_str).map(ToString::to_string),
            is_ready,
            trouble: if is_ready { None } else { trouble(pod, now) },
        }
    })
    .collect()
}

/// The worst trouble of some pods: what somebody has to act on comes first.
pub(super) fn worst<'a>(pods: impl Iterator<Item = &'a Pod>) -> Option<&'a Trouble> {
    let troubles: Vec<&Trouble> = pods.filter_map(|pod| pod.trouble.as_ref()).collect();
    troubles.iter().find(|trouble| trouble.needs_somebody).or(troubles.first()).copied()
}

fn trouble(pod: &Value, now: Timestamp) -> Option<Trouble> {
    let name = text(pod, "/metadata/name").unwrap_or_default();
    let of_pod =
        |reason, words: String| Trouble { reason, words: format!("pod {name} {words}"), needs_somebody: false };
    if text(pod, "/status/phase") == Some("Failed") {
        let reason = text(pod, "/status/reason").unwrap_or("Failed");
        let message = text(pod, "/status/message").unwrap_or_default();
        return Some(of_pod("PodFailed", format!("has failed: {}", shown(&format!("{reason} {message}")))));
    }
    let unscheduled = condition(pod, "PodScheduled").filter(|scheduled| scheduled.status == "False");
    if let Some(unscheduled) = unscheduled {
        return Some(of_pod("Unschedulable", format!("cannot be scheduled: {}", unscheduled.message())));
    }
    let age = text(pod, "/metadata/creationTimestamp").and_then(|time| time.parse::<Timestamp>().ok());
    let is_old = age.is_some_and(|made| now.duration_since(made).unsigned_abs() >= PATIENCE);
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"].into_iter();
    let statuses = statuses.filter_map(|path| pod.pointer(path)?.as_array()).flatten();
    let troubles: Vec<Trouble> = statuses
        .filter_map(|status| container(status, pod, is_old))
        .map(|trouble| Trouble { words: format!("pod {name}: {}", trouble.words), ..trouble })
        .collect();
    troubles.iter().find(|trouble| trouble.needs_somebody).or(troubles.first()).cloned()
}

/// The trouble of one container. Source: `ContainerStatus` in the API reference of core/v1 and the reasons of kubelet in
/// `pkg/kubelet/container/sync_result.go` and `pkg/kubelet/images/types.go`.
fn container(status: &Value, pod: &Value, is_old: bool) -> Option<Trouble> {
    let name = text(status, "/name").unwrap_or_default();
    let is_true = |path: &str| status.pointer(path).and_then(Value::as_bool).unwrap_or_default();
    let ended_well = status.pointer("/state/terminated/exitCode").and_then(Value::as_i64) == Some(0);
    if is_true("/ready") || ended_well {
        return None;
    }
    let of_container = |reason, words: String, needs_somebody| Trouble {
        reason,
        words: format!("container {name} {words}"),
        needs_somebody,
    };
    let message = || shown(text(status, "/state/waiting/message").unwrap_or_default());
    let restarts = status.pointer("/restartCount").and_then(Value::as_i64).unwrap_or_default();
    let waiting = text(status, "/state/waiting/reason");
    match waiting {
        Some(
            reason @ ("ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName"
            | "ImageInspectError"),
        ) => {
            let image = shown(text(status, "/image").unwrap_or_default());
            let is_final = matches!(reason, "ErrImageNeverPull" | "InvalidImageName");
            let words = format!("waits for its image {image}: {}", message());
            return Some(of_container("ImagePullBackOff", words, is_final || is_old));
        }
        Some(reason @ ("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError")) => {
            let words = format!("cannot be started: {}: {}", shown(reason), message());
            return Some(of_container("CreateContainerError", words, is_old));
        }
        _ => {}
    }
    let ended = ["/state/terminated", "/lastState/terminated"].into_iter().find_map(|path| status.pointer(path));
    if let Some(ended) = ended {
        let needs_somebody = waiting == Some("CrashLoopBackOff") || restarts >= CRASHES;
        let is_killed = text(ended, "/reason") == Some("OOMKilled");
        let reason = if is_killed { "OOMKilled" } else { "CrashLoopBackOff" };
        return Some(of_container(reason, end(ended, restarts, &limit(pod, name)), needs_somebody));
    }
    let words = match waiting {
        Some(reason) => {
            let message = message();
            let separator = if message.is_empty() { "" } else { ": " };
            format!("waits: {}{separator}{message}", shown(reason))
        }
        None if status.pointer("/state/running").is_none() => "waits".into(),
        None if status.pointer("/started").and_then(Value::as_bool) == Some(false) => {
            "runs, and its startup probe has not succeeded yet".into()
        }
        None => "runs, and its readiness probe does not succeed".into(),
    };
    Some(of_container("ContainersNotReady", words, false))
}

/// The end of a container in words.
fn end(ended: &Value, restarts: i64, memory_limit: &str) -> String {
    let times = match restarts {
        0 | 1 => "has ended".to_string(),
        more => format!("has ended and was started again {more} times, the last end"),
    };
    let code = ended
        .pointer("/exitCode")
        .and_then(Value::as_i64)
        .map_or_else(String::new, |code| format!(", exit code {code}"));
    let reason = text(ended, "/reason").unwrap_or("Error");
    let limit = if reason == "OOMKilled" { memory_limit } else { "" };
    let message = shown(text(ended, "/message").unwrap_or_default());
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{times} with {}{code}{limit}{message}", shown(reason))
}

/// The memory limit of a container, as a part of a sentence.
fn limit(pod: &Value, container: &str) -> String {
    let containers = ["/spec/initContainers", "/spec/containers"].into_iter();
    let mut containers = containers.filter_map(|path| pod.pointer(path)?.as_array()).flatten();
    let found = containers.find(|it| text(it, "/name") == Some(container));
    let limit = found.and_then(|it| text(it, "/resources/limits/memory"));
    limit.map_or_else(String::new, |limit| format!(", memory limit {}", shown(limit)))
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn pod(status: &Value) -> Value {
        json!({
            "metadata": {"name": "p", "creationTimestamp": at(0).to_string(), "labels": {tags::REVISION_LABEL: "r1"}},
            "spec": {"containers": [{"name": "engine", "resources": {"limits": {"memory": "32Gi"}}}]},
            "status": status,
        })
    }

    fn of(status: &Value, seconds: i64) -> Option<Trouble> {
        pods(&[pod(status)], at(seconds)).remove(0).trouble
    }

    fn with_container(state: &Value, more: &Value) -> Value {
        let mut status =
            json!({"name": "engine", "image": "registry/engine:1", "ready": false, "restartCount": 0, "state": state});
        for (name, value) in more.as_object().into_iter().flatten() {
            status[name] = value.clone();
        }
        json!({"containerStatuses": [status]})
    }

    #[test]
    fn every_trouble_is_told_in_the_words_of_whoever_has_it() {
        let waiting = |reason: &str, message: &str| json!({"waiting": {"reason": reason, "message": message}});
        let ended =
            json!({"terminated": {"reason": "Error", "exitCode": 1, "message": "CUDA error:\nno kernel\u{1b}[2J"}});
        let killed = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
        let scheduler = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.";
        let unscheduled = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": scheduler}]});
        let none = || json!({});
        for (status, seconds, reason, needs_somebody, words) in [
            (unscheduled, 0, "Unschedulable", false, format!("pod p cannot be scheduled: {scheduler}")),
            (
                with_container(&waiting("ErrImagePull", "not found"), &none()),
                30,
                "ImagePullBackOff",
                false,
                "pod p: container engine waits for its image registry/engine:1: not found".into(),
            ),
            (
                with_container(&waiting("ImagePullBackOff", "not found"), &none()),
                121,
                "ImagePullBackOff",
                true,
                "pod p: container engine waits for its image registry/engine:1: not found".into(),
            ),
            (
                with_container(&waiting("InvalidImageName", "bad"), &none()),
                0,
                "ImagePullBackOff",
                true,
                "pod p: container engine waits for its image registry/engine:1: bad".into(),
            ),
            (
                with_container(&waiting("CreateContainerConfigError", "secret \"hf\" not found"), &none()),
                121,
                "CreateContainerError",
                true,
                "pod p: container engine cannot be started: CreateContainerConfigError: secret \"hf\" not found".into(),
            ),
            (
                with_container(&waiting("CrashLoopBackOff", "back-off"), &json!({"restartCount": 4, "lastState": ended})),
                0,
                "CrashLoopBackOff",
                true,
                "pod p: container engine has ended and was started again 4 times, the last end with Error, exit code 1: \
                 CUDA error:\\nno kernel\\u{1b}[2J"
                    .into(),
            ),
            (
                with_container(&json!({"running": {}}), &json!({"restartCount": 1, "lastState": killed})),
                0,
                "OOMKilled",
                false,
                "pod p: container engine has ended with OOMKilled, exit code 137, memory limit 32Gi".into(),
            ),
            (
                with_container(&json!({"running": {}}), &json!({"started": false})),
                999,
                "ContainersNotReady",
                false,
                "pod p: container engine runs, and its startup probe has not succeeded yet".into(),
            ),
            (
                with_container(&json!({"running": {}}), &json!({"started": true})),
                999,
                "ContainersNotReady",
                false,
                "pod p: container engine runs, and its readiness probe does not succeed".into(),
            ),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
                0,
                "PodFailed",
                false,
                "pod p has failed: Evicted low on memory".into(),
            ),
        ] {
            assert_eq!(of(&status, seconds), Some(Trouble { reason, words, needs_somebody }));
        }
    }

    #[test]
    fn a_pod_that_serves_or_goes_has_no_trouble() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(of(&ready, 0), None);
        let mut leaving = pod(&json!({}));
        leaving["metadata"]["deletionTimestamp"] = json!(at(0).to_string());
        assert!(pods(&[leaving], at(0)).is_empty());
        let init = json!({"initContainerStatuses": [{"name": "weights", "ready": false, "state": {"terminated": {"exitCode": 0}}}]});
        assert_eq!(of(&init, 0), None);
    }

    #[test]
    fn of_several_containers_the_one_that_somebody_has_to_see_to_is_named() {
        let status =
            |name: &str, reason: &str| json!({"name": name, "image": "i", "state": {"waiting": {"reason": reason}}});
        let found =
            of(&json!({"containerStatuses": [status("a", "ContainerCreating"), status("b", "InvalidImageName")]}), 0);
        assert!(found.unwrap().words.contains("container b"));
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(shown(&"é".repeat(400)), format!("{}...", "é".repeat(WORDS_LIMIT)));
    }
}
