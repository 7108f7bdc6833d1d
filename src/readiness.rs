//! Whether the operator can work: the cluster answers, AWS answers, and it leads where leaders are elected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::ListParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::AIPlatform;
use crate::provider::{Place, Provider};

/// How often the cluster and AWS are asked. AWS's answer holds longer, so this seldom becomes a call.
const PERIOD: Duration = Duration::from_secs(10);

/// How often they are asked while one of them is away.
const PERIOD_WHILE_AWAY: Duration = Duration::from_secs(2);

/// What stands in the way of work.
#[derive(Debug)]
pub struct Readiness(Mutex<BTreeMap<&'static str, String>>);

impl Default for Readiness {
    fn default() -> Self {
        let unknown = || "not asked yet".to_string();
        Self(Mutex::new(BTreeMap::from([("cluster", unknown()), ("AWS", unknown())])))
    }
}

impl Readiness {
    /// Sets or clears what stands in the way of one part.
    pub fn set(&self, part: &'static str, obstacle: Option<String>) {
        let mut obstacles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = obstacles.get(part).cloned();
        match &obstacle {
            Some(obstacle) if before.as_ref() != Some(obstacle) => warn!(part, "not ready: {obstacle}"),
            None if before.is_some() => info!(part, "ready"),
            _ => {}
        }
        match obstacle {
            Some(obstacle) => obstacles.insert(part, obstacle),
            None => obstacles.remove(part),
        };
    }

    /// Everything that stands in the way, a line each.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        let obstacles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        obstacles.iter().map(|(part, obstacle)| format!("{part}: {obstacle}")).collect()
    }
}

/// Asks the cluster and AWS until `stop`, and keeps the answers.
pub async fn watch<P: Provider>(
    readiness: Arc<Readiness>,
    client: Client,
    namespaces: Vec<String>,
    provider: Arc<P>,
    place: Place,
    stop: CancellationToken,
) {
    let api = || match namespaces.first() {
        Some(namespace) => Api::<AIPlatform>::namespaced(client.clone(), namespace),
        None => Api::<AIPlatform>::all(client.clone()),
    };
    loop {
        let asked = api().list_metadata(&ListParams::default().limit(1)).await;
        let cluster = asked.err().as_ref().map(cluster_obstacle);
        let aws = provider.account(&place).await.err().map(|error| error.to_string());
        let period = if cluster.is_none() && aws.is_none() { PERIOD } else { PERIOD_WHILE_AWAY };
        readiness.set("cluster", cluster);
        readiness.set("AWS", aws);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
    }
}

/// What an error of the API server means for somebody who wants to work.
#[must_use]
pub fn cluster_obstacle(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            "the AIPlatform resource is not installed: aiplatform crd | kubectl apply -f -".into()
        }
        kube::Error::Api(status) => status.message.clone(),
        other => format!("the API server does not answer; check KUBECONFIG and the network ({other})"),
    }
}
