//! Validation of `spec.models[].kubernetes`.
//!
//! Limits are those of the Kubernetes API reference.

use std::collections::BTreeMap;

use super::artifact::{bad_key, key_of};
use super::storage::undeclared;
use super::{Problem, is_subdomain, validate_range};
use crate::api::AIPlatformSpec;
use crate::api::kubernetes::{
    Engine, EnvVar, Kubernetes, Peer, PodAutoscaling, Resources, S3Source, Source, TaintEffect, Toleration,
    TolerationOperator,
};
use crate::features::inference::engine;
use crate::names;
use crate::quantity::Quantity;

pub(super) fn validate(spec: &AIPlatformSpec, model: &Kubernetes, path: &str, problems: &mut Vec<Problem>) {
    if model.engine == Engine::Custom && model.image.is_none() {
        problems.push(Problem::new(format!("{path}.image"), "is missing: the Custom engine has no default image"));
    }
    validate_source(spec, model, path, problems);
    validate_environment(&model.env, &format!("{path}.env"), problems);
    validate_resources(&model.resources, &format!("{path}.resources"), problems);
    validate_labels(&model.node_selector, &format!("{path}.nodeSelector"), problems);
    for (index, toleration) in model.tolerations.iter().enumerate() {
        validate_toleration(toleration, &format!("{path}.tolerations[{index}]"), problems);
    }
    let seconds = Some(model.startup_timeout_seconds);
    validate_range(seconds, 30..=86_400, format!("{path}.startupTimeoutSeconds"), problems);
    validate_range(model.replicas, 0..=1000, format!("{path}.replicas"), problems);
    if let Some(autoscaling) = &model.autoscaling {
        validate_autoscaling(model, autoscaling, &format!("{path}.autoscaling"), problems);
        if model.replicas.is_some() {
            let message = "goes without autoscaling, which owns the number of pods: take one of the two out";
            problems.push(Problem::new(format!("{path}.replicas"), message));
        }
    }
    validate_range(
        model.rollout.as_ref().map(|rollout| rollout.max_surge),
        0..=100,
        format!("{path}.rollout.maxSurge"),
        problems,
    );
    for (index, peer) in model.allow_from.iter().enumerate() {
        validate_peer(peer, &format!("{path}.allowFrom[{index}]"), problems);
    }
    if model.engine == Engine::TorchServe && model.api_key_secret_ref.is_some() {
        let message = "TorchServe takes no API key: leave it out, and say in allowFrom who may call";
        problems.push(Problem::new(format!("{path}.apiKeySecretRef"), message));
    }
    problems.extend(engine::problems(model, path));
}

fn validate_source(spec: &AIPlatformSpec, model: &Kubernetes, path: &str, problems: &mut Vec<Problem>) {
    let path = format!("{path}.source");
    let Some(source) = &model.source else {
        if model.engine != Engine::Custom {
            let message = "is missing: say where the weights are, with one of huggingFace, s3 and pvc; only the Custom \
                           engine goes without";
            problems.push(Problem::new(path, message));
        }
        return;
    };
    let Source { hugging_face, s3, pvc } = source;
    if [hugging_face.is_some(), s3.is_some(), pvc.is_some()].into_iter().filter(|is_there| *is_there).count() != 1 {
        problems.push(Problem::new(path, "takes exactly one of huggingFace, s3 and pvc"));
        return;
    }
    if model.engine == Engine::TorchServe && hugging_face.is_some() {
        let message = "is nothing that TorchServe loads: it serves model archives (.mar) from s3 or a pvc";
        problems.push(Problem::new(format!("{path}.huggingFace"), message));
    }
    if let Some(source) = s3 {
        validate_s3(spec, source, &format!("{path}.s3"), problems);
    }
    if let Some(folder) = pvc.as_ref().map(|volume| &volume.path) {
        let leaves = folder.split('/').any(|part| part == "..");
        if !folder.starts_with('/') || leaves {
            let message = format!(
                "{folder:?} is not a folder in the volume: write it from the volume's root, such as /qwen, without .."
            );
            problems.push(Problem::new(format!("{path}.pvc.path"), message));
        }
    }
}

fn validate_s3(spec: &AIPlatformSpec, source: &S3Source, path: &str, problems: &mut Vec<Problem>) {
    if spec.identity.is_none() {
        let message = "needs spec.identity, which says how the pods get the AWS credentials to read it: set \
                       spec.identity.irsa or spec.identity.podIdentity";
        problems.push(Problem::new(path, message));
    }
    let (field, value, prefix) = match (&source.bucket, &source.prefix, &source.uri) {
        (Some(bucket), Some(prefix), None) => {
            problems.extend(undeclared(spec, bucket).map(|message| Problem::new(format!("{path}.bucket"), message)));
            ("prefix", prefix, Some(prefix.as_str()))
        }
        (None, None, Some(uri)) => ("uri", uri, key_of(uri)),
        _ => {
            problems.push(Problem::new(path, "takes either bucket and prefix, or uri"));
            return;
        }
    };
    let limit = if field == "prefix" { 900 } else { 1024 };
    let why = match prefix {
        None => "is not an S3 URI, such as s3://BUCKET/models/qwen/".to_string(),
        Some(_) if value.len() > limit => format!("has {} bytes: at most {limit} are allowed", value.len()),
        Some(prefix) if !prefix.ends_with('/') || prefix == "/" => {
            "does not end in /: name the folder below which the weights are".into()
        }
        Some(prefix) => match bad_key(prefix) {
            Some(why) => why.into(),
            None => return,
        },
    };
    problems.push(Problem::new(format!("{path}.{field}"), format!("{value:?} {why}")));
}

fn validate_environment(variables: &[EnvVar], path: &str, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, variable) in variables.iter().enumerate() {
        let name = &variable.name;
        let path = format!("{path}[{index}]");
        if let Some(first) = seen.insert(name, index) {
            let message = format!("{name:?} is the name of env[{first}] too: names are unique");
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        let allowed = |it: char| it.is_ascii_alphanumeric() || "_.-".contains(it);
        if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) || !name.chars().all(allowed) {
            let message = format!(
                "{name:?} is not the name of an environment variable: letters, digits and _ . -, and no digit first"
            );
            problems.push(Problem::new(format!("{path}.name"), message));
        }
        let Some(source) = &variable.value_from else { continue };
        if variable.value.is_some() {
            problems.push(Problem::new(&path, "takes value or valueFrom, and not both"));
        }
        if source.secret_key_ref.is_some() == source.config_map_key_ref.is_some() {
            let message = "takes exactly one of secretKeyRef and configMapKeyRef";
            problems.push(Problem::new(format!("{path}.valueFrom"), message));
        }
    }
}

/// The prefix of a device's name under which a quota for it is kept, so that the name has to be one with it as well.
///
/// Source: `IsExtendedResourceName` of k8s.io/kubernetes.
const QUOTA_PREFIX: &str = "requests.";

fn validate_resources(resources: &Resources, path: &str, problems: &mut Vec<Problem>) {
    validate_range(Some(resources.gpus), 0..=64, format!("{path}.gpus"), problems);
    let name = &resources.gpu_resource;
    let is_key = name.contains('/') && why_no_key(name).is_none();
    if !is_key || name.starts_with(QUOTA_PREFIX) || why_no_key(&format!("{QUOTA_PREFIX}{name}")).is_some() {
        let message = format!("{name:?} is not the name of a device, such as nvidia.com/gpu or aws.amazon.com/neuron");
        problems.push(Problem::new(format!("{path}.gpuResource"), message));
    }
    let amounts = [
        ("cpu", resources.cpu.as_deref()),
        ("memory", resources.memory.as_deref()),
        ("sharedMemory", Some(resources.shared_memory.as_str())),
    ];
    let mut parsed: BTreeMap<&str, Quantity> = BTreeMap::new();
    for (field, text) in amounts.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        match text.parse::<Quantity>() {
            Err(error) => problems.push(Problem::new(format!("{path}.{field}"), error.to_string())),
            Ok(amount) if !amount.is_positive() => {
                let message = format!("{text:?} is nothing: give more than zero, or leave it out");
                problems.push(Problem::new(format!("{path}.{field}"), message));
            }
            Ok(amount) if why_not_kept(field, amount).is_some() => {
                let why = why_not_kept(field, amount).unwrap_or_default();
                problems.push(Problem::new(format!("{path}.{field}"), format!("{text:?} {why}")));
            }
            Ok(amount) => {
                parsed.insert(field, amount);
            }
        }
    }
    if let (Some(memory), Some(shared)) = (parsed.get("memory"), parsed.get("sharedMemory"))
        && shared > memory
    {
        let message = format!(
            "{:?} is more than memory {:?}, of which it is a part: the pod would be killed before it is used",
            resources.shared_memory,
            resources.memory.as_deref().unwrap_or_default()
        );
        problems.push(Problem::new(format!("{path}.sharedMemory"), message));
    }
}

/// The reason for which the API server would keep another amount than this, or a node could not give it.
///
/// Source: `SetDefaults_ResourceList` of k8s.io/kubernetes, which rounds up to thousandths, and the largest quantity of
/// k8s.io/apimachinery, to which a larger one is cut.
fn why_not_kept(field: &str, amount: Quantity) -> Option<&'static str> {
    let is_of_cpu = field == "cpu";
    if amount > Quantity::whole(i64::MAX) {
        return Some(
            "is more than the API server keeps: at most 9223372036854775807, which is 8Ei less one, is allowed",
        );
    }
    if is_of_cpu && !amount.is_whole_in_thousandths() {
        return Some("is finer than a thousandth of a CPU: write it in thousandths, such as 500m");
    }
    let is_bytes = !is_of_cpu && amount.as_whole().is_none();
    is_bytes
        .then_some("is no whole number of bytes: m stands for thousandths; write M or Mi for megabytes, as in 512Mi")
}

fn validate_autoscaling(model: &Kubernetes, autoscaling: &PodAutoscaling, path: &str, problems: &mut Vec<Problem>) {
    let (least, most) = (autoscaling.min_replicas, autoscaling.max_replicas);
    validate_range(Some(least), 1..=1000, format!("{path}.minReplicas"), problems);
    validate_range(Some(most), 1..=1000, format!("{path}.maxReplicas"), problems);
    if least > most {
        let message = format!("{least} is greater than maxReplicas {most}");
        problems.push(Problem::new(format!("{path}.minReplicas"), message));
    }
    let target = &autoscaling.target;
    let given = [
        ("queueDepth", target.queue_depth, 100_000),
        ("cpuPercent", target.cpu_percent, 1000),
        ("concurrentRequests", target.concurrent_requests, 100_000),
    ];
    for (field, value, limit) in given {
        validate_range(value, 1..=limit, format!("{path}.target.{field}"), problems);
        if value.is_some() && field != "cpuPercent" && engine::queue_metrics(model.engine).is_none() {
            let message = "is a metric of VLLM and TGI: scale this engine by cpuPercent";
            problems.push(Problem::new(format!("{path}.target.{field}"), message));
        }
    }
    if given.iter().filter(|(_, value, _)| value.is_some()).count() != 1 {
        let message = "takes exactly one of queueDepth, cpuPercent and concurrentRequests";
        problems.push(Problem::new(format!("{path}.target"), message));
    }
    if target.cpu_percent.is_some() && model.resources.cpu.is_none() {
        let message = "is a share of resources.cpu, which is missing: set it";
        problems.push(Problem::new(format!("{path}.target.cpuPercent"), message));
    }
}

fn validate_toleration(toleration: &Toleration, path: &str, problems: &mut Vec<Problem>) {
    let exists = toleration.operator == Some(TolerationOperator::Exists);
    match &toleration.key {
        Some(key) => {
            let why = why_no_key(key).map(|why| Problem::new(format!("{path}.key"), format!("{key:?} {why}")));
            problems.extend(why);
        }
        None if !exists => {
            let message = "is missing: a toleration without a key tolerates everything, and its operator is Exists";
            problems.push(Problem::new(format!("{path}.key"), message));
        }
        None => {}
    }
    if let Some(value) = &toleration.value {
        if exists {
            let message = format!("{value:?} goes with the operator Equal: Exists tolerates any value");
            problems.push(Problem::new(format!("{path}.value"), message));
        }
        let why = why_no_value(value).map(|why| Problem::new(format!("{path}.value"), format!("{value:?} {why}")));
        problems.extend(why);
    }
    if toleration.toleration_seconds.is_some() && toleration.effect != Some(TaintEffect::NoExecute) {
        let message = "goes with the effect NoExecute";
        problems.push(Problem::new(format!("{path}.tolerationSeconds"), message));
    }
}

fn validate_peer(peer: &Peer, path: &str, problems: &mut Vec<Problem>) {
    if peer.namespace_labels.is_empty() && peer.pod_labels.is_empty() {
        let message = "has no labels, which would let everybody in: set namespaceLabels or podLabels";
        problems.push(Problem::new(path, message));
    }
    validate_labels(&peer.namespace_labels, &format!("{path}.namespaceLabels"), problems);
    validate_labels(&peer.pod_labels, &format!("{path}.podLabels"), problems);
}

fn validate_labels(labels: &BTreeMap<String, String>, path: &str, problems: &mut Vec<Problem>) {
    for (key, value) in labels {
        let path = format!("{path}[{key:?}]");
        problems.extend(why_no_key(key).map(|why| Problem::new(&path, format!("{key:?} {why}"))));
        problems.extend(why_no_value(value).map(|why| Problem::new(&path, format!("{value:?} {why}"))));
    }
}

/// The reason for which a text cannot be the key of a label.
fn why_no_key(key: &str) -> Option<&'static str> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let good = prefix.is_none_or(is_subdomain) && !name.is_empty() && why_no_value(name).is_none();
    (!good).then_some(
        "is not the key of a label: a name of at most 63 letters, digits and - _ ., after a domain and / if any",
    )
}

/// The reason for which a text cannot be the value of a label.
fn why_no_value(value: &str) -> Option<&'static str> {
    let edge = |it: char| it.is_ascii_alphanumeric();
    let good = value.len() <= 63
        && value.chars().all(|it| edge(it) || "-_.".contains(it))
        && value.chars().next().is_none_or(edge)
        && value.chars().last().is_none_or(edge);
    (!good).then_some(
        "is not the value of a label: at most 63 letters, digits and - _ ., with a letter or digit at both ends",
    )
}

/// Names that objects in the cluster would have and cannot, or that two of them would have.
pub(super) fn validate_names(spec: &AIPlatformSpec, namespace: &str, platform: &str, problems: &mut Vec<Problem>) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (index, model) in spec.models.iter().enumerate().filter(|(_, model)| model.kubernetes.is_some()) {
        let name = names::in_cluster(&spec.account_id, &spec.region, namespace, platform, &model.name);
        if name.starts_with(|it: char| it.is_ascii_digit()) {
            let message = format!(
                "the service of this model would be called {name:?}, and the name of a service begins with a letter: a \
                 platform that serves models in the cluster has a name that begins with a letter"
            );
            problems.push(Problem::new(format!("spec.models[{index}].kubernetes"), message));
        }
        taken.insert(name, index);
    }
    for (index, consumer) in spec.access.iter().enumerate() {
        let Some(account) = &consumer.service_account else { continue };
        let is_here = account.namespace.as_deref().is_none_or(|other| other == namespace);
        if let Some(model) = taken.get(&account.name).filter(|_| is_here) {
            let message = format!(
                "{:?} is the service account of the pods of spec.models[{model}]: give the consumer one of its own",
                account.name
            );
            problems.push(Problem::new(format!("spec.access[{index}].serviceAccount.name"), message));
        }
    }
}
