//! JSON documents that are kept for long: as text, because the tree that it stands for takes ten times as much memory.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A JSON document. Its copies share one text, and documents with the same content are equal.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(Arc<str>);

impl Document {
    /// The document with this content.
    #[must_use]
    pub fn new(content: &Value) -> Self {
        Self(content.to_string().into())
    }

    /// The content.
    #[must_use]
    pub fn content(&self) -> Value {
        // The text was written from a tree, so that there is always one.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Debug for Document {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_has_the_content_that_it_was_made_of() {
        let contents = [
            json!(null),
            json!({"b": [1, -2.5, 1e300, u64::MAX, true], "a": {"\u{1F600}\n\"": "\u{0}"}}),
            json!("text"),
        ];
        for content in contents {
            let document = Document::new(&content);
            assert_eq!(document.content(), content);
            assert_eq!(serde_json::to_value(&document).unwrap(), content);
            assert_eq!(document, Document::new(&document.content()));
        }
        assert_ne!(Document::new(&json!({"a": 1})), Document::new(&json!({"a": "1"})));
    }

    #[test]
    fn the_order_of_fields_makes_no_difference() {
        let of = |text: &str| Document::new(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#), of(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#));
    }
}
