//! A request to the API server in the words in which RBAC and audit logs speak of it.

use axum::http::{Method, Uri};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// The verb.
    pub(super) verb: &'static str,
    /// The resource in plural, with its subresource; `discovery` for what is none.
    pub(super) resource: String,
}

impl Described {
    /// The request that is sent to a path. Source: "Determine the request verb" and "Resource URIs" of the Kubernetes
    /// documentation.
    pub(super) fn of(method: &Method, uri: &Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        // The group, if it has a name, and the version.
        let parts: Vec<&str> = match parts.next() {
            Some("api") => parts.skip(1).collect(),
            Some("apis") => parts.skip(2).collect(),
            _ => Vec::new(),
        };
        let parts = match parts.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() && !matches!(rest, ["status" | "finalize"]) => rest,
            all => all,
        };
        let (resource, is_named) = match parts {
            [] => return Self { verb: "get", resource: "discovery".into() },
            [resource] => ((*resource).to_string(), false),
            [resource, _] => ((*resource).to_string(), true),
            [resource, _, subresource, ..] => (format!("{resource}/{subresource}"), true),
        };
        let is_watch = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let verb = match (method.as_str(), is_named) {
            ("GET", _) if is_watch => "watch",
            ("GET", false) => "list",
            ("GET", true) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", false) => "deletecollection",
            ("DELETE", true) => "delete",
            _ => "other",
        };
        Self { verb, resource }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_called_as_rbac_calls_them() {
        let platforms = "/apis/aiplatform.dev/v1alpha1/namespaces/n/aiplatforms";
        for (method, path, verb, resource) in [
            ("GET", format!("{platforms}?&limit=500"), "list", "aiplatforms"),
            ("GET", format!("{platforms}?&watch=true&timeoutSeconds=290"), "watch", "aiplatforms"),
            ("PATCH", format!("{platforms}/a/status?&fieldManager=aiplatform"), "patch", "aiplatforms/status"),
            ("PATCH", format!("{platforms}/a"), "patch", "aiplatforms"),
            ("GET", "/api/v1/namespaces/n/serviceaccounts/a".into(), "get", "serviceaccounts"),
            ("POST", "/api/v1/namespaces/n/configmaps".into(), "create", "configmaps"),
            ("DELETE", "/api/v1/namespaces/n/configmaps/a".into(), "delete", "configmaps"),
            ("GET", "/api/v1/namespaces/kube-system".into(), "get", "namespaces"),
            ("GET", "/api/v1/pods?watch=true".into(), "watch", "pods"),
            ("GET", "/apis/aiplatform.dev/v1alpha1".into(), "get", "discovery"),
            ("PUT", "/apis/coordination.k8s.io/v1/namespaces/n/leases/a".into(), "update", "leases"),
        ] {
            let described = Described::of(&method.parse().unwrap(), &path.parse().unwrap());
            assert_eq!((described.verb, described.resource.as_str()), (verb, resource), "{method} {path}");
        }
    }
}
