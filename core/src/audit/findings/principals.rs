//! Findings about trust policies and permissions boundaries.

use super::{Context, Hit, hit};
use crate::grants::{Grant, ServiceAccount, Subject};
use crate::policy::{Effect, Statement};

/// The statements of trust policies that allow, with the role they belong to.
fn trusts<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a Grant, &'a Statement)> {
    let all = context.grants.iter().flat_map(|grant| grant.trust.iter().map(move |statement| (grant, statement)));
    all.filter(|(_, statement)| statement.effect == Effect::Allow)
}

/// True when a condition holds the key to values that are written out.
fn is_fixed(statement: &Statement, key: impl Fn(&str) -> bool) -> bool {
    const EXACT: [&str; 3] = ["StringEquals", "ArnEquals", "ArnLike"];
    let operators = statement.conditions.iter().filter(|(operator, _)| EXACT.contains(&operator.as_str()));
    let mut keys = operators.flat_map(|(_, keys)| keys);
    keys.any(|(name, values)| key(name) && !values.is_empty() && !values.iter().any(|value| value.contains(['*', '?'])))
}

pub(super) fn trust_without_subject(context: &Context) -> Vec<Hit> {
    let federated = trusts(context).filter(|(_, statement)| statement.principals.contains_key("Federated"));
    let open = federated.filter(|(_, statement)| !is_fixed(statement, |key| key.ends_with(":sub")));
    open.map(|(grant, statement)| {
        let message = format!(
            "statement {} of the trust policy holds no service account in a condition on sub: every pod of the cluster may take role {}",
            statement.sid, grant.role
        );
        hit(grant.whose(), message)
    })
    .collect()
}

pub(super) fn trust_without_source(context: &Context) -> Vec<Hit> {
    let services = trusts(context).filter(|(_, statement)| statement.principals.contains_key("Service"));
    let open = services
        .filter(|(_, statement)| !is_fixed(statement, |key| key == "aws:SourceArn" || key == "aws:SourceAccount"));
    open.map(|(grant, statement)| {
        let message = format!(
            "statement {} of the trust policy names neither aws:SourceArn nor aws:SourceAccount: the service may take role {} on behalf of any account",
            statement.sid, grant.role
        );
        hit(grant.whose(), message)
    })
    .collect()
}

/// The session tags by which EKS describes the pod that assumes a role.
const SESSION_TAGS: [&str; 2] = ["aws:RequestTag/kubernetes-namespace", "aws:RequestTag/kubernetes-service-account"];

pub(super) fn trust_by_association(context: &Context) -> Vec<Hit> {
    let services = trusts(context).filter(|(_, statement)| statement.principals.contains_key("Service"));
    let open = services.filter(|(_, statement)| {
        !SESSION_TAGS.iter().all(|tag| is_fixed(statement, |key| key.eq_ignore_ascii_case(tag)))
    });
    open.filter_map(|(grant, _)| {
        let Subject::PodIdentity(account, cluster) = &grant.subject else { return None };
        let message = format!(
            "only the pod identity association says that service account {account} gets role {}: restrict who may make associations in cluster {cluster}",
            grant.role
        );
        Some(hit(grant.whose(), message))
    })
    .collect()
}

/// Every principal of a trust policy of these kinds.
fn principals<'a>(
    context: &Context<'a>,
    kinds: &'static [&'static str],
) -> impl Iterator<Item = (&'a Grant, &'a String)> {
    trusts(context).flat_map(move |(grant, statement)| {
        let named = statement.principals.iter().filter(|(kind, _)| kinds.contains(&kind.as_str()));
        named.flat_map(|(_, names)| names).map(move |name| (grant, name))
    })
}

pub(super) fn too_broad(context: &Context) -> Vec<Hit> {
    let broad = |name: &str| {
        name.contains(['*', '?']) || name.ends_with(":root") || name.chars().all(|character| character.is_ascii_digit())
    };
    principals(context, &["AWS", "Federated", "Service"])
        .filter(|(_, name)| broad(name))
        .map(|(grant, name)| hit(grant.whose(), format!("{name} may take role {}: name single roles", grant.role)))
        .collect()
}

pub(super) fn long_lived(context: &Context) -> Vec<Hit> {
    principals(context, &["AWS"])
        .filter(|(_, name)| name.contains(":user/"))
        .map(|(grant, name)| {
            let message =
                format!("{name} is an IAM user, whose keys do not expire: name a role that people or jobs take");
            hit(grant.whose(), message)
        })
        .collect()
}

pub(super) fn cross_account(context: &Context) -> Vec<Hit> {
    let own = &context.platform.account_id;
    principals(context, &["AWS", "Federated"])
        .filter_map(|(grant, name)| {
            let account = name.split(':').nth(4).filter(|account| !account.is_empty() && account != own)?;
            let message = format!("{name} is of account {account}: that account decides who gets role {}", grant.role);
            Some(hit(grant.whose(), message))
        })
        .collect()
}

fn service_accounts<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a Grant, &'a ServiceAccount)> {
    context.grants.iter().filter_map(|grant| match &grant.subject {
        Subject::Irsa(account) | Subject::PodIdentity(account, _) => Some((grant, account)),
        Subject::Principals(_) | Subject::SageMaker(_) => None,
    })
}

pub(super) fn default_service_account(context: &Context) -> Vec<Hit> {
    service_accounts(context)
        .filter(|(_, account)| account.name == "default")
        .map(|(grant, account)| {
            let message =
                format!("every pod of namespace {} may be {account}: make a service account for it", account.namespace);
            hit(grant.whose(), message)
        })
        .collect()
}

pub(super) fn another_namespace(context: &Context) -> Vec<Hit> {
    service_accounts(context)
        .filter(|(_, account)| account.namespace != context.platform.namespace)
        .map(|(grant, account)| {
            let bound = match &grant.subject {
                Subject::PodIdentity(_, cluster) => format!(
                    "an association in cluster {cluster} gives its pods the role, in place of any other that they had"
                ),
                _ => "its team annotates it".into(),
            };
            let message = format!(
                "service account {account} is not in the platform's namespace {}: {bound}, and whoever may make pods there \
                 decides which use it",
                context.platform.namespace
            );
            hit(grant.whose(), message)
        })
        .collect()
}

pub(super) fn shared_identity(context: &Context) -> Vec<Hit> {
    let shared = context.grants.iter().filter_map(|grant| match &grant.subject {
        Subject::Principals(names) if names.len() > 1 => Some((grant, names)),
        _ => None,
    });
    shared
        .map(|(grant, names)| {
            let message = format!(
                "{} principals share role {}: make a consumer of each, so that CloudTrail tells them apart",
                names.len(),
                grant.role
            );
            hit(grant.whose(), message)
        })
        .collect()
}

pub(super) fn demanded_boundary(context: &Context) -> Vec<Hit> {
    let Some(demanded) = context.bounds.boundary else { return Vec::new() };
    let found = context.platform.permissions_boundary_arn.as_deref();
    if context.grants.is_empty() || found == Some(demanded) {
        return Vec::new();
    }
    let found = found.map_or_else(|| "names none".to_string(), |found| format!("names {found}"));
    vec![hit("spec.permissionsBoundaryArn", format!("the guardrails demand {demanded}, and the spec {found}"))]
}

pub(super) fn no_boundary(context: &Context) -> Vec<Hit> {
    if context.grants.is_empty()
        || context.bounds.boundary.is_some()
        || context.platform.permissions_boundary_arn.is_some()
    {
        return Vec::new();
    }
    vec![hit("spec.permissionsBoundaryArn", "no role has a permissions boundary: name a managed policy")]
}

pub(super) fn boundary_bounds_nothing(context: &Context) -> Vec<Hit> {
    const EVERYTHING: [&str; 2] = [":policy/AdministratorAccess", ":policy/PowerUserAccess"];
    let boundary = context.platform.permissions_boundary_arn.as_deref().unwrap_or_default();
    if !EVERYTHING.iter().any(|name| boundary.ends_with(name)) {
        return Vec::new();
    }
    vec![hit("spec.permissionsBoundaryArn", format!("{boundary} allows nearly everything: name a policy that bounds"))]
}

pub(super) fn no_external_id(context: &Context) -> Vec<Hit> {
    let assumed = context.platform.assume_role.iter().filter(|assumed| assumed.external_id.is_none());
    assumed
        .map(|assumed| {
            let message = format!(
                "the operator takes {} without an external id: ask for one in its trust policy",
                assumed.role_arn
            );
            hit("spec.assumeRole", message)
        })
        .collect()
}
