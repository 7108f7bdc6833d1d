//! The audit: who may do what, on which ARN, why, and since which part of the spec.
//!
//! Pure: it reads the grants that `desire` makes resources of, so what is audited is what is written. Only [`Audit::compared_with`] brings
//! in what somebody else has looked up.

mod cells;
pub mod findings;
pub mod html;
mod live;
mod network;
#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod tests;
pub mod text;

use std::collections::BTreeSet;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use crate::grants::{Grant, bucket_policy, vpc_endpoint_only};
use crate::plan::Plan;
use crate::platform::{Bucket, Platform, Problem};
use crate::policy::{Statement, document};
pub use cells::Target;
use findings::{Context, Finding, Severity};
pub use live::Difference;
pub use network::{EndpointAudit, ModelPaths, PathEndpoint};

/// Everything an auditor reads about one platform.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The platform itself.
    pub platform: Platform,
    /// A role for each consumer, then for each model that one is made for, in the order of the spec.
    pub roles: Vec<Grant>,
    /// The policies of VPC endpoints that the platform makes.
    pub endpoint_policies: Vec<EndpointAudit>,
    /// The policies of buckets, for buckets that have one.
    pub bucket_policies: Vec<BucketPolicy>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// The differences of AWS and the cluster, where those were read.
    pub live: Option<Vec<Difference>>,
}

/// Our statements in the policy of one bucket.
#[derive(Clone, Debug)]
pub struct BucketPolicy {
    /// The bucket's name in the spec.
    pub name: String,
    /// The bucket's name in AWS.
    pub bucket: String,
    /// The statements.
    pub statements: Vec<Statement>,
}

/// The violations of the operator's guardrails by a platform.
#[derive(Clone, Debug, Default)]
pub struct Bounds<'a> {
    /// The permissions boundary that they demand, if they do.
    pub boundary: Option<&'a str>,
    /// Everything that they refuse.
    pub refused: Vec<Problem>,
    /// Facts that were not known.
    pub unknown: Option<&'static str>,
}

/// Audits a platform.
#[must_use]
pub fn audit(platform: &Platform, bounds: &Bounds) -> Audit {
    let findings = findings::find(&Context { platform, grants: &platform.grants, bounds });
    Audit {
        endpoint_policies: network::endpoint_policies(platform),
        bucket_policies: bucket_policies(platform),
        platform: platform.clone(),
        roles: platform.grants.clone(),
        findings,
        live: None,
    }
}

impl Audit {
    /// The same audit with the difference to what is there, and roles as far as what they name is the platform's own.
    #[must_use]
    pub fn compared_with(mut self, plan: &Plan) -> Self {
        self.roles = self.roles.into_iter().map(|grant| live::granted(grant, plan)).collect();
        self.endpoint_policies =
            self.endpoint_policies.into_iter().filter_map(|policy| live::allowed(policy, plan)).collect();
        self.findings.extend(live::findings(plan));
        self.findings.sort_by_key(|finding| finding.severity);
        self.live = Some(live::differences(plan));
        self
    }

    /// The same audit with what these subnets are, which have a route to an internet gateway.
    #[must_use]
    pub fn with_public_subnets(mut self, public_subnets: &BTreeSet<String>) -> Self {
        self.findings.extend(live::in_public_subnets(&self.platform, public_subnets));
        self.findings.sort_by_key(|finding| finding.severity);
        self
    }

    /// The paths by which each model can be called, in the order of the spec.
    #[must_use]
    pub fn paths(&self) -> Vec<ModelPaths<'_>> {
        network::paths(self)
    }

    /// True when something is really wrong.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl Serialize for Audit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let roles: Vec<Value> = self.roles.iter().map(|grant| role(&self.platform, grant)).collect();
        let endpoints = self.endpoint_policies.iter().map(|policy| {
            json!({"endpoint": policy.name, "service": policy.service, "document": document(&policy.statements)})
        });
        let buckets = self
            .bucket_policies
            .iter()
            .map(|policy| json!({"bucket": policy.bucket, "document": document(&policy.statements)}));
        let mut audit = serializer.serialize_struct("Audit", 7)?;
        audit.serialize_field("namespace", &self.platform.namespace)?;
        audit.serialize_field("name", &self.platform.name)?;
        audit.serialize_field("roles", &roles)?;
        audit.serialize_field("endpointPolicies", &endpoints.collect::<Vec<_>>())?;
        audit.serialize_field("bucketPolicies", &buckets.collect::<Vec<_>>())?;
        audit.serialize_field("findings", &self.findings)?;
        match &self.live {
            Some(differences) => audit.serialize_field("live", differences)?,
            None => audit.skip_field("live")?,
        }
        audit.end()
    }
}

fn role(platform: &Platform, grant: &Grant) -> Value {
    let policies = grant.policies.iter().map(|(name, statements)| {
        let reasons: serde_json::Map<String, Value> =
            statements.iter().map(|statement| (statement.sid.clone(), json!(why(statement)))).collect();
        json!({"name": name, "document": document(statements), "reasons": reasons})
    });
    json!({
        "name": grant.role,
        "arn": grant.arn,
        "purpose": grant.purpose,
        "subject": grant.subject.to_string(),
        "trustPolicy": document(&grant.trust),
        "permissionsBoundary": platform.permissions_boundary_arn,
        "policies": policies.collect::<Vec<_>>(),
    })
}

/// The reason with the part of the spec it goes back to.
fn why(statement: &Statement) -> String {
    format!("{} ({})", statement.reason, statement.source)
}

fn statements(region: &str, bucket: &Bucket, path: &str) -> Vec<Statement> {
    let denial = vpc_endpoint_only(region, &bucket.bucket_name, None, None).since(&format!("{path}.vpcEndpointOnly"));
    bucket_policy(region, bucket, path).into_iter().chain(bucket.vpc_endpoint_only.then_some(denial)).collect()
}

fn bucket_policies(platform: &Platform) -> Vec<BucketPolicy> {
    let policies = platform.buckets.iter().enumerate().map(|(index, bucket)| BucketPolicy {
        name: bucket.name.clone(),
        bucket: bucket.bucket_name.clone(),
        statements: statements(&platform.region, bucket, &format!("spec.storage.buckets[{index}]")),
    });
    policies.filter(|policy| !policy.statements.is_empty()).collect()
}
