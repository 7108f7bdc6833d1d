//! AWS and the cluster together: which of them a kind belongs to.

use std::time::Duration;

use futures::future::join_all;

use super::Provider;
use super::aws::Aws;
use super::cluster::Cluster;
use crate::failure::Error;
use crate::failures::Failures;
use crate::kind::Backend;
use crate::lookup::{Answer, Answers, Lookup};
use crate::outcome::Applied;
use crate::plan::Step;
use crate::resource::{Observations, Request};
use crate::scope::Scope;

/// Everything the operator reads and writes.
pub struct Providers {
    /// AWS.
    pub aws: Aws,
    /// The cluster.
    pub cluster: Cluster,
}

impl Provider for Providers {
    async fn account(&self, scope: &Scope) -> Result<String, Error> {
        self.aws.account(scope).await
    }

    async fn look_up(&self, scope: &Scope, lookups: &[Lookup], covered: Duration) -> Answers {
        let (in_cluster, in_aws): (Vec<&Lookup>, Vec<&Lookup>) = lookups
            .iter()
            .partition(|lookup| matches!(lookup, Lookup::Owner(_) | Lookup::Borrowers { .. } | Lookup::Api(_)));
        let in_aws: Vec<Lookup> = in_aws.into_iter().cloned().collect();
        let in_cluster = join_all(in_cluster.into_iter().map(|lookup| async move {
            let answer = match lookup {
                Lookup::Owner(named) => self.cluster.platform(named).await.map(|it| Answer::Owner(it.map(Box::new))),
                Lookup::Borrowers { namespaces, .. } => self.cluster.platforms(namespaces).await.map(Answer::Borrowers),
                Lookup::Api(api) => self.cluster.serves(api).await.map(Answer::Api),
                Lookup::Network(_) | Lookup::Caller => {
                    Err(Error::bug("look up", "something in AWS", "it is not in the cluster"))
                }
            };
            (lookup.clone(), answer)
        }));
        let (in_cluster, in_aws) = futures::join!(in_cluster, self.aws.look_up(scope, &in_aws, covered));
        in_cluster.into_iter().chain(in_aws).collect()
    }

    async fn observe(&self, scope: &Scope, requests: &[Request]) -> Observations {
        let (in_cluster, in_aws): (Vec<&Request>, Vec<&Request>) =
            requests.iter().partition(|request| matches!(request.key.kind.info().backend, Backend::Cluster(_)));
        let in_cluster = self.cluster.observe_all(scope, &in_cluster);
        let (in_cluster, in_aws) = futures::join!(in_cluster, self.aws.observe(scope, &in_aws));
        in_cluster.into_iter().chain(in_aws).collect()
    }

    async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match step.key.kind.info().backend {
            Backend::Cluster(_) => self.cluster.apply(scope, step).await,
            Backend::Aws(_) => self.aws.apply(scope, step).await,
        }
    }
}
