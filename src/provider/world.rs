//! AWS and the cluster together: which of them a kind belongs to.

use futures::future::join_all;

use super::aws::Aws;
use super::kubernetes::Kubernetes;
use super::{Applied, Error, Place, Provider};
use crate::plan::Step;
use crate::resource::{Kind, Observations, Observed, Request};

/// Everything the operator reads and writes.
pub struct World {
    /// AWS.
    pub aws: Aws,
    /// The cluster.
    pub kubernetes: Kubernetes,
}

impl World {
    async fn look(&self, place: &Place, request: &Request) -> Result<Observed, Error> {
        match request.key.kind {
            Kind::Bucket | Kind::Role | Kind::PodIdentityAssociation => self.aws.observe(place, request).await,
            Kind::ServiceAccount => self.kubernetes.observe(place, request).await,
        }
    }
}

impl Provider for World {
    async fn account(&self, place: &Place) -> Result<String, Error> {
        self.aws.account(place).await
    }

    async fn observe(&self, place: &Place, requests: &[Request]) -> Observations {
        let looks = requests.iter().map(|request| async move {
            (request.key.clone(), self.look(place, request).await.unwrap_or_else(Observed::unreadable))
        });
        join_all(looks).await.into_iter().collect()
    }

    async fn apply(&self, place: &Place, step: &Step) -> Result<Applied, Error> {
        match step.key.kind {
            Kind::Bucket | Kind::Role | Kind::PodIdentityAssociation => self.aws.apply(place, step).await,
            Kind::ServiceAccount => self.kubernetes.apply(step).await,
        }
    }
}
