//! Texts mean here what they mean to kubectl: the same tables, and the same mutated examples, are read by both.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::super::node::{Entry, Node, Value as Read};
use super::super::yaml::documents;

/// Values of a key.
const SCALARS: &[&str] = &[
    // Booleans and nothing.
    "y",
    "Y",
    "yes",
    "Yes",
    "YES",
    "yEs",
    "n",
    "N",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "oN",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRUE",
    "false",
    "False",
    "FALSE",
    "t",
    "f",
    "o",
    "~",
    "null",
    "Null",
    "NULL",
    "nULL",
    "",
    "nil",
    // Whole numbers.
    "0",
    "1",
    "7",
    "+7",
    "00",
    "010",
    "08",
    "0777",
    "+010",
    "0o17",
    "0O17",
    "0o8",
    "0x1F",
    "0X1f",
    "0xg",
    "0x",
    "0b11",
    "0B11",
    "0b2",
    "0b",
    "0b+1",
    "1_000",
    "1__000",
    "1_",
    "_1",
    "+_1",
    "0_7",
    "0x_1F",
    "0_x1F",
    "1,000",
    "012345678901",
    "123456789012",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "+18446744073709551615",
    "-0",
    "- 1",
    "+ 1",
    "+",
    "-a",
    "++1",
    // Floats.
    "1.0",
    "1.5",
    "1.",
    ".5",
    "+.5",
    "-.5",
    ".",
    "..",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e",
    "e1",
    "1.5e3",
    "1.e3",
    ".5e1",
    "1_0.5",
    ".5_0",
    ".5_",
    "._5",
    ".5e1_0",
    "1e400",
    ".5e400",
    "1.7976931348623157e308",
    "4.9e-324",
    "1e20",
    "1e21",
    "1e22",
    "-1e3",
    "0.1",
    "00.5",
    "1.5.2",
    "0x1p-2",
    "0x1.8",
    "infinity",
    "Inf",
    "nan",
    "NaN",
    ".inf",
    ".Inf",
    ".INF",
    ".iNF",
    "+.inf",
    "-.inf",
    ".nan",
    ".NaN",
    "+.nan",
    "1e3e4",
    "1e3.5",
    // Sexagesimals and times.
    "1:30",
    "190:20:30",
    "190:20:30.15",
    "08:30",
    "2001-12-14",
    "2001-1-2",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10",
    "2001-12-14 21:59:43.10 -5",
    "20011214",
    "12-14",
    "2001-",
    "2001-12",
    // Quoted, folded, and with signs that mean something elsewhere.
    "'y'",
    "\"y\"",
    "'010'",
    "\"1.0\"",
    "''",
    "\"\"",
    "' '",
    "'it''s'",
    "\"a\\tb\\\"\\\\\\x41\\u00e9\\U0001F600\\e\\0\"",
    "\"\\N\\_\\L\\P\\a\\b\\v\\f\\r\\n\"",
    "\"\\/\"",
    "\"\\q\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\u123\"",
    "'a\n    b'",
    "\"a\n    b\"",
    "\"a\\\n    b\"",
    "\"a\n\n    b\"",
    "a\n    b",
    "a\n\n    b",
    "|\n    a\n    b",
    "|-\n    a",
    "|+\n    a\n\n",
    "|2\n      a",
    ">\n    a\n    b\n\n    c",
    ">-\n    a\n     b\n    c",
    "|\n   a",
    "|1\n  a",
    "|0\n    a",
    "a # b",
    "a#b",
    "a:b",
    "a: b",
    "a :b",
    "a:",
    ":a",
    ":",
    "-",
    "- a",
    "?",
    "? a",
    "?a",
    "@a",
    "`a",
    "%a",
    "&x",
    "&x a",
    "*x",
    "!a",
    "#a",
    "=",
    "<<",
    "[",
    "]",
    "{",
    "}",
    ",",
    ",a",
    "a,b",
    "a[b]",
    "|a",
    ">a",
    "a\tb",
    "\ta",
    "a\t",
    "a\t#b",
    "\"a\tb\"",
    "'a\tb'",
    "\u{7f}",
    "a\u{1b}b",
    "a\u{0}b",
    "a\u{80}b",
    "a\u{85}b",
    "a\u{2028}b",
    "\"a\u{2029}b\"",
    "a\rb",
    "a\u{a0}b",
    "\u{feff}a",
    "a\u{feff}",
    "\"\u{feff}\"",
    "\u{fffe}",
    "é",
    "日本",
    "😀",
    "\u{e000}",
    "\u{202e}a",
    "a\rb",
    "\"a\rb\"",
    // Tags.
    "!!str 5",
    "!!str y",
    "!!str",
    "!!int 5",
    "!!int \"5\"",
    "!!int 0x1e",
    "!!int 1.5",
    "!!int 1e3",
    "!!int a",
    "!!int",
    "!!float 5",
    "!!float 1.5",
    "!!float .inf",
    "!!float a",
    "!!bool y",
    "!!bool \"no\"",
    "!!bool 1",
    "!!null ~",
    "!!null",
    "!!null a",
    "!!timestamp 5",
    "!<tag:yaml.org,2002:str> 5",
    "&a !!str 5",
    "!!str &a 5",
    // Collections where a scalar belongs.
    "[a]",
    "[]",
    "{}",
    "{a: b}",
    "[a",
    "[a,,b]",
    "[a, ]",
    "{a:b}",
    "{a: b, }",
    "{a}",
    "{\"a\":b}",
    "{? a: b}",
    "[a: b]",
    "[? a : b]",
    "{a: [}",
    "{,}",
    "[,]",
];

/// Mappings.
const MAPPINGS: &[&str] = &[
    "{y: a, 'n': b}",
    "{on: a}",
    "{1: a, 2: b}",
    "{0x10: a, 010: b}",
    "{1.50: a, 1e3: b, 1234567.0: c, 0.00001: d}",
    "{1_0: a}",
    "{~: a}",
    "{null: a}",
    "{'null': a}",
    "{: a}",
    "{'': a}",
    "{.inf: a}",
    "{18446744073709551615: a}",
    "{2001-12-14: a}",
    "{!!str y: a}",
    "{!!int 5: a}",
    "{[a]: b}",
    "{{a: b}: c}",
    "{? a: b}",
    "{&k y: a, b: c}",
    "{&k a: b, c: *k}",
    "{&k 5: a, *k : b}",
    "{a: &k b, *k : c}",
    "{a: &k b, c: *k}",
    "{a: &k b, c: &k d, e: *k}",
    "{a: *k, b: &k c}",
    "{<<: {a: b}}",
    "{<<: {a: b}, a: c}",
    "{a: c, <<: {a: b}}",
    "{<<: [{a: b}, {a: c, d: e}]}",
    "{a: x, <<: [{a: b}, {a: c, d: e}], d: f}",
    "{<<: {a: b}, <<: {a: c}}",
    "{<<: {<<: {a: b}, c: d}, e: f}",
    "{<<: ~}",
    "{<<: a}",
    "{<<: [a]}",
    "{<<: [[{a: b}]]}",
    "{<<: []}",
    "{'<<': a}",
    "{\"<<\": a}",
    "{!!str <<: a}",
    "{? <<: {a: b}}",
    "{a: b, 'a b': c}",
    "{a : b}",
    "{a: b,c: d}",
    "{a: b, c}",
    "{a: b,\n    c: d}",
    "{a: b\n  }",
    "{a: b # c\n    }",
    "{a: b #c}",
    "{\"a\": \"b\"}",
    "{'a':'b'}",
    "{'a' :b}",
    "\n    a: b",
    "\n    a: b\n    c: d",
    "\n    a: b\n   c: d",
    "\n    a: b\n     c: d",
    "\n    ? a\n    : b",
    "\n    a:\n      b",
    "\n    'a': b",
    "\n    a:\tb",
    "\n    a: \tb",
    "\n    a:  b  ",
    "\n    a: |\n      b\n    c: d",
    "\n    a: |\n      b\n      ---\n      c",
    "\n    a: 'b\n      c'",
    "\n    a: b c\n      d",
    "\n    a: b\n      # c\n    d: e",
    "\n    a: b\n    # c\n",
    "\n    - a: b",
    "\n    a: &k b\n    c: *k",
    "\n    &k a: b\n    c: *k",
    "\n    <<: &k {a: b}\n    a: c",
    "\n    a: c\n    <<: {a: b}",
    "\n    y: a\n    true: b",
    "\n\n\n    a: b\n\n",
    "\r\n    a: b\r\n    c: |\r\n      d\r\n      e\r\n",
    "&k {a: b}",
    "!!map {a: b}",
    "*k",
    "{a: {b: c}}",
    "{a: [b]}",
    "[a]",
    "a",
    "5",
    "",
    "~",
    "{}",
    "\n    a: |\n      \tb",
    "\n    a: |\n      \tb\n      c",
    "\n    a: |\n      b\n      \tc",
    "\n    a: |\n      b\n     \tc",
    "\n    a: |\n\n      b\n      \t\n      c",
    "\n    - |\n      \tb",
    "\n    a: |2\n      \tb",
    "\n    a: >\n      b\n\n     \t\n      c",
    "\n    a: b\n     \tc",
    "\n    a: 'b\n     \tc'",
    "\n    a: [b,\n\tc]",
    "\n    -\ta: b",
    "\n    a:\n    \t- b",
];

/// Whole files around the sound document `P`.
const FILES: &[&str] = &[
    "P",
    "---\nP",
    "\n\nP",
    "# a\nP",
    "--- # a\nP",
    "---#a\nP",
    "---\n---\nP---\n",
    "P...\n",
    "P...\n---\n",
    "P...\n# a\n",
    "---a\nP",
    "--- a\nP",
    "----\nP",
    "---\tP",
    "--- \nP",
    " ---\nP",
    "%YAML 1.1\n---\nP",
    "%YAML 1.2\n---\nP",
    "%TAG ! tag:x,2000:\n---\nP",
    "\u{feff}P",
    "\u{feff}---\nP",
    "\u{feff}# a\nP",
    "---\n\u{feff}P",
    "P\u{feff}",
    "P\u{0}",
    "P\u{1a}",
    "P\t",
    "P \t\n",
    "P# a",
    "\tP",
    "a: &a 1\n---\nP",
    "---\n~\n---\nP",
    "---\n{}\n---\nP",
    "---\n[]\n---\nP",
    "---\n5\n---\nP",
    "{a: 1}\n---\nP",
    "P---#a\nP",
    "P--- # a\nP",
    "P--- a\nP",
    "P----\nP",
    "---\n---\n---#a\nP",
    "P\n\n---\n\n---\nP",
];

/// Texts that kubectl accepts and that are refused here: what is read differently by other tools, and what kubectl
/// drops without a word (a tag that it does not know, the first of two equal keys, whatever follows `...`).
const STRICTER: &[&str] = &[
    "!a",
    "{&k 5: a, *k : b}",
    "\n    y: a\n    true: b",
    "json with a key twice",
    ",a",
    "P...\n---\n",
    // White space and signs that other readers take otherwise.
    "a\u{85}b",
    "a\u{2028}b",
    "\"a\u{2029}b\"",
    "a\rb",
    "\u{feff}a",
    "---\n\u{feff}P",
    "\"a\rb\"",
    "a:",
    "-",
    "\n    a: |2\n      \tb",
    "\n    a: [b,\n\tc]",
    // A number that JSON has no form for is a key all the same.
    "{.inf: a}",
];

/// The objects that kubectl reads from valid texts.
const NOT_ABOUT_YAML: [&str; 4] = ["is missing in", "cannot unmarshal", "unable to decode", "metadata"];

const OBJECT: &str = "apiVersion: v1\nkind: Any\nmetadata: {name: a}\n";

/// kubectl, built where it is missing.
fn kubectl() -> Command {
    static FOLDER: OnceLock<String> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cluster/control_plane.py");
        let output = Command::new("python3").args([script, "build"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    });
    Command::new(format!("{folder}/kubectl"))
}

/// The result of kubectl for each of these files: the objects in it, or what it complains about.
fn as_kubectl_reads(texts: &[String]) -> Vec<Result<Vec<Value>, String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = |index: usize| folder.path().join(format!("{index:05}.yaml")).display().to_string();
    let mut command = kubectl();
    command.args(["annotate", "--local", "aiplatform.dev/seen=yes", "-o", "json"]);
    // A file behind each of them tells where its objects end.
    let end = folder.path().join("end.json");
    std::fs::write(&end, json!({"apiVersion": "v1", "kind": "End", "metadata": {"name": "end"}}).to_string()).unwrap();
    for (index, text) in texts.iter().enumerate() {
        std::fs::write(path(index), text).unwrap();
        command.args(["-f", &path(index), "-f"]).arg(&end);
    }
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    let mut read: Vec<Result<Vec<Value>, String>> = vec![Ok(Vec::new())];
    for object in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
        let object = object.unwrap();
        match read.last_mut() {
            Some(Ok(objects)) if object["kind"] != "End" => objects.push(without_mark(object)),
            _ => read.push(Ok(Vec::new())),
        }
    }
    read.pop();
    assert_eq!(read.len(), texts.len(), "{complaints}");
    for (index, objects) in read.iter_mut().enumerate() {
        if let Some((_, complaint)) = complaints.split_once(&path(index)) {
            *objects = Err(complaint.lines().next().unwrap_or_default().trim_start_matches(": ").into());
        }
    }
    read
}

fn without_mark(mut object: Value) -> Value {
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("aiplatform.dev/seen");
        if annotations.is_empty() {
            object["metadata"].as_object_mut().unwrap().remove("annotations");
        }
    }
    without_empty_metadata(object)
}

/// The mark made some where there was none.
fn without_empty_metadata(mut object: Value) -> Value {
    if object.get("metadata").is_some_and(|metadata| without_nulls(metadata.clone()) == json!({})) {
        object.as_object_mut().unwrap().remove("metadata");
    }
    object
}

/// The result of our own reader.
fn read_here(text: &str) -> Result<Vec<Value>, String> {
    let nodes = documents(text).map(|document| document.map_err(|broken| broken.message));
    nodes
        .map(|node| {
            node.and_then(|node| refusal(&node).map_or_else(|| Ok(without_empty_metadata(node.to_json())), Err))
        })
        .collect()
}

/// The reason for which a reader refuses a tree.
fn refusal(node: &Node) -> Option<String> {
    match &node.value {
        Read::Tagged(tag) => Some(format!("the tag {tag}")),
        Read::OddNumber(written) => Some(format!("the number {written}")),
        Read::List(items) => items.iter().find_map(refusal),
        Read::Map(entries) => {
            let twice = |(index, entry): (usize, &Entry)| {
                entries[..index].iter().any(|other| other.key == entry.key).then(|| format!("{} twice", entry.key))
            };
            entries
                .iter()
                .enumerate()
                .find_map(twice)
                .or_else(|| entries.iter().find_map(|entry| refusal(&entry.value)))
        }
        _ => None,
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Number(number) if number.is_u64() && !number.is_i64() => json!(number.as_f64()),
        other => other,
    }
}

/// Texts that are not read alike: the parts they were made of, and what becomes of them.
fn differences(texts: &[(&str, String)]) -> Vec<String> {
    let whole: Vec<String> = texts.iter().map(|(_, text)| text.clone()).collect();
    let mut found = Vec::new();
    for ((part, text), theirs) in texts.iter().zip(as_kubectl_reads(&whole)) {
        let theirs = theirs.map(|objects| objects.into_iter().map(without_nulls).collect::<Vec<_>>());
        let ours = read_here(text).map(|objects| objects.into_iter().map(without_nulls).collect::<Vec<_>>());
        let same = match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (Err(_), Ok(_)) => STRICTER.contains(part),
            (Ok(_), Err(why)) => NOT_ABOUT_YAML.iter().any(|part| why.contains(part)),
            (Err(_), Err(_)) => true,
        };
        if !same {
            found.push(format!("{part:?} in {text:?}\n      here {}\n   kubectl {}", shown(&ours), shown(&theirs)));
        }
    }
    found
}

fn shown(read: &Result<Vec<Value>, String>) -> String {
    match read {
        Ok(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
        Err(why) => format!("refuses: {why}"),
    }
}

fn check(texts: &[(&str, String)]) {
    let found = differences(texts);
    assert!(found.is_empty(), "{} are not read alike:\n{}", found.len(), found.join("\n"));
}

#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    let within = |scalar: &'static &str| {
        [format!("spec:\n  a: {scalar}\n"), format!("spec: {{a: {scalar}}}\n")]
            .map(|spec| (*scalar, format!("{OBJECT}{spec}")))
    };
    check(&SCALARS.iter().flat_map(within).collect::<Vec<_>>());
}

#[test]
fn mappings_mean_what_they_mean_to_kubectl() {
    let within = |mapping: &'static &str| (*mapping, format!("{OBJECT}spec: {mapping}\n"));
    check(&MAPPINGS.iter().map(within).collect::<Vec<_>>());
}

#[test]
fn documents_begin_and_end_where_they_do_for_kubectl() {
    let sound = format!("{OBJECT}spec: {{a: b}}\n");
    let json = json!({"apiVersion": "v1", "kind": "Any", "metadata": {"name": "json"}, "spec": {"a": "é😀", "b": [1.0, 1e3, 5]}}).to_string();
    let unix = FILES.iter().map(|file| (*file, file.replace('P', &sound)));
    let windows = FILES.iter().map(|file| (*file, file.replace('P', &sound).replace('\n', "\r\n")));
    let mut texts: Vec<(&str, String)> = unix.chain(windows).collect();
    let second = json.replace("json", "second");
    texts.extend([
        ("json", format!("{json}\n")),
        ("json behind white space", format!(" \n\t{json}")),
        ("json escapes", json.replace("é😀", "\\u00e9\\ud83d\\ude00\\/\\u007f")),
        ("json numbers", json.replace("1000.0", "1E+2, -0, 1e-3, 18446744073709551615")),
        ("json with signs", json.replace("é😀", "\u{2028}\u{85}\u{202e}")),
        ("two json objects", format!("{json}{second}")),
        ("two json lines", format!("{json}\n{second}\n")),
        ("three json lines", format!("{json}\n{second}\n{json}\n")),
        ("json and json", format!("{json}\n---\n{second}\n")),
        ("json and yaml", format!("{json}\n---\n{sound}")),
        ("yaml and json", format!("{sound}---\n{json}\n")),
        ("two json lines and yaml", format!("{json}\n{second}\n---\n{sound}")),
        ("json and yaml without a line", format!("{json}\n{sound}")),
        ("yaml that looks like json", json.replace("\"json\"", "json")),
        ("json with a comment", json.replace("{\"name\"", "{ # a\n \"name\"")),
        ("json with a key twice", json.replace("\"a\":", "\"a\": 1, \"a\":")),
    ]);
    check(&texts);
}

/// Texts like those that people write, with something wrong in them.
struct Mutations {
    random: fastrand::Rng,
    sound: Vec<String>,
}

impl Mutations {
    fn new(seed: u64) -> Self {
        let examples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).unwrap();
        let examples = examples.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
        let mappings = MAPPINGS.iter().map(|mapping| format!("{OBJECT}spec: {mapping}\n"));
        Self { random: fastrand::Rng::with_seed(seed), sound: mappings.chain(examples).collect() }
    }

    fn next(&mut self) -> String {
        const SIGNS: &[char] = &[
            ' ', ' ', '\t', '\n', '\r', ':', '-', '?', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'',
            '"', '%', '@', '`', '~', '<', '=', '\\', '/', '.', '0', '1', 'e', 'y', 'n', 'x', '_', '+', 'é', '\u{a0}',
            '\u{85}', '\u{2028}', '\u{feff}', '\u{0}', '\u{7f}',
        ];
        let mut text: Vec<char> = self.sound[self.random.usize(..self.sound.len())].chars().collect();
        for _ in 0..self.random.usize(1..=4) {
            let at = self.random.usize(..=text.len());
            match self.random.u8(..8) {
                0 if at < text.len() => drop(text.remove(at)),
                1 if at < text.len() => text[at] = SIGNS[self.random.usize(..SIGNS.len())],
                2 => {
                    let scalar = SCALARS[self.random.usize(..SCALARS.len())];
                    text.splice(at..at, scalar.chars());
                }
                3 => {
                    let end = (at + self.random.usize(..20)).min(text.len());
                    text.drain(at..end);
                }
                4 => {
                    let end = (at + self.random.usize(..40)).min(text.len());
                    let again = text[at..end].to_vec();
                    text.splice(at..at, again);
                }
                5 => {
                    let line = text[..at].iter().rposition(|sign| *sign == '\n').map_or(0, |end| end + 1);
                    let spaces = self.random.usize(..4);
                    text.splice(line..line, std::iter::repeat_n(' ', spaces));
                }
                _ => text.insert(at, SIGNS[self.random.usize(..SIGNS.len())]),
            }
        }
        text.into_iter().collect()
    }
}

/// As many as `AIPLATFORM_FUZZ` says, beginning with `AIPLATFORM_FUZZ_SEED`.
#[test]
fn whatever_is_taken_of_mutated_texts_means_the_same_to_kubectl() {
    const AT_ONCE: usize = 250;
    let number =
        |name: &str, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let mut mutations = Mutations::new(number("AIPLATFORM_FUZZ_SEED", 1));
    let cases = usize::try_from(number("AIPLATFORM_FUZZ", 1000)).unwrap();
    let mut taken = 0;
    for _ in 0..cases.div_ceil(AT_ONCE) {
        let texts =
            (0..AT_ONCE).map(|_| mutations.next()).filter(|text| read_here(text).is_ok_and(|read| !read.is_empty()));
        let texts: Vec<(&str, String)> = texts.map(|text| ("", text)).collect();
        taken += texts.len();
        check(&texts);
    }
    assert!(taken > cases / 10, "only {taken} of {cases} are taken, which says nothing");
}
