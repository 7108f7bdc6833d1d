//! Tabs at the beginning of lines, which kubectl takes in few places.

use std::ops::Range;

/// Lines that begin with a tab, behind spaces and the signs of lists and mappings or not. kubectl takes that within
/// texts and between brackets alone, so those are passed over while they are read, in their order.
pub(super) struct Tabs<'text> {
    text: &'text str,
    /// The line to look at next.
    line: usize,
    next: Option<usize>,
    /// The first that kubectl does not take.
    pub wrong: Option<usize>,
}

impl<'text> Tabs<'text> {
    pub(super) fn new(text: &'text str) -> Self {
        let mut tabs = Self { text, line: 0, next: None, wrong: None };
        tabs.next = tabs.find_next();
        tabs
    }

    fn find_next(&mut self) -> Option<usize> {
        while self.line < self.text.len() {
            let begin = self.line;
            let rest = &self.text.as_bytes()[begin..];
            self.line = begin + self.text[begin..].find('\n').map_or(rest.len(), |end| end + 1);
            let mut bytes = rest.iter().enumerate().peekable();
            while let Some((at, byte)) = bytes.next() {
                match byte {
                    b' ' => {}
                    b'-' | b'?' | b':' if bytes.peek().is_some_and(|(_, next)| matches!(next, b' ' | b'\t')) => {}
                    b'\t' => return Some(begin + at),
                    _ => break,
                }
            }
        }
        None
    }

    /// Refuses what stands before `start`, and up to `end` what `is_right` does not accept.
    pub(super) fn pass(&mut self, start: usize, end: usize, is_right: impl Fn(usize) -> bool) {
        while let Some(tab) = self.next.filter(|tab| *tab < end) {
            if tab < start || !is_right(tab) {
                self.wrong.get_or_insert(tab);
            }
            self.next = self.find_next();
        }
    }

    /// Passes over a text without quotes, whose further lines stand deeper than its first before a tab comes.
    pub(super) fn pass_plain(&mut self, range: Range<usize>) {
        let text = self.text;
        let line_of = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
        let first = line_of(range.start);
        let indentation = text[first..].bytes().take_while(|byte| *byte == b' ').count();
        self.pass(range.start, range.end, |tab| tab - line_of(tab) > indentation);
    }

    /// Passes over a block of text, in which tabs stand behind its indentation, and not in the line that says how deep
    /// that is.
    pub(super) fn pass_block(&mut self, range: Range<usize>) {
        if self.next.is_none_or(|tab| tab >= range.end) {
            return;
        }
        let text = self.text;
        let line_of = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
        // The first line of the text itself that is not empty.
        let mut first = if text[range.start..].starts_with(['|', '>']) { range.start } else { line_of(range.start) };
        let is_blank = |line: &str| line.starts_with(['|', '>']) || line.trim().is_empty();
        while first < range.end && is_blank(text[first..].lines().next().unwrap_or_default()) {
            first += text[first..].find('\n').map_or(range.end, |end| end + 1);
        }
        let indentation = text.get(first..).unwrap_or_default().bytes().take_while(|byte| *byte == b' ').count();
        self.pass(range.start, range.end, |tab| {
            let begin = line_of(tab);
            tab - begin >= indentation && begin > first
        });
    }
}
