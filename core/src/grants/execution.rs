//! The permissions of SageMaker to run a model: the role that is made where the spec names none.
//!
//! Source: "How to use SageMaker AI execution roles", `CreateModel`, Amazon SageMaker developer guide.

use super::revision::{Buckets, Revision};
use super::{Grant, InlinePolicy, Purpose, ROLE_PATH, Subject, execution_role_name, policies, revision_policy_name};
use crate::api::sagemaker::SageMaker;
use crate::arn;
use crate::desire::sagemaker::{config_content, config_name, content, endpoint_name, model_name};
use crate::features::sagemaker::log_group;
use crate::platform::{Platform, Problem};
use crate::policy::{INLINE_LIMIT, POLICY_LIMIT, Statement, size_of};
use crate::resource::endpoint_config::revision_of;
use crate::resource::role::Served;

const LOG: [&str; 4] = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];

/// A model for which a role is made; `path` is its place in the spec.
struct Execution<'a> {
    platform: &'a Platform,
    name: &'a str,
    spec: &'a SageMaker,
    path: &'a str,
}

/// The role of a model.
///
/// # Errors
/// Problems with values that cannot stand in a policy, or are too long for one.
pub(super) fn grant(platform: &Platform, name: &str, spec: &SageMaker, path: &str) -> Result<Grant, Vec<Problem>> {
    let execution = Execution { platform, name, spec, path };
    let problems = execution.patterns();
    if !problems.is_empty() {
        return Err(problems);
    }
    let role = execution_role_name(platform, name);
    Ok(Grant {
        purpose: Purpose::Execution,
        name: name.into(),
        arn: arn::role(&platform.region, &platform.account_id, ROLE_PATH, &role),
        role,
        subject: Subject::SageMaker(name.into()),
        trust: vec![execution.trust()],
        policies: execution.policies().map_err(|problem| vec![problem])?,
        served: Some(execution.served()),
    })
}

impl Execution<'_> {
    fn trust(&self) -> Statement {
        let because = format!("SageMaker runs model {}, and takes the role for this account only", self.name);
        Statement::allow("SageMaker", &["sts:AssumeRole"], Vec::new(), because)
            .by("Service", vec!["sagemaker.amazonaws.com".into()])
            .when("StringEquals", "aws:SourceAccount", vec![self.platform.account_id.clone()])
            .since(self.path)
    }

    /// The needs of every revision, and those of the current one: what a revision needs stays as long as the revision.
    fn policies(&self) -> Result<Vec<InlinePolicy>, Problem> {
        let too_large = |(size, limit): (usize, usize)| {
            let message = format!(
                "the policies of the role made for model {:?} take {size} characters, of which IAM allows {limit}: name \
                 fewer rollbackAlarms or shorter keys, or a role of your own in executionRoleArn",
                self.name
            );
            Problem::new(self.path, message)
        };
        let mut named = policies(self.standing()).map_err(too_large)?;
        let revision = self.of_revision();
        let each = size_of(&revision);
        if each > POLICY_LIMIT {
            return Err(too_large((each, POLICY_LIMIT)));
        }
        let standing: usize = named.iter().map(|(_, statements)| size_of(statements)).sum();
        // While one revision takes over from another, both are there beside those that are kept.
        let most = (INLINE_LIMIT - standing) / each;
        let kept = usize::from(self.spec.keep_revisions);
        if most < 2 {
            return Err(too_large((standing + 2 * each, INLINE_LIMIT)));
        }
        if kept + 2 > most {
            let message = format!(
                "{kept} superseded revisions are too many: the role made for model {:?} can do what each of them needs, and \
                 its policies would take {} characters, of which IAM allows {INLINE_LIMIT}: keep at most {}",
                self.name,
                standing + (kept + 2) * each,
                most - 2
            );
            return Err(Problem::new(format!("{}.keepRevisions", self.path), message));
        }
        let config = config_name(self.platform, self.name, self.spec);
        named.push((revision_policy_name(revision_of(&config)), revision));
        Ok(named)
    }

    fn standing(&self) -> Vec<Statement> {
        let mut statements = vec![self.login(), self.logs(), self.metrics()];
        statements.extend(self.alarms());
        statements
    }

    fn served(&self) -> Served {
        Served {
            model: self.name.into(),
            endpoint: endpoint_name(self.platform, self.name),
            path: self.path.into(),
            region: self.platform.region.clone(),
            account_id: self.platform.account_id.clone(),
        }
    }

    fn of_revision(&self) -> Vec<Statement> {
        let model = content(self.platform, self.name, self.spec);
        let config = config_content(self.platform, &model_name(self.platform, self.name, self.spec), self.spec);
        let declared = Declared { platform: self.platform, spec: self.spec };
        self.served().statements(&Revision { model: Some(&model), config: Some(&config) }, &declared)
    }

    fn login(&self) -> Statement {
        let because = "pulling an image begins with a token, and IAM knows no resource for asking for one";
        Statement::allow("RegistryToken", &["ecr:GetAuthorizationToken"], vec!["*".into()], because)
            .since(&self.field("image"))
    }

    /// IAM is asked about the group with and without the streams in it, whatever the action's reference says.
    fn logs(&self) -> Statement {
        let Platform { region, account_id, .. } = self.platform;
        let name = endpoint_name(self.platform, self.name);
        let group = arn::log_group(region, account_id, &format!("{}{name}", log_group::PREFIX));
        let because = format!("what the containers of model {} print goes to the endpoint's own log group", self.name);
        Statement::allow("Logs", &LOG, vec![group.clone(), format!("{group}:*")], because).since(self.path)
    }

    /// Source: "Amazon SageMaker AI metrics in Amazon `CloudWatch`", Amazon SageMaker developer guide.
    fn metrics(&self) -> Statement {
        let because =
            "how busy the endpoint's instances are; IAM knows no resource for metrics, so the namespace is held";
        Statement::allow("Metrics", &["cloudwatch:PutMetricData"], vec!["*".into()], because)
            .when("StringEquals", "cloudwatch:namespace", vec!["/aws/sagemaker/Endpoints".into()])
            .since(self.path)
    }

    fn alarms(&self) -> Option<Statement> {
        let Platform { region, account_id, .. } = self.platform;
        let names = self.spec.rollout.as_ref().map(|rollout| rollout.rollback_alarms.as_slice()).unwrap_or_default();
        let alarms: Vec<String> = names.iter().map(|name| arn::alarm(region, account_id, name)).collect();
        let because = format!("a new revision of model {} goes back when one of these alarms fires", self.name);
        (!alarms.is_empty()).then(|| {
            Statement::allow("RollbackAlarms", &["cloudwatch:DescribeAlarms"], alarms, because)
                .since(&self.field("rollout.rollbackAlarms"))
        })
    }

    fn field(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    /// Alarms whose names would be patterns or variables in a policy, and so let in more than they say.
    fn patterns(&self) -> Vec<Problem> {
        let named = self.spec.rollout.iter().flat_map(|rollout| rollout.rollback_alarms.iter().enumerate());
        named
            .filter(|(_, name)| name.contains(['*', '?', '$']))
            .map(|(index, name)| {
                let message = format!(
                    "{name:?} has one of * ? $, which mean something else in the policy of the role made for the model: \
                     take another name, or name a role of your own in executionRoleArn"
                );
                Problem::new(self.field(&format!("rollout.rollbackAlarms[{index}]")), message)
            })
            .collect()
    }
}

/// The buckets of a spec. A URI in it is the user's own word, which the operator's guardrails have to allow before
/// anything is made of it.
struct Declared<'a> {
    platform: &'a Platform,
    spec: &'a SageMaker,
}

impl Buckets for Declared<'_> {
    fn find(&self, bucket_name: &str) -> Option<(String, Option<String>)> {
        let bucket = self.platform.buckets.iter().find(|bucket| bucket.bucket_name == bucket_name)?;
        Some((bucket.name.clone(), bucket.kms_key_arn.clone()))
    }

    fn is_allowed(&self, uri: &str) -> bool {
        self.spec.model_data.as_ref().is_some_and(|data| data.uri.as_deref() == Some(uri))
    }
}
