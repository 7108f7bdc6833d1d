//! `spec.models`: what the platform serves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sagemaker::SageMaker;

/// A model, under the name by which the rest of the spec knows it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.bedrock) != has(self.sagemaker)", "a model has exactly one backend: bedrock or sagemaker"))]
pub struct Model {
    /// Its name, unique in the platform.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// A foundation model of Amazon Bedrock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bedrock: Option<Bedrock>,
    /// A model on an Amazon SageMaker endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sagemaker: Option<SageMaker>,
}

/// A foundation model of Amazon Bedrock. Nothing is made for it: it is what access points at.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.inferenceProfileId) == (has(self.destinationRegions) && size(self.destinationRegions) > 0)", "inferenceProfileId and destinationRegions go together: the policy names the model in every region of the profile"))]
pub struct Bedrock {
    /// The foundation model's id.
    #[schemars(
        length(min = 1, max = 140),
        regex(pattern = r"^[a-z0-9-]{1,63}[.][a-z0-9-]{1,63}([a-z0-9-]{0,63}[.]?){0,2}(:[a-z0-9]{1,63}){0,2}$")
    )]
    pub model_id: String,
    /// The cross-region inference profile through which alone the model may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 140), regex(pattern = r"^[a-zA-Z0-9-:.]+$"))]
    pub inference_profile_id: Option<String>,
    /// The profile's regions, as `aws bedrock get-inference-profile` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 32), regex(pattern = super::REGION)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub destination_regions: Vec<String>,
    /// The guardrail that every call must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<Guardrail>,
    /// Whether answers may be streamed.
    #[serde(default = "super::yes")]
    pub streaming: bool,
}

/// A guardrail of Amazon Bedrock, at one version.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guardrail {
    /// Its id.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9]+$"))]
    pub id: String,
    /// Its version, a number in quotes, or DRAFT.
    #[schemars(length(max = 8), regex(pattern = "^([1-9][0-9]{0,7}|DRAFT)$"))]
    pub version: String,
}
