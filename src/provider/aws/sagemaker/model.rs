//! The content of a model, as SageMaker accepts and describes it.

use aws_sdk_sagemaker::operation::describe_model::DescribeModelOutput;
use aws_sdk_sagemaker::types::{
    self, ContainerDefinition, ModelCompressionType, ModelDataSource, S3ModelDataSource, S3ModelDataType,
};

use crate::failure::Error;
use crate::grants::ROLE_PATH;
use crate::resource::model::{Content, Data, VpcConfig, bucket_and_key};
use crate::resource::reference::Reference;
use crate::resource::{Key, Kind, Model};

/// The container of a call that makes a model.
pub(super) fn container(content: &Content) -> ContainerDefinition {
    let container = ContainerDefinition::builder()
        .image(&content.image)
        .set_environment(Some(content.environment.clone().into_iter().collect()));
    let container = match &content.data {
        Some(data) if data.is_prefix() => container.model_data_source(uncompressed(data)),
        Some(data) => container.model_data_url(&data.uri),
        None => container,
    };
    container.build()
}

/// The network of a model.
///
/// # Errors
/// When the id of one of its groups is not known: a model without it would run elsewhere.
pub(super) fn vpc_config(desired: &Model) -> Result<Option<types::VpcConfig>, Error> {
    let Some(vpc) = &desired.content.vpc else { return Ok(None) };
    let groups: Option<Vec<String>> = vpc.security_group_ids.iter().map(|group| group.id.clone()).collect();
    let groups = groups.ok_or_else(|| Error::bug("create", &desired.arn, "the id of a security group is not known"))?;
    let subnets = vpc.subnet_ids.iter().cloned().collect();
    Ok(Some(types::VpcConfig::builder().set_security_group_ids(Some(groups)).set_subnets(Some(subnets)).build()))
}

fn uncompressed(data: &Data) -> ModelDataSource {
    let source = S3ModelDataSource::builder()
        .s3_uri(&data.uri)
        .s3_data_type(S3ModelDataType::S3Prefix)
        .compression_type(ModelCompressionType::None);
    ModelDataSource::builder().s3_data_source(source.build()).build()
}

/// The content of a model.
pub(super) fn content(described: &DescribeModelOutput) -> Content {
    let container = described.primary_container().or_else(|| described.containers().first());
    Content {
        image: container.and_then(ContainerDefinition::image).unwrap_or_default().to_string(),
        data: container.and_then(data),
        environment: container
            .and_then(ContainerDefinition::environment)
            .map(|environment| environment.clone().into_iter().collect())
            .unwrap_or_default(),
        execution_role_arn: described.execution_role_arn().unwrap_or_default().to_string(),
        network_isolation: described.enable_network_isolation().unwrap_or_default(),
        vpc: described.vpc_config().map(|vpc| VpcConfig {
            subnet_ids: vpc.subnets().iter().cloned().collect(),
            security_group_ids: vpc.security_group_ids().iter().map(Reference::known).collect(),
        }),
    }
}

/// SageMaker tells the URL of a compressed artifact twice, once as a source.
fn data(container: &ContainerDefinition) -> Option<Data> {
    let source = || container.model_data_source()?.s3_data_source()?.s3_uri();
    container.model_data_url().or_else(source).map(|uri| Data { uri: uri.to_string() })
}

/// Resources that must stay for as long as the model does, if it is ours.
pub(super) fn needs(content: &Content) -> Vec<Key> {
    let role = content
        .execution_role_arn
        .split_once(":role")
        .and_then(|(_, path)| path.strip_prefix(ROLE_PATH))
        .map(|name| Key { kind: Kind::Role, name: name.to_string() });
    let bucket = content.data.as_ref().and_then(|data| bucket_of(&data.uri));
    role.into_iter().chain(bucket).collect()
}

/// The bucket of an S3 URI.
pub(super) fn bucket_of(uri: &str) -> Option<Key> {
    bucket_and_key(uri).map(|(bucket, _)| Key { kind: Kind::Bucket, name: bucket.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(uri: &str) -> Content {
        Content {
            image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rank:1".into(),
            data: Some(Data { uri: uri.into() }),
            environment: [("LOG_LEVEL".to_string(), "info".to_string())].into(),
            execution_role_arn: "arn:aws:iam::123456789012:role/aiplatform/s-a-rank-execution-0a1b2c3d".into(),
            network_isolation: true,
            vpc: None,
        }
    }

    fn described(container: ContainerDefinition) -> DescribeModelOutput {
        let content = model("");
        DescribeModelOutput::builder()
            .primary_container(container)
            .execution_role_arn(content.execution_role_arn)
            .enable_network_isolation(content.network_isolation)
            .build()
    }

    #[test]
    fn what_is_made_is_read_back() {
        for uri in ["s3://b/models/1/model.tar.gz", "s3://b/models/1/"] {
            assert_eq!(content(&described(container(&model(uri)))), model(uri));
        }
        let bare = Content { data: None, ..model("") };
        assert_eq!(content(&described(container(&bare))), bare);
    }

    #[test]
    fn a_url_that_is_returned_again_as_a_source_is_the_same() {
        let echoed = S3ModelDataSource::builder()
            .s3_uri("s3://b/model.tar.gz")
            .s3_data_type(S3ModelDataType::S3Object)
            .compression_type(ModelCompressionType::Gzip)
            .build();
        let mut container = container(&model("s3://b/model.tar.gz"));
        container.model_data_source = Some(ModelDataSource::builder().s3_data_source(echoed).build());
        assert_eq!(content(&described(container)), model("s3://b/model.tar.gz"));
    }

    #[test]
    fn a_prefix_is_a_source_that_is_not_compressed() {
        let container = container(&model("s3://b/models/1/"));
        assert_eq!(container.model_data_url(), None);
        let source = container.model_data_source().unwrap().s3_data_source().unwrap();
        assert_eq!(source.s3_data_type(), Some(&S3ModelDataType::S3Prefix));
        assert_eq!(source.compression_type(), Some(&ModelCompressionType::None));
    }

    #[test]
    fn a_model_needs_its_role_and_its_bucket() {
        let role = Key { kind: Kind::Role, name: "s-a-rank-execution-0a1b2c3d".into() };
        let bucket = Key { kind: Kind::Bucket, name: "b".into() };
        assert_eq!(needs(&model("s3://b/model.tar.gz")), [role, bucket]);
        let foreign =
            Content { data: None, execution_role_arn: "arn:aws:iam::123456789012:role/theirs".into(), ..model("") };
        assert_eq!(needs(&foreign), []);
    }
}
