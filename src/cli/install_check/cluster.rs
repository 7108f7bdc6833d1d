//! What the cluster says: its API server, its definition, the operator's rights, and what some platforms use.

use std::time::Duration;

use axum::http::Request;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::client::Body;
use kube::{Api, Client};

use super::InstallCheckArguments;
use crate::cli::{Error, run};
use crate::install_check::clock::{self, GivenTime};
use crate::install_check::cluster::{self as judgement, POD_IDENTITY_AGENT, Version};
use crate::install_check::rights::{self, Answers, OPERATOR_NAMESPACE, Rights};
use crate::install_check::{Check, Finding};
use crate::provider::cluster::Cluster;
use crate::readiness::served_definition;

/// The time that one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reviews in flight.
const CONCURRENT_REVIEWS: usize = 16;

/// What was found about the cluster.
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// The cluster's name in owner tags, where it is known.
    pub(super) name: Option<String>,
}

pub(super) async fn check(arguments: &InstallCheckArguments) -> Result<Found, Error> {
    let given = arguments.policy.cluster.cluster_name.clone();
    let config = match run::cluster().await {
        Ok(config) => config,
        Err(error) => return Ok(without_cluster(given, &error)),
    };
    let url = config.cluster_url.to_string().trim_end_matches('/').to_string();
    let client = match run::guarded(|| Client::try_from(config)) {
        Ok(client) => client,
        Err(error) => return Ok(without_cluster(given, &error)),
    };
    let version = version(&client).await;
    if matches!(version, Version::Unauthorized(_) | Version::Silent(_)) {
        return Ok(unasked(judgement::api_server(&url, &version), given));
    }
    let mut findings = vec![judgement::api_server(&url, &version)];
    findings.push(match time(&client).await {
        Ok(given) => clock::judge("the API server", given.as_ref(), "its answer has none"),
        Err(why) => clock::judge("the API server", None, &why),
    });
    findings.push(judgement::definition(&served_definition(&client).await));
    let (named, name) = cluster_name(&client, arguments).await;
    findings.push(named);
    findings.extend(check_rights(&client, arguments).await?);
    findings.extend(optional(&client).await);
    Ok(Found { findings, name })
}

/// Nothing can be found out.
fn without_cluster(name: Option<String>, error: &Error) -> Found {
    unasked(Finding::missing(Check::ApiServer, error.to_string(), "run this where kubectl finds the cluster"), name)
}

/// Nothing else can be found out.
fn unasked(api_server: Finding, name: Option<String>) -> Found {
    let unknown = [Check::Definition, Check::Rights]
        .map(|check| Finding::unknown(check, "nobody could be asked", "see to the API server first"));
    Found { findings: std::iter::once(api_server).chain(unknown).collect(), name }
}

async fn version(client: &Client) -> Version {
    match tokio::time::timeout(PATIENCE, client.apiserver_version()).await {
        Ok(Ok(version)) => Version::Known(version.major, version.minor),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => Version::Unauthorized(status.message),
        Ok(Err(kube::Error::Api(status))) => Version::Refused(status.message),
        Ok(Err(error)) => Version::Silent(error.to_string()),
        Err(_) => Version::Silent(format!("timed out after {} seconds", PATIENCE.as_secs())),
    }
}

async fn cluster_name(client: &Client, arguments: &InstallCheckArguments) -> (Finding, Option<String>) {
    match run::cluster_name(client, &arguments.policy.cluster).await {
        Ok(name) => (Finding::ok(Check::ClusterName, format!("{name} in owner tags")), Some(name)),
        Err(error) => {
            let way_out = "allow it, or set --cluster-name here and for run";
            (Finding::missing(Check::ClusterName, error.to_string(), way_out), None)
        }
    }
}

/// The time in an answer of the API server.
async fn time(client: &Client) -> Result<Option<GivenTime>, String> {
    let request = Request::get("/version").body(Body::empty()).map_err(|error| error.to_string())?;
    let answer = within(client.send(request)).await?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    Ok(date.map(|date| GivenTime { date: date.into(), received: Timestamp::now() }))
}

async fn check_rights(client: &Client, arguments: &InstallCheckArguments) -> Result<Vec<Finding>, Error> {
    let who = match &arguments.user {
        Some(user) => user.clone(),
        None => match own_name(client).await {
            Ok(name) => name,
            Err(why) => {
                let message = format!("the API server does not say who asks ({why})");
                return Ok(vec![Finding::unknown(
                    Check::Rights,
                    message,
                    "say whose rights are to be checked with --as",
                )]);
            }
        },
    };
    let is_named = arguments.policy.cluster.cluster_name.is_some();
    let needed = rights::needed(&arguments.namespaces, &own_namespace(arguments.user.as_deref()), is_named)?;
    let user = arguments.user.as_deref();
    let reviewed = stream::iter(&needed).map(|rights| async move { (rights, answers(client, user, rights).await) });
    let reviewed: Vec<(&Rights, Answers)> = reviewed.buffered(CONCURRENT_REVIEWS).collect().await;
    Ok(reviewed.iter().flat_map(|(rights, answers)| rights.judge(&who, answers)).collect())
}

/// The namespace of the operator: that of its service account, of this pod, or the one of the manifests.
fn own_namespace(user: Option<&str>) -> String {
    let of_account = user.and_then(|user| user.strip_prefix("system:serviceaccount:")?.split(':').next());
    let of_pod = || std::env::var("POD_NAMESPACE").ok();
    of_account.map(Into::into).or_else(of_pod).unwrap_or_else(|| OPERATOR_NAMESPACE.into())
}

/// The name under which the API server knows whoever asks.
async fn own_name(client: &Client) -> Result<String, String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let answer = within(reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let name = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    Ok(name.unwrap_or_else(|| "whoever this is".into()))
}

async fn answers(client: &Client, user: Option<&str>, rights: &Rights) -> Answers {
    let mut answers = Vec::new();
    for verb in &rights.verbs {
        answers.push((verb.clone(), review(client, user, rights, verb).await));
    }
    answers
}

async fn review(client: &Client, user: Option<&str>, rights: &Rights, verb: &str) -> Result<bool, String> {
    let attributes = ResourceAttributes {
        namespace: rights.namespace.clone(),
        group: Some(rights.group.clone()),
        resource: Some(rights.resource.clone()),
        subresource: rights.subresource.clone(),
        name: rights.name.clone(),
        verb: Some(verb.into()),
        ..ResourceAttributes::default()
    };
    let status = if let Some(user) = user {
        let spec = SubjectAccessReviewSpec {
            user: Some(user.into()),
            groups: Some(groups(user)),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        within(reviews.create(&PostParams::default(), &review)).await?.status
    } else {
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        within(reviews.create(&PostParams::default(), &review)).await?.status
    };
    let status = status.ok_or("the review has no answer")?;
    // An authorizer that failed may be the one that would have allowed it.
    match status.evaluation_error.filter(|_| !status.allowed) {
        Some(error) => Err(error),
        None => Ok(status.allowed),
    }
}

/// The groups of a user. Source: "Service account tokens", Kubernetes documentation, "Authenticating".
fn groups(user: &str) -> Vec<String> {
    let mut groups = vec!["system:authenticated".to_string()];
    if let Some((namespace, _)) = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        groups.push("system:serviceaccounts".into());
        groups.push(format!("system:serviceaccounts:{namespace}"));
    }
    groups
}

async fn optional(client: &Client) -> Vec<Finding> {
    let cluster = Cluster::new(client.clone());
    let mut findings = Vec::new();
    for optional in judgement::optional_apis() {
        let served = cluster.serves(&optional.api).await.map_err(|error| error.to_string());
        findings.push(judgement::optional_api(&optional, &served));
    }
    let (namespace, name) = POD_IDENTITY_AGENT;
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
    let found = within(sets.get_opt(name)).await.map(|found| found.is_some());
    findings.push(judgement::pod_identity_agent(&found));
    findings
}

/// An answer of the API server, or why there is none.
async fn within<T>(answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(status.message),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("timed out after {} seconds", PATIENCE.as_secs())),
    }
}
