//! Names of AWS resources, computed without asking anybody.
//!
//! A name says whose it is and ends in a hash of where it is: bucket names are unique in the world and role names in
//! an account, so account and region are in the hash.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The longest bucket name S3 takes.
pub const BUCKET_LIMIT: usize = 63;

/// The name of one part of a platform, at most `limit` characters, with the hash never cut.
#[must_use]
pub fn generated(account_id: &str, region: &str, namespace: &str, platform: &str, part: &str, limit: usize) -> String {
    let hash = hex_digest(&format!("{account_id}/{region}/{namespace}/{platform}/{part}"), PLACE_HASH);
    let mut readable = format!("{namespace}-{platform}-{part}").to_lowercase().replace('.', "-");
    readable.truncate(readable.floor_char_boundary(room(limit)));
    format!("{}-{hash}", readable.trim_end_matches('-'))
}

/// The name of the objects in the cluster that serve one part of a platform: `<platform>-<part>`, shortened with the hash
/// only where it is too long for the name of a service.
#[must_use]
pub fn in_cluster(account_id: &str, region: &str, namespace: &str, platform: &str, part: &str) -> String {
    let readable = format!("{platform}-{part}").replace('.', "-");
    if readable.len() <= SERVICE_LIMIT {
        return readable;
    }
    let hash = hex_digest(&format!("{account_id}/{region}/{namespace}/{platform}/{part}"), PLACE_HASH);
    let cut = &readable[..readable.floor_char_boundary(room(SERVICE_LIMIT))];
    format!("{}-{hash}", cut.trim_end_matches('-'))
}

/// The longest name of a service in the cluster, which is a DNS label.
const SERVICE_LIMIT: usize = 63;

/// Characters of the hash that stands for the place of a resource.
const PLACE_HASH: usize = 8;

/// Characters that a name has for what can be read.
fn room(limit: usize) -> usize {
    limit.saturating_sub(PLACE_HASH + 1)
}

/// True when the name of a part does not hold all that can be read of it.
#[must_use]
pub fn is_cut(namespace: &str, platform: &str, part: &str, limit: usize) -> bool {
    namespace.len() + platform.len() + part.len() + 2 > room(limit)
}

/// The longest role name IAM takes.
pub const ROLE_LIMIT: usize = 64;

/// The longest name of a SageMaker model, endpoint configuration or endpoint.
pub const SAGEMAKER_LIMIT: usize = 63;

/// Characters of the hash that stands for the content of something immutable.
const CONTENT_HASH: usize = 8;

/// The prefix of the names of all revisions of an immutable kind, at most `limit` characters with the hash of the
/// content.
#[must_use]
pub fn revised(account_id: &str, region: &str, namespace: &str, platform: &str, part: &str, limit: usize) -> String {
    generated(account_id, region, namespace, platform, part, limit - CONTENT_HASH - 1)
}

/// The name of the revision with this content.
#[must_use]
pub fn revision(revised: &str, content: &str) -> String {
    format!("{revised}-{}", hex_digest(content, CONTENT_HASH))
}

/// The name of the revision whose content is this.
#[must_use]
pub fn revision_with<C: Serialize>(revised: &str, content: &C) -> String {
    revision(revised, &serde_json::to_string(content).unwrap_or_default())
}

/// The prefix of the names of all revisions of which this is one.
#[must_use]
pub fn revised_of(revision: &str) -> &str {
    revision.rsplit_once('-').map_or("", |(revised, _)| revised)
}

/// True when a name is that of a revision of the part that `generated` names: both hold the same hash.
#[must_use]
pub fn is_revision_of(revision: &str, generated: &str) -> bool {
    let hash = |name: &str, from_the_end: usize| name.rsplit('-').nth(from_the_end).map(ToString::to_string);
    hash(revision, 1).is_some_and(|found| Some(found) == hash(generated, 0))
}

/// The first `length` hexadecimal digits of the SHA-256 of `text`.
#[must_use]
pub fn hex_digest(text: &str, length: usize) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(text.as_bytes());
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.take(length).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is_and_ends_in_the_hash_of_where_it_is() {
        let name = generated("123456789012", "eu-west-1", "support", "assistant", "artifacts", BUCKET_LIMIT);
        let hash = hex_digest("123456789012/eu-west-1/support/assistant/artifacts", 8);
        assert_eq!(name, format!("support-assistant-artifacts-{hash}"));
    }

    #[test]
    fn dots_become_hyphens_and_long_names_are_cut_before_the_hash() {
        let name = generated("123456789012", "eu-west-1", "support", "assistant.v2", &"x".repeat(80), BUCKET_LIMIT);
        assert_eq!(name.len(), BUCKET_LIMIT);
        assert!(name.starts_with("support-assistant-v2-xxx"), "{name}");
        let cut_at_a_hyphen = generated("123456789012", "eu-west-1", &"n".repeat(53), "p", "part", BUCKET_LIMIT);
        assert!(!cut_at_a_hyphen.contains("--"), "{cut_at_a_hyphen}");
        for (part, cut) in [("x".repeat(33), false), ("x".repeat(34), true)] {
            let name = generated("123456789012", "eu-west-1", "support", "assistant.v2", &part, BUCKET_LIMIT);
            assert_eq!(is_cut("support", "assistant.v2", &part, BUCKET_LIMIT), cut, "{name}");
            assert_eq!(!name.contains(&part), cut, "{name}");
        }
    }

    #[test]
    fn account_and_region_make_another_name() {
        let name = |account, region| generated(account, region, "n", "p", "b", BUCKET_LIMIT);
        assert_ne!(name("123456789012", "eu-west-1"), name("210987654321", "eu-west-1"));
        assert_ne!(name("123456789012", "eu-west-1"), name("123456789012", "eu-west-2"));
    }
}
