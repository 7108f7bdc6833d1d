//! Takes the events of the watches, and keeps passes under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt, stream};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Error as WatchError, Event, watcher};
use kube::{Api, Resource};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::children::{self, Child, Children};
use super::object_state;
use super::objects::{Object, Objects, WatchChange};
use super::queue::{Limits, Queue, Urgency};
use super::reconcile_result::{ReconcileResult, Verdict};
use super::{Context, ObjectKey, Processed, process};
use crate::api::AIPlatform;
use crate::api_server::WATCH_SECONDS;
use crate::drift_listeners::{self, News};
use crate::priority::{self, Priority};
use crate::provider::Provider;
use crate::provider::cluster::SILENCE;
use crate::provider::cluster::Watched;
use crate::readiness::cluster_obstacle;
use crate::schedule::first_look;
use crate::stall;

/// Passes under way at most, those that wait for a server that does not answer among them.
const MOST: usize = 1024;

/// The time that passes in flight may take to finish when the operator shuts down. Kubernetes kills after 30 seconds,
/// unless the pod says otherwise.
const DRAIN: Duration = Duration::from_secs(20);

/// The delay after a change before the platforms that it concerns are reconciled, so that several changes cost one pass.
const SETTLES: Duration = Duration::from_secs(1);

/// The longest time for which a new state in the cluster waits for the poll of what AWS is at work on.
const POLLED_SOON: Duration = Duration::from_secs(6);

/// Seconds over which platforms are woken that all have to say the same, at most.
const MOST_SPREAD: usize = 60;

type Watches = SelectAll<BoxStream<'static, (usize, Result<Event<Object>, WatchError>)>>;

/// Takes passes until the operator ends, and then lets those in hand end. Whether they did.
pub(super) async fn dispatch<P: Provider + 'static>(
    context: Arc<Context<P>>,
    news: UnboundedReceiver<News>,
    watched: &Arc<Watched>,
) -> bool {
    let limits = limits(context.settings.concurrency);
    let mut dispatcher = Dispatcher {
        watches: watches(&context),
        children: children::watch(&context.client, &context.settings.namespaces, watched),
        failing: HashMap::new(),
        woken: HashMap::new(),
        objects: Objects::default(),
        queue: Queue::new(limits),
        passes: JoinSet::new(),
        stalls: mpsc::unbounded_channel(),
        news,
        looked_at: 0,
        edits: HashMap::new(),
        began: Instant::now(),
        context,
    };
    dispatcher.run().await;
    dispatcher.drain().await
}

fn limits(concurrency: u16) -> Limits {
    let at_work = usize::from(concurrency.max(1));
    Limits { at_work, most: MOST.max(4 * at_work) }
}

fn watches<P>(context: &Context<P>) -> Watches {
    let client = &context.client;
    let apis: Vec<Api<Object>> = match context.settings.namespaces.as_slice() {
        [] => vec![Api::all(client.clone())],
        namespaces => namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
    };
    let config = watcher::Config {
        label_selector: context.settings.label_selector.clone(),
        timeout: Some(WATCH_SECONDS),
        ..watcher::Config::default()
    };
    let watch = |(index, api)| {
        // Who manages which field is a third of an object's size in memory, and nobody asks here.
        let events = watcher(api, config.clone()).modify(|object: &mut Object| object.meta_mut().managed_fields = None);
        let events = events.default_backoff();
        events.map(move |event| (index, event)).boxed()
    };
    stream::select_all(apis.into_iter().enumerate().map(watch))
}

/// True when an event shows that the API server lists or watches for us. `Init` comes before the first request.
fn shows_success<K>(event: &Event<K>) -> bool {
    match event {
        Event::Init | Event::InitApply(_) => false,
        Event::InitDone | Event::Apply(_) | Event::Delete(_) => true,
    }
}

/// The refusal of a list or a watch that does not pass by itself. That the API server has too much to do, or has only
/// just learned of a resource, does; a watch that then works says nothing until something happens.
fn refusal(error: &WatchError) -> Option<&kube::Error> {
    let (WatchError::InitialListFailed(refused) | WatchError::WatchStartFailed(refused)) = error else { return None };
    match refused {
        kube::Error::Api(status) if status.code == 429 || status.code >= 500 => None,
        other => Some(other),
    }
}

/// A change that asks for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Something that a platform has in the cluster is in another state.
    Status,
    /// Any other, such as drift.
    Other,
}

struct Dispatcher<P> {
    context: Arc<Context<P>>,
    watches: Watches,
    children: Children,
    /// Watches that are refused, with the time by which a further refusal would have been reported.
    failing: HashMap<String, Duration>,
    /// Objects about which something changed while a pass was under way.
    woken: HashMap<ObjectKey, Change>,
    objects: Objects,
    queue: Queue,
    passes: JoinSet<(ObjectKey, Processed)>,
    /// Passes that wait for a server that does not answer.
    stalls: (UnboundedSender<ObjectKey>, UnboundedReceiver<ObjectKey>),
    /// What is heard of changes by others.
    news: UnboundedReceiver<News>,
    /// The number of platforms that were at rest when the operator began.
    looked_at: u32,
    /// Edits that no pass has carried out yet, with the time at which they were noticed.
    edits: HashMap<ObjectKey, Instant>,
    began: Instant,
}

impl<P: Provider + 'static> Dispatcher<P> {
    async fn run(&mut self) {
        loop {
            self.start();
            self.expire();
            let now = self.began.elapsed();
            let next = self.queue.wake_at().into_iter().chain(self.failing.values().copied()).min();
            let wake = next.map_or(Duration::from_mins(1), |at| at.saturating_sub(now));
            tokio::select! {
                () = self.context.authority.stop().cancelled() => return,
                Some((watch, event)) = self.watches.next() => self.on_event(watch, event),
                Some((watch, event)) = self.children.events.next() => self.on_child_event(&watch, event),
                Some(ended) = self.passes.join_next() => match ended {
                    Ok((key, ended)) => self.end(&key, ended),
                    // Passes keep their panics to themselves, and nobody cuts them off before the end.
                    Err(error) => warn!(%error, "a pass was cut off"),
                },
                Some(key) = self.stalls.1.recv() => self.queue.stall(&key),
                Some(news) = self.news.recv() => self.on_news(news),
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    /// Begins as many passes as there is room for.
    fn start(&mut self) {
        while self.context.authority.may_begin()
            && let Some(key) = self.queue.start(self.began.elapsed())
        {
            let Some(object) = self.objects.get(&key).cloned() else {
                self.queue.end(&key);
                continue;
            };
            let context = Arc::clone(&self.context);
            let (stalls, stalled) = (self.stalls.0.clone(), key.clone());
            // Nobody listens any more when the operator ends.
            let report = move || drop(stalls.send(stalled.clone()));
            let priority = self.queue.urgency(&key).map_or(Priority::Transition, Urgency::priority);
            self.passes.spawn(async move {
                let pass = stall::listen(report, process(&object, &context));
                (key, priority::scope(priority, pass).await)
            });
        }
        for urgency in Urgency::ALL {
            self.context.metrics.queued(urgency.name(), self.queue.waiting(urgency));
        }
        self.context.metrics.edited(self.edits.values().min().copied());
    }

    fn on_event(&mut self, watch: usize, event: Result<Event<Object>, WatchError>) {
        let event = match event {
            Ok(event) => {
                if shows_success(&event) {
                    self.works(&self.part(watch));
                }
                event
            }
            Err(error) => return self.interrupted(&self.part(watch), &error),
        };
        match self.objects.take(watch, event) {
            WatchChange::Changed(key) => self.enqueue_if_changed(&key),
            WatchChange::Removed(gone) => {
                for (key, uid) in gone {
                    self.queue.forget(&key);
                    self.forget(&key, &uid);
                    self.context.readiness.set(&key.to_string(), None);
                }
            }
            WatchChange::None => {}
        }
        self.wake_concerned();
        self.tell_places();
    }

    /// Says in which places there are platforms.
    fn tell_places(&self) {
        self.context.drift_events.set_places(self.objects.platforms().map(|(_, object)| object));
    }

    /// An event of AWS wakes the platforms whose resources somebody else changed.
    fn on_news(&mut self, news: News) {
        match news {
            News::Event(record, woken) => {
                let mut touched = Vec::new();
                for (key, object) in self.objects.platforms() {
                    if object_state::touch(object, self.objects.network_of(object), &record, &self.context) {
                        touched.push(key.clone());
                    }
                }
                // Who asked may have given up; then the event comes once more.
                let _ = woken.send(touched.len());
                for key in touched {
                    self.wake(key, Change::Other);
                }
            }
            News::Standing(place) => {
                let is_there = |object: &AIPlatform| {
                    let here = drift_listeners::place(&object.spec);
                    here == place || here.of_global_services() == place
                };
                let there = self.objects.platforms().filter(|(_, object)| is_there(object));
                let changed = there.filter(|(_, object)| object_state::hears_otherwise(object, &self.context));
                let changed: Vec<ObjectKey> = changed.map(|(key, _)| key.clone()).collect();
                // Hundreds of platforms are not told in one moment.
                let spread = SETTLES * u32::try_from(changed.len().min(MOST_SPREAD)).unwrap_or(1);
                for key in changed {
                    let at = self.began.elapsed() + SETTLES + spread.mul_f64(fastrand::f64());
                    if self.queue.is_running(&key) {
                        self.woken.insert(key, Change::Other);
                    } else {
                        self.queue.push_at(&key, at, Urgency::Resync);
                    }
                }
            }
        }
    }

    /// Forgets an object that is gone.
    fn forget(&mut self, key: &ObjectKey, uid: &str) {
        self.edits.remove(key);
        self.woken.remove(key);
        object_state::forget(uid, &self.context);
        self.context.metrics.forget(&key.namespace, &key.name);
    }

    /// Asks for a pass over whoever shares a network with what has changed, a moment later.
    fn wake_concerned(&mut self) {
        for key in self.objects.take_concerned() {
            self.wake(key, Change::Other);
        }
    }

    /// Asks for a pass a moment later, so that many changes ask for one. Where AWS is at work, the platform is not Ready
    /// before that has been polled, and a poll that comes soon sees the new state in the cluster as well.
    fn wake(&mut self, key: ObjectKey, change: Change) {
        if self.queue.is_running(&key) {
            let known = self.woken.entry(key).or_insert(change);
            *known = change.max(*known);
            return;
        }
        let Some(object) = self.objects.get(&key) else { return };
        let now = self.began.elapsed();
        let waits = |object: &AIPlatform| object_state::awaits_aws(object, &self.context);
        let is_polled_soon = self.queue.is_due_by(&key, now + POLLED_SOON) && object.0.as_ref().is_ok_and(waits);
        if change != Change::Status || !is_polled_soon {
            self.queue.push_at(&key, now + SETTLES, Urgency::Transition);
        }
    }

    /// A change in a child of an object asks for a pass.
    fn on_child_event(&mut self, watch: &str, event: Result<Child, WatchError>) {
        match event {
            Ok(Child::Begun) => {}
            Ok(Child::Unchanged) => self.works(watch),
            Ok(Child::Changed(key)) => {
                self.works(watch);
                self.wake(key, Change::Other);
            }
            Ok(Child::StatusChanged(key)) => {
                self.works(watch);
                self.wake(key, Change::Status);
            }
            Ok(Child::Relisted(kind)) => {
                self.works(watch);
                for key in self.objects.having(kind) {
                    self.wake(key, Change::Other);
                }
            }
            Ok(Child::ApiChanged(kind)) => {
                self.works(watch);
                self.children.look_again(kind);
                for key in self.objects.depending_on(kind) {
                    self.wake(key, Change::Other);
                }
            }
            Err(error) => self.interrupted(watch, &error),
        }
    }

    fn works(&mut self, watch: &str) {
        self.failing.remove(watch);
        self.context.readiness.set(watch, None);
    }

    /// It starts over by itself. Where that fails for a reason that passes, the probe of the API server reports it.
    fn interrupted(&mut self, watch: &str, error: &WatchError) {
        let Some(refused) = refusal(error) else { return debug!(%error, "the watch was interrupted") };
        self.failing.insert(watch.to_string(), self.began.elapsed() + SILENCE);
        self.context.readiness.set(watch, Some(cluster_obstacle(refused)));
    }

    /// A watch that was refused and is not any more works, although no event says so.
    fn expire(&mut self) {
        let now = self.began.elapsed();
        let expired: Vec<String> =
            self.failing.iter().filter(|(_, until)| **until <= now).map(|(watch, _)| watch.clone()).collect();
        for watch in expired {
            self.works(&watch);
        }
    }

    /// The name of a watch in `/readyz`: the obstacle of one does not go away because another one works.
    fn part(&self, watch: usize) -> String {
        match self.context.settings.namespaces.get(watch) {
            Some(namespace) => format!("watch of {namespace}"),
            None => "watch".into(),
        }
    }

    /// Enqueues the object if it has changed.
    fn enqueue_if_changed(&mut self, key: &ObjectKey) {
        // Only when a pass is over is it known which writes were its own.
        if self.queue.is_running(key) {
            return;
        }
        let Some(object) = self.objects.get(key) else { return };
        let urgency = match &object.0 {
            Ok(object) => object_state::change_urgency(object, &self.context),
            Err(_) => Some(Urgency::Resync),
        };
        let is_at_rest = urgency == Some(Urgency::Resync)
            && object.0.as_ref().is_ok_and(|object| object_state::is_unknown(object, &self.context));
        if let Some(urgency) = urgency {
            if urgency == Urgency::Edit {
                self.edits.entry(key.clone()).or_insert_with(Instant::now);
            }
            if is_at_rest {
                let delay = first_look(self.looked_at, fastrand::f64());
                self.looked_at = self.looked_at.saturating_add(1);
                return self.queue.push_at(key, self.began.elapsed() + delay, urgency);
            }
            self.queue.push(key, urgency);
        }
    }

    fn end(&mut self, key: &ObjectKey, ended: Processed) {
        self.queue.end(key);
        let Processed { result: ReconcileResult { wait, urgency, object, verdict, .. }, uid, version } = ended;
        let is_carried_out = wait != Some(Duration::ZERO) && verdict != Verdict::Error;
        if is_carried_out {
            self.edits.remove(key);
        }
        if let Some(object) = object {
            self.objects.written(key, object);
            self.wake_concerned();
            self.tell_places();
        }
        let Some(object) = self.objects.get(key).filter(|object| object.meta().uid.as_deref() == Some(uid.as_str()))
        else {
            // It is gone, or another one has its name, which is reported by itself.
            self.forget(key, &uid);
            self.context.readiness.set(&key.to_string(), None);
            self.enqueue_if_changed(key);
            return;
        };
        // The object may have changed in the meantime.
        let may_have_changed = object.meta().resource_version != version;
        if let Some(wait) = wait {
            if wait.is_zero() {
                self.queue.push(key, urgency);
            } else {
                self.queue.push_at(key, self.began.elapsed() + wait, urgency);
            }
        }
        if may_have_changed {
            self.enqueue_if_changed(key);
        }
        if let Some(change) = self.woken.remove(key) {
            self.wake(key.clone(), change);
        }
    }

    async fn drain(mut self) -> bool {
        if self.passes.is_empty() {
            return true;
        }
        info!(passes = self.queue.running(), "waiting for the passes in hand");
        let ended = async { while self.passes.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, ended).await.is_ok() {
            return true;
        }
        warn!("passes in hand did not end within {} seconds: cut off", DRAIN.as_secs());
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_has_only_begun_is_no_success() {
        assert!(!shows_success(&Event::<()>::Init));
        assert!(!shows_success(&Event::InitApply(())));
        for event in [Event::InitDone, Event::Apply(()), Event::Delete(())] {
            assert!(shows_success(&event));
        }
    }

    #[test]
    fn a_watch_that_the_api_server_is_not_ready_for_yet_is_no_obstacle() {
        let answer = |code: u16| {
            let status = kube::core::Status::failure("storage is (re)initializing", "TooManyRequests").with_code(code);
            WatchError::WatchStartFailed(kube::Error::Api(Box::new(status)))
        };
        assert!(refusal(&answer(429)).is_none() && refusal(&answer(503)).is_none());
        assert!(refusal(&answer(403)).is_some() && refusal(&answer(404)).is_some());
    }

    #[test]
    fn hundreds_of_objects_that_hang_leave_room_for_what_comes_after_them() {
        let mut queue = Queue::new(limits(8));
        let key = |namespace: &str, name: String| ObjectKey { namespace: namespace.into(), name };
        for number in 0..300 {
            queue.push(&key("a", number.to_string()), Urgency::Transition);
        }
        let late = [key("a", "late".into()), key("b", "late".into())];
        let now = Duration::ZERO;
        while let Some(key) = queue.start(now) {
            queue.stall(&key);
        }
        assert_eq!(queue.running(), 300);
        for late in late {
            queue.push(&late, Urgency::Transition);
            assert_eq!(queue.start(now), Some(late));
        }
    }
}
