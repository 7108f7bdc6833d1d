//! The tags on everything we make: whose it is, who answers for it, and which keys are ours.

use std::collections::BTreeMap;

use crate::api::Ownership;
use crate::names::hex_digest;

/// A set of tags.
pub type Tags = BTreeMap<String, String>;

/// Names the holder: `<cluster>/<namespace>/<name>`.
pub const OWNER: &str = "aiplatform.dev/owner";

/// An annotation that says that an object in the cluster was made by us, and may go with its platform.
pub const CREATED: &str = "aiplatform.dev/created";

/// The fate of the resource when it is no longer declared, kept on the resource itself because the spec that said
/// so is gone by then.
pub const DELETION_POLICY: &str = "aiplatform.dev/deletion-policy";

/// Hashes of the keys that came from `spec.tags`, so that a tag taken out of the spec is taken off the resource and a
/// tag that somebody else put there is not.
pub const TAG_KEYS: &str = "aiplatform.dev/tag-keys";

/// On an endpoint: what was tried last. See [`crate::resource::endpoint::Attempt`].
pub const ATTEMPT: &str = "aiplatform.dev/attempt";

/// On an endpoint: the revisions it ran before, the newest first, with dots between them.
pub const HISTORY: &str = "aiplatform.dev/history";

/// On an endpoint: the bounds that a schedule had set when scaling was taken off for a move, as `<fewest>/<most>`.
pub const BOUNDS: &str = "aiplatform.dev/bounds";

/// On an endpoint configuration: how often an endpoint that failed to come up with it was made again, as
/// `<what was asked>/<how often>/<when the last one failed>`.
pub const RECREATED: &str = "aiplatform.dev/recreated";

/// Tags by which resources remember what happened to them. They are not compared.
const MEMORY: [&str; 4] = [ATTEMPT, HISTORY, BOUNDS, RECREATED];

/// A label on objects in the cluster that are wholly a platform's: see [`platform_label`]. An annotation of the same key
/// holds the whole name where the label does not.
pub const PLATFORM_LABEL: &str = "aiplatform.dev/platform";

/// The longest value of a label.
const LABEL_LIMIT: usize = 63;

/// The value of [`PLATFORM_LABEL`]: the platform's name, cut with a hash of it where it is longer than a label.
#[must_use]
pub fn platform_label(platform: &str) -> String {
    const HASH: usize = 8;
    if platform.len() <= LABEL_LIMIT {
        return platform.into();
    }
    let cut = &platform[..platform.floor_char_boundary(LABEL_LIMIT - HASH - 1)];
    format!("{}-{}", cut.trim_end_matches(['-', '.']), hex_digest(platform, HASH))
}

/// A label on the objects in the cluster that serve a model: its name in the spec.
pub const MODEL_LABEL: &str = "aiplatform.dev/model";

/// A label on pods that serve a model: the revision that they run.
pub const REVISION_LABEL: &str = "aiplatform.dev/revision";

/// Everything under this prefix is ours.
pub const PREFIX: &str = "aiplatform.dev/";

/// The longest tag value AWS takes.
pub const VALUE_LIMIT: usize = 256;

/// The value of the owner tag.
#[must_use]
pub fn owner(cluster: &str, namespace: &str, name: &str) -> String {
    format!("{cluster}/{namespace}/{name}")
}

/// A cluster's name as somebody gives it: a part of owner tags, and so of patterns in the operator's policies, where it
/// means itself and nothing more. AWS's tag values allow more than these characters.
///
/// # Errors
/// The rule that it breaks.
pub fn cluster_name(text: &str) -> Result<String, String> {
    /// As long as the name of an EKS cluster.
    const LIMIT: usize = 100;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-=._:@".contains(&byte);
    if (1..=LIMIT).contains(&text.len()) && text.bytes().all(is_allowed) {
        return Ok(text.into());
    }
    Err(format!(
        "{text:?} cannot be a cluster's name in owner tags: give 1 to {LIMIT} letters, digits and + - = . _ : @, or leave \
         it out for the UID of the namespace kube-system"
    ))
}

/// The tags on everything of one platform.
#[must_use]
pub fn desired(owner: &str, ownership: &Ownership, extra: &Tags) -> Tags {
    let mut tags = extra.clone();
    let mut put = |key: &str, value: &str| {
        tags.insert(format!("{PREFIX}{key}"), value.to_string());
    };
    put("owner", owner);
    put("team", &ownership.team);
    put("contact", &ownership.contact);
    put("environment", &ownership.environment);
    for (key, value) in [
        ("cost-center", &ownership.cost_center),
        ("runbook", &ownership.runbook),
        ("data-classification", &ownership.data_classification),
    ] {
        if let Some(value) = value {
            put(key, value);
        }
    }
    if !extra.is_empty() {
        put("tag-keys", &extra.keys().map(|key| key_hash(key)).collect::<Vec<_>>().join("."));
    }
    tags
}

/// Of the tags found on a resource, those that are ours to change.
#[must_use]
pub fn managed(found: &Tags) -> Tags {
    let ours: Vec<&str> = found.get(TAG_KEYS).map(|hashes| hashes.split('.').collect()).unwrap_or_default();
    found
        .iter()
        .filter(|(key, _)| !MEMORY.contains(&key.as_str()))
        .filter(|(key, _)| key.starts_with(PREFIX) || ours.contains(&key_hash(key).as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// All tags a resource should carry after a write: the desired ones, and what others put there.
#[must_use]
pub fn merged(found: &Tags, desired: &Tags) -> Tags {
    let ours = managed(found);
    let mut tags: Tags =
        found.iter().filter(|(key, _)| !ours.contains_key(*key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    tags.extend(desired.iter().map(|(key, value)| (key.clone(), value.clone())));
    tags
}

/// Keys of observed tags that are no longer desired. They go before anything is written: the tag that says which keys
/// are ours says so only until it is written anew.
#[must_use]
pub fn stale(desired: &Tags, observed: &Tags) -> Vec<String> {
    observed.keys().filter(|key| !desired.contains_key(*key)).cloned().collect()
}

/// The desired tags that are not there, or say something else.
#[must_use]
pub fn changed(desired: &Tags, observed: &Tags) -> Tags {
    let differs = |(key, value): &(&String, &String)| observed.get(*key) != Some(*value);
    desired.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn key_hash(key: &str) -> String {
    hex_digest(key, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
    }

    #[test]
    fn a_clusters_name_means_itself_and_nothing_more_in_a_policy() {
        for name in ["prod", "eu-west-1.prod_2", "5f0c9c5e-6a3b-4c0f-9c58-2d2a6c1d7a11", &"x".repeat(100)] {
            assert_eq!(cluster_name(name).as_deref(), Ok(name));
        }
        for wrong in ["", "*", "p*", "p?", "${aws:username}", "$", "prod/ml", "prod ml", "pröd", &"x".repeat(101)] {
            let message = cluster_name(wrong).unwrap_err();
            assert!(message.contains(&format!("{wrong:?}")) && message.contains("leave it out"), "{message}");
        }
    }

    fn ownership() -> Ownership {
        Ownership {
            team: "support".into(),
            contact: "s@example.com".into(),
            environment: "prod".into(),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_written_is_found_again() {
        let desired = desired("c/n/p", &ownership(), &tags(&[("project", "assistant"), ("Cost Center", "4711")]));
        assert_eq!(managed(&desired), desired);
    }

    #[test]
    fn a_tag_taken_out_of_the_spec_is_taken_off_and_a_foreign_one_stays() {
        let mut found = desired("c/n/p", &ownership(), &tags(&[("project", "assistant"), ("old", "1")]));
        found.insert("added-by-finance".into(), "yes".into());
        let wanted = desired("c/n/p", &ownership(), &tags(&[("project", "assistant")]));
        assert_ne!(managed(&found), wanted);
        let written = merged(&found, &wanted);
        assert!(!written.contains_key("old"));
        assert_eq!(written.get("added-by-finance").map(String::as_str), Some("yes"));
        assert_eq!(managed(&written), wanted);
    }

    #[test]
    fn thirty_two_keys_fit_into_one_value() {
        let many: Tags = (0..32).map(|n| (format!("key-{n}"), String::new())).collect();
        assert!(desired("c/n/p", &ownership(), &many)[TAG_KEYS].len() <= VALUE_LIMIT);
    }

    #[test]
    fn a_platform_with_a_long_name_has_a_label_that_is_no_others() {
        let long = |end: &str| format!("{}.{}{end}", "a".repeat(53), "b".repeat(60));
        let label = platform_label(&long("a"));
        assert!(label.len() <= 63 && crate::labels::check_value(&label).is_ok(), "{label}");
        assert_ne!(label, platform_label(&long("b")));
        assert_eq!(platform_label(&"a".repeat(63)), "a".repeat(63));
    }
}
