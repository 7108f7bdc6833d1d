//! The content of an endpoint configuration, as SageMaker accepts and describes it.

use aws_sdk_sagemaker::operation::describe_endpoint_config::DescribeEndpointConfigOutput;
use aws_sdk_sagemaker::types::{
    AsyncInferenceClientConfig, AsyncInferenceConfig, AsyncInferenceOutputConfig, CaptureMode, CaptureOption,
    DataCaptureConfig, ProductionVariant, ProductionVariantInstanceType, ProductionVariantServerlessConfig,
};

use super::model::bucket_of;
use crate::resource::endpoint_config::{Async, Capacity, Content, DataCapture, Instance, Serverless, VARIANT};
use crate::resource::{Key, Kind};

/// The only variant, which takes all traffic.
pub(super) fn variant(content: &Content) -> ProductionVariant {
    let variant =
        ProductionVariant::builder().variant_name(VARIANT).model_name(&content.model).initial_variant_weight(1.0);
    let variant = match &content.capacity {
        Capacity::Instance(instance) => variant
            .instance_type(ProductionVariantInstanceType::from(instance.kind.as_str()))
            .initial_instance_count(instance.count)
            .set_volume_size_in_gb(instance.volume_size_gib)
            .set_container_startup_health_check_timeout_in_seconds(instance.startup_timeout_seconds)
            .set_model_data_download_timeout_in_seconds(instance.model_download_timeout_seconds),
        Capacity::Serverless(serverless) => variant.serverless_config(
            ProductionVariantServerlessConfig::builder()
                .memory_size_in_mb(serverless.memory_mib)
                .max_concurrency(serverless.max_concurrency)
                .set_provisioned_concurrency(serverless.provisioned_concurrency)
                .build(),
        ),
    };
    variant.build()
}

/// Requests and answers in S3.
pub(super) fn async_config(asynchronous: &Async) -> AsyncInferenceConfig {
    let most = asynchronous
        .max_concurrent_invocations_per_instance
        .map(|most| AsyncInferenceClientConfig::builder().max_concurrent_invocations_per_instance(most).build());
    let output = AsyncInferenceOutputConfig::builder().s3_output_path(&asynchronous.output_uri).build();
    AsyncInferenceConfig::builder().set_client_config(most).output_config(output).build()
}

/// Requests and answers kept in S3.
pub(super) fn capture_config(capture: &DataCapture) -> DataCaptureConfig {
    let option = |mode| CaptureOption::builder().capture_mode(mode).build();
    DataCaptureConfig::builder()
        .enable_capture(true)
        .initial_sampling_percentage(capture.sampling_percent)
        .destination_s3_uri(&capture.destination_uri)
        .capture_options(option(CaptureMode::Input))
        .capture_options(option(CaptureMode::Output))
        .build()
}

/// The content of a configuration.
pub(super) fn content(described: &DescribeEndpointConfigOutput) -> Content {
    let variant = described.production_variants().first();
    Content {
        model: variant.and_then(ProductionVariant::model_name).unwrap_or_default().to_string(),
        capacity: capacity(variant),
        asynchronous: described.async_inference_config().map(asynchronous),
        data_capture: described.data_capture_config().filter(|it| it.enable_capture() == Some(true)).map(data_capture),
    }
}

fn capacity(variant: Option<&ProductionVariant>) -> Capacity {
    if let Some(serverless) = variant.and_then(ProductionVariant::serverless_config) {
        return Capacity::Serverless(Serverless {
            memory_mib: serverless.memory_size_in_mb().unwrap_or_default(),
            max_concurrency: serverless.max_concurrency().unwrap_or_default(),
            provisioned_concurrency: serverless.provisioned_concurrency(),
        });
    }
    let kind = variant.and_then(ProductionVariant::instance_type).map(ProductionVariantInstanceType::as_str);
    Capacity::Instance(Instance {
        kind: kind.unwrap_or_default().to_string(),
        count: variant.and_then(ProductionVariant::initial_instance_count).unwrap_or_default(),
        volume_size_gib: variant.and_then(ProductionVariant::volume_size_in_gb),
        startup_timeout_seconds: variant.and_then(ProductionVariant::container_startup_health_check_timeout_in_seconds),
        model_download_timeout_seconds: variant.and_then(ProductionVariant::model_data_download_timeout_in_seconds),
    })
}

fn asynchronous(found: &AsyncInferenceConfig) -> Async {
    let output = found.output_config().and_then(AsyncInferenceOutputConfig::s3_output_path);
    let client = found.client_config();
    Async {
        output_uri: output.unwrap_or_default().to_string(),
        max_concurrent_invocations_per_instance: client
            .and_then(AsyncInferenceClientConfig::max_concurrent_invocations_per_instance),
    }
}

fn data_capture(found: &DataCaptureConfig) -> DataCapture {
    DataCapture {
        destination_uri: found.destination_s3_uri().unwrap_or_default().to_string(),
        sampling_percent: found.initial_sampling_percentage().unwrap_or_default(),
    }
}

/// Resources that must stay for as long as the configuration does, if it is ours.
pub(super) fn needs(content: &Content) -> Vec<Key> {
    let model = Key { kind: Kind::SageMakerModel, name: content.model.clone() };
    let written = [
        content.asynchronous.as_ref().map(|it| &it.output_uri),
        content.data_capture.as_ref().map(|it| &it.destination_uri),
    ];
    std::iter::once(model).chain(written.into_iter().flatten().filter_map(|uri| bucket_of(uri))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_instances() -> Content {
        Content {
            model: "s-a-rank-0a1b2c3d-11112222".into(),
            capacity: Capacity::Instance(Instance {
                kind: "ml.g5.xlarge".into(),
                count: 2,
                volume_size_gib: None,
                startup_timeout_seconds: Some(900),
                model_download_timeout_seconds: Some(600),
            }),
            asynchronous: Some(Async {
                output_uri: "s3://out/async/".into(),
                max_concurrent_invocations_per_instance: Some(4),
            }),
            data_capture: Some(DataCapture { destination_uri: "s3://kept/capture/".into(), sampling_percent: 20 }),
        }
    }

    fn serverless() -> Content {
        let capacity = Capacity::Serverless(Serverless {
            memory_mib: 4096,
            max_concurrency: 20,
            provisioned_concurrency: Some(2),
        });
        Content { capacity, asynchronous: None, data_capture: None, ..on_instances() }
    }

    fn described(content: &Content) -> DescribeEndpointConfigOutput {
        DescribeEndpointConfigOutput::builder()
            .production_variants(variant(content))
            .set_async_inference_config(content.asynchronous.as_ref().map(async_config))
            .set_data_capture_config(content.data_capture.as_ref().map(capture_config))
            .build()
    }

    #[test]
    fn what_is_made_is_read_back() {
        for written in [on_instances(), serverless()] {
            assert_eq!(content(&described(&written)), written);
        }
    }

    #[test]
    fn all_traffic_goes_to_one_variant_and_both_directions_are_captured() {
        let variant = variant(&on_instances());
        assert_eq!((variant.variant_name(), variant.initial_variant_weight()), (Some(VARIANT), Some(1.0)));
        let capture = capture_config(on_instances().data_capture.as_ref().unwrap());
        let modes: Vec<_> = capture.capture_options().iter().filter_map(CaptureOption::capture_mode).collect();
        assert_eq!(modes, [&CaptureMode::Input, &CaptureMode::Output]);
        assert_eq!(capture.enable_capture(), Some(true));
    }

    #[test]
    fn a_configuration_needs_its_model_and_the_buckets_it_writes_to() {
        let key = |kind, name: &str| Key { kind, name: name.into() };
        let model = key(Kind::SageMakerModel, "s-a-rank-0a1b2c3d-11112222");
        let buckets = [key(Kind::Bucket, "out"), key(Kind::Bucket, "kept")];
        assert_eq!(needs(&on_instances()), [std::slice::from_ref(&model), &buckets].concat());
        assert_eq!(needs(&serverless()), [model]);
    }
}
