//! The log on standard error, in which everything is seen.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::{LogFormat, output};
use crate::printable::{printable, printable_json};
use crate::traces::{TARGET, Traces};

/// Begins to log, and to trace where there is a collector.
pub(super) fn begin(format: LogFormat, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    let coloured = output::is_colourful(&io::stderr());
    let log = fmt::layer().with_writer(move || Lines { format, coloured, out: io::stderr() }).with_ansi(coloured);
    let log = match format {
        LogFormat::Text => log.with_target(false).boxed(),
        // The span that says which platform it is; those within it are of the trace.
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let spans = traces.map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer());
        let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        layer.with_filter(Targets::new().with_target(TARGET, LevelFilter::DEBUG))
    });
    tracing_subscriber::registry().with(log.with_filter(filter)).with(spans).init();
}

/// Writes one event at a time, as a line.
struct Lines<W> {
    format: LogFormat,
    coloured: bool,
    out: W,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((text.as_ref(), ""), |line| (line, "\n"));
        let shown = match self.format {
            LogFormat::Json => printable_json(line),
            // The colours are ours: what is an escape in a value has been written out before they were put around it.
            LogFormat::Text if self.coloured => {
                line.split('\u{1b}').map(printable).collect::<Vec<_>>().join("\u{1b}").into()
            }
            LogFormat::Text => printable(line),
        };
        self.out.write_all(shown.as_bytes())?;
        self.out.write_all(end.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_in_which_everything_is_seen() {
        let written = |format, coloured, event: &str| {
            let mut lines = Lines { format, coloured, out: Vec::new() };
            lines.write_all(event.as_bytes()).unwrap();
            String::from_utf8(lines.out).unwrap()
        };
        let event = "refused: a\nINFO all is well \u{202e}\u{1b}[2J\n";
        assert_eq!(written(LogFormat::Text, false, event), "refused: a\\nINFO all is well \\u{202e}\\u{1b}[2J\n");
        assert_eq!(
            written(LogFormat::Text, true, "\u{1b}[32mINFO\u{1b}[0m a\u{9b}\n"),
            "\u{1b}[32mINFO\u{1b}[0m a\\u{9b}\n"
        );
        assert_eq!(written(LogFormat::Json, false, "{\"message\":\"a\u{202e}\"}\n"), "{\"message\":\"a\\u202e\"}\n");
    }
}
