//! Names that do not say what they are.

use super::{Context, Hit, hit};
use crate::names::{self, BUCKET_LIMIT, SAGEMAKER_LIMIT};

/// Names that are cut end in a hash of 32 bits alone: whoever has the namespace that the cut leaves can find a platform
/// whose names are the same.
pub(super) fn cut(context: &Context) -> Vec<Hit> {
    let platform = context.platform;
    let is_cut = |part: &str, limit| names::is_cut(&platform.namespace, &platform.name, part, limit);
    let generated = |bucket: &crate::platform::Bucket| {
        let (account, region) = (&platform.account_id, &platform.region);
        bucket.bucket_name
            == names::generated(account, region, &platform.namespace, &platform.name, &bucket.name, BUCKET_LIMIT)
    };
    let buckets = platform.buckets.iter().filter(|bucket| generated(bucket) && is_cut(&bucket.name, BUCKET_LIMIT));
    let buckets = buckets.map(|bucket| format!("bucket {}", bucket.name));
    let roles = platform.access.iter().filter(|consumer| is_cut(&consumer.name, names::ROLE_LIMIT));
    let roles = roles.map(|consumer| format!("consumer {}", consumer.name));
    let models =
        platform.models.iter().filter(|model| model.sagemaker().is_some() && is_cut(&model.name, SAGEMAKER_LIMIT));
    let models = models.map(|model| format!("model {}", model.name));
    buckets
        .chain(roles)
        .chain(models)
        .map(|subject| {
            let message = format!(
                "namespace {:?} and platform {:?} leave no room for its whole name in AWS, which ends in a hash: take shorter ones \
                 where others choose namespaces",
                platform.namespace, platform.name
            );
            hit(subject, message)
        })
        .collect()
}
