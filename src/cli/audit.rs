//! `aiplatform audit`: who may do what, and why. Offline, unless the difference to AWS is asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::live::{Live, unreadable};
use super::{
    AwsArguments, BAD_INPUT, ClusterArguments, Error, FINDINGS, GuardrailsArguments, SUCCESS, output, read, run,
};
use crate::audit::html::Page;
use crate::audit::text::Text;
use crate::audit::{Audit, audit as make_audit};
use crate::guardrails::Guardrails;
use crate::manifest::Manifest;

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
    let audited = input.manifests.iter().map(|Manifest { platform, .. }| {
        // The platform as specified: that its roles lack the boundary is what an auditor wants to know.
        let rule = guardrails.bounds(&platform.namespace, None);
        make_audit(platform, rule.and_then(|rule| rule.permissions_boundary_arn.as_deref()))
    });
    let mut audits: Vec<Audit> = audited.collect();
    let mut problems = Vec::new();
    if arguments.live {
        (audits, problems) = run::runtime()?.block_on(compare(arguments, guardrails, &input.manifests, audits))?;
    }
    write(arguments, &audits);
    // What could not be read may hold anything: a comparison without it is no comparison.
    if !problems.is_empty() {
        for problem in &problems {
            output::complain(problem);
        }
        return Ok(BAD_INPUT);
    }
    Ok(if audits.iter().any(Audit::has_errors) { FINDINGS } else { SUCCESS })
}

/// The audits with what is there, and a line for everything that could not be read.
async fn compare(
    arguments: &AuditArguments,
    guardrails: Guardrails,
    manifests: &[Manifest],
    audits: Vec<Audit>,
) -> Result<(Vec<Audit>, Vec<String>), Error> {
    let live = Live::connect(&arguments.cluster, &arguments.aws, guardrails).await?;
    let mut compared = Vec::new();
    let mut problems = Vec::new();
    for (manifest, audit) in manifests.iter().zip(audits) {
        match live.plan(manifest).await? {
            Ok(plan) => {
                problems.extend(unreadable(&plan));
                compared.push(audit.compared_with(&plan));
            }
            Err(found) => {
                problems.extend(found);
                compared.push(audit);
            }
        }
    }
    Ok((compared, problems))
}

fn write(arguments: &AuditArguments, audits: &[Audit]) {
    match arguments.output {
        Format::Json => output::json(&json!({ "platforms": audits })),
        Format::Html => output::print(&Page { audits, command: &command(arguments) }.to_string()),
        Format::Text => {
            let colour = output::is_colourful();
            let texts: Vec<String> = audits.iter().map(|audit| Text { audit, colour }.to_string()).collect();
            output::print(&texts.join("\n"));
        }
    }
}

/// The command line that makes the same output again.
fn command(arguments: &AuditArguments) -> String {
    let files = arguments.files.iter().map(|file| format!(" -f {}", file.display()));
    let live = if arguments.live { " --live" } else { "" };
    format!("aiplatform audit{} -o html{live}", files.collect::<String>())
}
