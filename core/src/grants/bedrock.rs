//! Calls of Bedrock models. There is no action for Converse: it is authorised as `InvokeModel`.

use super::sid;
use crate::api::access::Consumer;
use crate::api::models::{Bedrock, Guardrail};
use crate::arn;
use crate::platform::Platform;
use crate::platform::geography::guardrail_regions;
use crate::policy::Statement;

const INVOKE: &str = "bedrock:InvokeModel";
const INVOKE_STREAM: &str = "bedrock:InvokeModelWithResponseStream";
const APPLY_GUARDRAIL: &str = "bedrock:ApplyGuardrail";

pub(super) fn statements(platform: &Platform, consumer: &Consumer, path: &str) -> Vec<Statement> {
    let used = consumer.models.iter().enumerate().filter_map(|(index, name)| {
        let model = platform.models.iter().find(|model| model.name == *name)?;
        let because = format!("consumer {} may call model {name}", consumer.name);
        let statements = model_statements(platform, &because, name, model.bedrock()?);
        Some(statements.into_iter().map(move |statement| statement.since(&format!("{path}.models[{index}]"))))
    });
    used.flatten().collect()
}

/// The statements that let a model be called, for this reason.
pub(super) fn model_statements(platform: &Platform, because: &str, name: &str, model: &Bedrock) -> Vec<Statement> {
    let Platform { region, account_id, .. } = platform;
    let actions: &[&str] = if model.streaming { &[INVOKE, INVOKE_STREAM] } else { &[INVOKE] };
    let mut statements = Vec::new();
    let mut covered = Vec::new();
    match &model.inference_profile_id {
        None => {
            let foundation = vec![arn::foundation_model(region, region, &model.model_id)];
            covered.extend(foundation.clone());
            statements.push(Statement::allow(sid(&["Invoke", name]), actions, foundation, because));
        }
        Some(profile) => {
            let profile = arn::inference_profile(region, account_id, profile);
            let foundations = foundation_models(platform, model);
            covered.push(profile.clone());
            covered.extend(foundations.clone());
            let through = format!("{because}, through its inference profile");
            statements.push(Statement::allow(
                sid(&["Invoke", name, "Profile"]),
                actions,
                vec![profile.clone()],
                through,
            ));
            let behind = format!(
                "the profile of model {name} sends calls to these regions; the model itself cannot be called around the profile"
            );
            statements.push(
                Statement::allow(sid(&["Invoke", name, "Through", "Profile"]), actions, foundations, behind).when(
                    "StringEquals",
                    "bedrock:InferenceProfileArn",
                    vec![profile],
                ),
            );
        }
    }
    let Some(guardrail) = &model.guardrail else { return statements };
    guarded(platform, name, guardrail, actions, covered, statements)
}

/// The guardrail's identifier is a condition of every call, and a call without it is denied whatever else allows it.
fn guarded(
    platform: &Platform,
    name: &str,
    guardrail: &Guardrail,
    actions: &[&str],
    covered: Vec<String>,
    statements: Vec<Statement>,
) -> Vec<Statement> {
    const KEY: &str = "bedrock:GuardrailIdentifier";
    let arn = arn::guardrail(&platform.region, &platform.account_id, &guardrail.id);
    let identifier = if guardrail.version == "DRAFT" { arn.clone() } else { format!("{arn}:{}", guardrail.version) };
    let mut statements: Vec<Statement> = statements
        .into_iter()
        .map(|mut statement| {
            statement.reason.push_str("; only with its guardrail");
            statement.when("StringEquals", KEY, vec![identifier.clone()])
        })
        .collect();
    let required = format!("every call of model {name} names guardrail {} version {}", guardrail.id, guardrail.version);
    statements.push(
        Statement::allow(sid(&["Require", "Guardrail", "For", name]), actions, covered, required).denying().when(
            "StringNotEquals",
            KEY,
            vec![identifier],
        ),
    );
    let applied = format!("calls of model {name} apply guardrail {}", guardrail.id);
    let resources = std::iter::once(arn).chain(guardrail_profiles(platform, guardrail)).collect();
    let name = sid(&["Apply", "Guardrail", "For", name]);
    statements.push(Statement::allow(name, &[APPLY_GUARDRAIL], resources, applied));
    statements
}

/// The guardrail's profile, in the region where it is called and in each where it may be applied.
/// Source: "Permissions for using cross-Region inference with Amazon Bedrock Guardrails", Amazon Bedrock user guide.
fn guardrail_profiles(platform: &Platform, guardrail: &Guardrail) -> Vec<String> {
    let Some(profile) = &guardrail.guardrail_profile_id else { return Vec::new() };
    let regions = guardrail_regions(profile, &platform.region);
    regions.iter().map(|region| arn::guardrail_profile(region, &platform.account_id, profile)).collect()
}

/// The model in every region of its profile. A global profile also reaches the model by an ARN without region.
/// Source: "Prerequisites for inference profiles", Amazon Bedrock user guide.
fn foundation_models(platform: &Platform, model: &Bedrock) -> Vec<String> {
    let regions = model.destination_regions.iter().map(String::as_str);
    let global = model.inference_profile_id.as_deref().is_some_and(|profile| profile.starts_with("global."));
    let unbound = global.then_some("");
    regions.chain(unbound).map(|region| arn::foundation_model(&platform.region, region, &model.model_id)).collect()
}
