//! What AWS says: whose the credentials are, which services answer, what time it is, and what policies allow.

use futures::{StreamExt, stream};

use super::InstallCheckArguments;
use crate::cli::Error;
use crate::cli::operator_policy::Scope;
use crate::failure;
use crate::install_check::aws::{self as judgement, Holder, Identity};
use crate::install_check::permissions::{self, Simulated, Simulation};
use crate::install_check::{Check, Finding, clock};
use crate::provider::aws::Aws;

/// Simulations in flight: IAM throttles whoever asks much.
const CONCURRENT_SIMULATIONS: usize = 4;

pub(super) async fn check(
    arguments: &InstallCheckArguments,
    scope: &Scope<'_>,
    cluster: Option<&str>,
) -> Result<Vec<Finding>, Error> {
    let aws = Aws::for_checks(arguments.aws.s3_path_style).await;
    let home = aws.home().region;
    let identity = aws.own_identity().await;
    let mut findings = vec![judgement::credentials(&identity, &scope.guardrails)];
    let regions = judgement::regions(&arguments.regions, &scope.guardrails, &home);
    let has_drift_events = arguments.policy.drift_events;
    let probes =
        stream::iter(&regions).then(|region| Box::pin(aws.probe(region, has_drift_events))).collect::<Vec<_>>().await;
    let (probes, times): (Vec<_>, Vec<_>) = probes.into_iter().flatten().unzip();
    let time = times.into_iter().flatten().next();
    findings.push(clock::judge("AWS", time.as_ref(), "nothing of it answers"));
    findings.extend(probes.iter().map(judgement::Probe::judge));
    findings.extend(check_permissions(&aws, arguments, scope, (&identity, cluster), &home).await?);
    Ok(findings)
}

async fn check_permissions(
    aws: &Aws,
    arguments: &InstallCheckArguments,
    scope: &Scope<'_>,
    (identity, cluster): (&Result<Identity, failure::Error>, Option<&str>),
    home: &str,
) -> Result<Vec<Finding>, Error> {
    let unknown = |message: &str, way_out: &str| Ok(vec![Finding::unknown(Check::Permission, message, way_out)]);
    let Ok(identity) = identity else {
        return unknown("what policies allow is not known without credentials", "see to the credentials first");
    };
    let Some(cluster) = cluster else {
        return unknown("the policies name the cluster, which is not known", "set --cluster-name");
    };
    let holder = match (arguments.role_arn.clone(), identity.holder()) {
        (Some(arn), _) | (None, Holder::Entity(arn)) => arn,
        (None, Holder::Role(name)) => match aws.role_arn(&name).await {
            Ok(arn) => arn,
            Err(error) => {
                let message = format!("the path of the role {name} is not known ({error})");
                return unknown(&message, "name it with --role-arn");
            }
        },
        (None, Holder::Other) => {
            let message = format!("{} has no policies that can be asked about", identity.arn);
            return unknown(&message, "name the operator's role with --role-arn");
        }
    };
    let policies = scope.policies(cluster)?;
    let account = holder.split(':').nth(4).unwrap_or(&identity.account);
    let simulations = permissions::simulations(&policies, account, home);
    let results = simulate(aws, &holder, &simulations).await;
    let mut findings = permissions::report(&holder, &simulations, &results);
    findings.extend(permissions::of_others(&policies));
    Ok(findings)
}

/// The results of simulations, in their order, up to the first that IAM refuses: it would refuse the others too.
async fn simulate(aws: &Aws, holder: &str, simulations: &[Simulation]) -> Vec<Result<Vec<Simulated>, failure::Error>> {
    let results = stream::iter(simulations).map(|simulation| aws.simulate(holder, simulation));
    let mut results = results.buffered(CONCURRENT_SIMULATIONS);
    let mut found = Vec::new();
    while let Some(result) = results.next().await {
        let is_refused = result.is_err();
        found.push(result);
        if is_refused {
            break;
        }
    }
    found
}
