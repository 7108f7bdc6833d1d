//! Patterns for bucket names that are not known one by one, as far as the guardrails limit them.

use std::collections::BTreeSet;

use crate::guardrails::{Guardrails, Rule};
use crate::names::BUCKET_LIMIT;

/// Characters of the hash at the end of a generated name.
const HASH: usize = 8;

/// A pattern of bucket names as somebody gives it on the command line.
///
/// # Errors
/// The rule that it breaks.
pub fn bucket_name_pattern(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-*?".contains(&byte);
    if !text.is_empty() && text.len() <= BUCKET_LIMIT && text.bytes().all(is_allowed) {
        return Ok(text.into());
    }
    Err(format!(
        "{text:?} is not a pattern of bucket names: 1 to {BUCKET_LIMIT} lower-case letters, digits, dots and hyphens, with * \
         for any text and ? for any one character"
    ))
}

/// Patterns of all names that buckets can have: those given, else what the guardrails leave.
pub(super) fn buckets(given: &[String], guardrails: &Guardrails) -> BTreeSet<String> {
    if !given.is_empty() {
        return given.iter().cloned().collect();
    }
    let any = || BTreeSet::from(["*".to_string()]);
    let Some(rules) = guardrails.rules() else { return any() };
    let mut patterns = BTreeSet::new();
    for rule in rules {
        let Some(chosen) = &rule.bucket_names else { return any() };
        patterns.extend(chosen.iter().chain(&rule.adoptable_buckets).cloned());
        patterns.extend(generated(rule));
    }
    if patterns.contains("*") { any() } else { patterns }
}

/// The pattern of generated names in the namespaces of a rule: they begin with the namespace, of which a long one is
/// cut to make room for the hash.
fn generated(rule: &Rule) -> Vec<String> {
    let room = BUCKET_LIMIT - HASH - 1;
    let hash = "?".repeat(HASH);
    let namespaces = rule.namespaces.as_ref().and_then(|namespaces| namespaces.names.as_ref());
    let Some(namespaces) = namespaces else { return vec![format!("*-{hash}")] };
    namespaces
        .iter()
        .map(|glob| {
            let literal = glob.split(['*', '?']).next().unwrap_or_default();
            let prefix = &literal[..literal.floor_char_boundary(room)];
            // The whole namespace stands there with what follows it, unless either was cut.
            let follows = if literal == glob && literal.len() < room { "-" } else { "" };
            format!("{prefix}{follows}*-{hash}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::guardrails::Rules;
    use crate::names;

    fn given(rules: serde_json::Value) -> Guardrails {
        Guardrails::Given(Rules { rules: serde_json::from_value(rules).unwrap() })
    }

    fn patterns(rules: serde_json::Value) -> Vec<String> {
        buckets(&[], &given(rules)).into_iter().collect()
    }

    #[test]
    fn names_are_limited_where_every_rule_limits_them() {
        let of = |names: &[&str]| json!({"namespaces": {"names": names}, "bucketNames": ["acme-*"], "adoptableBuckets": ["legacy"]});
        assert_eq!(patterns(json!([of(&["ml-*"])])), ["acme-*", "legacy", "ml-*-????????"]);
        assert_eq!(patterns(json!([of(&["search"])])), ["acme-*", "legacy", "search-*-????????"]);
        assert_eq!(patterns(json!([of(&["*-prod"])])), ["*-????????", "acme-*", "legacy"]);
        assert_eq!(patterns(json!([{"bucketNames": []}])), ["*-????????"], "any namespace");
        assert_eq!(patterns(json!([of(&["search"]), {}])), ["*"], "the second rule names none");
        assert_eq!(buckets(&[], &Guardrails::Absent).into_iter().collect::<Vec<_>>(), ["*"]);
        let own = ["mine-*".to_string()];
        assert_eq!(buckets(&own, &given(json!([{}]))).into_iter().collect::<Vec<_>>(), own);
    }

    #[test]
    fn every_name_that_is_generated_is_within_the_patterns() {
        for namespace in ["a", "search", &"long-".repeat(10), &"x".repeat(63)] {
            for glob in [namespace.to_string(), format!("{}*", &namespace[..1]), "*".into()] {
                let rule = json!([{"namespaces": {"names": [glob]}, "bucketNames": []}]);
                for platform in ["p", "assistant.v2", &"y".repeat(63)] {
                    let name = names::generated("123456789012", "eu-west-1", namespace, platform, "part", BUCKET_LIMIT);
                    let found = patterns(rule.clone());
                    assert!(
                        found.iter().any(|pattern| crate::guardrails::glob::matches(pattern, &name)),
                        "{name} is not within {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_pattern_is_of_what_bucket_names_are_made_of() {
        assert_eq!(bucket_name_pattern("ml-*.v?"), Ok("ml-*.v?".into()));
        for wrong in ["", "ML-*", "a/b", "${aws:username}", &"x".repeat(64)] {
            assert!(bucket_name_pattern(wrong).is_err(), "{wrong}");
        }
    }
}
