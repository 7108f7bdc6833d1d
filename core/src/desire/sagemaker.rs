//! The desired resources of a model on SageMaker: a model and an endpoint configuration for its current revision, an
//! endpoint that runs it, and what scales the endpoint.

use super::network;
use crate::api::autoscaling::{Autoscaling, Schedule, Target};
use crate::api::sagemaker::{Destination, Instance, Logs, ModelData, Rollout, SageMaker, Strategy};
use crate::arn;
use crate::features::sagemaker::log_group::{self, LogGroup};
use crate::grants::{execution_role_arn, execution_role_name};
use crate::names::{self, SAGEMAKER_LIMIT};
use crate::platform::Platform;
use crate::resource::endpoint::{self, Deployment, Endpoint, Shift};
use crate::resource::endpoint_config::{self, Capacity, EndpointConfig};
use crate::resource::model::{self, Model};
use crate::resource::scaling::{
    Bounds, Dimension, ScalableResource, ScalableTarget, ScalingPolicy, ScheduledAction, Tracking,
};
use crate::resource::{Desired, Key, Kind, Removal, Resource};
use crate::tags::Tags;

/// Application Auto Scaling's own cooldown for SageMaker, in seconds; sent as a number so that it is compared.
const COOLDOWN: i32 = 300;

/// Seconds that a step of a rollout is watched unless the spec says otherwise.
pub const WAIT: i32 = 300;

pub(super) fn desire(platform: &Platform, tags: &Tags) -> Vec<Desired> {
    let served = platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.sagemaker()?)));
    served.flat_map(|(name, spec)| of_model(platform, name, spec, tags)).collect()
}

/// The name of the endpoint of a model.
#[must_use]
pub fn endpoint_name(platform: &Platform, model: &str) -> String {
    let Platform { account_id, region, namespace, name, .. } = platform;
    names::generated(account_id, region, namespace, name, model, SAGEMAKER_LIMIT)
}

/// The prefix of the names of all revisions of a model and of its endpoint configuration, up to the hash of the
/// content and the hyphen before it.
#[must_use]
pub fn revised_name(platform: &Platform, model: &str) -> String {
    let Platform { account_id, region, namespace, name, .. } = platform;
    names::revised(account_id, region, namespace, name, model, SAGEMAKER_LIMIT)
}

/// The name of a model with its current content.
#[must_use]
pub fn model_name(platform: &Platform, model: &str, spec: &SageMaker) -> String {
    names::revision_with(&revised_name(platform, model), &content(platform, model, spec))
}

/// The name of an endpoint configuration with its current content.
#[must_use]
pub fn config_name(platform: &Platform, model: &str, spec: &SageMaker) -> String {
    let content = config_content(platform, &model_name(platform, model, spec), spec);
    names::revision_with(&revised_name(platform, model), &content)
}

/// The S3 URI of a model's artifact.
#[must_use]
pub fn data_uri(platform: &Platform, data: &ModelData) -> Option<String> {
    match (&data.uri, &data.bucket, &data.key) {
        (Some(uri), _, _) => Some(uri.clone()),
        (None, Some(bucket), Some(key)) => Some(format!("s3://{}/{key}", bucket_name(platform, bucket)?)),
        _ => None,
    }
}

/// The S3 URI of a place to write to.
#[must_use]
pub fn destination_uri(platform: &Platform, destination: &Destination) -> String {
    let bucket = bucket_name(platform, &destination.bucket).unwrap_or_default();
    format!("s3://{bucket}/{}", destination.prefix)
}

fn of_model(platform: &Platform, name: &str, spec: &SageMaker, tags: &Tags) -> Vec<Desired> {
    let sagemaker_arn = |kind: &str, name: &str| arn::sagemaker(&platform.region, &platform.account_id, kind, name);
    let revised = revised_name(platform, name);
    let model = model(platform, name, spec, tags);
    let variant = config_content(platform, &model.name, spec);
    let config_name = names::revision_with(&revised, &variant);
    let mut config_needs = vec![Key { kind: Kind::SageMakerModel, name: model.name.clone() }];
    // The role must be able to do what this revision needs before an endpoint moves to it.
    config_needs.extend(model.needs.iter().filter(|need| need.kind == Kind::Role).cloned());
    let written =
        [spec.asynchronous.as_ref().map(|it| &it.output), spec.data_capture.as_ref().map(|it| &it.destination)];
    config_needs.extend(written.into_iter().flatten().filter_map(|it| bucket_key(platform, &it.bucket)));
    let config = EndpointConfig {
        arn: sagemaker_arn("endpoint-config", &config_name),
        name: config_name.clone(),
        tags: tags.clone(),
        content: variant,
        needs: config_needs,
    };
    let endpoint_name = endpoint_name(platform, name);
    let endpoint = Endpoint {
        arn: sagemaker_arn("endpoint", &endpoint_name),
        name: endpoint_name.clone(),
        tags: tags.clone(),
        config: config_name,
        deployment: spec.rollout.as_ref().map(deployment),
        request_hash: request_hash(spec, platform.reconcile_at.as_deref()),
        keep_revisions: usize::from(spec.keep_revisions),
    };
    let mut resources = vec![
        Resource::SageMakerModel(model),
        Resource::SageMakerEndpointConfig(config),
        Resource::SageMakerEndpoint(endpoint),
    ];
    if let Some(autoscaling) = &spec.autoscaling {
        let dimension =
            if spec.serverless.is_some() { Dimension::ProvisionedConcurrency } else { Dimension::Instances };
        resources.extend(scaling(autoscaling, &ScalableResource::of(&endpoint_name, dimension), tags));
    }
    let remark = spec.instance.as_ref().and_then(left_out);
    let mut desired: Vec<Desired> = resources.into_iter().map(Desired::made).collect();
    desired[1].remarks.extend(remark);
    desired.push(log_group(platform, &endpoint_name, spec, tags));
    desired
}

/// The log group of an endpoint. One that SageMaker made first has no owner, and belongs to the endpoint.
fn log_group(platform: &Platform, endpoint: &str, spec: &SageMaker, tags: &Tags) -> Desired {
    let Logs { retention_days, kms_key_arn } = spec.logs.clone().unwrap_or_default();
    let name = format!("{}{endpoint}", log_group::PREFIX);
    let arn = arn::log_group(&platform.region, &platform.account_id, &name);
    let group = LogGroup { name, arn, retention_days: Some(retention_days), kms_key_arn, tags: tags.clone() };
    Desired { adopt: true, removal: Removal::Retain, ..Desired::made(group.into()) }
}

/// A hash of what the user asks for with this model: its own part of the spec, and the annotation that asks again. What
/// Application Auto Scaling owns is no request: an edit of it alone reaches no endpoint.
fn request_hash(spec: &SageMaker, reconcile_at: Option<&str>) -> String {
    let mut spec = SageMaker { logs: None, ..spec.clone() };
    if spec.autoscaling.is_some() {
        spec.instance.iter_mut().for_each(|instance| instance.count = 1);
        spec.serverless.iter_mut().for_each(|serverless| {
            serverless.provisioned_concurrency = serverless.provisioned_concurrency.map(|_| 1);
        });
    }
    let spec = serde_json::to_string(&spec).unwrap_or_default();
    endpoint::request_hash(&format!("{spec}\n{}", reconcile_at.unwrap_or_default()))
}

fn model(platform: &Platform, name: &str, spec: &SageMaker, tags: &Tags) -> Model {
    let content = content(platform, name, spec);
    let own_role = spec.execution_role_arn.is_none();
    let role = own_role.then(|| Key { kind: Kind::Role, name: execution_role_name(platform, name) });
    let bucket = spec.model_data.as_ref().and_then(|data| bucket_key(platform, data.bucket.as_ref()?));
    let full_name = names::revision_with(&revised_name(platform, name), &content);
    Model {
        arn: arn::sagemaker(&platform.region, &platform.account_id, "model", &full_name),
        name: full_name,
        tags: tags.clone(),
        content,
        needs: role.into_iter().chain(bucket).collect(),
    }
}

/// The current content of a model.
pub(crate) fn content(platform: &Platform, name: &str, spec: &SageMaker) -> model::Content {
    let uri = spec.model_data.as_ref().and_then(|data| data_uri(platform, data));
    model::Content {
        image: spec.image.clone(),
        data: uri.map(|uri| model::Data { uri }),
        environment: spec.environment.clone(),
        execution_role_arn: execution_role_arn(platform, name, spec),
        network_isolation: spec.network_isolation,
        vpc: network::vpc_config(platform, spec),
    }
}

/// The current content of the endpoint configuration of this model.
pub(crate) fn config_content(platform: &Platform, model: &str, spec: &SageMaker) -> endpoint_config::Content {
    let capacity = match (&spec.instance, &spec.serverless) {
        (_, Some(serverless)) => Capacity::Serverless(endpoint_config::Serverless {
            memory_mib: serverless.memory_mib,
            max_concurrency: serverless.max_concurrency,
            provisioned_concurrency: serverless.provisioned_concurrency,
        }),
        (instance, None) => Capacity::Instance(instances(instance.as_ref())),
    };
    endpoint_config::Content {
        model: model.to_string(),
        capacity,
        asynchronous: spec.asynchronous.as_ref().map(|it| endpoint_config::Async {
            output_uri: destination_uri(platform, &it.output),
            max_concurrent_invocations_per_instance: it.max_concurrent_invocations_per_instance,
        }),
        data_capture: spec.data_capture.as_ref().map(|it| endpoint_config::DataCapture {
            destination_uri: destination_uri(platform, &it.destination),
            sampling_percent: it.sampling_percent,
        }),
    }
}

/// Validation has refused a model with neither instances nor a serverless configuration.
fn instances(spec: Option<&Instance>) -> endpoint_config::Instance {
    let volume = spec.filter(|instance| left_out(instance).is_none()).and_then(|instance| instance.volume_size_gib);
    endpoint_config::Instance {
        kind: spec.map(|instance| instance.kind.clone()).unwrap_or_default(),
        count: spec.map_or(1, |instance| instance.count),
        volume_size_gib: volume,
        startup_timeout_seconds: spec.and_then(|instance| instance.startup_timeout_seconds),
        model_download_timeout_seconds: spec.and_then(|instance| instance.model_download_timeout_seconds),
    }
}

/// A remark about a volume that is left out: SageMaker refuses one for instances that have disks of their own.
fn left_out(instance: &Instance) -> Option<String> {
    let size = instance.volume_size_gib.filter(|_| !takes_a_volume(&instance.kind))?;
    let kind = &instance.kind;
    Some(format!(
        "volumeSizeGiB {size} is left out: {kind} has disks of its own, as far as is known here, and SageMaker takes no other"
    ))
}

/// True when SageMaker takes a volume for instances of this type. It refuses one where they have disks of their own,
/// and takes none everywhere: so a family that is not known is not given one, and a new family breaks no deployment.
///
/// Source: "Host instance storage volumes", Amazon SageMaker developer guide; "Instance type naming conventions" and
/// "Accelerated computing", Amazon EC2 instance types guide: a `d` behind the generation stands for disks, and so do the
/// series of accelerated computing since the fifth generation, with the exceptions here.
fn takes_a_volume(instance_type: &str) -> bool {
    const SERIES: [&str; 9] = ["a", "c", "hpc", "inf", "m", "r", "t", "u", "x"];
    const ACCELERATED: [&str; 7] = ["dl2q", "g3", "g3s", "g5g", "p2", "p3", "vt1"];
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    let digits = |it: char| it.is_ascii_digit();
    let Some(generation) = family.find(digits) else { return false };
    let (series, rest) = family.split_at(generation);
    let attributes = rest.trim_start_matches(digits);
    ACCELERATED.contains(&family) || SERIES.contains(&series) && !attributes.contains('d')
}

fn deployment(spec: &Rollout) -> Deployment {
    let termination_wait_seconds = spec.termination_wait_seconds;
    let step_percent = spec.step_percent.unwrap_or(1);
    let shift = match spec.strategy {
        Strategy::AllAtOnce => Shift::AllAtOnce { termination_wait_seconds },
        Strategy::Canary => Shift::Canary { step_percent, termination_wait_seconds },
        Strategy::Linear => Shift::Linear { step_percent, termination_wait_seconds },
        Strategy::Rolling => Shift::Rolling { step_percent },
    };
    let wait = if spec.strategy == Strategy::AllAtOnce { 0 } else { WAIT };
    Deployment {
        shift,
        wait_seconds: spec.wait_seconds.unwrap_or(wait),
        maximum_execution_seconds: spec.maximum_execution_seconds,
        rollback_alarms: spec.rollback_alarms.clone(),
    }
}

fn scaling(spec: &Autoscaling, scaled: &ScalableResource, tags: &Tags) -> Vec<Resource> {
    let bounds = Bounds { min_capacity: spec.min_instances, max_capacity: spec.max_instances };
    let target = ScalableTarget {
        scaled: scaled.clone(),
        bounds,
        tags: tags.clone(),
        scheduled: scheduled_bounds(bounds, &spec.schedules),
    };
    let (name, metric, target_value, derivation) = tracked(&spec.target);
    let policy = ScalingPolicy {
        name: name.into(),
        scaled: scaled.clone(),
        tracking: Some(Tracking {
            metric: metric.into(),
            target_value,
            scale_in_cooldown_seconds: spec.scale_in_cooldown_seconds.unwrap_or(COOLDOWN),
            scale_out_cooldown_seconds: spec.scale_out_cooldown_seconds.unwrap_or(COOLDOWN),
            disable_scale_in: spec.disable_scale_in,
        }),
        derivation,
    };
    let actions = spec.schedules.iter().map(|schedule| scheduled_action(schedule, scaled));
    [Resource::ScalableTarget(target), Resource::ScalingPolicy(policy)].into_iter().chain(actions).collect()
}

/// The bounds that schedules can have set, starting from the declared ones: each changes the fewest, the most or both,
/// and what it set holds until another one comes.
fn scheduled_bounds(declared: Bounds, schedules: &[Schedule]) -> Vec<Bounds> {
    let mut reached = vec![declared];
    let mut next = 0;
    while let Some(from) = reached.get(next).copied() {
        next += 1;
        for schedule in schedules {
            let bounds = Bounds {
                min_capacity: schedule.min_instances.unwrap_or(from.min_capacity),
                max_capacity: schedule.max_instances.unwrap_or(from.max_capacity),
            };
            if !reached.contains(&bounds) {
                reached.push(bounds);
            }
        }
    }
    reached.split_off(1)
}

/// The policy's name, the predefined metric, its value, and how that follows from a load test. One policy for each
/// metric, so that a change of metric puts the new one before the old one goes.
fn tracked(target: &Target) -> (&'static str, &'static str, f64, Option<String>) {
    if let Some(invocations) = &target.invocations_per_instance {
        let (value, derivation) = match (&invocations.load_test, invocations.value) {
            (Some(test), _) => {
                let value = rounded(test.max_requests_per_second * test.safety_factor * 60.0);
                let (requests, factor) = (test.max_requests_per_second, test.safety_factor);
                let sum = format!("{requests} requests per second x {factor} x 60 seconds = {value} per minute");
                (value, Some(sum))
            }
            (None, value) => (value.unwrap_or_default(), None),
        };
        return ("invocations-per-instance", "SageMakerVariantInvocationsPerInstance", value, derivation);
    }
    if let Some(requests) = &target.concurrent_requests_per_model {
        let metric = "SageMakerVariantConcurrentRequestsPerModelHighResolution";
        return ("concurrent-requests-per-model", metric, requests.value, None);
    }
    let value = target.provisioned_concurrency_utilization.as_ref().map(|it| it.value).unwrap_or_default();
    ("provisioned-concurrency-utilization", "SageMakerVariantProvisionedConcurrencyUtilization", value, None)
}

/// To a hundredth, which also takes away what binary fractions add.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn scheduled_action(schedule: &Schedule, scaled: &ScalableResource) -> Resource {
    Resource::ScheduledAction(ScheduledAction {
        name: schedule.name.clone(),
        scaled: scaled.clone(),
        schedule: schedule.schedule.clone(),
        timezone: schedule.timezone.clone().unwrap_or_else(|| "UTC".into()),
        min_capacity: schedule.min_instances,
        max_capacity: schedule.max_instances,
    })
}

fn bucket_name(platform: &Platform, bucket: &str) -> Option<String> {
    platform.bucket(bucket).map(|it| it.bucket_name.clone())
}

fn bucket_key(platform: &Platform, bucket: &str) -> Option<Key> {
    bucket_name(platform, bucket).map(|name| Key { kind: Kind::Bucket, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_volume_is_requested_where_instances_have_disks_or_are_not_known() {
        for own in [
            "g4dn.xlarge",
            "g4ad.xlarge",
            "g5.2xlarge",
            "g6.xlarge",
            "g6e.xlarge",
            "gr6.4xlarge",
            "g6f.large",
            "g7.xlarge",
            "g7e.2xlarge",
            "c6gd.large",
            "m5dn.large",
            "r5d.large",
            "x2idn.16xlarge",
            "p3dn.24xlarge",
            "p4d.24xlarge",
            "p4de.24xlarge",
            "p5.48xlarge",
            "p5e.48xlarge",
            "p5en.48xlarge",
            "p6-b200.48xlarge",
            "p6-b300.48xlarge",
            "p6e-gb200.36xlarge",
            "trn1.2xlarge",
            "trn1n.32xlarge",
            "trn2.48xlarge",
            "dl1.24xlarge",
            "i4i.large",
            "d3.xlarge",
            "p9.large",
            "new1.large",
            "strange.large",
        ] {
            assert!(!takes_a_volume(&format!("ml.{own}")), "{own}");
        }
        for other in [
            "m5.large",
            "m7i.large",
            "m8g.large",
            "c6i.large",
            "c7i-flex.large",
            "inf1.xlarge",
            "inf2.xlarge",
            "p2.xlarge",
            "p3.2xlarge",
            "g5g.xlarge",
            "t2.medium",
            "t3.large",
            "r6i.large",
            "r9i.large",
            "x2iezn.2xlarge",
            "dl2q.24xlarge",
        ] {
            assert!(takes_a_volume(&format!("ml.{other}")), "{other}");
        }
    }

    #[test]
    fn schedules_lead_from_the_declared_bounds_to_others_and_on() {
        let schedule = |name: &str, min, max| Schedule {
            name: name.into(),
            schedule: "rate(1 day)".into(),
            timezone: None,
            min_instances: min,
            max_instances: max,
        };
        let bounds = |min_capacity, max_capacity| Bounds { min_capacity, max_capacity };
        assert!(scheduled_bounds(bounds(2, 8), &[]).is_empty());
        let reached = scheduled_bounds(bounds(2, 8), &[schedule("a", Some(4), None), schedule("b", None, Some(6))]);
        assert_eq!(reached, [bounds(4, 8), bounds(2, 6), bounds(4, 6)]);
    }
}
