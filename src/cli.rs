//! The command line: `run`, `crd`, `plan`, `diff`, `get`, `audit`, `operator-policy`, `install-check`, `completion`.

mod audit;
mod completion;
mod diff;
mod files;
mod get;
mod help;
mod install_check;
mod live;
mod log;
mod operator_policy;
mod output;
mod plan;
mod run;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::guardrails::Guardrails;
use crate::manifest::{self, Input};
use crate::operator_policy::bucket_name_pattern;
use crate::tags::cluster_name;

/// Everything is as asked.
const SUCCESS: u8 = 0;
/// There are differences.
const DIFFERENCES: u8 = 1;
/// Something is really wrong.
const FINDINGS: u8 = 1;
/// Something that the operator needs is missing.
const MISSING: u8 = 1;
/// The operator ended because it does not lead any more.
const LEADERSHIP_LOST: u8 = 1;
/// The input is bad, or something that is needed is missing.
const BAD_INPUT: u8 = 2;

/// Turns one `AIPlatform` object into a production AI platform on AWS, and keeps it so.
#[derive(Parser, Debug)]
#[command(name = "aiplatform", version, max_term_width = 100, after_help = help::ALL)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the operator
    #[command(after_help = help::RUN)]
    Run(RunArguments),
    /// Print the custom resource definition
    #[command(after_help = help::CRD)]
    Crd,
    /// Show what would be created from scratch (offline)
    #[command(after_help = help::PLAN)]
    Plan(PlanArguments),
    /// Show what would change; reads AWS and the cluster and changes nothing
    #[command(after_help = help::DIFF)]
    Diff(DiffArguments),
    /// Show a live platform as a tree: its resources, what each waits for and since when
    #[command(after_help = help::GET)]
    Get(get::GetArguments),
    /// Show the access that every role has, and why
    #[command(after_help = help::AUDIT)]
    Audit(audit::AuditArguments),
    /// Print the IAM policies that the operator itself needs, as JSON (offline)
    #[command(after_help = help::OPERATOR_POLICY)]
    OperatorPolicy(OperatorPolicyArguments),
    /// Check an installation before the first platform: the cluster, rights, AWS; changes nothing
    #[command(after_help = help::INSTALL_CHECK)]
    InstallCheck(Box<install_check::InstallCheckArguments>),
    /// Print a script that completes arguments in a shell
    #[command(after_help = help::COMPLETION)]
    Completion(completion::CompletionArguments),
}

/// Arguments of `run`. AWS settings are the SDK's own: `AWS_ENDPOINT_URL`, profiles, web identity, container credentials.
#[derive(Args, Debug, Clone)]
pub struct RunArguments {
    /// Watch only this namespace; may be repeated. Default: all of them
    #[arg(long = "namespace", value_name = "NAME", env = "AIPLATFORM_NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    namespaces: Vec<String>,
    /// Watch only objects with these labels
    #[arg(long, value_name = "SELECTOR", env = "AIPLATFORM_LABEL_SELECTOR", value_parser = selector)]
    label_selector: Option<String>,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    guardrails: GuardrailsArguments,
    /// Number of objects reconciled at the same time
    #[arg(long, value_name = "N", default_value_t = 8, env = "AIPLATFORM_CONCURRENCY", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Resync interval of platforms that are in sync. Default: 10m, and 1h while drift events come
    #[arg(long, value_name = "DURATION", env = "AIPLATFORM_RESYNC", value_parser = duration)]
    resync: Option<Duration>,
    /// Hear of changes that others make at once, through a queue of Amazon SQS and a rule of Amazon EventBridge in each
    /// account and region with platforms. Without it, those of an earlier run are removed
    #[arg(long, env = "AIPLATFORM_DRIFT_EVENTS")]
    drift_events: bool,
    /// Initial polling interval of resources in transition
    #[arg(long, value_name = "DURATION", default_value = "5s", env = "AIPLATFORM_TRANSITION_POLL", value_parser = duration)]
    transition_poll: Duration,
    /// Work only while holding a Lease, so that several replicas can run
    #[arg(long, env = "AIPLATFORM_LEADER_ELECT")]
    leader_elect: bool,
    /// Name of the Lease. Default: aiplatform, and with --namespace or --label-selector that and a hash of them, so that
    /// replicas with other objects have another
    #[arg(long, value_name = "NAME", env = "AIPLATFORM_LEASE_NAME", value_parser = lease_name)]
    lease_name: Option<String>,
    /// Address to serve /metrics, /healthz and /readyz on
    #[arg(long, value_name = "ADDRESS", default_value = ":8080", env = "AIPLATFORM_HTTP_ADDR")]
    http_addr: String,
    #[command(flatten)]
    aws: AwsArguments,
    /// Format of the log
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "AIPLATFORM_LOG_FORMAT")]
    log_format: LogFormat,
}

/// Arguments of `plan`.
#[derive(Args, Debug, Clone)]
pub struct PlanArguments {
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    guardrails: GuardrailsArguments,
}

/// Arguments of `diff`.
#[derive(Args, Debug, Clone)]
pub struct DiffArguments {
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    guardrails: GuardrailsArguments,
    #[command(flatten)]
    aws: AwsArguments,
}

/// Arguments of `operator-policy`.
#[derive(Args, Debug, Clone)]
pub struct OperatorPolicyArguments {
    /// A file with AIPlatform objects, or - for standard input; may be repeated. The policies then allow what these need
    /// and no more. Without one they are for any platform in the partition aws that names no assumeRole
    #[arg(short, long = "file", value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Pattern of bucket names, with * for any text and ? for any one character; may be repeated. Generated
    /// names begin with the namespace. Default: what the guardrails say, else any name
    #[arg(long, value_name = "PATTERN", conflicts_with = "files", value_parser = bucket_name_pattern)]
    bucket_name_pattern: Vec<String>,
    /// Also what an operator with --drift-events needs: queues of Amazon SQS and rules of Amazon EventBridge
    #[arg(long)]
    drift_events: bool,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    guardrails: GuardrailsArguments,
}

#[derive(Args, Debug, Clone)]
struct ClusterArguments {
    /// The cluster's name in owner tags. Default: the UID of the namespace kube-system
    #[arg(long, value_name = "NAME", env = "AIPLATFORM_CLUSTER_NAME", value_parser = cluster_name)]
    cluster_name: Option<String>,
}

#[derive(Args, Debug, Clone)]
struct GuardrailsArguments {
    /// Guardrails that platforms must stay within. Without it, run refuses what has to be allowed by name (see docs/guardrails.md); the
    /// others refuse nothing
    #[arg(long = "guardrails", value_name = "FILE", env = "AIPLATFORM_GUARDRAILS")]
    file: Option<PathBuf>,
}

impl GuardrailsArguments {
    /// The guardrails of an operator with these arguments.
    fn enforced(&self) -> Result<Guardrails, Error> {
        Ok(files::guardrails(self.file.as_deref())?)
    }

    /// The guardrails of a command that changes nothing: without a file, everything.
    fn shown(&self) -> Result<Guardrails, Error> {
        if self.file.is_some() { self.enforced() } else { Ok(Guardrails::Unbounded) }
    }
}

#[derive(Args, Debug, Clone)]
struct AwsArguments {
    /// Put bucket names into the path of S3 requests, for endpoints that are not AWS's own
    #[arg(long, env = "AIPLATFORM_S3_PATH_STYLE")]
    s3_path_style: bool,
}

#[derive(Args, Debug, Clone)]
struct InputArguments {
    /// A file with AIPlatform objects, or - for standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum OutputFormat {
    Text,
    Json,
    /// The objects in the cluster alone, as manifests that kubectl takes
    Yaml,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum LogFormat {
    Text,
    Json,
}

/// Carries out the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let matched = command(std::env::args_os().next().as_deref()).try_get_matches();
    match matched.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => execute(cli),
        Err(error) if error.use_stderr() => error.exit(),
        // Help, or the version.
        Err(error) => ended(output::excused(error.print()).map(|()| SUCCESS)),
    }
}

/// The command line under the name it is called by: its own, or as a plugin of kubectl, which finds it on the PATH as
/// `kubectl-aiplatform`.
fn command(program: Option<&OsStr>) -> clap::Command {
    let called = program.and_then(|program| Path::new(program).file_name());
    let command = Cli::command();
    if called.is_some_and(|name| name == "kubectl-aiplatform") {
        command.bin_name("kubectl aiplatform")
    } else {
        command
    }
}

/// Carries out a command line.
fn execute(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Crd => crd(),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Get(arguments) => get::get(&arguments),
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::OperatorPolicy(arguments) => operator_policy::operator_policy(&arguments),
        Command::InstallCheck(arguments) => install_check::install_check(&arguments),
        Command::Completion(arguments) => completion::completion(&arguments),
    };
    ended(result)
}

fn ended(result: Result<u8, Error>) -> ExitCode {
    ExitCode::from(result.unwrap_or_else(|error| {
        for line in error.to_string().lines() {
            output::complain(line);
        }
        BAD_INPUT
    }))
}

/// An error that ends a command with exit code 2: each line names what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Input(#[from] manifest::Error),
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    #[error("{0}")]
    Crd(#[from] crate::crd::Error),
    #[error("{0}")]
    Manifest(#[from] crate::cluster_manifests::Error),
    #[error("{0}")]
    Rights(#[from] crate::install_check::rights::Error),
    #[error("{0}")]
    OperatorPolicy(#[from] crate::operator_policy::Error),
    #[error("no cluster: set KUBECONFIG, write ~/.kube/config, or run in a pod ({0})")]
    NoKubeconfig(String),
    #[error("the cluster: {0}")]
    Cluster(String),
    #[error(
        "the UID of the namespace kube-system cannot be read, which is the cluster's name in owner tags ({0}): allow get \
         on it, or set --cluster-name"
    )]
    NoClusterName(String),
    #[error("--http-addr {address}: {error}")]
    Http { address: String, error: std::io::Error },
    #[error("{0}")]
    Start(String),
    #[error("the output cannot be written: {0}; it is not complete")]
    Output(std::io::Error),
    #[error(
        "the credentials in the kubeconfig cannot be sent: the token of the user, or the one that its exec plugin answers, \
         holds a line break or another control character: write the token alone, on one line"
    )]
    Credentials,
}

fn crd() -> Result<u8, Error> {
    output::print(crate::crd::yaml()?)?;
    Ok(SUCCESS)
}

/// Reads the files, says what was skipped, and gives up on bad input.
fn read(files: &[PathBuf]) -> Result<Input, Error> {
    let input = files::manifests(files)?;
    for note in &input.skipped {
        output::complain(note);
    }
    Ok(input)
}

/// The name of a namespace: what Kubernetes takes for one (RFC 1123 label).
fn namespace(text: &str) -> Result<String, String> {
    let is_inner = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    let is_name =
        (1..=63).contains(&text.len()) && text.chars().all(is_inner) && !text.starts_with('-') && !text.ends_with('-');
    is_name.then(|| text.to_string()).ok_or_else(|| {
        format!("{text:?} is not the name of a namespace; without --namespace and AIPLATFORM_NAMESPACE all are watched")
    })
}

/// The name of a Lease: what Kubernetes takes for one (RFC 1123 subdomain, shortened to that of a label).
fn lease_name(text: &str) -> Result<String, String> {
    namespace(text)
        .map_err(|_| format!("{text:?} is not the name of a Lease: up to 63 lower-case letters, digits and -"))
}

/// A label selector, as the API server takes it.
fn selector(text: &str) -> Result<String, String> {
    crate::labels::check_selector(text).map(|()| text.to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is not a duration such as 30s, 10m or 1h"))?;
    Duration::try_from(parsed)
        .ok()
        .filter(|parsed| !parsed.is_zero())
        .ok_or_else(|| format!("{text:?} is not longer than nothing"))
}
