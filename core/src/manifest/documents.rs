//! The documents of a text, split as kubectl splits it: before any YAML is read, line by line.
//!
//! Source: `YAMLOrJSONDecoder` and `YAMLReader` of k8s.io/apimachinery.

use serde::de::IgnoredAny;

use super::node::Broken;

/// The text of one document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'text> {
    /// The line it begins on.
    pub line: usize,
    /// The document itself.
    pub text: &'text str,
    /// True when it is JSON, which kubectl reads as such and not as YAML.
    pub is_json: bool,
}

/// Takes a text apart. Nothing follows a document whose end kubectl would not find.
pub(super) fn split(text: &str) -> impl Iterator<Item = Result<Document<'_>, Broken>> {
    Split { text, at: 0, line: 1, objects: 0, may_be_json: text.trim_start().starts_with('{') }
}

struct Split<'text> {
    text: &'text str,
    at: usize,
    /// The line at `at`.
    line: usize,
    /// The number of JSON objects.
    objects: usize,
    may_be_json: bool,
}

impl<'text> Iterator for Split<'text> {
    type Item = Result<Document<'text>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.may_be_json
            && let Some(object) = self.object()
        {
            return Some(object);
        }
        self.document()
    }
}

impl<'text> Split<'text> {
    fn take(&mut self, length: usize) -> (usize, &'text str) {
        let (line, taken) = (self.line, &self.text[self.at..self.at + length]);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.at += length;
        (line, taken)
    }

    /// The next of several JSON objects, one behind the other. What is no JSON is read as YAML, as long as it is not
    /// clear that the text is JSON.
    fn object(&mut self) -> Option<Result<Document<'text>, Broken>> {
        let rest = &self.text[self.at..];
        let begin = rest.len() - rest.trim_start().len();
        self.take(begin);
        let mut values = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<IgnoredAny>();
        match values.next() {
            None => None,
            Some(Ok(_)) => {
                self.objects += 1;
                let (line, text) = self.take(values.byte_offset());
                Some(Ok(Document { line, text, is_json: true }))
            }
            Some(Err(error)) if self.objects > 1 => {
                let line = self.line + error.line() - 1;
                self.at = self.text.len();
                Some(Err(Broken { line, message: format!("not JSON: {error}") }))
            }
            Some(Err(_)) => {
                self.may_be_json = false;
                None
            }
        }
    }

    /// The text before the next line that begins with `---`. Where there is none, that line is part of the document.
    fn document(&mut self) -> Option<Result<Document<'text>, Broken>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let mut length = 0;
        if rest.starts_with(SEPARATOR) {
            length = line_end(rest);
            if let Err(broken) = self.check_separator(&rest[..length]) {
                self.take(length);
                return Some(Err(broken));
            }
        }
        length += separator(&rest[length..]).unwrap_or(rest.len() - length);
        let (line, text) = self.take(length);
        let separator = &self.text[self.at..][..line_end(&self.text[self.at..])];
        let checked = self.check_separator(separator);
        self.take(separator.len());
        Some(checked.map(|()| Document { line, text, is_json: false }))
    }

    /// Nothing but a comment stands behind the three hyphens.
    fn check_separator(&self, separator: &str) -> Result<(), Broken> {
        let content = separator.strip_prefix(SEPARATOR).unwrap_or_default().trim();
        if content.is_empty() || content.starts_with('#') {
            return Ok(());
        }
        let message = "kubectl reads nothing that stands on a line with ---: begin a new line behind it";
        Err(Broken { line: self.line, message: message.into() })
    }
}

const SEPARATOR: &str = "---";

/// The offset of the first line that begins with `---`.
fn separator(text: &str) -> Option<usize> {
    if text.starts_with(SEPARATOR) { Some(0) } else { text.find("\n---").map(|end| end + 1) }
}

/// The end of the first line, its line break included.
fn line_end(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<(usize, &str, bool)> {
        split(text)
            .map(|document| {
                let document = document.unwrap_or_else(|broken| panic!("{broken:?} in {text:?}"));
                (document.line, document.text, document.is_json)
            })
            .collect()
    }

    #[test]
    fn a_line_that_begins_with_three_hyphens_separates_documents() {
        assert_eq!(strings(""), []);
        assert_eq!(strings("a: 1\n"), [(1, "a: 1\n", false)]);
        assert_eq!(
            strings("---\n---\r\n--- # why\na: 1\n---#why\n\nb: 2"),
            [(1, "---\n", false), (3, "--- # why\na: 1\n", false), (6, "\nb: 2", false)]
        );
        assert_eq!(strings("a: |\n  ---\n b: 1\n"), [(1, "a: |\n  ---\n b: 1\n", false)]);
    }

    #[test]
    fn nothing_stands_beside_the_separator() {
        for (text, line) in [("--- {a: 1}\n", 1), ("a: 1\n--- >\n b\n", 2), ("a: 1\n----\n", 2), ("---a\n", 1)] {
            let broken = split(text).find_map(Result::err).unwrap_or_else(|| panic!("taken: {text:?}"));
            assert_eq!(broken.line, line, "{text:?}");
            assert!(broken.message.contains("---"), "{broken:?}");
        }
    }

    #[test]
    fn json_objects_stand_one_behind_the_other() {
        assert_eq!(
            strings("\n{\"a\": 1}\n\n{\"b\": [\n2]} {}\n"),
            [(2, "{\"a\": 1}", true), (4, "{\"b\": [\n2]}", true), (5, "{}", true)]
        );
        assert_eq!(
            strings("{\"a\": 1}\n---\n{\"b\": 2}\n"),
            [(1, "{\"a\": 1}", true), (2, "---\n{\"b\": 2}\n", false)]
        );
        assert_eq!(strings("{a: 1}\n---\nb: 2\n"), [(1, "{a: 1}\n", false), (3, "b: 2\n", false)]);
        let broken = split("{}{}\n{]").find_map(Result::err).expect("the third is broken");
        assert_eq!(broken.line, 2);
    }
}
