//! Arguments of the user, as the engine's parser reads them.

use crate::platform::Problem;

/// The way in which an engine's parser reads the names of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// vLLM's `FlexibleArgumentParser`, made of Python's `argparse`: underscores are dashes, a prefix stands for the
    /// one flag that begins so, and what follows a dot is a key of a JSON object.
    Flexible,
    /// Rust's `clap`: names are whole.
    Exact,
}

/// A flag that the user may not set.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its names.
    pub names: &'static [&'static str],
    /// The rule, and the way out.
    pub why: &'static str,
    /// True when its value is a secret, which is then not repeated.
    pub is_secret: bool,
}

impl Refused {
    /// A flag whose value may be repeated.
    pub const fn new(names: &'static [&'static str], why: &'static str) -> Self {
        Self { names, why, is_secret: false }
    }

    /// A flag whose value is a secret.
    pub const fn secret(names: &'static [&'static str], why: &'static str) -> Self {
        Self { names, why, is_secret: true }
    }
}

/// A flag among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// The place of the argument.
    pub index: usize,
    /// The argument, as the user wrote it.
    pub argument: &'a str,
    /// Its name, as the user wrote it.
    written: &'a str,
    /// Its value: what follows `=`, or else the argument after it unless that is a flag.
    pub value: Option<&'a str>,
    grammar: Grammar,
}

impl Flag<'_> {
    /// True when this is the flag with this name, spelled out.
    pub fn is(&self, name: &str) -> bool {
        match self.grammar {
            Grammar::Exact => self.written == name,
            Grammar::Flexible => self.key() == name,
        }
    }

    /// The name without keys of a JSON object, and with dashes.
    fn key(&self) -> String {
        let key = self.written.split('.').next().unwrap_or_default();
        if key.starts_with("--") { key.replace('_', "-") } else { key.into() }
    }

    /// True when the engine may take the flag for the one with this name.
    pub fn may_be(&self, name: &str) -> bool {
        match self.grammar {
            Grammar::Exact => self.written == name || short_with_value(self.written, name),
            Grammar::Flexible => {
                let key = self.key();
                let are_alike = key.starts_with("--") == name.starts_with("--");
                are_alike && key.len() > 1 && name.starts_with(&key)
            }
        }
    }

    /// True when the engine may take the flag for one with any of these names.
    pub fn may_be_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.may_be(name))
    }
}

/// `-p8000`, which `clap` reads as `-p 8000`.
fn short_with_value(written: &str, name: &str) -> bool {
    name.len() == 2 && !name.starts_with("--") && written.len() > 2 && written.starts_with(name)
}

/// The flags among the arguments.
pub fn flags(args: &[String], grammar: Grammar) -> impl Iterator<Item = Flag<'_>> {
    args.iter().enumerate().filter(|(_, argument)| is_flag(argument)).map(move |(index, argument)| {
        let (written, value) = match argument.split_once('=') {
            Some((written, value)) => (written, Some(value)),
            None => (argument.as_str(), args.get(index + 1).map(String::as_str).filter(|next| !is_flag(next))),
        };
        Flag { index, argument, written, value, grammar }
    })
}

/// True when a parser takes the argument for a flag and not for a value: both `argparse` and `clap` read `-1` and `-` as
/// values.
fn is_flag(argument: &str) -> bool {
    argument.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.parse::<f64>().is_err())
}

/// The rule about an argument that Kubernetes could turn into any flag: it puts the values of variables in the place of
/// `$(NAME)`, so that nobody can tell here which flag it is.
///
/// Source: the Kubernetes API, `Container.args`.
fn unknown_flag(argument: &str) -> Option<String> {
    let name = argument.split('=').next().unwrap_or_default();
    let is_open = (is_flag(name) && name.contains("$(")) || argument.starts_with("$(");
    is_open.then(|| format!("{argument:?} could become any flag: write --NAME=$(VARIABLE), with the flag's name in it"))
}

/// The problems of the arguments, in their order: flags that are refused, and positional arguments, of which
/// `positional` says what the engine would take them for. `path` is that of the arguments.
pub fn problems(args: &[String], grammar: Grammar, refused: &[&Refused], positional: &str, path: &str) -> Vec<Problem> {
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for (index, argument) in args.iter().enumerate() {
        if let Some(message) = unknown_flag(argument) {
            problems.push((index, Problem::new(format!("{path}[{index}]"), message)));
            continue;
        }
        let follows_a_whole_flag =
            index.checked_sub(1).is_none_or(|before| args[before].contains('=') && is_flag(&args[before]));
        if argument == "--" {
            let message = format!("\"--\" makes positional arguments of all that follow it: {positional}");
            problems.push((index, Problem::new(format!("{path}[{index}]"), message)));
        } else if !is_flag(argument) && follows_a_whole_flag {
            let message = format!("{argument:?} belongs to no flag, and so it is a positional argument: {positional}");
            problems.push((index, Problem::new(format!("{path}[{index}]"), message)));
        }
    }
    for flag in flags(args, grammar) {
        let Some((rule, name)) =
            refused.iter().find_map(|rule| rule.names.iter().find(|name| flag.may_be(name)).map(|name| (rule, *name)))
        else {
            continue;
        };
        let shown = if rule.is_secret { flag.written } else { flag.argument };
        let stands_for = if flag.is(name) { String::new() } else { format!(" can stand for {name}, which") };
        let message = format!("{shown:?}{stands_for} {}", rule.why);
        problems.push((flag.index, Problem::new(format!("{path}[{}]", flag.index), message)));
    }
    problems.sort_by_key(|(index, _)| *index);
    problems.into_iter().map(|(_, problem)| problem).collect()
}
