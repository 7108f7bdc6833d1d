//! A server of the tests: started by its script, known by the one line of JSON it prints, ended by closing its input.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;

/// A running server. It ends when this is dropped, and also when the test process dies, because its input closes.
pub struct Server {
    process: Child,
    input: Option<ChildStdin>,
    /// What it printed when it was ready.
    pub ready: Value,
}

impl Server {
    /// Starts a script of this repository and waits until it is ready.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{script} does not start: {error}"));
        let input = process.stdin.take();
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output is a pipe")).read_line(&mut line).expect("it prints");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script} printed {line:?}: {error}"));
        Self { process, input, ready }
    }

    /// One field of what it printed.
    pub fn field(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.ready))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
