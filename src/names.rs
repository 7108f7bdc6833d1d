//! Names of AWS resources, computed without asking anybody.
//!
//! A name says whose it is and ends in a hash of where it is: bucket names are unique in the world and role names in
//! an account, so account and region are in the hash.

use sha2::{Digest, Sha256};

/// The longest bucket name S3 takes.
pub const BUCKET_LIMIT: usize = 63;

/// The name of one part of a platform, at most `limit` characters, with the hash never cut.
#[must_use]
pub fn generated(account_id: &str, region: &str, namespace: &str, platform: &str, part: &str, limit: usize) -> String {
    let hash = hex_digest(&format!("{account_id}/{region}/{namespace}/{platform}/{part}"), 8);
    let mut readable = format!("{namespace}-{platform}-{part}").to_lowercase().replace('.', "-");
    readable.truncate(readable.floor_char_boundary(limit.saturating_sub(hash.len() + 1)));
    format!("{}-{hash}", readable.trim_end_matches('-'))
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
    }

    #[test]
    fn account_and_region_make_another_name() {
        let name = |account, region| generated(account, region, "n", "p", "b", BUCKET_LIMIT);
        assert_ne!(name("123456789012", "eu-west-1"), name("210987654321", "eu-west-1"));
        assert_ne!(name("123456789012", "eu-west-1"), name("123456789012", "eu-west-2"));
    }
}
