//! The ids that AWS gives to requests, where they stand in messages. Two messages that differ in nothing else say the same.

use std::borrow::Cow;

const BEGINS: &str = " [AWS request id ";
const ENDS: char = ']';

/// The longest id that is shown, in characters. AWS promises no length; those of S3 have 16, of others 36.
const LONGEST: usize = 128;

/// The id as it stands behind an error of AWS.
#[must_use]
pub fn suffix(id: &str) -> String {
    let shown: String =
        id.chars().filter(|letter| letter.is_ascii_graphic() && *letter != ENDS).take(LONGEST).collect();
    format!("{BEGINS}{shown}{ENDS}")
}

/// The message without the ids of requests.
#[must_use]
pub fn without(message: &str) -> Cow<'_, str> {
    if !message.contains(BEGINS) {
        return message.into();
    }
    let mut parts = message.split(BEGINS);
    let mut kept = parts.next().unwrap_or_default().to_string();
    for part in parts {
        kept.push_str(part.split_once(ENDS).map_or("", |(_, rest)| rest));
    }
    kept.into()
}

/// Each message once, with the id of the first request that led to it.
#[must_use]
pub fn distinct(messages: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for message in messages {
        if !kept.iter().any(|known| without(known) == without(&message)) {
            kept.push(message);
        }
    }
    kept
}

/// Leaves the message as it was before, where nothing but ids of requests changed.
pub fn keep(before: Option<&String>, message: &mut String) {
    if let Some(before) = before
        && before != message
        && without(before) == without(message)
    {
        message.clone_from(before);
    }
}

/// The same of a message that may be absent.
pub fn keep_optional(before: Option<&String>, message: Option<&mut String>) {
    if let Some(message) = message {
        keep(before, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(id: &str) -> String {
        format!("AWS denies s3:GetObject (AccessDenied: no{}): allow it", suffix(id))
    }

    #[test]
    fn messages_that_differ_in_ids_alone_say_the_same() {
        assert_eq!(denied("A1"), "AWS denies s3:GetObject (AccessDenied: no [AWS request id A1]): allow it");
        assert_eq!(without(&denied("A1")), "AWS denies s3:GetObject (AccessDenied: no): allow it");
        assert_eq!(without("nothing of it [here]"), "nothing of it [here]");
        assert_eq!(without("cut off [AWS request id A"), "cut off");
        let both = format!("{}; {}", denied("A1"), denied("B2"));
        assert_eq!(without(&both), format!("{0}; {0}", without(&denied("C3"))));
        assert_eq!(distinct([denied("A1"), denied("B2"), "other".into()]), [denied("A1"), "other".into()]);
    }

    #[test]
    fn the_first_id_stays_until_something_else_changes() {
        let (before, mut message) = (denied("A1"), denied("B2"));
        keep(Some(&before), &mut message);
        assert_eq!(message, before);
        let mut other = format!("{} at once", denied("B2"));
        keep(Some(&before), &mut other);
        assert!(other.contains("B2"), "{other}");
    }

    #[test]
    fn an_id_is_one_word_whatever_was_answered() {
        assert_eq!(suffix("a]\n b"), " [AWS request id ab]");
        assert_eq!(suffix(&"x".repeat(999)).len(), suffix("").len() + LONGEST);
    }
}
