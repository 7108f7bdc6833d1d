//! The rules of the audit: one list, each rule a pure function.
//!
//! An error is something nobody would sign. A warning is a risk that somebody has to have accepted. Information is what
//! an auditor would ask about.

mod guarded;
mod inference;
mod lifecycle;
mod models;
mod names;
mod network;
mod ownership;
mod policies;
mod principals;
mod storage;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use super::Bounds;
use crate::grants::Grant;
use crate::platform::Platform;
use Severity::{Error, Info, Warning};

/// The subject that the rules examine.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The platform.
    pub platform: &'a Platform,
    /// Its roles.
    pub grants: &'a [Grant],
    /// The violations of the operator's guardrails.
    pub bounds: &'a Bounds<'a>,
}

impl Context<'_> {
    /// True when the environment is marked as production.
    fn is_production(&self) -> bool {
        let environment = self.platform.ownership.environment.trim().to_lowercase();
        matches!(environment.as_str(), "prod" | "production")
    }

    /// True when the data is classified as something that must not get out.
    fn is_sensitive(&self) -> bool {
        const WORDS: [&str; 4] = ["confidential", "restricted", "secret", "sensitive"];
        let classification = self.platform.ownership.data_classification.as_deref().unwrap_or_default().to_lowercase();
        // "non-sensitive" and "unrestricted" are words too, and mean the opposite.
        let words = classification.split(|character: char| !character.is_alphanumeric()).collect::<Vec<_>>();
        !words.contains(&"non") && !words.contains(&"not") && words.iter().any(|word| WORDS.contains(word))
    }
}

/// The severity, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody would sign it.
    Error,
    /// Somebody has to have accepted it.
    Warning,
    /// An auditor would ask.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// One thing that is worth a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static str,
    /// The severity.
    pub severity: Severity,
    /// The location, such as `consumer api`.
    pub subject: String,
    /// The finding, and what would be better.
    pub message: String,
}

/// A finding, but for the rule it comes from.
struct Hit {
    subject: String,
    message: String,
}

fn hit(subject: impl Into<String>, message: impl Into<String>) -> Hit {
    Hit { subject: subject.into(), message: message.into() }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: &'static str,
    /// The severity of its findings.
    pub severity: Severity,
    /// The purpose of the rule, and why it matters.
    pub about: &'static str,
    check: fn(&Context) -> Vec<Hit>,
}

const fn rule(id: &'static str, severity: Severity, check: fn(&Context) -> Vec<Hit>, about: &'static str) -> Rule {
    Rule { id, severity, about, check }
}

/// All rules. What follows each is the comment on it, which the page shows too.
#[rustfmt::skip]
pub const RULES: [Rule; 66] = [
    // What the operator would do at all.
    rule("not-permitted", Error, guarded::not_permitted, "The operator's guardrails refuse it: the platform stalls before anything of it is made."),
    rule("guardrails-unknown", Warning, guarded::unknown, "Where a rule asks for labels, only the cluster knows which rule is for the platform's namespace."),
    // What roles can do.
    rule("wildcard-action", Error, policies::wildcard_action, "An action with a wildcard grants what nobody has read, and what AWS adds later."),
    rule("wildcard-resource", Error, policies::wildcard_resource, "A resource with a wildcard reaches beyond the platform. Keys below a prefix of one bucket do not."),
    rule("bucket-of-any-account", Error, policies::bucket_of_any_account, "An S3 ARN names no account: without a condition on aws:ResourceAccount, a bucket is granted that somebody else makes under a name that became free."),
    rule("key-for-anything", Error, policies::key_for_anything, "A KMS key protects more than one bucket: without conditions, whoever has it for one decrypts what belongs to others."),
    rule("ambiguous-sid", Error, policies::ambiguous_sid, "Two statements of one name cannot be told apart in a review, and IAM refuses the document."),
    rule("guardrails-contradict", Error, policies::guardrails_contradict, "Where one statement demands one guardrail and another a different one for the same model, no call can succeed."),
    rule("open-prefix", Warning, policies::open_prefix, "A prefix is the beginning of a key, not a folder: evals also matches evals-secret/."),
    rule("whole-bucket-write", Info, policies::whole_bucket_write, "Whoever may write a whole bucket may change or delete everything in it."),
    rule("whole-bucket-read", Info, policies::whole_bucket_read, "Sensitive data is read as far as it is needed, not as far as the bucket goes."),
    rule("shared-write", Info, policies::shared_write, "Where two consumers write the same objects, neither answers for them alone."),
    // Who may take them.
    rule("trust-without-subject", Error, principals::trust_without_subject, "Without a condition on sub, every pod of the cluster may take the role."),
    rule("trust-without-source", Error, principals::trust_without_source, "A service that is not told for whom it acts can be talked into acting for somebody else."),
    rule("principal-too-broad", Error, principals::too_broad, "A wildcard or a whole account as principal leaves it to others who may take the role."),
    rule("long-lived-principal", Warning, principals::long_lived, "An IAM user has keys that do not expire; a role has sessions that do."),
    rule("cross-account-principal", Warning, principals::cross_account, "The other account decides who takes the role, and its controls are not seen here."),
    rule("default-service-account", Warning, principals::default_service_account, "Every pod that names no service account runs as default, and would get the role."),
    rule("trust-by-association", Info, principals::trust_by_association, "A trust policy that names the cluster only leaves it to whoever may make pod identity associations there which pods get the role."),
    rule("consumer-in-another-namespace", Info, principals::another_namespace, "Who may make pods in that namespace may use the role, and the platform's own team may not know them."),
    rule("shared-identity", Info, principals::shared_identity, "Where several principals share a role, only the session's name tells who it was."),
    // What bounds them.
    rule("boundary-missing", Error, principals::demanded_boundary, "The operator's guardrails demand a permissions boundary for this namespace."),
    rule("boundary-missing", Info, principals::no_boundary, "A permissions boundary limits a role even where its policies are changed by hand."),
    rule("boundary-bounds-nothing", Warning, principals::boundary_bounds_nothing, "A boundary that allows everything is none."),
    rule("operator-role-without-external-id", Info, principals::no_external_id, "A role that another account takes without an external id can be used for whoever names it."),
    // Where the data is.
    rule("bucket-without-tls-only", Error, storage::without_tls, "Without the statement, objects travel in the clear for whoever asks so."),
    rule("bucket-without-customer-key", Warning, storage::without_key, "Only a key of one's own can be withdrawn, and has a log of each use. Looked at where the data is sensitive."),
    rule("bucket-deleted-with-contents", Warning, storage::deleted_with_contents, "In production, a line taken out of a file should not take data along."),
    rule("bucket-without-versioning", Info, storage::without_versioning, "In production, what is overwritten or deleted cannot be brought back."),
    rule("bucket-adopted", Info, storage::adopted, "A bucket that was there before may hold data and statements that nobody here has declared."),
    rule("key-by-alias", Info, storage::key_by_alias, "Whoever may move the alias decides which key the policy means."),
    rule("key-of-another-account", Info, storage::foreign_key, "That account can withdraw the key, and its key policy has to name the roles here."),
    rule("nothing-expires", Info, storage::nothing_expires, "Data that nobody has decided to keep is kept for ever."),
    rule("old-versions-stay", Info, storage::old_versions_stay, "What is deleted from a versioned bucket is still there until its old versions expire."),
    rule("lifecycle-takes-artifact", Warning, lifecycle::takes_artifact, "What has been archived or deleted cannot be loaded: the endpoint runs on, and no further instance can start."),
    rule("lifecycle-matches-nothing", Warning, lifecycle::matches_nothing, "A rule that matches nothing keeps for ever what somebody meant to delete or archive."),
    rule("lifecycle-expires-on-a-date", Warning, lifecycle::expires_on_a_date, "From its date on such a rule deletes at once whatever matches, also what is written later."),
    rule("artifact-goes-with-bucket", Info, lifecycle::artifact_goes_with_bucket, "A model can be declared again, and what it loads cannot."),
    rule("artifact-without-versions", Info, lifecycle::artifact_without_versions, "An artifact that was overwritten by mistake can be brought back only from an old version."),
    rule("unused-bucket", Info, storage::unused, "What no consumer and no model uses is either used some other way, or not needed."),
    // Which way calls take.
    rule("network-open-to-everybody", Warning, network::open_to_everybody, "Endpoints have private addresses, and a VPC has more neighbours than its owners think of: peered networks, VPNs, other accounts."),
    rule("endpoint-policy-full", Warning, network::full_for_models, "Credentials of another account, brought into the network, call that account's models through it: a way out for data that no log here shows."),
    rule("endpoint-policy-full", Info, network::full_for_data, "Whoever is in the network can copy data to a bucket of their own. Looked at where the data is sensitive."),
    rule("endpoint-policy-account", Info, network::account_for_models, "The endpoint adds nothing to what the callers' own policies say."),
    rule("models-without-network", Warning, network::sensitive_without_network, "Sensitive data leaves the network to be answered, and no endpoint policy stands between callers and the service."),
    rule("models-without-network", Info, network::classified_without_network, "Classified data that is not public leaves the network to be answered."),
    // What is served.
    rule("model-without-guardrail", Warning, models::without_guardrail, "In production, nothing stands between the model and the user. Models that take no guardrail are left out."),
    rule("guardrail-draft-version", Warning, models::draft, "DRAFT changes with every edit, and no review sees it."),
    rule("inference-leaves-geography", Warning, models::leaves_geography, "Classified data goes to another continent's law."),
    rule("cross-region-inference", Info, models::leaves_region, "Classified data is worked on in other regions than it is declared for."),
    rule("streaming-all-the-same", Info, models::streams_all_the_same, "AWS authorises InvokeModelWithBidirectionalStream as bedrock:InvokeModel: streaming false does not keep from it."),
    rule("rollout-without-time", Warning, models::rollout_without_time, "SageMaker rolls back what has not come to its end in time, whether it works or not."),
    rule("artifact-writable", Warning, models::artifact_writable, "Whoever may write a model's artifact decides what its container loads."),
    rule("artifact-elsewhere", Warning, models::artifact_elsewhere, "In a bucket that is not the platform's, others decide who may write the artifact, and with which key it is encrypted."),
    rule("execution-role-not-made-here", Info, models::role_not_made_here, "What such a role can do, and who may take it, is not seen here."),
    rule("model-reaches-networks", Info, models::reaches_networks, "What runs in the container may send what it is asked anywhere. Serverless endpoints cannot be cut off, and are left out."),
    rule("weights-writable", Warning, inference::weights_writable, "Whoever may write a model's weights decides what its pods answer."),
    rule("weights-elsewhere", Warning, inference::weights_elsewhere, "In a bucket that is not the platform's, others decide who may write the weights."),
    rule("weights-move", Warning, inference::weights_that_move, "A branch or a tag on the Hub can be moved: two pods of one revision may load different weights."),
    rule("image-moves", Warning, inference::image_that_moves, "The image latest is another one tomorrow, and a pod that is made again runs it."),
    rule("model-without-key", Warning, inference::without_key, "A network policy is enforced only where the cluster's network does so. Looked at where the data is sensitive."),
    rule("model-without-memory", Info, inference::without_memory, "A pod that sets no memory aside is the first to be killed when its node runs short."),
    rule("unused-model", Info, models::unused, "What no consumer may call can be taken out."),
    // Who answers for it.
    rule("name-cut", Info, names::cut, "A name that is cut tells whose it is by its hash alone, and somebody who looks for them finds names with the same hash."),
    rule("ownership-incomplete", Info, ownership::incomplete, "In production, somebody pays, somebody is called at night, and data has a class."),
    rule("access-outlives-spec", Info, ownership::access_outlives_spec, "What is taken out of the spec stays in AWS, and nobody reads it any more."),
];

/// Everything the rules find, the worst first, then in the order of the rules and of the spec.
#[must_use]
pub fn find(context: &Context) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES
        .iter()
        .flat_map(|rule| {
            let finding =
                |Hit { subject, message }| Finding { rule: rule.id, severity: rule.severity, subject, message };
            (rule.check)(context).into_iter().map(finding)
        })
        .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}
