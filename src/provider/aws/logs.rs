//! Amazon CloudWatch Logs: the log groups of endpoints.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::join_all;

use super::failure;
use super::requests::Measured;
use crate::arn;
use crate::diff::Change;
use crate::failure::{Class, Error};
use crate::failures::{Failures, Parts};
use crate::features::sagemaker::log_group::{LogGroup, action, field};
use crate::outcome::Applied;
use crate::plan::{Action, Step};
use crate::resource::{Key, Observed, Owner, Request, Resource};
use crate::scope::Scope;
use crate::tags::{self, Tags};

/// Groups that one call describes: `DescribeLogGroups`, CloudWatch Logs API reference.
const GROUPS_PER_CALL: usize = 50;

/// CloudWatch Logs in one region.
pub(super) struct Logs {
    client: Client,
}

impl Logs {
    pub(super) fn new(config: &SdkConfig, measured: Measured) -> Self {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config) }
    }

    /// Observes log groups: their description in one call for all, and the tags of each.
    pub(super) async fn observe(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let chunks = requests.chunks(GROUPS_PER_CALL).map(|chunk| self.observe_chunk(scope, chunk));
        join_all(chunks).await.into_iter().flatten().collect()
    }

    async fn observe_chunk(&self, scope: &Scope, requests: &[&Request]) -> Vec<(Key, Observed)> {
        let names: Vec<&str> = requests.iter().map(|request| request.key.name.as_str()).collect();
        let arns = names.iter().map(|name| arn_of(scope, name));
        let call = self.client.describe_log_groups().set_log_group_identifiers(Some(arns.collect()));
        let described = match call.send().await {
            Ok(described) => described.log_groups.unwrap_or_default(),
            Err(error) => {
                let error = refused(action::DESCRIBE, &names.join(", "), &error);
                let each = requests.iter().map(|request| request.key.clone());
                return each.map(|key| (key, Observed::unreadable(error.clone()))).collect();
            }
        };
        let seen = requests.iter().map(|request| async {
            let group = described.iter().find(|group| group.log_group_name.as_ref() == Some(&request.key.name));
            let seen = match group {
                Some(group) => self.group(scope, &request.key.name, group).await,
                None => Ok(Observed::absent()),
            };
            (request.key.clone(), seen.unwrap_or_else(Observed::unreadable))
        });
        join_all(seen).await
    }

    async fn group(&self, scope: &Scope, name: &str, found: &types::LogGroup) -> Result<Observed, Error> {
        let arn = arn_of(scope, name);
        let all = match self.tags(&arn, name).await {
            Ok(tags) => tags,
            Err(error) if error.class == Class::NotFound => return Ok(Observed::absent()),
            Err(error) => return Err(error),
        };
        let group = LogGroup {
            name: name.into(),
            arn,
            retention_days: found.retention_in_days,
            kms_key_arn: found.kms_key_id.clone(),
            tags: tags::managed(&all),
        };
        Ok(Observed::present(group.into(), Owner::of(&all, &scope.owner)))
    }

    async fn tags(&self, arn: &str, name: &str) -> Result<Tags, Error> {
        let call = self.client.list_tags_for_resource().resource_arn(arn);
        let listed = call.send().await.map_err(|error| refused(action::LIST_TAGS, name, &error))?;
        Ok(listed.tags.unwrap_or_default().into_iter().collect())
    }

    pub(super) async fn apply(&self, scope: &Scope, step: &Step) -> Result<Applied, Failures> {
        match (&step.action, &step.desired, &step.observed) {
            (Action::Create, Some(Resource::LogGroup(desired)), _) => self.create(desired).await,
            (Action::Update(changes), Some(Resource::LogGroup(desired)), Some(Resource::LogGroup(observed))) => {
                self.update(scope, step, (desired, observed), changes).await
            }
            _ => Err(Error::unknown_step(step).into()),
        }
    }

    async fn create(&self, desired: &LogGroup) -> Result<Applied, Failures> {
        let call = self.client.create_log_group().log_group_name(&desired.name);
        let call = call.set_kms_key_id(desired.kms_key_arn.clone());
        let call = call.set_tags(Some(desired.tags.clone().into_iter().collect()));
        call.send().await.map_err(|error| refused(action::CREATE, &desired.name, &error))?;
        let mut parts = Parts::of_a_creation();
        if let Some(days) = desired.retention_days {
            parts.note(field::RETENTION, self.put_retention(desired, days).await);
        }
        parts.end(Applied::Ready)
    }

    /// Ownership comes first: nothing is set in a group that could not be marked as ours.
    async fn update(
        &self,
        scope: &Scope,
        step: &Step,
        (desired, observed): (&LogGroup, &LogGroup),
        changes: &[Change],
    ) -> Result<Applied, Failures> {
        let differs = |name: &str| changes.iter().any(|change| change.field() == name);
        let mut parts = Parts::default();
        let known = [field::TAGS, field::RETENTION, field::KEY];
        for change in changes.iter().filter(|change| !known.contains(&change.field())) {
            parts.note::<()>(change.field(), Err(Error::unknown_field(step, change.field())));
        }
        if step.adopts() {
            if parts.note(field::TAGS, self.adopt(scope, desired, &observed.tags).await).is_none() {
                return parts.end(Applied::Ready);
            }
        } else if differs(field::TAGS) {
            parts.note(field::TAGS, self.put_tags(desired, &observed.tags).await);
        }
        parts.own();
        match desired.retention_days {
            Some(days) if differs(field::RETENTION) => {
                parts.note(field::RETENTION, self.put_retention(desired, days).await);
            }
            None if differs(field::RETENTION) => {
                parts.note::<()>(field::RETENTION, Err(Error::unknown_field(step, field::RETENTION)));
            }
            Some(_) | None => {}
        }
        if differs(field::KEY) {
            parts.note(field::KEY, self.put_key(desired).await);
        }
        parts.end(Applied::Ready)
    }

    /// Takes over a group without an owner: its tags are read just before they are written, and just after.
    async fn adopt(&self, scope: &Scope, desired: &LogGroup, observed: &Tags) -> Result<(), Error> {
        let holder = async || Ok(Owner::of(&self.tags(&desired.arn, &desired.name).await?, &scope.owner));
        let subject = format!("log group {}", desired.name);
        if let Owner::Theirs(holder) = holder().await? {
            return Err(Error::owner_changed(action::TAG, &subject, Some(&holder)));
        }
        self.put_tags(desired, observed).await?;
        match holder().await? {
            Owner::Ours => Ok(()),
            Owner::Theirs(holder) => Err(Error::owner_changed(action::TAG, &subject, Some(&holder))),
            Owner::Nobody => Err(Error::owner_changed(action::TAG, &subject, None)),
        }
    }

    async fn put_retention(&self, desired: &LogGroup, days: i32) -> Result<(), Error> {
        let call = self.client.put_retention_policy().log_group_name(&desired.name).retention_in_days(days);
        call.send().await.map_err(|error| refused(action::PUT_RETENTION, &desired.name, &error))?;
        Ok(())
    }

    async fn put_key(&self, desired: &LogGroup) -> Result<(), Error> {
        let name = &desired.name;
        if let Some(key) = &desired.kms_key_arn {
            let call = self.client.associate_kms_key().log_group_name(name).kms_key_id(key);
            call.send().await.map_err(|error| refused(action::ASSOCIATE_KEY, name, &error))?;
        } else {
            let call = self.client.disassociate_kms_key().log_group_name(name);
            call.send().await.map_err(|error| refused(action::DISASSOCIATE_KEY, name, &error))?;
        }
        Ok(())
    }

    async fn put_tags(&self, desired: &LogGroup, observed: &Tags) -> Result<(), Error> {
        let stale = tags::stale(&desired.tags, observed);
        if !stale.is_empty() {
            let call = self.client.untag_resource().resource_arn(&desired.arn).set_tag_keys(Some(stale));
            call.send().await.map_err(|error| refused(action::UNTAG, &desired.name, &error))?;
        }
        let changed = tags::changed(&desired.tags, observed).into_iter().collect();
        let call = self.client.tag_resource().resource_arn(&desired.arn).set_tags(Some(changed));
        call.send().await.map_err(|error| refused(action::TAG, &desired.name, &error))?;
        Ok(())
    }
}

fn arn_of(scope: &Scope, name: &str) -> String {
    arn::log_group(&scope.region, &scope.account_id, name)
}

fn refused<E>(action: &str, name: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure::classify(action, &format!("log group {name}"), error, table)
}

/// CloudWatch Logs' error codes. Source: "Errors" of each operation in the CloudWatch Logs API reference.
fn table(code: &str) -> Option<Class> {
    Some(match code {
        "ResourceNotFoundException" => Class::NotFound,
        "ResourceAlreadyExistsException" | "OperationAbortedException" => Class::Conflict,
        "LimitExceededException" => Class::Quota,
        "InvalidParameterException" | "ValidationException" | "TooManyTagsException" => Class::Invalid,
        "ServiceUnavailableException" => Class::Transient,
        _ => return None,
    })
}
