//! `aiplatform install-check`: what is missing before the first platform. It asks, and judges nothing: that is
//! [`crate::install_check`].

mod aws;
mod cluster;

use clap::{Args, ValueEnum};

use super::operator_policy::Scope;
use super::{AwsArguments, Error, MISSING, OperatorPolicyArguments, SUCCESS, namespace, output, run};
use crate::install_check::Report;

/// Arguments of `install-check`.
#[derive(Args, Debug, Clone)]
pub(super) struct InstallCheckArguments {
    /// A namespace that the operator watches; may be repeated. Default: all of them
    #[arg(long = "namespace", value_name = "NAME", env = "AIPLATFORM_NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    namespaces: Vec<String>,
    /// Whose rights in the cluster are checked, such as system:serviceaccount:aiplatform-system:aiplatform. Default: those of
    /// the kubeconfig, or of the pod
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// The role, or user, whose IAM permissions are checked. Default: that of the credentials
    #[arg(long, value_name = "ARN", value_parser = holder)]
    role_arn: Option<String>,
    /// A region whose endpoints are checked; may be repeated. Default: those that the guardrails name, else that of the
    /// environment
    #[arg(long = "region", value_name = "REGION", value_parser = region)]
    regions: Vec<String>,
    #[command(flatten)]
    policy: OperatorPolicyArguments,
    #[command(flatten)]
    aws: AwsArguments,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

pub(super) fn install_check(arguments: &InstallCheckArguments) -> Result<u8, Error> {
    let scope = Scope::read(&arguments.policy)?;
    let report = run::runtime()?.block_on(check(arguments, &scope))?;
    match arguments.output {
        Format::Text => output::print(&report)?,
        Format::Json => output::json(&report)?,
    }
    Ok(if report.is_complete() { SUCCESS } else { MISSING })
}

async fn check(arguments: &InstallCheckArguments, scope: &Scope<'_>) -> Result<Report, Error> {
    let cluster = cluster::check(arguments).await?;
    let aws = aws::check(arguments, scope, cluster.name.as_deref()).await?;
    Ok(Report::new(cluster.findings.into_iter().chain(aws).collect()))
}

/// The ARN of a role or a user, which policies belong to.
fn holder(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_holder = match parts.as_slice() {
        ["arn", _, "iam", "", account, resource] => {
            account.len() == 12
                && account.chars().all(|digit| digit.is_ascii_digit())
                && ["role/", "user/"]
                    .iter()
                    .any(|kind| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
        }
        _ => false,
    };
    is_holder.then(|| text.to_string()).ok_or_else(|| {
        format!("{text:?} is not the ARN of a role or user, such as arn:aws:iam::123456789012:role/aiplatform-operator")
    })
}

/// The name of a region, which becomes a part of host names.
fn region(text: &str) -> Result<String, String> {
    let is_sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    let is_region = text.contains('-') && text.chars().all(is_sign) && !text.starts_with('-') && !text.ends_with('-');
    is_region.then(|| text.to_string()).ok_or_else(|| format!("{text:?} is not a region such as eu-west-1"))
}
