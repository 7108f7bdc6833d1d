//! YAML documents, read into trees that know their lines.
//!
//! A document means here what it means to kubectl, because a platform that is right here has to be right there. What
//! kubectl would drop without a word (one of two equal keys, a tag that it does not know) is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::documents::{Document, split};
use super::node::{Broken, Entries, Entry, Node, Value};
use super::scalar::{self, Scalar};
use super::tabs::Tabs;

/// The most bytes that one document may take in memory, with everything written out that aliases stand for: some
/// hundred thousand values. A cluster stores objects of at most 1.5 MiB each.
const DOCUMENT_LIMIT: usize = 64 << 20;

/// The memory that an anchor takes besides its node: its name is remembered here and by the parser.
const ANCHOR_BYTES: usize = 512;

/// The most brackets that may be open at the same time, and the most levels of indentation. The smallest stack is that of
/// a thread.
const NESTING_LIMIT: usize = 100;

/// The documents of a text, without those that are empty. One that is broken hides only itself.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Result<Node<'_>, Broken>> {
    split(text).filter_map(|document| document.and_then(|document| read(&document)).transpose())
}

/// The tree of a document; none where it holds nothing but comments.
fn read<'text>(document: &Document<'text>) -> Result<Option<Node<'text>>, Broken> {
    let Document { line, text, is_json } = *document;
    if is_json {
        // What JSON takes is JSON, and it has no comments.
    } else if is_blank(text) {
        return Ok(None);
    } else {
        check_line_breaks(line, text)?;
    }
    let options = granit_parser::options! {
        emit_anchor_events: true,
        emit_comments: false,
        flow_nesting_limit: NESTING_LIMIT,
        block_nesting_limit: NESTING_LIMIT,
    };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        text,
        is_json,
        anchors: HashMap::new(),
        bytes: 0,
        before: line - 1,
        line,
        anchor: 0,
        flow: 0,
        tabs: Tabs::new(if is_json { "" } else { text }),
    };
    loop {
        match reader.event()?.0 {
            Event::StreamEnd => return Ok(None),
            Event::DocumentStart(..) => break,
            _ => {}
        }
    }
    let event = reader.event()?;
    let node = reader.node(event)?;
    loop {
        match reader.event()?.0 {
            Event::StreamEnd => break,
            Event::DocumentStart(..) => {
                let message = "kubectl reads no further than the line ...: begin the next document with ---";
                return Err(Broken { line: reader.line, message: message.into() });
            }
            _ => {}
        }
    }
    reader.tabs.pass(text.len(), text.len(), |_| false);
    if let Some(at) = reader.tabs.wrong {
        let line = line + text[..at].bytes().filter(|byte| *byte == b'\n').count();
        return Err(Broken { line, message: "begins with a tab, which kubectl does not take: write spaces".into() });
    }
    Ok((!matches!(node.value, Value::Null)).then_some(node))
}

/// True when a text holds nothing but comments and a separator, which is seen without taking it apart.
fn is_blank(text: &str) -> bool {
    let is_nothing = |line: &str| line.is_empty() || line.starts_with('#') || line == "---";
    text.lines().all(|line| is_nothing(line.trim_matches(' ')))
}

/// Some signs end a line in YAML 1.1, which kubectl reads, or in no editor: what looks like a comment may be none.
fn check_line_breaks(line: usize, text: &str) -> Result<(), Broken> {
    let ends_alone = |at: usize, sign: &str| sign != "\r" || !text[at + 1..].starts_with('\n');
    let mut signs = text.match_indices(['\r', '\u{85}', '\u{2028}', '\u{2029}']);
    let Some((at, sign)) = signs.find(|(at, sign)| ends_alone(*at, sign)) else { return Ok(()) };
    let line = line + text[..at].bytes().filter(|byte| *byte == b'\n').count();
    let code = sign.chars().map(u32::from).next().unwrap_or_default();
    let message = format!(
        "U+{code:04X} ends a line for kubectl and not for everybody else: take it out, or write \\u{code:04x} within double \
         quotes"
    );
    Err(Broken { line, message })
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    text: &'text str,
    is_json: bool,
    anchors: HashMap<usize, Node<'text>>,
    /// The memory that the nodes so far take, with everything written out that aliases stand for.
    bytes: usize,
    /// Lines before the document.
    before: usize,
    /// The start of the latest event.
    line: usize,
    /// The start of the latest anchor.
    anchor: usize,
    /// The number of open `[` and `{`.
    flow: usize,
    tabs: Tabs<'text>,
}

impl<'text> Reader<'text> {
    fn event(&mut self) -> Result<(Event<'text>, Span), Broken> {
        loop {
            let (event, span) = match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, Span::default())),
                Some(Ok(event)) => event,
                Some(Err(error)) => return Err(self.broken(&error)),
            };
            self.line = self.before + span.start.line();
            if matches!(event, Event::Anchor(..) | Event::Alias(_)) {
                self.check_anchor(&span)?;
            }
            if !matches!(event, Event::Anchor(..)) {
                return Ok((event, span));
            }
            self.anchor = span.byte_range().map_or(0, |range| range.start);
        }
    }

    fn check_anchor(&self, span: &Span) -> Result<(), Broken> {
        let Some(range) = span.byte_range() else { return Ok(()) };
        let name = &self.text[range.start + 1..range.end];
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let next = self.text[range.end..].chars().next();
        if is_plain && next.is_none_or(|next| next.is_ascii_whitespace() || "?:,]}%@`".contains(next)) {
            return Ok(());
        }
        self.wrong(format!(
            "kubectl takes letters, digits, _ and - in the name of an anchor, and a space behind {name:?}"
        ))
    }

    fn broken(&self, error: &ScanError) -> Broken {
        let marker = error.marker();
        let message = format!("not YAML: {} (column {})", error.info(), marker.col() + 1);
        Broken { line: self.before + marker.line(), message }
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Broken> {
        Err(Broken { line: self.line, message: message.into() })
    }

    fn node(&mut self, (event, span): (Event<'text>, Span)) -> Result<Node<'text>, Broken> {
        let line = self.line;
        let (anchor, value) = match event {
            Event::Alias(anchor) => return self.alias(anchor),
            Event::Scalar(text, style, anchor, tag) => {
                match (style, span.byte_range().filter(|_| self.flow == 0)) {
                    (ScalarStyle::Literal | ScalarStyle::Folded, Some(range)) => self.tabs.pass_block(range),
                    (ScalarStyle::Plain, Some(range)) => self.tabs.pass_plain(range),
                    (_, Some(range)) => self.tabs.pass(range.start, range.end, |_| true),
                    (_, None) => {}
                }
                (anchor, self.scalar(text, style, tag.as_deref(), &span)?)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(&span)?;
                let items = self.within(style, &span, Self::list)?;
                (anchor, tagged(tag.as_deref(), "seq").unwrap_or(Value::List(Rc::new(items))))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(&span)?;
                let entries = self.within(style, &span, Self::map)?;
                (anchor, tagged(tag.as_deref(), "map").unwrap_or(Value::Map(Rc::new(entries))))
            }
            _ => return self.wrong("a value is expected here"),
        };
        let node = Node::new(line, value);
        // What is within has been counted.
        self.count(match &node.value {
            Value::List(_) | Value::Map(_) => size_of::<Node>(),
            _ => node.bytes,
        })?;
        if anchor != 0 {
            self.count(ANCHOR_BYTES)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Broken> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > DOCUMENT_LIMIT {
            let limit = DOCUMENT_LIMIT >> 20;
            return self.wrong(format!("the document takes more than {limit} MiB, with what its aliases stand for"));
        }
        Ok(())
    }

    /// Makes room for another item, and for no more than the document may still take: a collection that doubled would take
    /// twice the limit.
    fn make_room<T>(&self, items: &mut Vec<T>) {
        if items.len() == items.capacity() {
            let left = DOCUMENT_LIMIT.saturating_sub(self.bytes) / size_of::<T>();
            items.reserve_exact(items.len().clamp(4, left.max(4)));
        }
    }

    fn alias(&mut self, anchor: usize) -> Result<Node<'text>, Broken> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.wrong("this alias stands inside of what it refers to");
        };
        self.count(node.bytes)?;
        Ok(node)
    }

    /// Reads what is within a collection, which `start` begins.
    fn within<T>(
        &mut self,
        style: StructureStyle,
        start: &Span,
        read: impl FnOnce(&mut Self) -> Result<(T, Span), Broken>,
    ) -> Result<T, Broken> {
        let is_flow = style == StructureStyle::Flow;
        self.flow += usize::from(is_flow);
        let (value, end) = read(self)?;
        self.flow -= usize::from(is_flow);
        if let (0, true, Some(start), Some(end)) = (self.flow, is_flow, start.byte_range(), end.byte_range()) {
            self.tabs.pass(start.start, end.end, |_| true);
        }
        Ok(value)
    }

    /// Behind a tag there is white space.
    fn check_tag(&self, span: &Span) -> Result<(), Broken> {
        let tag = span.tag_span().and_then(|tag| tag.byte_range());
        let next = tag.and_then(|tag| self.text[tag.end..].chars().next());
        match next {
            Some(next) if !next.is_ascii_whitespace() => self.wrong("kubectl takes a tag only with a space behind it"),
            _ => Ok(()),
        }
    }

    /// Between brackets kubectl takes colons and question marks otherwise than YAML 1.2 does.
    fn check_within_brackets(&self, text: &str, span: &Span) -> Result<(), Broken> {
        let Some(range) = span.byte_range() else { return Ok(()) };
        let rest = &self.text[range.end..];
        let sign = match text.chars().next() {
            Some(':') => ':',
            _ if rest.strip_prefix(':').is_some_and(|rest| rest.starts_with([',', '[', ']', '{', '}'])) => ':',
            _ if text.contains('?') => '?',
            _ => return Ok(()),
        };
        self.wrong(format!("kubectl takes {sign} otherwise between brackets: put the text in quotes"))
    }

    fn list(&mut self) -> Result<(Vec<Node<'text>>, Span), Broken> {
        let mut items = Vec::new();
        let end = loop {
            match self.event()? {
                (Event::SequenceEnd, span) => break span,
                event => {
                    let item = self.node(event)?;
                    self.make_room(&mut items);
                    items.push(item);
                }
            }
        };
        items.shrink_to_fit();
        Ok((items, end))
    }

    fn map(&mut self) -> Result<(Vec<Entry<'text>>, Span), Broken> {
        let mut entries = Entries::default();
        let end = loop {
            let (event, span) = self.event()?;
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let (begin, end) = span.byte_range().map_or((0, 0), |range| (range.start, range.end));
            let is_anchored = event.anchor_id().is_some();
            let key = match event {
                Event::MappingEnd => break span,
                Event::Scalar(..) | Event::Alias(_) => self.node((event, span))?,
                _ => return self.wrong("a key has to be text"),
            };
            let line = self.line;
            let event = self.event()?;
            // The anchor comes behind the key that has it, wherever it stands.
            let begin = if is_anchored { self.anchor } else { begin };
            if self.text[begin..end].contains('\n') || self.has_distant_colon(begin, end) {
                return Err(Broken { line, message: "kubectl takes no key of several lines".into() });
            }
            // The parser puts a value that is not there at what comes next, which may be lines away.
            if matches!(&event.0, Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty()) {
                self.line = line;
            }
            if is_merge {
                let source = self.node(event)?;
                self.merge(source, &mut entries)?;
                continue;
            }
            let Some(key) = key_text(key.value) else {
                return Err(Broken { line, message: "a key has to be text".into() });
            };
            self.count(size_of::<Entry>() - size_of::<Node>())?;
            let value = self.node(event)?;
            self.make_room(&mut entries.list);
            entries.put(Entry { key, line, value });
        };
        entries.list.shrink_to_fit();
        Ok((entries.list, end))
    }

    /// True when the colon behind a key stands on another line, which is for a key behind a question mark.
    fn has_distant_colon(&self, begin: usize, end: usize) -> bool {
        let mut rest = self.text[end..].trim_start();
        while rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]).trim_start();
        }
        let colon = self.text.len() - rest.len();
        rest.starts_with(':') && self.text[end..colon].contains('\n') && !self.text[..begin].trim_end().ends_with('?')
    }

    /// Adds what a `<<` key brings. It stands above what is written before it, and under what is written behind it; of
    /// several sources the first stands above the others.
    fn merge(&mut self, source: Node<'text>, entries: &mut Entries<'text>) -> Result<(), Broken> {
        let sources = match source.value {
            Value::Map(inherited) => vec![inherited],
            Value::List(sources) => {
                let maps = sources.iter().rev().map(|source| match &source.value {
                    Value::Map(inherited) => Some(Rc::clone(inherited)),
                    _ => None,
                });
                match maps.collect() {
                    Some(maps) => maps,
                    None => return Err(unmergeable(source.line)),
                }
            }
            _ => return Err(unmergeable(source.line)),
        };
        for inherited in sources {
            for entry in inherited.iter() {
                self.count(entry.bytes())?;
                entries.inherit(entry);
            }
        }
        Ok(())
    }

    fn scalar(
        &self,
        text: Cow<'text, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Value<'text>, Broken> {
        self.check_tag(span)?;
        match style {
            ScalarStyle::DoubleQuoted if !self.is_json => {
                if let Some(why) = json_escape(span.slice(self.text).unwrap_or_default()) {
                    return self.wrong(why);
                }
            }
            ScalarStyle::Plain if self.flow > 0 => self.check_within_brackets(&text, span)?,
            _ => {}
        }
        let Some(tag) = tag else {
            return Ok(if style == ScalarStyle::Plain { meant(text) } else { Value::Text(text) });
        };
        let name = match tag.core_suffix() {
            Some("str") => return Ok(Value::Text(text)),
            Some(name) => name,
            None => return Ok(Value::Tagged(tag.original().into())),
        };
        let (value, shown) = (meant(text.clone()), tag.original());
        let fits = match name {
            "null" => matches!(value, Value::Null),
            "bool" => matches!(value, Value::Boolean(..)),
            "int" => matches!(&value, Value::Number(_, written) if !scalar::is_float(written)),
            "float" => matches!(value, Value::Number(..) | Value::OddNumber(_)),
            _ => return Ok(Value::Tagged(shown.into())),
        };
        if fits { Ok(value) } else { self.wrong(format!("{text:?} is no {shown}")) }
    }
}

/// The meaning of a scalar without quotes.
pub(super) fn meant(text: Cow<'_, str>) -> Value<'_> {
    match scalar::plain(&text) {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => Value::Boolean(value, text),
        Scalar::Number(number) => Value::Number(number, text),
        Scalar::Unbounded => Value::OddNumber(text),
        Scalar::Text => Value::Text(text),
    }
}

/// The key that kubectl makes of a value.
fn key_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) => Some(text),
        Value::Boolean(value, _) => Some(if value { "true".into() } else { "false".into() }),
        Value::Number(number, written) if scalar::is_float(&written) => {
            Some(scalar::float_key(number.as_f64()?).into())
        }
        Value::Number(number, _) => Some(number.as_i64()?.to_string().into()),
        Value::Null | Value::OddNumber(_) | Value::List(_) | Value::Map(_) | Value::Tagged(_) => None,
    }
}

fn unmergeable(line: usize) -> Broken {
    Broken { line, message: "<< takes a mapping, or a list of mappings".into() }
}

fn tagged<'text>(tag: Option<&Tag>, own: &str) -> Option<Value<'text>> {
    tag.filter(|tag| tag.core_suffix() != Some(own)).map(|tag| Value::Tagged(tag.original().into()))
}

/// Characters that kubectl does not accept in a text in double quotes, as it is written, though JSON has it.
fn json_escape(written: &str) -> Option<&'static str> {
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        if escape.starts_with('/') {
            return Some("kubectl takes no \\/ outside of JSON: write / alone");
        }
        let code = escape.strip_prefix('u').and_then(|digits| u32::from_str_radix(digits.get(..4)?, 16).ok());
        if code.is_some_and(|code| (0xd800..0xe000).contains(&code)) {
            return Some("kubectl takes no \\u escapes in pairs outside of JSON: write \\U with eight digits");
        }
        let mut after = escape.chars();
        after.next();
        rest = after.as_str();
    }
    None
}
