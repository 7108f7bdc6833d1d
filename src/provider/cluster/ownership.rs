//! Managed fields that the operator edits: what it created becomes what it applied, and what it lets go becomes nobody's.
//!
//! A creation leaves an entry of the operation `Update`, whose fields server-side apply does not take away again when they
//! are no longer applied. Source: the package `k8s.io/client-go/util/csaupgrade`, which does the same for kubectl.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Value, json};

use super::fields::unite;

/// The operation of entries that server-side apply leaves.
const APPLY: &str = "Apply";

/// The entries with everything of a manager as applied, and without the fields at these paths; none where they are so
/// already.
pub(super) fn settled(
    entries: &[ManagedFieldsEntry],
    manager: &str,
    let_go: &[&[&str]],
) -> Option<Vec<ManagedFieldsEntry>> {
    let is_ours =
        |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(manager) && entry.subresource.is_none();
    let (ours, mut rest): (Vec<&ManagedFieldsEntry>, Vec<&ManagedFieldsEntry>) = entries.iter().partition(is_ours);
    let mut fields = json!({});
    for entry in ours.iter().filter_map(|entry| entry.fields_v1.as_ref()) {
        unite(&mut fields, &entry.0);
    }
    let before = fields.clone();
    for path in let_go {
        remove(&mut fields, path);
    }
    let is_applied = ours.iter().all(|entry| entry.operation.as_deref() == Some(APPLY));
    if is_applied && ours.len() <= 1 && fields == before {
        return None;
    }
    let first = ours.iter().find(|entry| entry.operation.as_deref() == Some(APPLY)).or(ours.first())?;
    let entry =
        ManagedFieldsEntry { operation: Some(APPLY.into()), fields_v1: Some(FieldsV1(fields)), ..(**first).clone() };
    rest.push(&entry);
    Some(rest.into_iter().cloned().collect())
}

/// Takes one field out of a set, and whatever is left without any in it.
fn remove(fields: &mut Value, path: &[&str]) {
    let ([name, below @ ..], Some(members)) = (path, fields.as_object_mut()) else { return };
    let name = format!("f:{name}");
    let Some(member) = members.get_mut(&name) else { return };
    remove(member, below);
    let is_empty = member.as_object().is_none_or(|member| member.keys().all(|name| name == "."));
    if below.is_empty() || is_empty {
        members.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> ManagedFieldsEntry {
        let entry = json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        serde_json::from_value(entry).unwrap()
    }

    const REPLICAS: &[&[&str]] = &[&["spec", "replicas"]];

    #[test]
    fn what_was_created_becomes_what_was_applied() {
        let created = json!({"f:spec": {"f:replicas": {}, "f:paused": {}}});
        let applied = json!({"f:spec": {"f:replicas": {}, "f:template": {}}});
        let theirs = entry("them", "Update", &created);
        let entries = [entry("us", "Update", &created), theirs.clone(), entry("us", "Apply", &applied)];
        let united = json!({"f:spec": {"f:replicas": {}, "f:paused": {}, "f:template": {}}});
        let expected = vec![theirs.clone(), entry("us", "Apply", &united)];
        assert_eq!(settled(&entries, "us", &[]), Some(expected.clone()));
        assert_eq!(settled(&expected, "us", &[]), None, "once");
        let mut status = entry("us", "Update", &created);
        status.subresource = Some("status".into());
        assert_eq!(settled(&[status, theirs], "us", &[]), None, "a subresource is another matter");
    }

    #[test]
    fn what_is_let_go_is_nobodys_and_nothing_else_is() {
        let fields = json!({"f:spec": {"f:replicas": {}, "f:template": {}}});
        let entries = [entry("us", "Apply", &fields)];
        let left = entry("us", "Apply", &json!({"f:spec": {"f:template": {}}}));
        assert_eq!(settled(&entries, "us", REPLICAS), Some(vec![left.clone()]));
        assert_eq!(settled(&[left], "us", REPLICAS), None);
        let alone = [entry("us", "Apply", &json!({"f:spec": {"f:replicas": {}}}))];
        assert_eq!(settled(&alone, "us", REPLICAS), Some(vec![entry("us", "Apply", &json!({}))]));
    }
}
