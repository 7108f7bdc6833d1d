//! Amazon EventBridge: the rule that sends events to a queue.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{RuleState, Tag, Target};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::requests::Measured;
use crate::drift_events::inbox::{Inbox, ObservedRule, TARGET};
use crate::failure::{Class, Error};
use crate::permissions::drift_events::action;
use crate::tags::Tags;

/// EventBridge in one region. Rules are on the default event bus, which has the events of AWS's services.
pub(super) struct EventBridge {
    client: Client,
}

impl EventBridge {
    pub(super) fn new(config: &SdkConfig, measured: Measured) -> Self {
        let config = aws_sdk_eventbridge::config::Builder::from(config).interceptor(measured).build();
        Self { client: Client::from_conf(config) }
    }

    /// The rule, if it is there.
    pub(super) async fn observe(&self, inbox: &Inbox) -> Result<Option<ObservedRule>, Error> {
        let name = inbox.name.as_str();
        let described = match self.client.describe_rule().name(name).send().await {
            Ok(described) => described,
            Err(error) => return absent(refused(action::DESCRIBE_RULE, name, &error)),
        };
        let listed = match self.client.list_targets_by_rule().rule(name).send().await {
            Ok(listed) => listed.targets.unwrap_or_default(),
            Err(error) => return absent(refused(action::LIST_TARGETS, name, &error)),
        };
        let tags = match self.client.list_tags_for_resource().resource_arn(&inbox.rule_arn).send().await {
            Ok(read) => read.tags.unwrap_or_default(),
            Err(error) => return absent(refused(action::LIST_TAGS, name, &error)),
        };
        Ok(Some(ObservedRule {
            pattern: described.event_pattern.unwrap_or_default(),
            is_enabled: described.state == Some(RuleState::Enabled),
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            targets: listed.into_iter().map(|target| (target.id, target.arn)).collect(),
        }))
    }

    /// Makes the rule with its tags. Of one that is there AWS takes none in this call: `is_new` says which it is.
    pub(super) async fn put(&self, inbox: &Inbox, is_new: bool) -> Result<(), Error> {
        let name = inbox.name.as_str();
        let call = self.client.put_rule().name(name).event_pattern(inbox.pattern.to_string());
        let call = call.state(RuleState::Enabled).set_tags(if is_new { Some(tags(&inbox.tags, name)?) } else { None });
        call.send().await.map_err(|error| refused(action::PUT_RULE, name, &error))?;
        Ok(())
    }

    pub(super) async fn put_target(&self, inbox: &Inbox) -> Result<(), Error> {
        let name = inbox.name.as_str();
        let target = Target::builder().id(TARGET).arn(&inbox.queue_arn).build();
        let target = target.map_err(|error| Error::bug(action::PUT_TARGETS, name, error))?;
        let answer = self.client.put_targets().rule(name).targets(target).send().await;
        let answer = answer.map_err(|error| refused(action::PUT_TARGETS, name, &error))?;
        let failed = answer.failed_entries.unwrap_or_default();
        match failed.into_iter().next() {
            None => Ok(()),
            Some(failed) => Err(item(action::PUT_TARGETS, name, failed.error_code, failed.error_message)),
        }
    }

    pub(super) async fn remove_targets(&self, name: &str, ids: &[String]) -> Result<(), Error> {
        let answer = self.client.remove_targets().rule(name).set_ids(Some(ids.to_vec())).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return absent::<()>(refused(action::REMOVE_TARGETS, name, &error)).map(drop),
        };
        let failed = answer.failed_entries.unwrap_or_default();
        match failed.into_iter().next() {
            None => Ok(()),
            Some(failed) => Err(item(action::REMOVE_TARGETS, name, failed.error_code, failed.error_message)),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.client.delete_rule().name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) => absent::<()>(refused(action::DELETE_RULE, name, &error)).map(drop),
        }
    }
}

fn tags(tags: &Tags, name: &str) -> Result<Vec<Tag>, Error> {
    let made = tags.iter().map(|(key, value)| {
        Tag::builder().key(key).value(value).build().map_err(|error| Error::bug(action::TAG_RULE, name, error))
    });
    made.collect()
}

/// Nothing, where the error says that there is no such rule.
fn absent<T>(error: Error) -> Result<Option<T>, Error> {
    if error.class == Class::NotFound { Ok(None) } else { Err(error) }
}

fn subject(name: &str) -> String {
    format!("rule {name}")
}

/// The error that an answer has for one of several items.
fn item(action: &str, name: &str, code: Option<String>, message: Option<String>) -> Error {
    let code = code.unwrap_or_default();
    Error {
        class: failure::of_item(&code, table),
        action: action.into(),
        subject: subject(name),
        code,
        message: message.unwrap_or_default(),
        request_id: None,
    }
}

fn refused<E>(action: &str, name: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure::classify(action, &subject(name), error, table)
}

/// The error codes of EventBridge. Source: "Errors" of each operation in the Amazon EventBridge API reference.
fn table(code: &str) -> Option<Class> {
    Some(match code {
        "ResourceNotFoundException" => Class::NotFound,
        "ConcurrentModificationException" => Class::Conflict,
        "LimitExceededException" => Class::Quota,
        "InternalException" => Class::Transient,
        "InvalidEventPatternException" | "ManagedRuleException" => Class::Invalid,
        _ => return None,
    })
}
