//! IAM policy documents, compared by what they mean and not by how they are written.

use serde_json::Value;

/// The statements of a document, which AWS also takes as a single object.
#[must_use]
pub fn statements(document: &Value) -> Vec<Value> {
    match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement @ Value::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

/// One form for all spellings of the same statement: a list of one is that one, lists are in order, and what AWS
/// compares as text is text.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(canonical).collect();
            items.sort_by_key(Value::to_string);
            items.dedup();
            match items.len() {
                1 => items.remove(0),
                _ => Value::Array(items),
            }
        }
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spellings_of_the_same_statement_are_equal() {
        let one = json!({"Action": ["s3:Get*"], "Resource": ["b", "a"], "Condition": {"Bool": {"aws:SecureTransport": false}}});
        let other = json!({"Action": "s3:Get*", "Resource": ["a", "b", "a"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}});
        assert_eq!(canonical(&one), canonical(&other));
    }

    #[test]
    fn a_single_statement_needs_no_list() {
        let one = json!({"Statement": {"Sid": "A"}});
        let many = json!({"Statement": [{"Sid": "A"}]});
        assert_eq!(statements(&one), statements(&many));
        assert!(statements(&json!({})).is_empty());
    }
}
