//! The permissions of the pods that serve a model: to read its weights from S3, and nothing else.

use super::storage::{bucket_key, in_account, key_statement};
use super::trust;
use super::{Grant, Purpose, ROLE_PATH, ServiceAccount, role_name, sid};
use crate::api::kubernetes::Kubernetes;
use crate::arn;
use crate::desire::inference;
use crate::platform::Platform;
use crate::policy::Statement;
use crate::resource::model::bucket_and_key;

/// The name of the role made for the pods of a model.
#[must_use]
pub fn workload_role_name(platform: &Platform, model: &str) -> String {
    role_name(platform, &format!("{model}-workload"))
}

/// The role of the pods of a model whose weights are in S3; `path` is the model's in the spec.
pub(super) fn grant(platform: &Platform, model: &str, spec: &Kubernetes, path: &str) -> Option<Grant> {
    let source = spec.source.as_ref()?.s3.as_ref()?;
    let uri = inference::weights_uri(platform, source)?;
    let (bucket_name, prefix) = bucket_and_key(&uri)?;
    let account =
        ServiceAccount { namespace: platform.namespace.clone(), name: inference::object_name(platform, model) };
    let subject = trust::pods(platform, account)?;
    let field = format!("{path}.source.s3");
    let because = format!("the pods of model {model} load its weights from {uri}");
    let bucket = arn::bucket(&platform.region, bucket_name);
    let read = Statement::allow("Weights", &["s3:GetObject"], vec![format!("{bucket}/{prefix}*")], &because);
    let list = Statement::allow("ListWeights", &["s3:ListBucket"], vec![bucket], &because).when(
        "StringLike",
        "s3:prefix",
        vec![format!("{prefix}*")],
    );
    // A URI is the user's own word, which the operator's guardrails have to allow before anything is made of it.
    let about = source.bucket.is_some().then(|| bucket_key(bucket_name));
    let mut statements: Vec<Statement> = [read, list]
        .map(|statement| in_account(statement, &platform.account_id))
        .map(|statement| Statement { about: about.clone(), ..statement })
        .into();
    let declared = platform.buckets.iter().find(|bucket| bucket.bucket_name == bucket_name);
    if let Some((bucket, key)) = declared.and_then(|bucket| Some((bucket, bucket.kms_key_arn.as_deref()?))) {
        let because = format!("bucket {} is encrypted with this key", bucket.name);
        let name = sid(&["Key", "Of", &bucket.name]);
        statements.push(key_statement(&platform.region, bucket_name, key, false, name, because));
    }
    let statements = statements.into_iter().map(|statement| statement.since(&field)).collect();
    let role = workload_role_name(platform, model);
    Some(Grant {
        purpose: Purpose::Workload,
        name: model.into(),
        arn: arn::role(&platform.region, &platform.account_id, ROLE_PATH, &role),
        role,
        trust: trust::statements(platform, &subject, path),
        subject,
        policies: vec![("access".into(), statements)],
        served: None,
    })
}
