//! What SageMaker may do to run a model: the role that is made where the spec names none.
//!
//! Source: "How to use SageMaker AI execution roles", `CreateModel`, Amazon SageMaker developer guide.

use super::model_buckets::{Use, used};
use super::storage::key_statement;
use super::{
    Grant, InlinePolicy, Purpose, ROLE_PATH, Subject, execution_role_name, policies, revision_policy_name, tell_apart,
};
use crate::api::sagemaker::SageMaker;
use crate::arn;
use crate::desire::sagemaker::{config_name, data_uri, destination_uri, endpoint_name};
use crate::platform::{Bucket, Platform, Problem};
use crate::policy::{INLINE_LIMIT, POLICY_LIMIT, Statement, document, size};
use crate::resource::endpoint_config::revision_of;
use crate::resource::model::bucket_and_key;

const PULL: [&str; 3] = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

const LOG: [&str; 4] = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"];

/// A model for which a role is made; `path` is its place in the spec.
struct Served<'a> {
    platform: &'a Platform,
    name: &'a str,
    spec: &'a SageMaker,
    path: &'a str,
}

/// The role of a model.
///
/// # Errors
/// What cannot stand in a policy, or is too long for one.
pub(super) fn grant(platform: &Platform, name: &str, spec: &SageMaker, path: &str) -> Result<Grant, Vec<Problem>> {
    let served = Served { platform, name, spec, path };
    let problems = served.patterns();
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
        trust: vec![served.trust()],
        policies: served.policies().map_err(|problem| vec![problem])?,
    })
}

impl Served<'_> {
    fn trust(&self) -> Statement {
        let because = format!("SageMaker runs model {}, and takes the role for this account only", self.name);
        Statement::allow("SageMaker", &["sts:AssumeRole"], Vec::new(), because)
            .by("Service", vec!["sagemaker.amazonaws.com".into()])
            .when("StringEquals", "aws:SourceAccount", vec![self.platform.account_id.clone()])
            .since(self.path)
    }

    /// What every revision needs, and what the current one needs: what a revision needs stays as long as the revision.
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
        let each = size(&document(&revision));
        if each > POLICY_LIMIT {
            return Err(too_large((each, POLICY_LIMIT)));
        }
        let standing: usize = named.iter().map(|(_, statements)| size(&document(statements))).sum();
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

    fn of_revision(&self) -> Vec<Statement> {
        let mut statements = self.image();
        statements.extend(self.artifact());
        statements.extend(self.answers());
        statements.extend(self.captured());
        statements.extend(self.keys());
        tell_apart(&mut statements);
        statements
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
        let group = arn::log_group(region, account_id, &format!("/aws/sagemaker/Endpoints/{name}"));
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

    /// Source: "Complete the prerequisites" of asynchronous inference, Amazon SageMaker developer guide.
    fn answers(&self) -> Vec<Statement> {
        let Some(output) = self.spec.asynchronous.as_ref().map(|asynchronous| &asynchronous.output) else {
            return Vec::new();
        };
        let actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"];
        let uri = destination_uri(self.platform, output);
        let because = format!("model {} reads requests and writes answers below {uri}", self.name);
        let statements = vec![
            Statement::allow("RequestsAndAnswers", &actions, vec![self.below(&uri)], &because),
            self.list("ListRequestsAndAnswers", &uri, because),
        ];
        statements.into_iter().map(|statement| statement.since(&self.field("async"))).collect()
    }

    fn captured(&self) -> Vec<Statement> {
        let Some(destination) = self.spec.data_capture.as_ref().map(|capture| &capture.destination) else {
            return Vec::new();
        };
        let uri = destination_uri(self.platform, destination);
        let because = format!("requests to model {} and its answers are kept below {uri}", self.name);
        let statement = Statement::allow("Capture", &["s3:PutObject"], vec![self.below(&uri)], because);
        vec![statement.since(&self.field("dataCapture"))]
    }

    fn image(&self) -> Vec<Statement> {
        let image = &self.spec.image;
        let because = format!("this revision of model {} runs {image}", self.name);
        let repository = repository(image);
        let pulled =
            repository.map(|it| Statement::allow("Image", &PULL, vec![it], because).since(&self.field("image")));
        pulled.into_iter().collect()
    }

    fn artifact(&self) -> Vec<Statement> {
        let Some(uri) = self.spec.model_data.as_ref().and_then(|data| data_uri(self.platform, data)) else {
            return Vec::new();
        };
        let because = format!("this revision of model {} loads {uri}", self.name);
        let is_prefix = uri.ends_with('/');
        let objects = if is_prefix { self.below(&uri) } else { self.object(&uri) };
        let mut statements = vec![Statement::allow("Artifact", &["s3:GetObject"], vec![objects], &because)];
        statements.extend(is_prefix.then(|| self.list("ListArtifact", &uri, because)));
        statements.into_iter().map(|statement| statement.since(&self.field("modelData"))).collect()
    }

    /// Every key that buckets of the platform which are read or written are encrypted with, once.
    fn keys(&self) -> Vec<Statement> {
        let mut keys: Vec<(Use, &Bucket, bool)> = Vec::new();
        for (how, bucket, _) in used(self.platform, self.spec) {
            match keys.iter_mut().find(|(_, known, _)| known.kms_key_arn == bucket.kms_key_arn) {
                Some((_, _, writes)) => *writes |= how.writes(),
                None => keys.push((how, bucket, how.writes())),
            }
        }
        let statement =
            |(how, bucket, writes): (Use, &Bucket, bool)| Some(key_of(bucket, writes)?.since(&self.field(how.field())));
        keys.into_iter().filter_map(statement).collect()
    }

    fn list(&self, sid: &str, uri: &str, because: String) -> Statement {
        let (bucket, prefix) = bucket_and_key(uri).unwrap_or_default();
        let bucket = arn::bucket(&self.platform.region, bucket);
        Statement::allow(sid, &["s3:ListBucket"], vec![bucket], because).when(
            "StringLike",
            "s3:prefix",
            vec![format!("{prefix}*")],
        )
    }

    fn object(&self, uri: &str) -> String {
        let (bucket, key) = bucket_and_key(uri).unwrap_or_default();
        format!("{}/{key}", arn::bucket(&self.platform.region, bucket))
    }

    fn below(&self, uri: &str) -> String {
        format!("{}*", self.object(uri))
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

fn key_of(bucket: &Bucket, writes: bool) -> Option<Statement> {
    Some(key_statement(bucket, bucket.kms_key_arn.as_deref()?, writes))
}

/// The ARN of the repository of an image `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG`.
fn repository(image: &str) -> Option<String> {
    let (host, path) = image.split_once('/')?;
    let mut parts = host.split('.');
    let (account, region) = (parts.next()?, parts.nth(2)?);
    let name = path.split([':', '@']).next()?;
    Some(arn::repository(region, account, name))
}
