//! `aiplatform audit`: who may do what, and why. Offline, unless the difference to AWS is asked for.

use std::cell::Cell;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::live::{Live, lines, unreadable};
use super::{
    AwsArguments, BAD_INPUT, ClusterArguments, Error, FINDINGS, GuardrailsArguments, SUCCESS, output, read, run,
};
use crate::audit::html::{Audits, Page};
use crate::audit::text::Text;
use crate::audit::{Audit, Bounds, audit as make_audit};
use crate::features::network::sharing::in_network;
use crate::guardrails::{BOUNDARY_PATH, Guardrails, Labels};
use crate::manifest::Manifest;
use crate::platform::Platform;
use crate::reconcile::{DryRun, PlanError};

/// Arguments of `audit`.
#[derive(Args, Debug, Clone)]
pub(super) struct AuditArguments {
    /// A file with AIPlatform objects, or - for standard input; may be repeated
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
    /// Add the difference to what AWS and the cluster have; changes nothing
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    cluster: ClusterArguments,
    #[command(flatten)]
    aws: AwsArguments,
    #[command(flatten)]
    guardrails: GuardrailsArguments,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Html,
}

pub(super) fn audit(arguments: &AuditArguments) -> Result<u8, Error> {
    let input = read(&arguments.files)?;
    let guardrails = arguments.guardrails.shown()?;
    if !arguments.live {
        guardrails.note().into_iter().for_each(output::complain);
        let platforms = || input.manifests.iter().filter_map(|manifest| manifest.platform().ok());
        let audits = || platforms().map(|platform| audited(&platform, &guardrails, None));
        return write(arguments, audits);
    }
    let (audits, problems) = run::runtime()?.block_on(compare(arguments, guardrails, &input.manifests))?;
    let code = write(arguments, || audits.iter().cloned())?;
    // What could not be read may hold anything: a comparison without it is no comparison.
    for problem in &problems {
        output::complain(problem);
    }
    Ok(if problems.is_empty() { code } else { BAD_INPUT })
}

/// The platform as specified: that its roles lack the boundary is what an auditor wants to know.
fn audited(platform: &Platform, guardrails: &Guardrails, labels: Option<&Labels>) -> Audit {
    let rule = guardrails.bounds(&platform.namespace, labels);
    let boundary = rule.and_then(|rule| rule.permissions_boundary_arn.as_deref());
    let mut refused = guardrails.apply(platform.clone(), labels).err().unwrap_or_default();
    // Another boundary than the one that is demanded is a finding of its own.
    refused.retain(|problem| problem.path != BOUNDARY_PATH);
    make_audit(platform, &Bounds { boundary, refused, unknown: guardrails.note_on(&platform.namespace, labels) })
}

/// The audits with what is there, and a line for everything that could not be read.
async fn compare(
    arguments: &AuditArguments,
    guardrails: Guardrails,
    manifests: &[Manifest],
) -> Result<(Vec<Audit>, Vec<String>), Error> {
    let live = Live::connect(&arguments.cluster, &arguments.aws, guardrails).await?;
    let mut compared = Vec::new();
    let mut problems = Vec::new();
    for manifest in manifests {
        let labels = live.labels(manifest).await?;
        let platform = match manifest.platform() {
            Ok(platform) => platform,
            Err(found) => {
                problems.extend(found.iter().map(|problem| manifest.locate(problem)));
                continue;
            }
        };
        let audit = audited(&platform, live.guardrails(), labels.as_ref());
        match live.plan(manifest, labels.as_ref()).await? {
            Ok(DryRun { plan, network, public_subnets }) => {
                problems.extend(unreadable(&plan));
                // Who borrows the network, or whose is borrowed, is known by now.
                let audit = match network.map(|network| in_network(platform, network)) {
                    Some(Ok(platform)) => audited(&platform, live.guardrails(), labels.as_ref()),
                    Some(Err(_)) | None => audit,
                };
                compared.push(audit.compared_with(&plan).with_public_subnets(&public_subnets));
            }
            // What is refused stands in the audit, and nothing of it is read.
            Err(PlanError::NotPermitted(_)) => compared.push(audit),
            Err(error) => {
                problems.extend(lines(manifest, &error));
                compared.push(audit);
            }
        }
    }
    Ok((compared, problems))
}

/// Writes the audits, each made when it is written; the exit code says whether one of them has errors.
fn write<A: Iterator<Item = Audit>>(arguments: &AuditArguments, audits: impl Fn() -> A) -> Result<u8, Error> {
    let code = Cell::new(SUCCESS);
    let note = |audit: &Audit| {
        if audit.has_errors() {
            code.set(FINDINGS);
        }
    };
    match arguments.output {
        Format::Json => output::platforms(audits().inspect(note).map(|audit| json!(audit)))?,
        Format::Text => {
            let colour = output::is_colourful(&std::io::stdout());
            output::strings(audits().inspect(note).map(|audit| Text { audit: &audit, colour }.to_string()))?;
        }
        Format::Html => {
            let audits: &Audits = &|show| audits().inspect(note).try_for_each(|audit| show(&audit));
            output::print(Page { audits, command: &command(arguments) })?;
        }
    }
    Ok(code.get())
}

/// The command line that makes the same output again.
fn command(arguments: &AuditArguments) -> String {
    let files = arguments.files.iter().map(|file| format!(" -f {}", file.display()));
    let live = if arguments.live { " --live" } else { "" };
    let guardrails = arguments.guardrails.file.as_ref().map(|file| format!(" --guardrails {}", file.display()));
    format!("aiplatform audit{} -o html{live}{}", files.collect::<String>(), guardrails.unwrap_or_default())
}
