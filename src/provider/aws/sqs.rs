//! Amazon SQS: the queue in which events come.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::requests::Measured;
use crate::drift_events::inbox::{Inbox, ObservedQueue, POLL, attribute};
use crate::failure::{Class, Error};
use crate::permissions::drift_events::action;
use crate::tags::Tags;

/// Messages that one call receives or deletes: `ReceiveMessage` and `DeleteMessageBatch`, Amazon SQS API reference.
const BATCH: i32 = 10;

/// A message of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its text.
    pub body: String,
    /// The handle by which it is deleted.
    pub receipt: String,
}

/// SQS in one region.
pub(super) struct Sqs {
    client: Client,
    /// The client for polls, which wait longer than any other call may.
    polls: Client,
}

impl Sqs {
    pub(super) fn new(config: &SdkConfig, polling: &SdkConfig, measured: &Measured) -> Self {
        let client = |config: &SdkConfig| {
            let config = aws_sdk_sqs::config::Builder::from(config).interceptor(measured.clone());
            Client::from_conf(config.build())
        };
        Self { client: client(config), polls: client(polling) }
    }

    /// The queue, if it is there.
    pub(super) async fn observe(&self, name: &str) -> Result<Option<ObservedQueue>, Error> {
        let found = self.client.get_queue_url().queue_name(name).send().await;
        let url = match found {
            Ok(found) => found.queue_url.unwrap_or_default(),
            Err(error) => return absent(refused(action::GET_QUEUE_URL, name, &error)),
        };
        let names = attribute::ALL.into_iter().map(QueueAttributeName::from).collect();
        let call = self.client.get_queue_attributes().queue_url(&url).set_attribute_names(Some(names));
        let read = match call.send().await {
            Ok(read) => read.attributes.unwrap_or_default(),
            Err(error) => return absent(refused(action::GET_QUEUE_ATTRIBUTES, name, &error)),
        };
        let tags = match self.client.list_queue_tags().queue_url(&url).send().await {
            Ok(read) => read.tags.unwrap_or_default(),
            Err(error) => return absent(refused(action::LIST_QUEUE_TAGS, name, &error)),
        };
        let attributes = read.into_iter().map(|(name, value)| (name.as_str().to_string(), value)).collect();
        Ok(Some(ObservedQueue { url, attributes, tags: tags.into_iter().collect() }))
    }

    pub(super) async fn create(&self, inbox: &Inbox) -> Result<(), Error> {
        let name = inbox.name.as_str();
        let attributes = attributes(&inbox.attributes);
        let call = self.client.create_queue().queue_name(name).set_attributes(Some(attributes));
        let call = call.set_tags(Some(inbox.tags.clone().into_iter().collect()));
        call.send().await.map_err(|error| refused(action::CREATE_QUEUE, name, &error))?;
        Ok(())
    }

    pub(super) async fn set(&self, name: &str, url: &str, changed: &BTreeMap<String, String>) -> Result<(), Error> {
        let attributes = attributes(changed);
        let call = self.client.set_queue_attributes().queue_url(url).set_attributes(Some(attributes));
        call.send().await.map_err(|error| refused(action::SET_QUEUE_ATTRIBUTES, name, &error))?;
        Ok(())
    }

    /// Sets tags of the queue.
    pub(super) async fn tag(&self, name: &str, url: &str, tags: &Tags) -> Result<(), Error> {
        let call = self.client.tag_queue().queue_url(url).set_tags(Some(tags.clone().into_iter().collect()));
        call.send().await.map_err(|error| refused(action::TAG_QUEUE, name, &error))?;
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str, url: &str) -> Result<(), Error> {
        match self.client.delete_queue().queue_url(url).send().await {
            Ok(_) => Ok(()),
            Err(error) => absent::<()>(refused(action::DELETE_QUEUE, name, &error)).map(drop),
        }
    }

    /// Waits for messages, for as long as SQS does.
    pub(super) async fn receive(&self, name: &str, url: &str) -> Result<Vec<Message>, Error> {
        let call = self.polls.receive_message().queue_url(url).max_number_of_messages(BATCH);
        let call = call.wait_time_seconds(i32::from(POLL));
        let received = call.send().await.map_err(|error| refused(action::RECEIVE, name, &error))?;
        let messages = received.messages.unwrap_or_default().into_iter().map(|message| Message {
            body: message.body.unwrap_or_default(),
            receipt: message.receipt_handle.unwrap_or_default(),
        });
        Ok(messages.collect())
    }

    /// Deletes messages. One that stays is received once more.
    pub(super) async fn delete_messages(&self, name: &str, url: &str, receipts: &[String]) -> Result<(), Error> {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(receipt);
            entry.build().map_err(|error| Error::bug(action::DELETE_MESSAGE, name, error))
        });
        let entries = entries.collect::<Result<Vec<_>, Error>>()?;
        let call = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|error| refused(action::DELETE_MESSAGE, name, &error))?;
        let Some(failed) = answer.failed.first() else { return Ok(()) };
        Err(Error {
            class: failure::of_item(&failed.code, table),
            action: action::DELETE_MESSAGE.into(),
            subject: subject(name),
            code: failed.code.clone(),
            message: failed.message.clone().unwrap_or_default(),
            request_id: None,
        })
    }
}

fn attributes(given: &BTreeMap<String, String>) -> HashMap<QueueAttributeName, String> {
    given.iter().map(|(name, value)| (QueueAttributeName::from(name.as_str()), value.clone())).collect()
}

/// Nothing, where the error says that there is no such queue.
fn absent<T>(error: Error) -> Result<Option<T>, Error> {
    if error.class == Class::NotFound { Ok(None) } else { Err(error) }
}

fn subject(name: &str) -> String {
    format!("queue {name}")
}

fn refused<E>(action: &str, name: &str, error: &SdkError<E, Response>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    failure::classify(action, &subject(name), error, table)
}

/// The error codes of SQS. Source: "Errors" of each operation in the Amazon SQS API reference. The SDK tells the codes of
/// the older protocol, which answers carry beside the new ones.
fn table(code: &str) -> Option<Class> {
    Some(match code {
        "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" => Class::NotFound,
        "AWS.SimpleQueueService.QueueDeletedRecently"
        | "QueueDeletedRecently"
        | "QueueAlreadyExists"
        | "QueueNameExists" => Class::Conflict,
        "OverLimit" => Class::Throttled,
        _ => return None,
    })
}
