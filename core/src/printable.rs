//! Text as it can be shown: characters that would not be seen, or would change what stands around them, are written out.
//!
//! A file from a stranger may hold sequences that repaint a terminal, and signs that turn the direction of writing. So
//! every value in a plan, an audit, a message, an event or the log goes through here.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters that are not shown as themselves, beside the control characters: line and paragraph separators, signs for
/// the direction of writing, and what has no width.
///
/// Source: the general categories Cf, Zl and Zp and the property `Default_Ignorable_Code_Point` of the Unicode Character
/// Database, without signs that are seen (such as U+0600) and the variation selectors of emoji.
const HIDDEN: [(char, char); 16] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// True when a character is not shown as itself.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    let within = |(first, last): &(char, char)| (*first..=*last).contains(&character);
    character.is_control() || (character > '\u{7f}' && HIDDEN.iter().any(within))
}

/// A text of one line in which everything is seen: `\n`, `\u{202e}` and the like stand for what would not be.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    written_out(text, is_hidden, |written, character| match character {
        '\n' => written.push_str("\\n"),
        '\t' => written.push_str("\\t"),
        '\r' => written.push_str("\\r"),
        other => drop(write!(written, "{}", other.escape_unicode())),
    })
}

/// The same of a text of several lines.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|character| character != '\n' && is_hidden(character)) {
        return text.into();
    }
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n").into()
}

/// The same of a text that is JSON, which has escapes of its own: it stays JSON and means the same.
#[must_use]
pub fn printable_json(text: &str) -> Cow<'_, str> {
    let within_a_string = |character: char| character != '\n' && is_hidden(character);
    written_out(text, within_a_string, |written, character| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(written, "\\u{unit:04x}");
        }
    })
}

fn written_out(text: &str, is_hidden: impl Fn(char) -> bool, write_out: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let Some(first) = text.find(&is_hidden) else { return text.into() };
    let mut written = String::from(&text[..first]);
    for character in text[first..].chars() {
        if is_hidden(character) {
            write_out(&mut written, character);
        } else {
            written.push(character);
        }
    }
    written.into()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn what_would_not_be_seen_is_written_out() {
        for (text, expected) in [
            ("", ""),
            ("models/é/日本/😀❤️ \\n", "models/é/日本/😀❤️ \\n"),
            ("a\u{1b}[2J\u{1b}[31mb", "a\\u{1b}[2J\\u{1b}[31mb"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{0}\u{7f}\u{9b}", "\\u{0}\\u{7f}\\u{9b}"),
            ("\u{202e}gnp.\u{2066}", "\\u{202e}gnp.\\u{2066}"),
            ("\u{e0041}\u{feff}\u{200b}\u{2028}", "\\u{e0041}\\u{feff}\\u{200b}\\u{2028}"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\nb\u{1b}\n"), "a\nb\\u{1b}\n");
    }

    #[test]
    fn json_stays_json_and_means_the_same() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}\u{7f}\u{9b}\n", "\u{e0041}", "é"]});
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = printable_json(&text);
            assert!(!shown.contains(|character| character != '\n' && is_hidden(character)), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }

    #[test]
    fn every_character_that_formats_is_hidden() {
        const SEEN: [(u32, u32); 7] = [
            (0x600, 0x605),
            (0x6dd, 0x6dd),
            (0x70f, 0x70f),
            (0x890, 0x891),
            (0x8e2, 0x8e2),
            (0x110bd, 0x110cd),
            (0x13430, 0x1343f),
        ];
        let formats = Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$").unwrap();
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let is_seen = SEEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)));
            if formats.is_match(character.encode_utf8(&mut [0; 4])) && !is_seen {
                assert!(is_hidden(character), "{character:?}");
            }
        }
        for seen in ['a', ' ', 'é', '\u{a0}', '\u{301}', '\u{fe0f}', '\u{3000}', '\u{e000}'] {
            assert!(!is_hidden(seen), "{seen:?}");
        }
    }
}
