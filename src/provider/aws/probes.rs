//! Probes of an installation: whether each service answers, what time it is there, and what the operator's policies allow.
//! None of them changes anything.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use aws_sdk_iam::types::{
    OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail, ResourceSpecificResult, Statement,
};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::Timestamp;

use super::{Aws, failure, iam};
use crate::failure::Error;
use crate::install_check::aws::{Identity, Probe, STS};
use crate::install_check::clock::GivenTime;
use crate::install_check::permissions::{Decision, Simulated, Simulation};
use crate::kind::Service;

/// The role that is asked for and that nobody has, so that the answer says nothing about anybody.
const NO_ROLE: &str = "aiplatform-install-check";

impl Aws {
    /// The identity behind the credentials of the environment.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn own_identity(&self) -> Result<Identity, Error> {
        let identity = self.identity(&self.home()).await?;
        Ok(Identity { account: identity.account, arn: identity.arn })
    }

    /// Asks each service that the operator uses in a region for something small, and for the time.
    pub async fn probe(&self, region: &str, has_drift_events: bool) -> Vec<(Probe, Option<GivenTime>)> {
        let of_services = futures::future::join_all(Service::ALL.into_iter().map(|service| self.ask(service, region)));
        let of_events = async { if has_drift_events { self.ask_for_events(region).await } else { Vec::new() } };
        let (sts, of_services, of_events) = futures::join!(self.ask_for_identity(region), of_services, of_events);
        std::iter::once(sts).chain(of_services).chain(of_events).collect()
    }

    async fn ask_for_events(&self, region: &str) -> Vec<(Probe, Option<GivenTime>)> {
        let clients = self.clients(region, &self.scope_in(region)).await;
        let (queues, rules) = (Seen::default(), Seen::default());
        let sqs = aws_sdk_sqs::Client::new(&clients.config("sqs"));
        let call = sqs.list_queues().max_results(1).customize().interceptor(queues.clone()).send().await;
        let queues = queues.probe("sqs", region, "sqs:ListQueues", &call);
        let events = aws_sdk_eventbridge::Client::new(&clients.config("events"));
        let call = events.list_rules().limit(1).customize().interceptor(rules.clone()).send().await;
        vec![queues, rules.probe("events", region, "events:ListRules", &call)]
    }

    async fn ask_for_identity(&self, region: &str) -> (Probe, Option<GivenTime>) {
        let seen = Seen::default();
        let clients = self.clients(region, &self.scope_in(region)).await;
        let call = clients.sts.get_caller_identity().customize().interceptor(seen.clone()).send().await;
        seen.probe(STS, region, "sts:GetCallerIdentity", &call)
    }

    /// A service that is one for all regions answers as well where it is asked for one of them.
    async fn ask(&self, service: Service, region: &str) -> (Probe, Option<GivenTime>) {
        let seen = Seen::default();
        let clients = self.clients(region, &self.scope_in(region)).await;
        match service {
            Service::S3 => {
                let config = clients.config("s3");
                let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(self.clients.s3_path_style());
                let client = aws_sdk_s3::Client::from_conf(config.build());
                let call = client.list_buckets().max_buckets(1).customize().interceptor(seen.clone()).send().await;
                seen.probe("s3", region, "s3:ListAllMyBuckets", &call)
            }
            Service::Iam => {
                let client = aws_sdk_iam::Client::new(&clients.config("iam"));
                let call = client.get_role().role_name(NO_ROLE).customize().interceptor(seen.clone()).send().await;
                seen.probe("iam", region, iam::action::GET, &call)
            }
            Service::Eks => {
                let client = aws_sdk_eks::Client::new(&clients.config("eks"));
                let call = client.list_clusters().max_results(1).customize().interceptor(seen.clone()).send().await;
                seen.probe("eks", region, "eks:ListClusters", &call)
            }
            Service::SageMaker => {
                let client = aws_sdk_sagemaker::Client::new(&clients.config("sagemaker"));
                let call = client.list_models().max_results(1).customize().interceptor(seen.clone()).send().await;
                seen.probe("sagemaker", region, "sagemaker:ListModels", &call)
            }
            Service::AutoScaling => {
                let client = aws_sdk_applicationautoscaling::Client::new(&clients.config("application-autoscaling"));
                let namespace = aws_sdk_applicationautoscaling::types::ServiceNamespace::Sagemaker;
                let call = client.describe_scalable_targets().service_namespace(namespace).max_results(1);
                let call = call.customize().interceptor(seen.clone()).send().await;
                let action = "application-autoscaling:DescribeScalableTargets";
                seen.probe("application-autoscaling", region, action, &call)
            }
            Service::Logs => {
                let client = aws_sdk_cloudwatchlogs::Client::new(&clients.config("logs"));
                let call = client.describe_log_groups().limit(1).customize().interceptor(seen.clone()).send().await;
                seen.probe("logs", region, "logs:DescribeLogGroups", &call)
            }
            Service::Ec2 => {
                let client = aws_sdk_ec2::Client::new(&clients.config("ec2"));
                let call = client.describe_vpcs().max_results(5).customize().interceptor(seen.clone()).send().await;
                seen.probe("ec2", region, "ec2:DescribeVpcs", &call)
            }
        }
    }

    /// The ARN of a role of the caller's account, with its path.
    ///
    /// # Errors
    /// When IAM does not say.
    pub async fn role_arn(&self, name: &str) -> Result<String, Error> {
        let client = self.iam().await;
        let answer = client.get_role().role_name(name).send().await;
        let answer = answer.map_err(|error| failure::classify(iam::action::GET, name, &error, |_| None))?;
        Ok(answer.role().map(|role| role.arn().to_string()).unwrap_or_default())
    }

    /// The decisions about calls that nobody makes, by the policies of a role or a user.
    ///
    /// # Errors
    /// When IAM does not say.
    pub async fn simulate(&self, holder: &str, simulation: &Simulation) -> Result<Vec<Simulated>, Error> {
        let client = self.iam().await;
        let mut entries = Vec::new();
        for (key, value) in &simulation.context {
            let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
            entries.push(entry.context_key_type(ContextKeyTypeEnum::String).build());
        }
        let resources = (!simulation.resources.is_empty()).then(|| simulation.resources.clone());
        let mut pages = client
            .simulate_principal_policy()
            .policy_source_arn(holder)
            .set_action_names(Some(simulation.actions.clone()))
            .set_resource_arns(resources)
            .set_context_entries(Some(entries))
            .into_paginator()
            .send();
        let mut results = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| failure::classify("iam:SimulatePrincipalPolicy", holder, &error, |_| None))?;
            results.extend(page.evaluation_results().iter().flat_map(simulated));
        }
        Ok(results)
    }

    async fn iam(&self) -> aws_sdk_iam::Client {
        let home = self.home();
        aws_sdk_iam::Client::new(&self.clients(&home.region, &home).await.config("iam"))
    }
}

/// The results for one action: one for each resource, where the simulation was about some.
fn simulated(result: &EvaluationResult) -> Vec<Simulated> {
    let action = result.eval_action_name();
    let is_within_organization =
        result.organizations_decision_detail().is_none_or(OrganizationsDecisionDetail::allowed_by_organizations);
    let of_resources = result.resource_specific_results();
    if of_resources.is_empty() {
        let boundary = result.permissions_boundary_decision_detail();
        return vec![Simulated {
            action: action.into(),
            resource: None,
            decision: decision(result.eval_decision()),
            missing_context: result.missing_context_values().to_vec(),
            policies: policies(result.matched_statements()),
            is_within_boundary: boundary.is_none_or(PermissionsBoundaryDecisionDetail::allowed_by_permissions_boundary),
            is_within_organization,
        }];
    }
    let each = of_resources.iter().map(|result: &ResourceSpecificResult| {
        let boundary = result.permissions_boundary_decision_detail();
        Simulated {
            action: action.into(),
            resource: Some(result.eval_resource_name().into()),
            decision: decision(result.eval_resource_decision()),
            missing_context: result.missing_context_values().to_vec(),
            policies: policies(result.matched_statements()),
            is_within_boundary: boundary.is_none_or(PermissionsBoundaryDecisionDetail::allowed_by_permissions_boundary),
            is_within_organization,
        }
    });
    each.collect()
}

fn decision(decision: &PolicyEvaluationDecisionType) -> Decision {
    match decision {
        PolicyEvaluationDecisionType::Allowed => Decision::Allowed,
        PolicyEvaluationDecisionType::ExplicitDeny => Decision::ExplicitDeny,
        PolicyEvaluationDecisionType::ImplicitDeny => Decision::ImplicitDeny,
        _ => Decision::Unknown,
    }
}

fn policies(statements: &[Statement]) -> Vec<String> {
    statements.iter().filter_map(|statement| statement.source_policy_id().map(Into::into)).collect()
}

/// Sees where a request goes, and the time in its answer.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<(Option<String>, Option<GivenTime>)>>);

impl Seen {
    fn probe<T, E>(
        &self,
        service: &'static str,
        region: &str,
        action: &str,
        call: &Result<T, SdkError<E, Response>>,
    ) -> (Probe, Option<GivenTime>)
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (url, time) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let subject = format!("{service} in region {region}");
        let result = call.as_ref().map(|_| ()).map_err(|error| failure::classify(action, &subject, error, |_| None));
        (Probe { service, region: region.into(), url, result }, time)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seen")
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Seen {
    fn name(&self) -> &'static str {
        "Seen"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        // The scheme and the host, without the path and the query.
        let end = uri.find("://").and_then(|at| uri[at + 3..].find(['/', '?']).map(|end| at + 3 + end));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(uri[..end.unwrap_or(uri.len())].to_string());
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let given = context.response().headers().get("date");
        let given = given.map(|date| GivenTime { date: date.into(), received: Timestamp::now() });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = given;
        Ok(())
    }
}
