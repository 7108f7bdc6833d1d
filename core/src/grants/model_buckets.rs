//! The buckets of the platform that a model on SageMaker works with, and its use of each.

use crate::api::sagemaker::SageMaker;
use crate::desire::sagemaker::data_uri;
use crate::platform::{Bucket, Platform};
use crate::resource::model::bucket_and_key;

/// The use that a model makes of a bucket, named as the field of the spec that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    ModelData,
    Async,
    DataCapture,
}

impl Use {
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::ModelData => "modelData",
            Self::Async => "async",
            Self::DataCapture => "dataCapture",
        }
    }
}

/// One use of one of the platform's buckets by a model: how, which, and the key or the prefix in it.
pub(crate) type Used<'a> = (Use, &'a Bucket, String);

/// The buckets of the platform that a model works with.
pub(crate) fn used<'a>(platform: &'a Platform, model: &SageMaker) -> Vec<Used<'a>> {
    let uri = model.model_data.as_ref().and_then(|data| data_uri(platform, data)).unwrap_or_default();
    let (place, key) = bucket_and_key(&uri).unwrap_or_default();
    let data = platform.buckets.iter().find(|bucket| bucket.bucket_name == place);
    let answers = model.asynchronous.as_ref().map(|it| (Use::Async, &it.output));
    let captured = model.data_capture.as_ref().map(|it| (Use::DataCapture, &it.destination));
    let written = answers.into_iter().chain(captured);
    let written = written.filter_map(|(how, it)| Some((how, platform.bucket(&it.bucket)?, it.prefix.clone())));
    data.map(|bucket| (Use::ModelData, bucket, key.to_string())).into_iter().chain(written).collect()
}
