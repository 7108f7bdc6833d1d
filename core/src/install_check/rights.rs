//! The rights that the operator needs in the cluster: those of the manifests, which the tests run it with.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use serde_json::Value;

use super::{Check, Finding};

/// The manifests, by which the operator is installed for all namespaces or for some.
const FOR_ALL: &str = include_str!("../../../manifests/rbac.yaml");
const FOR_SOME: &str = include_str!("../../../manifests/rbac-namespaced.yaml");

/// The operator's own namespace in the manifests.
pub const OPERATOR_NAMESPACE: &str = "aiplatform-system";

/// The line between the documents of a manifest.
const BETWEEN: &str = "\n---\n";

/// The rights that one rule gives on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The namespace that they hold in; absent for all of them, and for what is in none.
    pub namespace: Option<String>,
    /// The API group, empty for the core.
    pub group: String,
    /// The resource, as in `aiplatforms`.
    pub resource: String,
    /// The part of it, as in `status`.
    pub subresource: Option<String>,
    /// The object; absent for all of them.
    pub name: Option<String>,
    /// The verbs.
    pub verbs: Vec<String>,
}

/// A manifest could not be read, which is a fault of this version.
#[derive(Debug, thiserror::Error)]
#[error("the rights in the manifests cannot be read: {0}")]
pub struct Error(String);

/// The answers about some rights: for each verb whether it is allowed, or why nobody says.
pub type Answers = Vec<(String, Result<bool, String>)>;

/// The rights that the operator needs: for all namespaces, or for those that it watches, and in its own. Where nobody
/// names the cluster, its name is read.
///
/// # Errors
/// When the manifests cannot be read.
pub fn needed(watched: &[String], own_namespace: &str, is_cluster_named: bool) -> Result<Vec<Rights>, Error> {
    let mut needed = Vec::new();
    if !watched.is_empty() && !is_cluster_named {
        needed.push(Rights {
            namespace: None,
            group: String::new(),
            resource: "namespaces".into(),
            subresource: None,
            name: Some("kube-system".into()),
            verbs: vec!["get".into()],
        });
    }
    for document in if watched.is_empty() { FOR_ALL } else { FOR_SOME }.split(BETWEEN) {
        if has_kind(document, "ClusterRole") {
            let role: ClusterRole = read(document)?;
            needed.extend(rights(&role.rules.unwrap_or_default(), None));
        } else if has_kind(document, "Role") {
            let role: Role = read(document)?;
            let rules = role.rules.unwrap_or_default();
            if role.metadata.namespace.as_deref() == Some(OPERATOR_NAMESPACE) {
                needed.extend(rights(&rules, Some(own_namespace)));
            } else {
                needed.extend(watched.iter().flat_map(|namespace| rights(&rules, Some(namespace))));
            }
        }
    }
    Ok(needed)
}

fn has_kind(document: &str, kind: &str) -> bool {
    document.lines().any(|line| line.strip_prefix("kind: ") == Some(kind))
}

/// Reads by way of JSON, which these types are read from elsewhere: each format takes a copy of the code that reads them.
fn read<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, Error> {
    let value: Value = serde_saphyr::from_str(document).map_err(|error| Error(error.to_string()))?;
    serde_json::from_value(value).map_err(|error| Error(error.to_string()))
}

fn rights(rules: &[PolicyRule], namespace: Option<&str>) -> Vec<Rights> {
    let mut found = Vec::new();
    for rule in rules {
        let groups = rule.api_groups.iter().flatten();
        let resources = groups.flat_map(|group| rule.resources.iter().flatten().map(move |resource| (group, resource)));
        for (group, resource) in resources {
            let (resource, subresource) = match resource.split_once('/') {
                Some((resource, subresource)) => (resource, Some(subresource.to_string())),
                None => (resource.as_str(), None),
            };
            let names = rule.resource_names.iter().flatten().cloned().map(Some);
            let names: Vec<Option<String>> = names.collect();
            for name in if names.is_empty() { vec![None] } else { names } {
                found.push(Rights {
                    namespace: namespace.map(Into::into),
                    group: group.clone(),
                    resource: resource.into(),
                    subresource: subresource.clone(),
                    name,
                    verbs: rule.verbs.clone(),
                });
            }
        }
    }
    found
}

impl Rights {
    /// The object of the rights, as in `aiplatforms.aiplatform.dev/status in namespace support`.
    #[must_use]
    pub fn subject(&self) -> String {
        let Self { namespace, group, resource, subresource, name, .. } = self;
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let subresource = subresource.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
        let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let place = namespace.as_ref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        format!("{resource}{group}{subresource}{name}{place}")
    }

    /// The lines about them: what `who` may do, may not, and of which nobody says.
    #[must_use]
    pub fn judge(&self, who: &str, answers: &Answers) -> Vec<Finding> {
        let subject = self.subject();
        let verbs = |wanted: fn(&Result<bool, String>) -> bool| -> String {
            let verbs = answers.iter().filter(|(_, answer)| wanted(answer)).map(|(verb, _)| verb.as_str());
            verbs.collect::<Vec<_>>().join(", ")
        };
        let allowed = verbs(|answer| *answer == Ok(true));
        let denied = verbs(|answer| *answer == Ok(false));
        let unknown = verbs(Result::is_err);
        let why = answers.iter().find_map(|(_, answer)| answer.as_ref().err());
        let manifest = if self.namespace.is_none() || self.group == "coordination.k8s.io" {
            "manifests/rbac.yaml"
        } else {
            "manifests/rbac-namespaced.yaml"
        };
        let ok = Finding::ok(Check::Rights, format!("{who} may {allowed} {subject}"));
        let way_out = match self.name.as_deref() {
            Some("kube-system") => "name the cluster with --cluster-name, or grant it".to_string(),
            _ => format!("grant it, as {manifest} does"),
        };
        let missing = Finding::missing(Check::Rights, format!("{who} may not {denied} {subject}"), way_out);
        let unsaid = why.map(|why| {
            Finding::unknown(
                Check::Rights,
                format!("nobody says whether {who} may {unknown} {subject} ({why})"),
                "ask as somebody who may make SubjectAccessReviews",
            )
        });
        let lines = [(!allowed.is_empty()).then_some(ok), (!denied.is_empty()).then_some(missing), unsaid];
        lines.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rights: &[Rights]) -> Vec<String> {
        rights.iter().map(|rights| format!("{} {}", rights.verbs.join(","), rights.subject())).collect()
    }

    #[test]
    fn the_rights_are_those_of_the_manifests() {
        let everywhere = lines(&needed(&[], "operators", true).unwrap());
        for expected in [
            "get,list,watch,patch aiplatforms.aiplatform.dev",
            "patch aiplatforms.aiplatform.dev/status",
            "get namespaces",
            "list,watch customresourcedefinitions.apiextensions.k8s.io scaledobjects.keda.sh",
            "get,create,patch leases.coordination.k8s.io in namespace operators",
        ] {
            assert!(everywhere.iter().any(|line| line == expected), "{expected}: {everywhere:#?}");
        }
        let verbs = |text: &str| text.matches("verbs: [").count();
        // One rule of that manifest names two objects.
        assert_eq!(everywhere.len(), verbs(FOR_ALL) + 1);

        let watched = ["support".to_string(), "search".to_string()];
        let some = lines(&needed(&watched, "operators", true).unwrap());
        for expected in [
            "get,list,watch,patch aiplatforms.aiplatform.dev in namespace support",
            "get,list,watch,patch aiplatforms.aiplatform.dev in namespace search",
            "get namespaces in namespace search",
            "get,create,patch leases.coordination.k8s.io in namespace operators",
        ] {
            assert!(some.iter().any(|line| line == expected), "{expected}: {some:#?}");
        }
        assert_eq!(some.len(), 2 * (verbs(FOR_SOME) - 1) + 1);
        assert!(some.iter().all(|line| line.contains(" in namespace ")), "{some:#?}");
        let unnamed = lines(&needed(&watched, "operators", false).unwrap());
        assert_eq!((unnamed[0].as_str(), unnamed.len()), ("get namespaces kube-system", some.len() + 1));
    }

    #[test]
    fn what_is_denied_and_what_nobody_says_are_told_apart() {
        let rights = &needed(&[], "operators", true).unwrap()[0];
        let answers = vec![
            ("get".to_string(), Ok(true)),
            ("list".to_string(), Ok(false)),
            ("watch".to_string(), Err("forbidden".to_string())),
            ("patch".to_string(), Ok(false)),
        ];
        let told: Vec<String> = rights.judge("somebody", &answers).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "ok       RBAC          somebody may get aiplatforms.aiplatform.dev",
                "missing  RBAC          somebody may not list, patch aiplatforms.aiplatform.dev: grant it, as \
                 manifests/rbac.yaml does",
                "unknown  RBAC          nobody says whether somebody may watch aiplatforms.aiplatform.dev (forbidden): ask as \
                 somebody who may make SubjectAccessReviews",
            ]
        );
    }
}
