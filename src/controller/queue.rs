//! Which object a pass is taken over next. Pure: the clock is given.
//!
//! An object stands in the queue once, and no two passes are ever under way over one object. What is more urgent comes
//! first; among equals the namespaces take turns, and within one the order is that of arrival. Every fourth pass goes to
//! whoever has waited longest, so that a flood of urgent work holds up nothing for ever.
//!
//! A pass that waits for a server that does not answer costs nothing but memory. So it does not count among the passes
//! that may be at work; of those that wait there may be many, and a namespace that fills the room leaves always as much of
//! what is left to others as it has taken.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::ObjectKey;
use crate::priority::Priority;

/// The urgency of a pass, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Urgency {
    /// A user asked for something.
    Edit,
    /// Something is on its way, or there is more to do at once.
    Transition,
    /// Something failed that passes by itself.
    Retry,
    /// Something may have drifted, or somebody may have mended what stalled.
    Resync,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub(super) const ALL: [Self; 4] = [Self::Edit, Self::Transition, Self::Retry, Self::Resync];

    /// The priority of its calls to AWS.
    pub(super) fn priority(self) -> Priority {
        match self {
            Self::Edit => Priority::Edit,
            Self::Transition | Self::Retry => Priority::Transition,
            Self::Resync => Priority::Drift,
        }
    }

    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Transition => "transition",
            Self::Retry => "retry",
            Self::Resync => "resync",
        }
    }
}

/// Limits on the passes under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Passes that get on.
    pub at_work: usize,
    /// Passes in all, those that wait for a server that does not answer among them.
    pub most: usize,
}

/// One in so many passes goes to whoever has waited longest.
const TURN_OF_THE_OLDEST: u64 = 4;

/// The part of all passes that only edits may use.
const RESERVED: usize = 4;

/// The queue. Times are those of any clock that does not jump.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    waiting: HashMap<ObjectKey, Waiting>,
    lanes: [Lane; Urgency::ALL.len()],
    /// The passes under way.
    running: HashMap<ObjectKey, Running>,
    at_work: usize,
    /// The number of passes under way in each namespace.
    crowd: BTreeMap<String, usize>,
    due: BTreeSet<(Duration, ObjectKey)>,
    alarms: HashMap<ObjectKey, (Duration, Urgency)>,
    arrivals: u64,
    starts: u64,
}

/// A pass under way.
#[derive(Clone, Copy, Debug)]
struct Running {
    urgency: Urgency,
    is_stalled: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    urgency: Urgency,
    /// Its place among all, from when it came into the queue.
    arrived: u64,
    /// Its place in its lane. What is in a lane with another place is not there any more.
    place: u64,
}

/// The objects that wait with one urgency: the namespaces in the order of their turns.
#[derive(Debug, Default)]
struct Lane {
    turns: VecDeque<String>,
    objects: HashMap<String, VecDeque<(ObjectKey, u64)>>,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: HashMap::new(),
            lanes: Default::default(),
            running: HashMap::new(),
            at_work: 0,
            crowd: BTreeMap::new(),
            due: BTreeSet::new(),
            alarms: HashMap::new(),
            arrivals: 0,
            starts: 0,
        }
    }

    /// Asks for a pass as soon as there is room; not while one is under way, whose end is the time to ask.
    pub(super) fn push(&mut self, key: &ObjectKey, urgency: Urgency) {
        if self.running.contains_key(key) {
            return;
        }
        self.silence(key);
        let before = self.waiting.get(key).copied();
        if before.is_some_and(|before| before.urgency <= urgency) {
            return;
        }
        self.arrivals += 1;
        let place = self.arrivals;
        let arrived = before.map_or(place, |before| before.arrived);
        self.waiting.insert(key.clone(), Waiting { urgency, arrived, place });
        self.lanes[urgency as usize].push(key, place);
    }

    /// Asks for a pass at a later time. A pass that is asked for sooner takes its place.
    pub(super) fn push_at(&mut self, key: &ObjectKey, at: Duration, urgency: Urgency) {
        if self.waiting.contains_key(key) || self.running.contains_key(key) {
            return;
        }
        if self.alarms.get(key).is_some_and(|(before, _)| *before <= at) {
            return;
        }
        self.silence(key);
        self.alarms.insert(key.clone(), (at, urgency));
        self.due.insert((at, key.clone()));
    }

    /// The next object to take a pass over, if there is room for one now. The pass counts as under way.
    pub(super) fn start(&mut self, now: Duration) -> Option<ObjectKey> {
        self.ring(now);
        if self.at_work >= self.limits.at_work {
            return None;
        }
        let oldest = (self.starts + 1).is_multiple_of(TURN_OF_THE_OLDEST);
        let first = if oldest { self.oldest() } else { None };
        let key = first.or_else(|| Urgency::ALL.into_iter().find_map(|urgency| self.next(urgency)))?;
        self.starts += 1;
        let urgency = self.waiting.remove(&key).map_or(Urgency::Resync, |waiting| waiting.urgency);
        self.running.insert(key.clone(), Running { urgency, is_stalled: false });
        self.at_work += 1;
        *self.crowd.entry(key.namespace.clone()).or_default() += 1;
        Some(key)
    }

    /// The pass over this object has ended.
    pub(super) fn end(&mut self, key: &ObjectKey) {
        match self.running.remove(key) {
            None => return,
            Some(running) if running.is_stalled => {}
            Some(_) => self.at_work -= 1,
        }
        if let Some(crowd) = self.crowd.get_mut(&key.namespace) {
            *crowd -= 1;
            if *crowd == 0 {
                self.crowd.remove(&key.namespace);
            }
        }
    }

    /// The pass over this object waits for a server that does not answer: until it ends, others need not wait for it.
    pub(super) fn stall(&mut self, key: &ObjectKey) {
        if let Some(running) = self.running.get_mut(key).filter(|running| !running.is_stalled) {
            running.is_stalled = true;
            self.at_work -= 1;
        }
    }

    /// Forgets an object that is gone. A pass under way goes on.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.silence(key);
        self.waiting.remove(key);
    }

    /// True when a pass comes by then, if there is room for it.
    pub(super) fn is_due_by(&self, key: &ObjectKey, at: Duration) -> bool {
        self.waiting.contains_key(key) || self.alarms.get(key).is_some_and(|(due, _)| *due <= at)
    }

    /// True when a pass is under way.
    pub(super) fn is_running(&self, key: &ObjectKey) -> bool {
        self.running.contains_key(key)
    }

    /// The urgency with which the pass under way was asked for.
    pub(super) fn urgency(&self, key: &ObjectKey) -> Option<Urgency> {
        self.running.get(key).map(|running| running.urgency)
    }

    /// Passes under way.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// The number of objects that wait with this urgency.
    pub(super) fn waiting(&self, urgency: Urgency) -> usize {
        self.waiting.values().filter(|waiting| waiting.urgency == urgency).count()
    }

    /// The time at which the next object is due.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Puts into the queue what has become due.
    fn ring(&mut self, now: Duration) {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.due.pop_first() else { return };
            if let Some((_, urgency)) = self.alarms.remove(&key) {
                self.push(&key, urgency);
            }
        }
    }

    fn silence(&mut self, key: &ObjectKey) {
        if let Some((at, _)) = self.alarms.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    /// True when there is room for another pass of this namespace.
    fn has_room(&self, namespace: &str, urgency: Urgency) -> bool {
        let most =
            if urgency == Urgency::Edit { self.limits.most } else { self.limits.most - self.limits.most / RESERVED };
        let free = most.saturating_sub(self.running.len());
        self.crowd.get(namespace).copied().unwrap_or_default() < free
    }

    /// Takes the next object of this urgency out of its lane.
    fn next(&mut self, urgency: Urgency) -> Option<ObjectKey> {
        let turns = std::mem::take(&mut self.lanes[urgency as usize].turns);
        let mut found = None;
        let mut passed_over = VecDeque::new();
        let mut rest = turns.into_iter();
        for namespace in rest.by_ref() {
            if self.head(urgency, &namespace).is_none() {
                continue;
            }
            if self.has_room(&namespace, urgency) {
                found = Some(namespace);
                break;
            }
            passed_over.push_back(namespace);
        }
        let lane = &mut self.lanes[urgency as usize];
        lane.turns = passed_over.into_iter().chain(rest).collect();
        let namespace = found?;
        let (key, _) = lane.objects.get_mut(&namespace)?.pop_front()?;
        lane.turns.push_back(namespace);
        Some(key)
    }

    /// Takes whoever has waited longest of those that come next in their namespaces.
    fn oldest(&mut self) -> Option<ObjectKey> {
        let mut oldest: Option<(u64, Urgency, String)> = None;
        for urgency in Urgency::ALL {
            let namespaces: Vec<String> = self.lanes[urgency as usize].turns.iter().cloned().collect();
            for namespace in namespaces {
                let Some(arrived) = self.head(urgency, &namespace) else { continue };
                let is_older = oldest.as_ref().is_none_or(|(before, ..)| arrived < *before);
                if is_older && self.has_room(&namespace, urgency) {
                    oldest = Some((arrived, urgency, namespace));
                }
            }
        }
        let (_, urgency, namespace) = oldest?;
        self.lanes[urgency as usize].objects.get_mut(&namespace)?.pop_front().map(|(key, _)| key)
    }

    /// The arrival of the next object in this namespace. What left the lane in the meantime is dropped.
    fn head(&mut self, urgency: Urgency, namespace: &str) -> Option<u64> {
        let lane = &mut self.lanes[urgency as usize];
        let objects = lane.objects.get_mut(namespace)?;
        while let Some((key, place)) = objects.front() {
            match self.waiting.get(key) {
                Some(waiting) if waiting.place == *place => return Some(waiting.arrived),
                _ => objects.pop_front(),
            };
        }
        lane.objects.remove(namespace);
        None
    }
}

impl Lane {
    fn push(&mut self, key: &ObjectKey, place: u64) {
        if !self.turns.contains(&key.namespace) {
            self.turns.push_back(key.namespace.clone());
        }
        self.objects.entry(key.namespace.clone()).or_default().push_back((key.clone(), place));
    }
}

#[cfg(test)]
mod tests;
