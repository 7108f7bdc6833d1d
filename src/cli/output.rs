//! Writing to the terminal. A reader that went away (`| head`) is no error.

use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use super::OutputFormat;
use crate::plan::Plan;
use crate::render::Text;

pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "aiplatform: {line}");
}

pub(super) fn plans(plans: &[Plan], format: OutputFormat) {
    match format {
        OutputFormat::Json => json(&json!({ "platforms": plans })),
        OutputFormat::Text => {
            let colour = is_colourful();
            let texts: Vec<String> = plans.iter().map(|plan| Text { plan, colour }.to_string()).collect();
            print(&texts.join("\n"));
        }
    }
}

pub(super) fn json(value: &Value) {
    print(&format!("{value:#}\n"));
}

/// Only on a terminal, and not where it is unwanted (<https://no-color.org>).
pub(super) fn is_colourful() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}
