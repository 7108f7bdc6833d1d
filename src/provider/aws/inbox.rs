//! The queue and the rule of a place together: what is there, and one step at a time.

use super::sqs::Message;
use super::{Aws, OwnCalls};
use crate::drift_events::inbox::{Inbox, Observed, Step};
use crate::failure::Error;
use crate::scope::Scope;

impl Aws {
    /// Both as they are.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn observe_inbox(&self, scope: &Scope, inbox: &Inbox) -> Result<Observed, Error> {
        let clients = self.clients(&scope.region, scope).await;
        let queue = Box::pin(clients.sqs().observe(&inbox.name)).await?;
        let rule = Box::pin(clients.eventbridge().observe(inbox)).await?;
        Ok(Observed { queue, rule })
    }

    /// Takes one step. `observed` is what it was planned on.
    ///
    /// # Errors
    /// When AWS refuses it.
    pub async fn apply_to_inbox(
        &self,
        scope: &Scope,
        inbox: &Inbox,
        observed: &Observed,
        step: &Step,
    ) -> Result<(), Error> {
        let clients = self.clients(&scope.region, scope).await;
        let (sqs, eventbridge) = (clients.sqs(), clients.eventbridge());
        let url = observed.queue.as_ref().map_or("", |queue| queue.url.as_str());
        match step {
            Step::CreateQueue => Box::pin(sqs.create(inbox)).await,
            Step::SetAttributes(changed) => Box::pin(sqs.set(&inbox.name, url, changed)).await,
            Step::PutRule => Box::pin(eventbridge.put(inbox, observed.rule.is_none())).await,
            Step::PutTarget => Box::pin(eventbridge.put_target(inbox)).await,
            Step::RemoveTargets(ids) => Box::pin(eventbridge.remove_targets(&inbox.name, ids)).await,
            Step::DeleteRule => Box::pin(eventbridge.delete(&inbox.name)).await,
            Step::DeleteQueue => Box::pin(sqs.delete(&inbox.name, url)).await,
        }
    }

    /// Sets the tags that the queue has: a write that changes nothing, and becomes an event.
    ///
    /// # Errors
    /// When AWS refuses it.
    pub async fn probe_inbox(&self, scope: &Scope, inbox: &Inbox, url: &str) -> Result<(), Error> {
        let clients = self.clients(&scope.region, scope).await;
        Box::pin(clients.sqs().tag(&inbox.name, url, &inbox.tags)).await
    }

    /// Waits for messages in a queue: none when none came in time.
    ///
    /// # Errors
    /// When AWS refuses it or does not answer.
    pub async fn receive(&self, scope: &Scope, name: &str, url: &str) -> Result<Vec<Message>, Error> {
        let clients = self.clients(&scope.region, scope).await;
        Box::pin(clients.sqs().receive(name, url)).await
    }

    /// Deletes messages that were received.
    ///
    /// # Errors
    /// When AWS refuses one of them: it is received again.
    pub async fn delete_messages(
        &self,
        scope: &Scope,
        name: &str,
        url: &str,
        receipts: &[String],
    ) -> Result<(), Error> {
        let clients = self.clients(&scope.region, scope).await;
        Box::pin(clients.sqs().delete_messages(name, url, receipts)).await
    }

    /// The ARN of the identity that the credentials for a scope belong to.
    ///
    /// # Errors
    /// When AWS does not say.
    pub async fn caller(&self, scope: &Scope) -> Result<String, Error> {
        Ok(self.identity(scope).await?.arn)
    }

    /// The memory of this process's own calls.
    #[must_use]
    pub fn own_calls(&self) -> &OwnCalls {
        self.clients.own_calls()
    }
}
