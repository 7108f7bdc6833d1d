//! The operator as users run it: the binary, with its environment and its signals.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{DEADLINE, PERIOD};

/// A running operator. It is killed when this is dropped.
pub struct Operator {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Operator {
    /// Starts the binary with these arguments and this environment, and nothing else of ours.
    pub fn start(arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut process = command()
            .args(["run", "--http-addr", "127.0.0.1:0", "--s3-path-style"])
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the operator starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("the log").push(line);
            }
        });
        Self { process, log }
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").join("\n")
    }

    /// A page of its own server: status and text.
    pub fn page(&self, path: &str) -> (u16, String) {
        let address = self.wait_for_log("address=").split_once("address=").expect("an address").1.trim().to_string();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut answer = agent.get(format!("http://{address}{path}")).call().expect("the page");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }

    /// One value of `/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.page("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in:\n{text}"))
    }

    /// The requests to the API server so far, by verb and resource, but for watches and the lists that begin them.
    pub fn cluster_requests(&self) -> BTreeMap<String, u64> {
        let (_, text) = self.page("/metrics");
        let lines = text.lines().filter_map(|line| line.strip_prefix("aiplatform_kubernetes_requests_total{"));
        let counts = lines.filter_map(|line| {
            let (labels, count) = line.split_once("} ")?;
            Some((labels.to_string(), count.parse().ok()?))
        });
        counts.filter(|(labels, _)| !labels.contains("\"watch\"") && !labels.contains("\"list\"")).collect()
    }

    /// Waits for a line of the log that contains `part`, and returns it.
    pub fn wait_for_log(&self, part: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(line) = self.log.lock().expect("the log").iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            assert!(began.elapsed() < DEADLINE, "no {part:?} in the log:\n{}", self.log());
            std::thread::sleep(PERIOD);
        }
    }

    /// Ends it as Kubernetes does, and waits until it is gone.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_until_gone()
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
    }

    /// Waits until it has ended.
    pub fn wait_until_gone(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("its status") {
                return status;
            }
            assert!(began.elapsed() < DEADLINE, "it does not end:\n{}", self.log());
            std::thread::sleep(PERIOD);
        }
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the operator's log:\n{}", self.log());
        }
    }
}

/// The binary, with an environment in which it finds neither cluster nor credentials.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aiplatform"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null());
    command
}

/// The counts that have grown, by how much.
pub fn more_than(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let counts = after.iter().map(|(labels, count)| (labels.clone(), count - before.get(labels).unwrap_or(&0)));
    counts.filter(|(_, count)| *count > 0).collect()
}
