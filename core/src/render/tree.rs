//! A platform as a tree: its parts, their resources, how each is, and since when.

use std::fmt::{self, Formatter};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::AIPlatform;
use crate::api::status::{AIPlatformStatus, ModelStatus, ResourceStatus, State};
use crate::kind::Part;
use crate::printable::printable;
use crate::resource::Kind;

/// A platform to be shown.
pub struct Tree<'a> {
    /// The object.
    pub object: &'a AIPlatform,
    /// The time of the showing.
    pub now: Timestamp,
    /// True to colour states, as on a terminal.
    pub colour: bool,
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.head(formatter)?;
        let status = self.object.status.clone().unwrap_or_default();
        let parts: Vec<(&str, Vec<&ResourceStatus>)> = parts(&status);
        let last = parts.len() + usize::from(!status.models.is_empty());
        for (index, (name, resources)) in parts.iter().enumerate() {
            self.part(formatter, name, resources, index + 1 == last)?;
        }
        if !status.models.is_empty() {
            self.models(formatter, &status.models)?;
        }
        Ok(())
    }
}

impl Tree<'_> {
    fn head(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let metadata = &self.object.metadata;
        let name = format!(
            "{}/{}",
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        );
        let spec = &self.object.spec;
        let place = format!("account {}, region {}", spec.account_id, spec.region);
        writeln!(formatter, "AIPlatform {}  {}", printable(&name), printable(&place))?;
        let status = self.object.status.as_ref();
        let ready = status.and_then(|status| condition(status, "Ready"));
        let is_seen = status.is_some_and(|status| status.observed_generation == metadata.generation);
        let Some(ready) = ready.filter(|_| is_seen) else {
            return writeln!(formatter, "{}", self.painted(36, "Pending: the operator has not looked at it yet"));
        };
        let code = match ready.status.as_str() {
            "True" => 32,
            "False" => 31,
            _ => 36,
        };
        let count = status.and_then(|status| status.ready.clone()).unwrap_or_default();
        let since = ago(self.now, ready.last_transition_time.0);
        let word = self.painted(code, &ready.reason);
        writeln!(formatter, "{word}  {count} resources ready, for {since}: {}", printable(&ready.message))
    }

    fn part(
        &self,
        formatter: &mut Formatter<'_>,
        name: &str,
        resources: &[&ResourceStatus],
        is_last: bool,
    ) -> fmt::Result {
        let ready = resources.iter().filter(|resource| resource.state == State::Ready).count();
        let (branch, below) = if is_last { ("└─", "   ") } else { ("├─", "│  ") };
        writeln!(formatter, "{branch} {name} {ready}/{}", resources.len())?;
        let kinds = resources.iter().map(|resource| resource.kind.len()).max().unwrap_or_default();
        for (index, resource) in resources.iter().enumerate() {
            let branch = if index + 1 == resources.len() { "└─" } else { "├─" };
            let state = self.state(&resource.state);
            let kind = printable(&resource.kind);
            writeln!(
                formatter,
                "{below}{branch} {kind:<kinds$}  {}  {state}{}",
                printable(&resource.name),
                self.why(resource)
            )?;
        }
        Ok(())
    }

    /// The reason and the time for which a resource is not ready; nothing of one that is.
    fn why(&self, resource: &ResourceStatus) -> String {
        if resource.state == State::Ready {
            return String::new();
        }
        let since = resource.since.as_ref().map(|since| format!(" for {}", ago(self.now, since.0)));
        let message =
            resource.message.as_ref().or(resource.reason.as_ref()).map(|text| format!(": {}", printable(text)));
        since.unwrap_or_default() + &message.unwrap_or_default()
    }

    fn models(&self, formatter: &mut Formatter<'_>, models: &[ModelStatus]) -> fmt::Result {
        let known = models.iter().filter(|model| model.outcome.as_deref() != Some("Unknown")).count();
        let ready = models.iter().filter(|model| model.ready).count();
        writeln!(formatter, "└─ Served {ready}/{known}")?;
        let names = models.iter().map(|model| model.name.len()).max().unwrap_or_default();
        for (index, model) in models.iter().enumerate() {
            let branch = if index + 1 == models.len() { "└─" } else { "├─" };
            let outcome = model.outcome.as_deref().unwrap_or("Pending");
            let word = self.painted(if model.ready { 32 } else { 36 }, outcome);
            let tried = model.attempted_revision.as_ref().filter(|tried| Some(*tried) != model.revision.as_ref());
            let facts = [
                Some(format!("{:<names$}  {}  {word}", printable(&model.name), printable(&model.backend))),
                model.instances.map(|it| format!("{}/{} instances", it.current, it.desired)),
                model.revision.as_ref().map(|revision| format!("revision {}", printable(revision))),
                tried.map(|tried| format!("(tried {})", printable(tried))),
                model.endpoint.as_ref().map(|endpoint| printable(endpoint).into_owned()),
            ];
            let facts: Vec<String> = facts.into_iter().flatten().collect();
            writeln!(formatter, "   {branch} {}", facts.join("  "))?;
        }
        Ok(())
    }

    fn state(&self, state: &State) -> String {
        let (word, code) = match state {
            State::Ready => ("Ready", 32),
            State::Progressing => ("Progressing", 36),
            State::Failed => ("Failed", 31),
            State::Blocked => ("Blocked", 36),
            State::Refused => ("Refused", 31),
            State::Retained => ("Retained", 2),
            State::Deleting => ("Deleting", 33),
            State::Other(word) => return printable(word).into_owned(),
        };
        self.painted(code, word)
    }

    fn painted(&self, code: u8, text: &str) -> String {
        let text = printable(text);
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into_owned() }
    }
}

/// The resources by part, in the order of the conditions; what is of a kind that this version does not know comes last.
fn parts(status: &AIPlatformStatus) -> Vec<(&'static str, Vec<&ResourceStatus>)> {
    let of = |part: Option<Part>| -> Vec<&ResourceStatus> {
        let is_of = |resource: &&ResourceStatus| Kind::named(&resource.kind).map(|kind| kind.info().part) == part;
        status.resources.iter().filter(is_of).collect()
    };
    let known = Part::ALL.into_iter().map(|part| (part.condition().trim_end_matches("Ready"), of(Some(part))));
    known.chain([("Unknown", of(None))]).filter(|(_, resources)| !resources.is_empty()).collect()
}

fn condition<'a>(status: &'a AIPlatformStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// The time since then, in its two largest units, as kubectl shows ages.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) if minutes < 10 => format!("{minutes}m{}s", seconds % 60),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{at, object};

    fn shown(status: serde_json::Value, colour: bool) -> String {
        let mut object = object(json!({}));
        object.status = Some(serde_json::from_value(status).unwrap());
        Tree { object: &object, now: at(75), colour }.to_string()
    }

    fn status() -> serde_json::Value {
        let time = at(0).to_string();
        json!({
            "observedGeneration": 1, "ready": "2/4",
            "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Progressing", "message": "1 of 2 replicas",
                "lastTransitionTime": time}],
            "models": [
                {"name": "local", "backend": "Kubernetes", "ready": false, "outcome": "RollingOut", "revision": "aaaa",
                    "attemptedRevision": "bbbb", "endpoint": "http://x/v1", "instances": {"current": 1, "desired": 2}},
                {"name": "fast", "backend": "Bedrock", "ready": false, "outcome": "Unknown", "endpoint": "nova"},
            ],
            "resources": [
                {"kind": "Bucket", "name": "weights-1", "state": "Ready"},
                {"kind": "Role", "name": "api", "state": "Ready"},
                {"kind": "Deployment", "name": "support/local", "state": "Progressing", "reason": "Progressing",
                    "message": "1 of 2 replicas\u{202e}", "since": time},
                {"kind": "Novelty", "name": "x", "state": "Strange", "message": "of a later version"},
            ],
        })
    }

    #[test]
    fn a_platform_is_seen_with_what_it_waits_for_and_since_when() {
        let expected = "AIPlatform support/assistant  account 123456789012, region eu-west-1\n\
            Progressing  2/4 resources ready, for 1m15s: 1 of 2 replicas\n\
            ├─ Storage 1/1\n\
            │  └─ Bucket  weights-1  Ready\n\
            ├─ Access 1/1\n\
            │  └─ Role  api  Ready\n\
            ├─ Models 0/1\n\
            │  └─ Deployment  support/local  Progressing for 1m15s: 1 of 2 replicas\\u{202e}\n\
            ├─ Unknown 0/1\n\
            │  └─ Novelty  x  Strange: of a later version\n\
            └─ Served 0/1\n\
            \u{20}  ├─ local  Kubernetes  RollingOut  1/2 instances  revision aaaa  (tried bbbb)  http://x/v1\n\
            \u{20}  └─ fast   Bedrock  Unknown  nova\n";
        assert_eq!(shown(status(), false), expected);
        assert!(shown(status(), true).contains("\u{1b}[32mReady\u{1b}[0m"));
    }

    #[test]
    fn what_was_said_of_an_earlier_spec_is_not_said_of_this_one() {
        let mut old = status();
        old["observedGeneration"] = json!(0);
        assert!(shown(old, false).contains("has not looked at it yet"));
    }

    #[test]
    fn an_age_is_as_kubectl_shows_it() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (75, "1m15s"), (660, "11m"), (3720, "1h2m"), (90_000, "1d1h")]
        {
            assert_eq!(ago(at(seconds), at(0)), expected);
        }
        assert_eq!(ago(at(0), at(5)), "0s", "clocks differ");
    }
}
