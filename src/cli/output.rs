//! Writing to the terminal, one platform at a time: what all of them come to may be more than the memory holds. A reader
//! that went away (`| head`) is no error; everything else that keeps output from being written is.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Error, OutputFormat};
use crate::cluster_manifests;
use crate::plan::Plan;
use crate::printable::{printable, printable_json};
use crate::render::Text;

pub(super) fn print(text: impl Display) -> Result<(), Error> {
    excused(write(text))
}

fn write(text: impl Display) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write!(out, "{text}").and_then(|()| out.flush());
    // What could not be written is not tried again when the writer goes.
    drop(out.into_parts());
    written
}

/// Only a reader that went away is excused.
pub(super) fn excused(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "aiplatform: {}", printable(line));
}

pub(super) fn plans(plans: impl Iterator<Item = Plan>, format: OutputFormat) -> Result<(), Error> {
    match format {
        OutputFormat::Json => platforms(plans.map(|plan| json!(plan))),
        OutputFormat::Text => {
            let colour = is_colourful(&io::stdout());
            strings(plans.map(|plan| Text { plan: &plan, colour }.to_string()))
        }
        OutputFormat::Yaml => {
            for plan in plans {
                print(cluster_manifests::yaml(&plan)?)?;
            }
            Ok(())
        }
    }
}

/// Texts with an empty line between each.
pub(super) fn strings(mut texts: impl Iterator<Item = String>) -> Result<(), Error> {
    let mut between = "";
    excused(texts.try_for_each(|text| write(format_args!("{}{text}", std::mem::replace(&mut between, "\n")))))
}

/// `{"platforms": [...]}`, each made when it is written.
pub(super) fn platforms(platforms: impl Iterator<Item = Value>) -> Result<(), Error> {
    #[derive(Serialize)]
    #[serde(bound = "I: Iterator<Item = Value>")]
    struct Document<I> {
        platforms: Listed<I>,
    }
    json(&Document { platforms: Listed(Cell::new(Some(platforms))) })
}

/// A list that is gone when it was written.
struct Listed<I>(Cell<Option<I>>);

impl<I: Iterator<Item = Value>> Serialize for Listed<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<(), Error> {
    let mut out = Shown(BufWriter::new(io::stdout().lock()));
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    let written = written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    drop(out.0.into_parts());
    excused(written)
}

/// Writes JSON in which everything is seen. What it is given at a time is whole characters.
struct Shown<W>(W);

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(text) {
            Ok(text) => self.0.write_all(printable_json(text).as_bytes())?,
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Only on a terminal, and not where it is unwanted (<https://no-color.org>).
pub(super) fn is_colourful(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_in_whole_characters() {
        let value = json!({"é\u{202e}": ["\u{1b}\n\u{e0041}日", {"a": "😀\"\\"}]});
        let mut out = Shown(Vec::new());
        serde_json::to_writer_pretty(&mut out, &value).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), printable_json(&format!("{value:#}")));
    }
}
