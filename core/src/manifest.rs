//! Reads files with `AIPlatform` objects, and finds everything that is wrong with them at once.
//!
//! The check is against the custom resource's own schema, so that a file is right here exactly when the API server
//! takes it. What the schema cannot say is found by [`crate::platform::validate`], in the same run.

mod check;
mod documents;
mod metadata;
mod node;
mod scalar;
mod settings;
mod tabs;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;

use kube::Resource;

use crate::api::AIPlatform;
use crate::platform::{self, Platform};
use crate::printable::printable;
use check::{Checker, Empty, cut};
use node::{Broken, Entry, Node, Value};
#[cfg(test)]
pub(crate) use settings::schema as settings_schema;
pub use settings::settings;

/// The name of standard input in messages.
pub const STANDARD_INPUT: &str = "standard input";

/// The most problems that are reported one by one.
const PROBLEMS_LIMIT: usize = 200;

/// The most objects of other kinds that are reported one by one.
const SKIPPED_LIMIT: usize = 100;

/// The most objects that are read, of any kind.
const OBJECTS_LIMIT: usize = 20_000;

/// The most bytes that one platform may take while it is read. A cluster stores objects of at most 1.5 MiB.
const PLATFORM_LIMIT: usize = 8 << 20;

/// The same for all platforms together: some hundred times what an example takes.
const PLATFORMS_LIMIT: usize = 32 << 20;

/// The location of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, or `standard input`.
    pub file: String,
    /// The line the object begins on.
    pub line: usize,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// One object from a file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The location.
    pub source: Source,
    /// The object, which was found valid; its status is not read.
    pub object: AIPlatform,
    lines: BTreeMap<String, usize>,
}

impl Manifest {
    /// The same, validated. It is made anew each time: with the policies of its roles a platform takes a hundred times what
    /// it takes in a file, and all of them together more than the memory holds.
    ///
    /// # Errors
    /// The problems; none once it was read.
    pub fn platform(&self) -> Result<Platform, Vec<platform::Problem>> {
        platform::validate(&self.object)
    }

    /// A problem that was found later, in the words of those found here.
    #[must_use]
    pub fn locate(&self, problem: &platform::Problem) -> String {
        let platform::Problem { path, message } = problem;
        let (file, line) = (self.source.file.clone(), Some(self.line(path)));
        Problem { file, line, path: path.clone(), message: message.clone() }.to_string()
    }

    fn line(&self, path: &str) -> usize {
        line_of(&self.lines, path).unwrap_or(self.source.line)
    }
}

/// The result of reading the input.
#[derive(Debug)]
pub struct Input {
    /// The platforms, in the order of the files.
    pub manifests: Vec<Manifest>,
    /// A note for every object of another kind.
    pub skipped: Vec<String>,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or `standard input`.
    pub file: String,
    /// The line, unless the whole file is meant.
    pub line: Option<usize>,
    /// Path in the document, such as `spec.region`; empty when the document itself is meant.
    pub path: String,
    /// The problem, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", printable(&self.file))?;
        if let Some(line) = self.line {
            write!(formatter, "{line}:")?;
        }
        if !self.path.is_empty() {
            write!(formatter, " {}:", printable(&self.path))?;
        }
        write!(formatter, " {}", printable(&self.message))
    }
}

/// The input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Everything that is wrong, in the order of the files; and how many problems there are beside.
    #[error("{}", lines(.0, *.1))]
    Invalid(Vec<Problem>, usize),
    /// There is nothing to plan.
    #[error("no AIPlatform in {}{}", printable(&.files.join(", ")), others(*.skipped))]
    Empty {
        /// The place that was searched.
        files: Vec<String>,
        /// The number of objects of other kinds.
        skipped: usize,
    },
}

impl Error {
    /// A file that cannot be read, for this reason.
    #[must_use]
    pub fn unreadable(file: &str, why: String) -> Self {
        Self::Invalid(vec![Problem { file: file.into(), line: None, path: String::new(), message: why }], 0)
    }

    /// A word for the kind of error.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(..) => "InvalidInput",
            Self::Empty { .. } => "EmptyInput",
        }
    }
}

/// Reads a text that came from somewhere else; `name` stands for the file in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Input, Error> {
    let mut reader = Reader::new();
    reader.text(name.into(), text);
    reader.finish()
}

/// Reads texts one after the other, and keeps everything that is wrong with any of them.
pub struct Reader {
    checker: Checker,
    api_version: String,
    kind: String,
    files: Vec<String>,
    manifests: Vec<Manifest>,
    skipped: Vec<String>,
    skipped_count: usize,
    problems: Vec<Problem>,
    problem_count: usize,
    /// The first location of each platform.
    seen: BTreeMap<String, Source>,
    objects: usize,
    /// The memory that the platforms so far took while they were read.
    bytes: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            checker: Checker::new(check::platform(), Empty::Absent),
            api_version: AIPlatform::api_version(&()).into_owned(),
            kind: AIPlatform::kind(&()).into_owned(),
            files: Vec::new(),
            manifests: Vec::new(),
            skipped: Vec::new(),
            skipped_count: 0,
            problems: Vec::new(),
            problem_count: 0,
            seen: BTreeMap::new(),
            objects: 0,
            bytes: 0,
        }
    }

    /// Everything that was read.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn finish(mut self) -> Result<Input, Error> {
        if !self.problems.is_empty() {
            let more = self.problem_count - self.problems.len();
            return Err(Error::Invalid(self.problems, more));
        }
        if self.manifests.is_empty() {
            return Err(Error::Empty { files: self.files, skipped: self.skipped_count });
        }
        let more = self.skipped_count - self.skipped.len();
        if more > 0 {
            self.skipped.push(format!("skipped {more} more objects that are no {}", self.kind));
        }
        Ok(Input { manifests: self.manifests, skipped: self.skipped })
    }

    /// Takes note of a file that cannot be read.
    pub fn unreadable(&mut self, file: String, message: String) {
        self.add(Problem { file, line: None, path: String::new(), message });
    }

    /// Reads the text of a file.
    pub fn text(&mut self, file: String, text: &str) {
        let before = self.problems.len();
        for document in yaml::documents(text) {
            match document {
                Ok(node) => self.document(&file, &node, ""),
                Err(Broken { line, message }) => self.problem(&file, line, "", message),
            }
            if self.objects > OBJECTS_LIMIT {
                let message = format!("more than {OBJECTS_LIMIT} objects: give fewer at a time");
                self.unreadable(file.clone(), message);
            }
            if self.is_full() {
                break;
            }
        }
        self.problems[before..].sort_by_key(|problem| problem.line);
        self.files.push(file);
    }

    /// True when there is more than is read.
    fn is_full(&self) -> bool {
        self.objects > OBJECTS_LIMIT || self.bytes > PLATFORMS_LIMIT
    }

    /// `within` is the path of an object that is part of a list.
    fn document(&mut self, file: &str, node: &Node, within: &str) {
        self.objects += 1;
        let Value::Map(entries) = &node.value else {
            let message = "not an object: every Kubernetes object has apiVersion and kind";
            self.problem(file, node.line, within, message.into());
            return;
        };
        let (Some(api_version), Some(kind)) = (node.text("apiVersion"), node.text("kind")) else {
            self.without_kind(file, node, within);
            return;
        };
        let is_platform = api_version == self.api_version && kind == self.kind;
        if !is_platform && let Some((line, field)) = repeated(entries) {
            let message = "is given twice, and which of the two holds is not said: keep one";
            self.problem(file, line, &inside(within, field), message.into());
            return;
        }
        let ours = api_version.split('/').next() == self.api_version.split('/').next();
        if is_platform {
            self.platform(file, node, within);
        } else if let Some(items) = node.get("items").filter(|items| is_list(kind, items)) {
            self.list(file, items, within);
        } else if ours || kind == self.kind {
            let wrong = if api_version == self.api_version { "kind" } else { "apiVersion" };
            let (found, known) = if wrong == "kind" { (kind, &self.kind) } else { (api_version, &self.api_version) };
            let line = node.get(wrong).map_or(node.line, |value| value.line);
            let message = format!("{:?} is not known here: write {known}", cut(found));
            self.problem(file, line, &inside(within, wrong), message);
        } else {
            self.skip(file, node, kind);
        }
    }

    fn skip(&mut self, file: &str, node: &Node, kind: &str) {
        self.skipped_count += 1;
        if self.skipped.len() == SKIPPED_LIMIT {
            return;
        }
        let name = node.get("metadata").and_then(|metadata| {
            let name = cut(metadata.text("name")?);
            Some(metadata.text("namespace").map_or(name.clone(), |namespace| format!("{}/{name}", cut(namespace))))
        });
        let name = name.unwrap_or_else(|| "without a name".into());
        self.skipped.push(format!("{file}:{}: skipped {} {name}: not an {}", node.line, cut(kind), self.kind));
    }

    fn without_kind(&mut self, file: &str, node: &Node, within: &str) {
        for (field, example) in [("apiVersion", self.api_version.clone()), ("kind", self.kind.clone())] {
            if node.text(field).is_some() {
                continue;
            }
            let (line, what) = match node.get(field) {
                Some(value) => (value.line, "is not a string"),
                None => (node.line, "is missing"),
            };
            let message = format!("{what}: every Kubernetes object has apiVersion and kind, a platform {example}");
            self.problem(file, line, &inside(within, field), message);
        }
    }

    fn list(&mut self, file: &str, items: &Node, within: &str) {
        match &items.value {
            Value::List(_) if !within.is_empty() => {
                let message = "kubectl takes no list within a list: put its items into the outer one";
                self.problem(file, items.line, &inside(within, "items"), message.into());
            }
            Value::List(objects) => {
                for (index, object) in objects.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.document(file, object, &inside(within, &format!("items[{index}]")));
                }
            }
            _ => self.problem(file, items.line, &inside(within, "items"), "is not a list".into()),
        }
    }

    fn platform(&mut self, file: &str, node: &Node, within: &str) {
        let source = Source { file: file.into(), line: node.line };
        self.bytes = self.bytes.saturating_add(node.bytes);
        if node.bytes > PLATFORM_LIMIT || self.bytes > PLATFORMS_LIMIT {
            let message = if node.bytes > PLATFORM_LIMIT {
                let limit = PLATFORM_LIMIT >> 20;
                format!("this platform takes more than {limit} MiB, with what its aliases stand for: declare less")
            } else {
                let limit = PLATFORMS_LIMIT >> 20;
                format!("the platforms up to here take more than {limit} MiB to be read: give fewer at a time")
            };
            return self.problem(file, node.line, within, message);
        }
        let mut report = self.checker.check(node);
        report.findings.extend(metadata::check(node));
        self.problem_count += report.more;
        let reported: Vec<String> = report.findings.iter().map(|finding| finding.path.clone()).collect();
        for finding in report.findings {
            self.problem(file, finding.line, &inside(within, &finding.path), finding.message);
        }
        let first = self.is_first(file, node, within, &source);
        // What is larger than the schema allows is not checked further: the rules compare everything with everything.
        if report.is_oversized {
            return;
        }
        let object = match serde_json::from_value(object(node)) {
            Ok(object) => object,
            Err(_) if !reported.is_empty() => return,
            Err(error) => return self.problem(file, node.line, within, format!("cannot be read: {error}")),
        };
        match platform::validate(&object) {
            Ok(_) if reported.is_empty() && first => {
                self.manifests.push(Manifest { source, object, lines: report.lines });
            }
            Ok(_) => {}
            Err(found) => {
                for problem in found {
                    if !reported.iter().any(|path| same_place(path, &problem.path)) {
                        let line = line_of(&report.lines, &problem.path).unwrap_or(source.line);
                        self.problem(file, line, &inside(within, &problem.path), problem.message);
                    }
                }
            }
        }
    }

    fn is_first(&mut self, file: &str, node: &Node, within: &str, source: &Source) -> bool {
        let Some(metadata) = node.get("metadata") else { return true };
        let Some(name) = metadata.text("name") else { return true };
        let id = format!("{}/{name}", metadata.text("namespace").unwrap_or("default"));
        let Some(first) = self.seen.get(&id) else {
            self.seen.insert(id, source.clone());
            return true;
        };
        let message = format!("{id} is declared at {first} already: keep one");
        let line = metadata.get("name").map_or(node.line, |name| name.line);
        self.problem(file, line, &inside(within, "metadata.name"), message);
        false
    }

    fn problem(&mut self, file: &str, line: usize, path: &str, message: String) {
        self.add(Problem { file: file.into(), line: Some(line), path: path.into(), message });
    }

    fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_LIMIT {
            self.problems.push(problem);
        }
    }
}

/// The identity of an object that is not a platform, where it is given twice: kubectl takes the second and says
/// nothing.
fn repeated(entries: &[Entry]) -> Option<(usize, &'static str)> {
    const IDENTIFYING: [&str; 4] = ["apiVersion", "kind", "metadata", "items"];
    IDENTIFYING.iter().find_map(|field| {
        let second = entries.iter().filter(|entry| entry.key == *field).nth(1)?;
        Some((second.line, *field))
    })
}

/// True when kubectl takes an object apart into its `items`, which it does whatever its kind is.
fn is_list(kind: &str, items: &Node) -> bool {
    matches!(items.value, Value::List(_)) || kind == "List" && !matches!(items.value, Value::Null)
}

/// A platform as JSON, without what only the cluster writes.
fn object(node: &Node) -> serde_json::Value {
    let mut json = node.to_json_without("status");
    if let Some(metadata) = json.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    json
}

/// The line of a path, or of what comes nearest above it.
fn line_of(lines: &BTreeMap<String, usize>, mut path: &str) -> Option<usize> {
    loop {
        if let Some(line) = lines.get(path) {
            return Some(*line);
        }
        path = &path[..path.rfind(['.', '['])?];
    }
}

/// True when one of two paths is within the other: one complaint about a place is enough.
fn same_place(one: &str, other: &str) -> bool {
    let within = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    within(one, other) || within(other, one)
}

fn inside(within: &str, path: &str) -> String {
    match (within, path) {
        ("", _) => path.into(),
        (_, "") => within.into(),
        _ => format!("{within}.{path}"),
    }
}

fn lines(problems: &[Problem], more: usize) -> String {
    let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if more > 0 {
        lines.push(format!("and {more} more problems"));
    }
    lines.join("\n")
}

fn others(skipped: usize) -> String {
    match skipped {
        0 => String::new(),
        1 => ", only one object of another kind".into(),
        _ => format!(", only {skipped} objects of other kinds"),
    }
}
