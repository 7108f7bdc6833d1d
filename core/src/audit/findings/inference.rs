//! Findings about models that pods in the cluster serve.

use super::models::writers;
use super::{Context, Hit, hit};
use crate::api::kubernetes::Kubernetes;
use crate::desire::inference::{image, weights_uri};

/// Characters of a commit of Git.
const COMMIT: usize = 40;

/// Models in the cluster, by name.
fn in_cluster<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Kubernetes)> {
    context.platform.models.iter().filter_map(|model| Some((model.name.as_str(), model.kubernetes()?)))
}

pub(super) fn weights_that_move(context: &Context) -> Vec<Hit> {
    let hub = in_cluster(context).filter_map(|(name, spec)| Some((name, spec.source.as_ref()?.hugging_face.as_ref()?)));
    let is_commit = |text: &str| text.len() == COMMIT && text.chars().all(|it| it.is_ascii_hexdigit());
    hub.filter(|(_, hub)| !hub.revision.as_deref().is_some_and(is_commit))
        .map(|(name, hub)| {
            let which = hub.revision.as_deref().unwrap_or("the main branch");
            let message = format!("loads {which} of {}: name a commit in source.huggingFace.revision", hub.repo);
            hit(format!("model {name}"), message)
        })
        .collect()
}

pub(super) fn image_that_moves(context: &Context) -> Vec<Hit> {
    in_cluster(context)
        .map(|(name, spec)| (name, image(spec)))
        .filter(|(_, image)| {
            let tag = image.rsplit_once('/').map_or(image.as_str(), |(_, last)| last).split_once(':');
            !image.contains("@sha256:") && tag.is_none_or(|(_, tag)| tag.starts_with("latest"))
        })
        .map(|(name, image)| hit(format!("model {name}"), format!("runs {image}: name a version or a digest")))
        .collect()
}

pub(super) fn without_memory(context: &Context) -> Vec<Hit> {
    let message = "says nothing of memory: set resources.memory";
    let without = in_cluster(context).filter(|(_, spec)| spec.resources.memory.is_none());
    without.map(|(name, _)| hit(format!("model {name}"), message)).collect()
}

pub(super) fn without_key(context: &Context) -> Vec<Hit> {
    if !context.is_sensitive() {
        return Vec::new();
    }
    let message = "answers whoever reaches its pods: set apiKeySecretRef";
    let without = in_cluster(context).filter(|(_, spec)| spec.api_key_secret_ref.is_none());
    without.map(|(name, _)| hit(format!("model {name}"), message)).collect()
}

pub(super) fn weights_elsewhere(context: &Context) -> Vec<Hit> {
    in_cluster(context)
        .filter_map(|(name, spec)| {
            let source = spec.source.as_ref()?.s3.as_ref()?;
            let uri = source.uri.as_ref()?;
            let ours = context.platform.buckets.iter().any(|it| uri.starts_with(&format!("s3://{}/", it.bucket_name)));
            let message = format!("loads {uri}: keep weights in a bucket of spec.storage.buckets");
            (!ours).then(|| hit(format!("model {name}"), message))
        })
        .collect()
}

pub(super) fn weights_writable(context: &Context) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (name, spec) in in_cluster(context) {
        let source = spec.source.as_ref().and_then(|source| source.s3.as_ref());
        let Some(uri) = source.and_then(|source| weights_uri(context.platform, source)) else { continue };
        for bucket in &context.platform.buckets {
            let Some(loaded) = uri.strip_prefix(&format!("s3://{}/", bucket.bucket_name)) else { continue };
            hits.extend(writers(context, bucket, loaded).map(|consumer| {
                let message = format!(
                    "consumer {} may write {loaded} in bucket {}, which the pods load: give it another prefix",
                    consumer.name, bucket.name
                );
                hit(format!("model {name}"), message)
            }));
        }
    }
    hits
}
