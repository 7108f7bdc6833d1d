//! Readiness of the operator: the cluster answers, AWS answers, and it leads where leaders are elected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Request;
use kube::{Client, Resource};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::AIPlatform;
use crate::api_server::Contact;
use crate::crd::difference;
use crate::install_check::clock;
use crate::install_check::cluster::Served;
use crate::metrics::Metrics;
use crate::provider::Provider;
use crate::request_id;
use crate::scope::Scope;

/// The interval at which the cluster and AWS are probed. Their answers hold longer, so this seldom becomes a call.
const PERIOD: Duration = Duration::from_secs(5);

/// The interval while one of them is away.
const PERIOD_WHILE_AWAY: Duration = Duration::from_secs(2);

/// The timeout of a probe. Longer than a call to AWS may take, whose own error says more.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time for which a result holds: an operator that does not probe any more is not ready.
const HOLDS: Duration = Duration::from_secs(30);

/// The interval at which the definition is compared: it changes with upgrades, and its document is large.
const DEFINITION_PERIOD: Duration = Duration::from_mins(3);

/// The part about the custom resource definition.
const DEFINITION: &str = "definition";

/// The part that says whether AWS knows whose the credentials are.
pub const AWS: &str = "AWS";

/// The obstacles to work.
#[derive(Debug)]
pub struct Readiness(Mutex<State>);

#[derive(Debug)]
struct State {
    obstacles: BTreeMap<String, String>,
    /// The time of the last probe of the cluster and AWS.
    at: Instant,
}

impl Default for Readiness {
    fn default() -> Self {
        let unknown = || "not checked yet".to_string();
        let obstacles = BTreeMap::from([("cluster".into(), unknown()), (AWS.into(), unknown())]);
        Self(Mutex::new(State { obstacles, at: Instant::now() }))
    }
}

impl Readiness {
    /// Sets or clears what stands in the way of one part.
    pub fn set(&self, part: &str, obstacle: Option<String>) {
        // The ids of requests are others each time.
        self.put(part, obstacle, request_id::without);
    }

    /// Sets or clears what stands in the way of one part by a figure that is measured anew each time: another figure is
    /// not told as another obstacle.
    pub fn set_measured(&self, part: &str, obstacle: Option<String>) {
        self.put(part, obstacle, |text| Cow::Owned(text.replace(|it: char| it.is_ascii_digit(), "")));
    }

    fn put(&self, part: &str, obstacle: Option<String>, told: impl Fn(&str) -> Cow<'_, str>) {
        let obstacles = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).obstacles;
        let before = obstacles.get(part).cloned();
        let is_known = |obstacle: &str| before.as_deref().map(&told) == Some(told(obstacle));
        match &obstacle {
            Some(obstacle) if !is_known(obstacle) => warn!(part, "not ready: {obstacle}"),
            None if before.is_some() => info!(part, "ready"),
            _ => {}
        }
        match obstacle {
            Some(obstacle) => obstacles.insert(part.into(), obstacle),
            None => obstacles.remove(part),
        };
    }

    /// True when nothing stands in the way of one part.
    #[must_use]
    pub fn is_clear(&self, part: &str) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).obstacles.contains_key(part)
    }

    /// Everything that stands in the way, a line each.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        self.obstacles_at(Instant::now())
    }

    /// For each kind of part whether something stands in its way, for metrics: those of single objects and namespaces
    /// are counted as one.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<&'static str, bool> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts: BTreeMap<&'static str, bool> = PARTS.into_iter().map(|part| (part, false)).collect();
        for part in state.obstacles.keys() {
            parts.insert(label(part), true);
        }
        if state.at.elapsed() > HOLDS {
            parts.insert("operator", true);
        }
        parts
    }

    fn obstacles_at(&self, now: Instant) -> Vec<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(state.at);
        let silent = (since > HOLDS).then(|| format!("operator: made no check for {} seconds", since.as_secs()));
        let lines = state.obstacles.iter().map(|(part, obstacle)| format!("{part}: {obstacle}"));
        silent.into_iter().chain(lines).collect()
    }

    fn checked(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).at = at;
    }
}

/// The kinds of parts, as metrics name them.
const PARTS: [&str; 9] =
    ["aws", "clock", "cluster", "cluster_name", "definition", "leader_election", "object", "operator", "watch"];

/// The kind of a part.
fn label(part: &str) -> &'static str {
    match part {
        AWS => "aws",
        "clock" => "clock",
        "cluster" => "cluster",
        "cluster name" => "cluster_name",
        DEFINITION => "definition",
        "leader election" => "leader_election",
        _ if part.starts_with("watch") => "watch",
        _ if part.contains('/') => "object",
        _ => "operator",
    }
}

/// Asks the cluster and AWS until `stop`, and keeps the answers. Neither waits for the other, and nobody is waited for
/// for long. A cluster whose answers to other requests are fresh is not asked.
pub async fn watch<P: Provider>(
    readiness: Arc<Readiness>,
    client: Client,
    contact: Arc<Contact>,
    provider: Arc<P>,
    scope: Scope,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut compared: Option<Instant> = None;
    let mut is_there = false;
    loop {
        let cluster = async {
            if is_there && contact.is_fresh() {
                return None;
            }
            match tokio::time::timeout(PATIENCE, probe(&client)).await {
                Ok(answer) => answer.err().as_ref().map(cluster_obstacle),
                Err(_) => {
                    Some(format!("the API server does not answer: timed out after {} seconds", PATIENCE.as_secs()))
                }
            }
        };
        let aws = async {
            match tokio::time::timeout(PATIENCE, provider.account(&scope)).await {
                Ok(answer) => answer.err().map(|error| error.to_string()),
                Err(_) => Some(format!(
                    "AWS does not say for {} seconds whose the credentials are: check the network and AWS_ENDPOINT_URL",
                    PATIENCE.as_secs()
                )),
            }
        };
        let is_due = compared.is_none_or(|at| at.elapsed() >= DEFINITION_PERIOD) || !readiness.is_clear(DEFINITION);
        let definition = async { if is_due { Some(served_definition(&client).await) } else { None } };
        let (cluster, aws, definition) = tokio::join!(cluster, aws, definition);
        if let Some(served) = &definition {
            readiness.set(DEFINITION, definition_obstacle(served));
            // What could not be read is asked for again soon.
            compared = matches!(served, Served::Compared(Ok(_))).then(Instant::now);
        }
        is_there = cluster.is_none();
        let period = if cluster.is_none() && aws.is_none() { PERIOD } else { PERIOD_WHILE_AWAY };
        readiness.set("cluster", cluster);
        readiness.set(AWS, aws);
        readiness.set_measured("clock", metrics.aws.last_time().as_ref().and_then(clock::obstacle));
        readiness.checked(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
    }
}

/// True when the API server answers and serves our resource. Discovery costs it nothing and everybody may ask; whether
/// we may list and watch objects is shown by the watch.
async fn probe(client: &Client) -> Result<(), kube::Error> {
    match client.list_api_group_resources(&AIPlatform::api_version(&())).await {
        // A cluster that lets not everybody ask answers all the same.
        Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// The obstacle that a definition is: one that drops what this version writes. Where none is served the cluster's own line
/// says so, and what cannot be read hinders nobody.
fn definition_obstacle(served: &Served) -> Option<String> {
    match served {
        Served::Compared(Ok(difference)) if difference.is_obstacle() => {
            Some(format!("{difference}: {}", difference::WAY_OUT))
        }
        Served::Compared(_) | Served::Nothing | Served::Unreadable(_) => None,
    }
}

/// The schema of platforms that the API server serves, against the one of this version.
pub async fn served_definition(client: &Client) -> Served {
    let group = AIPlatform::api_version(&());
    match tokio::time::timeout(PATIENCE, client.list_api_group_resources(&group)).await {
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => return Served::Nothing,
        // Who may not ask what is served may still read its schema.
        Ok(Ok(_) | Err(kube::Error::Api(_))) => {}
        Ok(Err(error)) => return Served::Unreadable(error.to_string()),
        Err(_) => return Served::Unreadable(format!("timed out after {} seconds", PATIENCE.as_secs())),
    }
    let request = match Request::get(difference::document_path()).body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return Served::Unreadable(error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, client.request::<Value>(request)).await {
        Ok(Ok(document)) => Served::Compared(difference::difference(&document)),
        Ok(Err(kube::Error::Api(status))) => Served::Unreadable(status.message),
        Ok(Err(error)) => Served::Unreadable(error.to_string()),
        Err(_) => Served::Unreadable(format!("timed out after {} seconds", PATIENCE.as_secs())),
    }
}

/// The obstacle that an error of the API server is to the operator.
#[must_use]
pub fn cluster_obstacle(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 401 => format!(
            "the API server does not take the credentials ({}): renew those in the kubeconfig, or give the pod its service \
             account",
            status.message
        ),
        kube::Error::Api(status) if status.code == 404 => {
            "the AIPlatform resource is not installed: aiplatform crd | kubectl apply -f -".into()
        }
        kube::Error::Api(status) => status.message.clone(),
        other => format!("the API server does not answer; check KUBECONFIG and the network ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_kinds_of_parts_and_no_single_object() {
        let readiness = Readiness::default();
        readiness.set("cluster", None);
        for part in ["support/assistant", "support/other", "watch of support", "leader election"] {
            readiness.set(part, Some("denied".into()));
        }
        let parts = readiness.parts();
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), PARTS);
        let blocked: Vec<&str> = parts.iter().filter(|(_, blocked)| **blocked).map(|(part, _)| *part).collect();
        assert_eq!(blocked, ["aws", "leader_election", "object", "watch"]);
    }

    #[test]
    fn whoever_asks_nobody_any_more_is_not_ready() {
        let readiness = Readiness::default();
        assert_eq!(readiness.obstacles().len(), 2, "not checked yet");
        readiness.set("cluster", None);
        readiness.set("AWS", None);
        let now = Instant::now();
        readiness.checked(now);
        assert!(readiness.obstacles_at(now + HOLDS).is_empty());
        let later = readiness.obstacles_at(now + HOLDS + Duration::from_secs(1));
        assert_eq!(later, ["operator: made no check for 31 seconds"]);
    }
}
