//! `spec.models`: what the platform serves.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::kubernetes::Kubernetes;
use super::sagemaker::SageMaker;

/// A model, under the name by which the rest of the spec knows it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("[has(self.bedrock), has(self.sagemaker), has(self.kubernetes)].filter(x, x).size() == 1", "a model has exactly one backend: bedrock, sagemaker or kubernetes"))]
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
    /// A model that pods in the cluster serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
}

/// The model's own id, and not that of a profile. Geographies as in `platform::geography`.
const MODEL_IS_NO_PROFILE: &str = "!self.modelId.matches('^(us|us-gov|eu|uk|apac|jp|au|ca|global)[.]')";

/// A profile is named after its model.
const PROFILE_OF_MODEL: &str = "!has(self.inferenceProfileId) || self.inferenceProfileId.startsWith('arn:') || self.inferenceProfileId.endsWith('.' + self.modelId)";

/// Regions that the geography of the profile can have.
const REGIONS_OF_PROFILE: &str = "!has(self.inferenceProfileId) || !has(self.destinationRegions) || self.destinationRegions.all(r, self.inferenceProfileId.startsWith('us.') ? r.matches('^(us|ca|mx|sa)-') && !r.startsWith('us-gov-') : self.inferenceProfileId.startsWith('us-gov.') ? r.startsWith('us-gov-') : self.inferenceProfileId.startsWith('eu.') ? r.matches('^(eu|il|me|af)-') : self.inferenceProfileId.startsWith('uk.') ? r == 'eu-west-2' : self.inferenceProfileId.startsWith('apac.') ? r.matches('^(ap|me|il|af)-') : self.inferenceProfileId.startsWith('jp.') ? r in ['ap-northeast-1', 'ap-northeast-3'] : self.inferenceProfileId.startsWith('au.') ? r.startsWith('ap-southeast-') : self.inferenceProfileId.startsWith('ca.') ? r.startsWith('ca-') : !self.inferenceProfileId.startsWith('global.') || !r.startsWith('us-gov-'))";

/// The platform's region is one that the geographies of its models' profiles can have. Stands at the spec, which has
/// both.
pub const REGION_OF_PROFILES: &str = "!has(self.models) || self.models.all(m, !has(m.bedrock) || [has(m.bedrock.inferenceProfileId) ? m.bedrock.inferenceProfileId : '', has(m.bedrock.guardrail) && has(m.bedrock.guardrail.guardrailProfileId) ? m.bedrock.guardrail.guardrailProfileId : ''].all(p, p.startsWith('us.') ? self.region.matches('^(us|ca|mx|sa)-') && !self.region.startsWith('us-gov-') : p.startsWith('us-gov.') ? self.region.startsWith('us-gov-') : p.startsWith('eu.') ? self.region.matches('^(eu|il|me|af)-') : p.startsWith('uk.') ? self.region == 'eu-west-2' : p.startsWith('apac.') ? self.region.matches('^(ap|me|il|af)-') : p.startsWith('jp.') ? self.region in ['ap-northeast-1', 'ap-northeast-3'] : p.startsWith('au.') ? self.region.startsWith('ap-southeast-') : p.startsWith('ca.') ? self.region.startsWith('ca-') : !p.startsWith('global.') || !self.region.startsWith('us-gov-')))";

/// A foundation model of Amazon Bedrock. Nothing is made for it: it is what access points at.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.inferenceProfileId) == (has(self.destinationRegions) && size(self.destinationRegions) > 0)", "inferenceProfileId and destinationRegions go together: the policy names the model in every region of the profile"))]
#[x_kube(validation = (MODEL_IS_NO_PROFILE, "modelId is the model's own id, what follows the geography (eu., us., global., ...): the profile goes into inferenceProfileId, with its destinationRegions"))]
#[x_kube(validation = (PROFILE_OF_MODEL, "inferenceProfileId is a cross-region profile of this very model: its id is a geography, such as eu, a dot and the modelId"))]
#[x_kube(validation = (REGIONS_OF_PROFILE, "destinationRegions has a region that is not of the profile's geography: name the regions that aws bedrock get-inference-profile lists"))]
pub struct Bedrock {
    /// The foundation model's id, not an ARN.
    #[schemars(
        length(min = 1, max = 140),
        regex(
            pattern = r"^(arn:[a-z-]+:bedrock:.+|[a-z0-9-]{1,63}[.][a-z0-9-]{1,63}([a-z0-9-]{0,63}[.]?){0,2}(:[a-z0-9]{1,63}){0,2})$"
        )
    )]
    #[x_kube(validation = ("!self.startsWith('arn:')", "modelId is an id and not an ARN: what follows foundation-model/"))]
    pub model_id: String,
    /// The cross-region inference profile through which alone the model may be called: its id, not an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 140), regex(pattern = r"^(arn:[a-z-]+:bedrock:.+|[a-zA-Z0-9-:.]+)$"))]
    #[x_kube(validation = ("!self.startsWith('arn:')", "inferenceProfileId is an id and not an ARN: what follows inference-profile/; application inference profiles cannot be named here"))]
    pub inference_profile_id: Option<String>,
    /// The profile's regions, as `aws bedrock get-inference-profile` lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 32), regex(pattern = super::REGION)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub destination_regions: Vec<String>,
    /// The guardrail that every call must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<Guardrail>,
    /// Allows answers to be streamed.
    #[serde(default = "super::yes")]
    pub streaming: bool,
}

/// A guardrail of Amazon Bedrock, at one version.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Guardrail {
    /// Its id, not an ARN.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^(arn:[a-z-]+:bedrock:.+|[a-z0-9]{1,64})$"))]
    #[x_kube(validation = ("!self.startsWith('arn:')", "guardrail.id is an id and not an ARN: what follows guardrail/; the guardrail is one of the platform's account and region"))]
    pub id: String,
    /// Its version, a number in quotes, or DRAFT.
    #[schemars(length(max = 8), regex(pattern = "^([1-9][0-9]{0,7}|DRAFT)$"))]
    pub version: String,
    /// The guardrail profile of a guardrail that works across regions, as those of the Standard tier do: its id, such as
    /// `eu.guardrail.v1:0`, not an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = "^(arn:[a-z-]+:bedrock:.+|[a-z-]+[.]guardrail[.]v[0-9:]+)$")
    )]
    #[x_kube(validation = ("!self.startsWith('arn:')", "guardrailProfileId is an id and not an ARN: what follows guardrail-profile/"))]
    #[x_kube(validation = ("self.startsWith('arn:') || self.matches('^(us|us-gov|eu|uk|apac|au|ca)[.]')", "guardrailProfileId begins with a geography that has guardrail profiles: us, us-gov, eu, uk, apac, au or ca"))]
    pub guardrail_profile_id: Option<String>,
}
