//! Findings about the permissions of roles.

use std::collections::BTreeSet;

use super::{Context, Hit, hit};
use crate::api::access::{BucketAccess, Consumer, Mode};
use crate::grants::Grant;
use crate::policy::{Effect, Statement};

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

pub(super) fn wildcard_action(context: &Context) -> Vec<Hit> {
    let granted = context.grants.iter().flat_map(|grant| {
        let policies = grant.policies.iter().flat_map(|(_, statements)| statements);
        policies.chain(&grant.trust).map(move |statement| (grant, statement))
    });
    granted
        .filter(|(_, statement)| statement.effect == Effect::Allow)
        .flat_map(|(grant, statement)| {
            let actions = statement.actions.iter().filter(|action| has_wildcard(action));
            actions.map(move |action| {
                hit(grant.whose(), format!("statement {} allows {action}: name each action", statement.sid))
            })
        })
        .collect()
}

pub(super) fn wildcard_resource(context: &Context) -> Vec<Hit> {
    allowed(context.grants)
        .flat_map(|(grant, statement)| {
            let resources = statement.resources.iter().filter(|resource| reaches_beyond(resource, statement));
            resources.map(move |resource| {
                let message = format!(
                    "statement {} allows {} on {resource}: name each ARN",
                    statement.sid,
                    statement.actions.join(", ")
                );
                hit(grant.whose(), message)
            })
        })
        .collect()
}

/// Keys below a prefix of one bucket are what was asked for, as are the streams of one log group, and a condition on
/// the alias says which key is meant.
fn reaches_beyond(resource: &str, statement: &Statement) -> bool {
    if !has_wildcard(resource) || resource == "*" && knows_no_resource(statement) {
        return false;
    }
    let keyed = held(statement, "kms:ResourceAliases");
    match resource.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "s3", "", "", object] if !has_wildcard(partition) => {
            let Some((bucket, key)) = object.split_once('/') else { return true };
            has_wildcard(bucket) || has_wildcard(key.strip_suffix('*').unwrap_or(key))
        }
        ["arn", partition, "logs", region, account, group] => {
            let group = group.strip_suffix(":*").unwrap_or(group);
            [partition, region, account, group].into_iter().any(has_wildcard)
        }
        ["arn", partition, "kms", region, account, "key/*"] => {
            !keyed || [partition, region, account].into_iter().any(|part| has_wildcard(part))
        }
        ["arn", partition, "ec2", region, account, "network-interface/*" | "security-group/*"] => {
            !is_in_subnets(statement) || [partition, region, account].into_iter().any(|part| has_wildcard(part))
        }
        _ => true,
    }
}

/// True when a statement is about what is in subnets that it names. EC2 chooses the ids of what is made there.
fn is_in_subnets(statement: &Statement) -> bool {
    let names_subnets = |resource: &String| resource.contains(":subnet/") && !has_wildcard(resource);
    held(statement, "ec2:Subnet") || statement.resources.iter().any(names_subnets)
}

fn held(statement: &Statement, key: &str) -> bool {
    statement.conditions.values().any(|keys| keys.contains_key(key))
}

/// True when IAM takes nothing but `*` for all actions of a statement. What there is to hold them is held.
/// Source: Service Authorization Reference, Amazon Elastic Container Registry, Amazon `CloudWatch` and Amazon EC2.
fn knows_no_resource(statement: &Statement) -> bool {
    statement.actions.iter().all(|action| match action.as_str() {
        "ecr:GetAuthorizationToken" => true,
        "cloudwatch:PutMetricData" => held(statement, "cloudwatch:namespace"),
        action => action.starts_with("ec2:Describe") && !has_wildcard(action),
    })
}

/// Statements that allow, with the role that has them.
fn allowed(grants: &[Grant]) -> impl Iterator<Item = (&Grant, &Statement)> {
    let all = grants.iter().flat_map(|grant| {
        grant.policies.iter().flat_map(|(_, statements)| statements).map(move |statement| (grant, statement))
    });
    all.filter(|(_, statement)| statement.effect == Effect::Allow)
}

/// A hit for each statement that allows an action of this service without being held by all of these keys.
fn without_conditions(context: &Context, service: &str, keys: &[&str], risk: &str) -> Vec<Hit> {
    allowed(context.grants)
        .filter(|(_, statement)| statement.actions.iter().any(|action| action.starts_with(service)))
        .filter_map(|(grant, statement)| {
            let missing: Vec<&str> = keys.iter().copied().filter(|key| !held(statement, key)).collect();
            let message = format!("statement {} has no condition on {}: {risk}", statement.sid, missing.join(" and "));
            (!missing.is_empty()).then(|| hit(grant.whose(), message))
        })
        .collect()
}

pub(super) fn bucket_of_any_account(context: &Context) -> Vec<Hit> {
    without_conditions(context, "s3:", &["aws:ResourceAccount"], "the bucket may be of any account")
}

pub(super) fn key_for_anything(context: &Context) -> Vec<Hit> {
    let keys = ["kms:ViaService", "kms:EncryptionContext:aws:s3:arn"];
    without_conditions(context, "kms:", &keys, "the key decrypts what is in no bucket of the platform, too")
}

pub(super) fn ambiguous_sid(context: &Context) -> Vec<Hit> {
    let policies = context.grants.iter().flat_map(|grant| grant.policies.iter().map(move |policy| (grant, policy)));
    policies
        .flat_map(|(grant, (name, statements))| {
            let mut seen = BTreeSet::new();
            let twice: BTreeSet<&str> = statements
                .iter()
                .map(|statement| statement.sid.as_str())
                .filter(|sid| !seen.insert(*sid))
                .collect();
            twice.into_iter().map(move |sid| {
                let message = format!(
                    "policy {name} has more than one statement {sid}: give models and buckets names that differ in more than hyphens and numbers"
                );
                hit(grant.whose(), message)
            })
        })
        .collect()
}

pub(super) fn guardrails_contradict(context: &Context) -> Vec<Hit> {
    const KEY: &str = "bedrock:GuardrailIdentifier";
    let under = |statement: &Statement, operator: &str| {
        statement.conditions.get(operator).and_then(|keys| keys.get(KEY)).cloned()
    };
    let mut hits = Vec::new();
    for grant in context.grants {
        let denying = grant.policies.iter().flat_map(|(_, statements)| statements);
        for denial in denying.filter(|statement| statement.effect == Effect::Deny) {
            let Some(demanded) = under(denial, "StringNotEquals") else { continue };
            for (_, allowing) in allowed(std::slice::from_ref(grant)) {
                let shared = allowing.resources.iter().find(|resource| denial.resources.contains(*resource));
                if let (Some(named), Some(resource)) = (under(allowing, "StringEquals"), shared)
                    && named.iter().all(|identifier| !demanded.contains(identifier))
                {
                    let message = format!(
                        "statement {} wants guardrail {}, and statement {} denies {resource} without {}: make two consumers of it",
                        allowing.sid,
                        named.join(", "),
                        denial.sid,
                        demanded.join(", ")
                    );
                    hits.push(hit(grant.whose(), message));
                }
            }
        }
    }
    hits
}

fn prefix(access: &BucketAccess) -> &str {
    access.prefix.as_deref().unwrap_or_default()
}

/// The access of each consumer to the parts of each bucket.
fn uses<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a Consumer, &'a BucketAccess)> {
    let consumers = context.platform.access.iter();
    consumers.flat_map(|consumer| consumer.buckets.iter().map(move |access| (consumer, access)))
}

pub(super) fn open_prefix(context: &Context) -> Vec<Hit> {
    let open = uses(context).filter(|(_, access)| !prefix(access).is_empty() && !prefix(access).ends_with('/'));
    open.map(|(consumer, access)| {
        let message = format!(
            "prefix {:?} of bucket {} also matches keys such as {:?}: end it in / where a folder is meant",
            prefix(access),
            access.name,
            format!("{}-other/", prefix(access))
        );
        hit(format!("consumer {}", consumer.name), message)
    })
    .collect()
}

pub(super) fn whole_bucket_write(context: &Context) -> Vec<Hit> {
    let whole = uses(context).filter(|(_, access)| prefix(access).is_empty() && access.mode == Mode::ReadWrite);
    whole
        .map(|(consumer, access)| {
            let message = format!("may write and delete everything in bucket {}: a prefix would limit it", access.name);
            hit(format!("consumer {}", consumer.name), message)
        })
        .collect()
}

pub(super) fn whole_bucket_read(context: &Context) -> Vec<Hit> {
    if !context.is_sensitive() {
        return Vec::new();
    }
    let whole = uses(context).filter(|(_, access)| prefix(access).is_empty() && access.mode == Mode::Read);
    whole
        .map(|(consumer, access)| {
            let message = format!("may read everything in bucket {}: a prefix would limit it", access.name);
            hit(format!("consumer {}", consumer.name), message)
        })
        .collect()
}

pub(super) fn shared_write(context: &Context) -> Vec<Hit> {
    let writers: Vec<(&Consumer, &BucketAccess)> =
        uses(context).filter(|(_, access)| access.mode == Mode::ReadWrite).collect();
    let mut hits = Vec::new();
    for (index, (consumer, access)) in writers.iter().enumerate() {
        for (other, again) in &writers[..index] {
            let (one, two) = (prefix(access), prefix(again));
            let overlap = one.starts_with(two) || two.starts_with(one);
            if consumer.name != other.name && access.name == again.name && overlap {
                let shared = if one.len() > two.len() { one } else { two };
                let place = if shared.is_empty() { "all of it".into() } else { format!("below {shared}") };
                let message = format!(
                    "consumers {} and {} may both write, {place}: give each a prefix",
                    other.name, consumer.name
                );
                hits.push(hit(format!("bucket {}", access.name), message));
            }
        }
    }
    hits
}
