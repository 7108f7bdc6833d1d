//! The pod that serves a model.
//!
//! It passes the restricted Pod Security level where its engine can: TGI's image for GPUs runs as root alone.
//! Source: "Pod Security Standards", Kubernetes documentation.

use serde_json::{Map, Value, json};

use super::{Served, copying_image, labels, weights_uri};
use crate::api::kubernetes::{EnvSource, EnvVar, Kubernetes, Resources, SecretKeyRef, Toleration};
use crate::features::inference::engine::{Check, MODEL_FOLDER, Probe, User};
use crate::names;
use crate::tags;

/// The name of the port that answers calls.
pub(super) const HTTP: &str = "http";

/// The name of the port with metrics, where it is another one.
pub(super) const METRICS: &str = "metrics";

/// The script that copies the weights. The AWS CLI is content with a prefix below which there is nothing; an engine would fail on an
/// empty folder in words that name neither.
const COPY: &str = "aws s3 sync \"$1\" \"$2\" --no-progress --only-show-errors || exit; \
                    ls -A \"$2\" | grep -q . || { echo \"there are no objects below $1 yet\" >&2; exit 1; }";

/// A container that fails without a message of its own is known by the end of its log.
const LAST_WORDS: &str = "FallbackToLogsOnError";

/// The name of the container that serves.
const ENGINE: &str = "engine";

/// The template of the deployment, with the revision that it makes in its labels.
pub(super) fn template(served: &Served) -> Value {
    let spec = spec(served);
    let mut labels = labels::of_pods(served);
    let platform = &served.platform.name;
    let label = tags::platform_label(platform);
    let is_cut = label != *platform;
    labels.insert(tags::PLATFORM_LABEL.into(), label);
    labels.insert(tags::REVISION_LABEL.into(), names::hex_digest(&spec.to_string(), 8));
    let mut metadata = json!({"labels": labels});
    if is_cut {
        metadata["annotations"] = json!({tags::PLATFORM_LABEL: platform});
    }
    json!({"metadata": metadata, "spec": spec})
}

fn spec(served: &Served) -> Value {
    let Served { spec, container, name, .. } = served;
    let mut security = json!({"seccompProfile": {"type": "RuntimeDefault"}});
    if container.run_as_non_root {
        security["runAsNonRoot"] = json!(true);
    }
    if let Some(User { uid, gid, volume_gid }) = container.user {
        security["runAsUser"] = json!(uid);
        security["runAsGroup"] = json!(gid);
        security["fsGroup"] = json!(volume_gid);
        security["fsGroupChangePolicy"] = json!("OnRootMismatch");
    }
    let mut pod = json!({
        "serviceAccountName": name,
        "automountServiceAccountToken": false,
        // vLLM reads VLLM_PORT and the like, which links to a service of that name would set.
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": container.termination_grace_seconds,
        "securityContext": security,
        "topologySpreadConstraints": [
            spread("topology.kubernetes.io/zone", served), spread("kubernetes.io/hostname", served)
        ],
        "containers": [engine(served)],
        "volumes": volumes(served),
    });
    if let Some(copying) = copying(served) {
        pod["initContainers"] = json!([copying]);
    }
    if !spec.node_selector.is_empty() {
        pod["nodeSelector"] = json!(spec.node_selector);
    }
    if !spec.tolerations.is_empty() {
        pod["tolerations"] = spec.tolerations.iter().map(toleration).collect();
    }
    pod
}

/// Pods of one revision are spread where that is possible, and scheduled anyhow where it is not.
fn spread(topology_key: &str, served: &Served) -> Value {
    json!({
        "maxSkew": 1, "topologyKey": topology_key, "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels::selector(served)}, "matchLabelKeys": ["pod-template-hash"],
    })
}

fn engine(served: &Served) -> Value {
    let Served { spec, container, .. } = served;
    let mut ports = vec![json!({"name": HTTP, "containerPort": container.port, "protocol": "TCP"})];
    if let Some(metrics) = container.metrics.as_ref().filter(|metrics| metrics.port != container.port) {
        ports.push(json!({"name": METRICS, "containerPort": metrics.port, "protocol": "TCP"}));
    }
    let env: Vec<Value> = container.env.iter().map(variable).collect();
    let mut engine = json!({
        "name": ENGINE,
        "image": container.image,
        "ports": ports,
        "resources": resources(&spec.resources),
        "startupProbe": probe(&container.startup),
        "readinessProbe": probe(&container.readiness),
        "livenessProbe": probe(&container.liveness),
        "terminationMessagePolicy": LAST_WORDS,
        "lifecycle": {"preStop": {"sleep": {"seconds": container.pre_stop_seconds}}},
        "securityContext": security(container.read_only_root),
        "volumeMounts": mounts(served),
    });
    if let Some(folder) = &container.working_dir {
        engine["workingDir"] = json!(folder);
    }
    for (field, list) in [("command", json!(container.command)), ("args", json!(container.args)), ("env", json!(env))] {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            engine[field] = list;
        }
    }
    engine
}

fn probe(probe: &Probe) -> Value {
    let mut value = json!({
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "failureThreshold": probe.failure_threshold,
    });
    match &probe.check {
        Check::Path(path) => value["httpGet"] = json!({"path": path, "port": HTTP}),
        Check::Command(command) => value["exec"] = json!({"command": command}),
    }
    value
}

/// The container that copies weights from S3 before the engine starts.
fn copying(served: &Served) -> Option<Value> {
    let source = served.spec.source.as_ref()?.s3.as_ref()?;
    let uri = weights_uri(served.platform, source)?;
    let env = [
        ("AWS_REGION", served.platform.region.as_str()),
        // Without the pod's own role there are no credentials at all, and not those of the node.
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", "/tmp"),
    ];
    let env = env.map(|(name, value)| json!({"name": name, "value": value}));
    Some(json!({
        "name": "weights",
        "image": copying_image(source),
        "command": ["/bin/sh", "-c", COPY, "weights", uri, MODEL_FOLDER],
        "terminationMessagePolicy": LAST_WORDS,
        "env": env,
        "resources": resources(&Resources { gpus: 0, ..served.spec.resources.clone() }),
        "securityContext": security(true),
        "volumeMounts": [
            {"name": "weights", "mountPath": MODEL_FOLDER}, {"name": "scratch", "mountPath": "/tmp", "subPath": "copying"}
        ],
    }))
}

fn security(read_only_root: bool) -> Value {
    json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": read_only_root,
    })
}

/// CPU is set aside and not limited, for a limit slows an engine down where the node has CPU to spare.
fn resources(resources: &Resources) -> Value {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    if let Some(cpu) = &resources.cpu {
        requests.insert("cpu".into(), json!(cpu));
    }
    if let Some(memory) = &resources.memory {
        requests.insert("memory".into(), json!(memory));
        limits.insert("memory".into(), json!(memory));
    }
    if resources.gpus > 0 {
        requests.insert(resources.gpu_resource.clone(), json!(resources.gpus.to_string()));
        limits.insert(resources.gpu_resource.clone(), json!(resources.gpus.to_string()));
    }
    let mut value = json!({});
    for (field, amounts) in [("requests", requests), ("limits", limits)] {
        if !amounts.is_empty() {
            value[field] = Value::Object(amounts);
        }
    }
    value
}

fn volumes(served: &Served) -> Vec<Value> {
    let Kubernetes { source, resources, .. } = served.spec;
    let mut volumes = vec![
        json!({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": resources.shared_memory}}),
        json!({"name": "scratch", "emptyDir": {}}),
    ];
    if let Some(source) = source {
        if let Some(volume) = &source.pvc {
            let claim = json!({"claimName": volume.claim_name, "readOnly": true});
            volumes.push(json!({"name": "weights", "persistentVolumeClaim": claim}));
        } else if source.s3.is_some() {
            volumes.push(json!({"name": "weights", "emptyDir": {}}));
        }
    }
    volumes
}

fn mounts(served: &Served) -> Vec<Value> {
    let mut mounts = vec![json!({"name": "shared-memory", "mountPath": "/dev/shm"})];
    mounts.extend(served.container.writable.iter().map(|path| {
        let folder = path.trim_matches('/').replace('/', "-");
        json!({"name": "scratch", "mountPath": path, "subPath": folder})
    }));
    let source = served.spec.source.as_ref();
    if let Some(volume) = source.and_then(|source| source.pvc.as_ref()) {
        let mut mount = json!({"name": "weights", "mountPath": MODEL_FOLDER, "readOnly": true});
        let folder = volume.path.trim_matches('/');
        if !folder.is_empty() {
            mount["subPath"] = json!(folder);
        }
        mounts.push(mount);
    } else if source.is_some_and(|source| source.s3.is_some()) {
        mounts.push(json!({"name": "weights", "mountPath": MODEL_FOLDER, "readOnly": true}));
    }
    mounts
}

/// The API server leaves out a value that is empty.
fn variable(variable: &EnvVar) -> Value {
    let mut value = json!({"name": variable.name});
    if let Some(text) = variable.value.as_ref().filter(|text| !text.is_empty()) {
        value["value"] = json!(text);
    }
    if let Some(EnvSource { secret_key_ref, config_map_key_ref }) = &variable.value_from {
        let key = |reference: &SecretKeyRef| json!({"name": reference.name, "key": reference.key});
        if let Some(secret) = secret_key_ref {
            value["valueFrom"] = json!({"secretKeyRef": key(secret)});
        }
        if let Some(map) = config_map_key_ref {
            value["valueFrom"] = json!({"configMapKeyRef": key(map)});
        }
    }
    value
}

/// The API server leaves out a value that is empty.
fn toleration(toleration: &Toleration) -> Value {
    let mut value = serde_json::to_value(toleration).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| *field != json!(""));
    }
    value
}
