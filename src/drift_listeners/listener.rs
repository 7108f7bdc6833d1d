//! The listener of one place: keeps its queue and its rule as they should be, and receives.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error_span, info, warn};

use super::{Listening, News, Wanted};
use crate::drift_events::Place;
use crate::drift_events::inbox::{self, Inbox, NotOwned, Observed};
use crate::drift_events::origin::RecentIds;
use crate::drift_events::record::Record;
use crate::drift_events::report::Standing;
use crate::failure::{Class, Error};
use crate::provider::aws::Message;
use crate::traces::TARGET;

/// The interval at which queue and rule are read again: what somebody changes about them may keep its own event away.
const CHECKED: Duration = Duration::from_hours(1);

/// The first and the longest pause after something failed.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The pause after something that only somebody can mend.
const SLOW: Duration = Duration::from_mins(1);

/// The time in which the controller takes an event. One that it does not take comes once more.
const TAKEN: Duration = Duration::from_secs(10);

/// Reads, steps and reads again at most, until there is nothing left to do.
const ROUNDS: usize = 3;

/// The reason for which a place has no queue and rule as they should be.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("{0}")]
    NotOwned(#[from] NotOwned),
    #[error("{0}")]
    Aws(#[from] Error),
    #[error("the queue or the rule is not as it was written a moment ago")]
    Unsettled,
}

impl Obstacle {
    fn reason(&self) -> &'static str {
        match self {
            Self::NotOwned(error) => error.reason(),
            Self::Aws(error) => error.reason(),
            Self::Unsettled => "Conflict",
        }
    }

    fn needs_somebody(&self) -> bool {
        match self {
            Self::NotOwned(_) => true,
            Self::Aws(error) => error.needs_somebody(),
            Self::Unsettled => false,
        }
    }

    /// True when the answer says that the queue is gone, or may be another.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Aws(error) if error.class == Class::NotFound)
    }
}

/// Listens until the operator ends, or until the place is `gone`: then queue and rule go as well.
pub(super) async fn run(shared: &Listening, place: &Place, wanted: watch::Receiver<Wanted>, gone: CancellationToken) {
    let span = error_span!(target: TARGET, "drift events", account = place.account_id, region = place.region);
    let mut listener = Listener {
        shared,
        place,
        wanted,
        began: Timestamp::now(),
        handled: RecentIds::default(),
        queue: None,
        told: None,
        pause: RETRY.0,
    };
    async {
        let stop = shared.authority.stop();
        if shared.events.is_on {
            tokio::select! {
                () = stop.cancelled() => return,
                () = gone.cancelled() => {}
                () = listener.listen() => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = listener.remove() => {}
        }
        if shared.events.is_on {
            shared.events.forget(place);
        } else {
            shared.events.set_standing(place, Standing::Removed);
            // The condition goes from the platforms, and with it the reason to come here again.
            gone.cancelled().await;
        }
    }
    .instrument(span)
    .await;
}

struct Listener<'a> {
    shared: &'a Listening,
    place: &'a Place,
    wanted: watch::Receiver<Wanted>,
    began: Timestamp,
    /// The events that were handled.
    handled: RecentIds,
    /// The URL of the queue, and when it was last seen to be as it should be.
    queue: Option<(String, Instant)>,
    /// The obstacle that was reported last.
    told: Option<String>,
    pause: Duration,
}

impl Listener<'_> {
    /// Never ends by itself.
    async fn listen(&mut self) {
        self.stand(Standing::Starting);
        loop {
            let is_due = self.queue.as_ref().is_none_or(|(_, checked)| checked.elapsed() >= CHECKED);
            if self.wanted.has_changed().unwrap_or(false) || is_due {
                match self.ensure().await {
                    Ok(url) => self.queue = Some((url, Instant::now())),
                    Err(obstacle) => {
                        self.queue = None;
                        self.fail(&obstacle).await;
                        continue;
                    }
                }
            }
            self.update();
            let Some((url, _)) = self.queue.clone() else { continue };
            if let Err(obstacle) = self.receive(&url).await {
                self.queue = None;
                if !obstacle.is_missing() {
                    self.fail(&obstacle).await;
                }
            } else {
                self.recover();
            }
        }
    }

    /// Makes queue and rule as they should be. The queue's URL.
    async fn ensure(&mut self) -> Result<String, Obstacle> {
        let wanted = self.wanted.borrow_and_update().clone();
        let desired = inbox::desire(&self.shared.events.identity, self.place, wanted.has_platforms);
        for _ in 0..ROUNDS {
            let observed = self.shared.aws().observe_inbox(&wanted.scope, &desired).await?;
            let steps = inbox::plan(&desired, &observed)?;
            if let (true, Some(queue)) = (steps.is_empty(), &observed.queue) {
                // Whose the credentials are has to be known, for the write to count.
                self.shared.aws().caller(&wanted.scope).await?;
                self.shared.aws().probe_inbox(&wanted.scope, &desired, &queue.url).await?;
                return Ok(queue.url.clone());
            }
            self.take(&wanted, &desired, &observed, &steps).await?;
        }
        Err(Obstacle::Unsettled)
    }

    /// Takes queue and rule away, for as long as it takes.
    async fn remove(&mut self) {
        self.stand(Standing::Removing);
        let wanted = self.wanted.borrow().clone();
        let desired = inbox::desire(&self.shared.events.identity, self.place, wanted.has_platforms);
        loop {
            let removed = async {
                let observed = self.shared.aws().observe_inbox(&wanted.scope, &desired).await?;
                let steps = inbox::removal(&desired, &observed)?;
                self.take(&wanted, &desired, &observed, &steps).await?;
                Ok(())
            };
            match removed.await {
                Ok(()) => return,
                Err(obstacle @ Obstacle::NotOwned(_)) => return warn!(reason = obstacle.reason(), "{obstacle}"),
                Err(obstacle) => self.fail(&obstacle).await,
            }
        }
    }

    async fn take(
        &self,
        wanted: &Wanted,
        desired: &Inbox,
        observed: &Observed,
        steps: &[inbox::Step],
    ) -> Result<(), Error> {
        if !steps.is_empty() {
            // Nobody knows for how long queue or rule were not as they should be.
            self.shared.events.doubt(self.place);
        }
        for step in steps {
            self.shared.aws().apply_to_inbox(&wanted.scope, desired, observed, step).await?;
            info!(name = desired.name, "{}", step.describe());
        }
        Ok(())
    }

    /// Waits for messages and handles them. Those that were handled are deleted.
    async fn receive(&mut self, url: &str) -> Result<(), Obstacle> {
        let scope = self.wanted.borrow().scope.clone();
        let name = self.shared.events.identity.name();
        let messages = self.shared.aws().receive(&scope, &name, url).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let arn = self.shared.aws().caller(&scope).await?;
        let mut receipts = Vec::new();
        for Message { body, receipt } in messages {
            let outcome = self.handle(&body, &arn).await;
            self.shared.metrics.drift_event(outcome);
            if outcome != NOT_TAKEN {
                receipts.push(receipt);
            }
        }
        if !receipts.is_empty() {
            self.shared.aws().delete_messages(&scope, &name, url, &receipts).await?;
        }
        Ok(())
    }

    /// Handles a message. What became of it, in a word.
    async fn handle(&mut self, body: &str, arn: &str) -> &'static str {
        let record = match Record::parse(body) {
            Ok(record) => record,
            Err(error) => {
                warn!(reason = error.reason(), "a message is deleted: {error}");
                // Nobody knows of what it told.
                self.shared.events.doubt(self.place);
                return "malformed";
            }
        };
        if record.place() != *self.place {
            return "elsewhere";
        }
        let own_calls = self.shared.aws().own_calls();
        own_calls.received(self.place);
        self.shared.metrics.drift_event_received(record.at);
        if self.handled.has(&record.id) {
            return "duplicate";
        }
        let outcome = if own_calls.include(&record, arn, self.began) {
            "own"
        } else if record.is_of_inbox(&self.shared.events.identity.name()) {
            info!(call = record.call, by = record.by, "somebody changed the queue or the rule");
            self.queue = None;
            "inbox"
        } else if record.concerns.is_empty() && record.network.is_none() {
            "unrelated"
        } else {
            self.hand_over(&record).await
        };
        if outcome != NOT_TAKEN {
            self.handled.note(&record.id, Timestamp::now());
        }
        outcome
    }

    /// Hands an event to the controller, which wakes whoever is concerned.
    async fn hand_over(&self, record: &Record) -> &'static str {
        if let Some(change) = &record.network {
            self.shared.aws().forget_networks(&record.region, |id| change.is_of(id));
        }
        let (sender, woken) = oneshot::channel();
        if self.shared.events.news.send(News::Event(Box::new(record.clone()), sender)).is_err() {
            return NOT_TAKEN;
        }
        match tokio::time::timeout(TAKEN, woken).await {
            Ok(Ok(0)) => "unrelated",
            Ok(Ok(platforms)) => {
                info!(call = record.call, by = record.by, platforms, "somebody changed a resource");
                "woke"
            }
            Ok(Err(_)) | Err(_) => NOT_TAKEN,
        }
    }

    fn update(&self) {
        self.stand(Standing::Listening(self.shared.aws().own_calls().flow(self.place)));
    }

    fn recover(&mut self) {
        self.told = None;
        self.pause = RETRY.0;
        self.update();
    }

    /// Reports an obstacle once, and waits before another try.
    async fn fail(&mut self, obstacle: &Obstacle) {
        let text = crate::request_id::without(&obstacle.to_string()).into_owned();
        if self.told.as_ref() == Some(&text) {
            debug!(reason = obstacle.reason(), "{obstacle}");
        } else {
            warn!(reason = obstacle.reason(), "{obstacle}");
            self.shared.metrics.failed(obstacle.reason());
        }
        self.stand(Standing::Failed(obstacle.reason(), text.clone()));
        self.told = Some(text);
        let pause = if obstacle.needs_somebody() { SLOW } else { self.pause };
        self.pause = (self.pause * 2).min(RETRY.1);
        tokio::time::sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }

    fn stand(&self, standing: Standing) {
        if self.shared.events.set_standing(self.place, standing) {
            // What is known of a VPC rests in part on a read from before, of which events did not tell.
            self.shared.aws().forget_networks(&self.place.region, |_| true);
        }
    }
}

/// The outcome of an event that the controller did not take: it stays in the queue, and comes once more.
const NOT_TAKEN: &str = "not_taken";
