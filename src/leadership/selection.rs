//! Selections of objects, and the Lease of those who work on them.

use crate::names::hex_digest;

/// The name of the Lease of operators that work on all objects.
const NAME: &str = "aiplatform";

/// The hexadecimal digits by which selections are told apart.
const HASH: usize = 8;

/// The objects that an operator works on.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Their namespaces; all of them when empty.
    pub namespaces: &'a [String],
    /// A selector of their labels.
    pub label_selector: Option<&'a str>,
}

/// The name of the Lease: one for each selection, so that operators with different objects do not wait for each other. The
/// order of namespaces and spaces in the selector make no difference.
#[must_use]
pub fn lease_name(selection: &Selection<'_>) -> String {
    let mut namespaces: Vec<&str> = selection.namespaces.iter().map(String::as_str).collect();
    namespaces.sort_unstable();
    let selector: String =
        selection.label_selector.unwrap_or_default().chars().filter(|sign| !sign.is_whitespace()).collect();
    if namespaces.is_empty() && selector.is_empty() {
        return NAME.into();
    }
    format!("{NAME}-{}", hex_digest(&format!("{}/{selector}", namespaces.join(",")), HASH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(namespaces: &[&str], label_selector: Option<&str>) -> String {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        lease_name(&Selection { namespaces: &namespaces, label_selector })
    }

    #[test]
    fn each_selection_has_a_lease_of_its_own() {
        let names = [
            name(&[], None),
            name(&["a"], None),
            name(&["b"], None),
            name(&["a", "b"], None),
            name(&[], Some("shard=1")),
            name(&[], Some("shard=2")),
            name(&["a"], Some("shard=1")),
        ];
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert_eq!(names[0], "aiplatform");
        assert!(names[1..].iter().all(|name| name.len() == "aiplatform-".len() + HASH), "{names:?}");
    }

    #[test]
    fn the_same_selection_in_other_words_has_the_same_lease() {
        assert_eq!(name(&["a", "b"], Some("shard in (1, 2)")), name(&["b", "a"], Some("shard in (1,2)")));
        assert_eq!(name(&[], Some("")), "aiplatform");
    }
}
