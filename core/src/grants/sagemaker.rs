//! Calls of models on SageMaker endpoints.

use super::sid;
use crate::api::access::Consumer;
use crate::api::sagemaker::SageMaker;
use crate::arn;
use crate::desire::sagemaker::endpoint_name;
use crate::platform::Platform;
use crate::policy::Statement;
use crate::resource::{Key, Kind};

pub(super) fn statements(platform: &Platform, consumer: &Consumer, path: &str) -> Vec<Statement> {
    let used = consumer.models.iter().enumerate().filter_map(|(index, name)| {
        let model = platform.models.iter().find(|model| model.name == *name)?;
        let because = format!("consumer {} may call model {name}", consumer.name);
        let statement = model_statement(platform, because, name, model.sagemaker()?);
        Some(statement.since(&format!("{path}.models[{index}]")))
    });
    used.collect()
}

/// The statement that lets a model be called, for this reason.
pub(super) fn model_statement(platform: &Platform, because: String, name: &str, model: &SageMaker) -> Statement {
    let endpoint = endpoint_name(platform, name);
    let arn = arn::sagemaker(&platform.region, &platform.account_id, "endpoint", &endpoint);
    Statement::allow(sid(&["Invoke", name]), actions(model), vec![arn], because)
        .about(Key { kind: Kind::SageMakerEndpoint, name: endpoint })
}

/// Serverless endpoints do not stream, and an asynchronous one answers in S3.
///
/// Source: "Amazon SageMaker Serverless Inference", feature exclusions, Amazon SageMaker developer guide.
fn actions(model: &SageMaker) -> &'static [&'static str] {
    if model.asynchronous.is_some() {
        &["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"]
    } else if model.serverless.is_some() {
        &["sagemaker:InvokeEndpoint"]
    } else {
        &["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
    }
}
