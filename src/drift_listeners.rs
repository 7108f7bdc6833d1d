//! Drift by push: a queue and a rule for each account and region with platforms, by which the operator hears of changes
//! that others make.
//!
//! The controller says in which places there are platforms ([`DriftEvents::set_places`]); a listener for each place keeps
//! queue and rule as they should be, receives, and hands each event to the controller, which wakes whoever is concerned. An
//! event is deleted from the queue after that, so that none is lost with the process.

mod listener;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::status::AccountCheck;
use crate::api::{AIPlatform, AIPlatformSpec};
use crate::drift_events::Place;
use crate::drift_events::flow::Flow;
use crate::drift_events::inbox::Listener as Identity;
use crate::drift_events::record::Record;
use crate::drift_events::report::{Report, Standing, flows, is_on, report};
use crate::leadership::Authority;
use crate::metrics::Metrics;
use crate::provider::aws::Aws;
use crate::provider::providers::Providers;
use crate::schedule;
use crate::scope::Scope;

/// The time that listeners have to end when the operator does.
const DRAIN: Duration = Duration::from_secs(2);

/// Something that the controller has to know.
#[derive(Debug)]
pub enum News {
    /// A change by somebody else. Whoever takes it says how many platforms it wakes.
    Event(Box<Record>, oneshot::Sender<usize>),
    /// How the operator hears of changes in this place has changed.
    Standing(Place),
}

/// A place with platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// The credentials, and where they work.
    scope: Scope,
    /// True where platforms are in this region, and not only the events of their global services.
    has_platforms: bool,
}

/// Drift events, as the controller sees them.
#[derive(Debug)]
pub struct DriftEvents {
    is_on: bool,
    identity: Identity,
    resync: Option<Duration>,
    standings: Mutex<BTreeMap<Place, Standing>>,
    /// The times since which events have come in a place without a gap.
    covered: Mutex<BTreeMap<Place, Timestamp>>,
    places: watch::Sender<BTreeMap<Place, Wanted>>,
    news: UnboundedSender<News>,
}

impl DriftEvents {
    /// Drift events that are on or not, for what this operator watches, with the resync period that was set, if one was.
    /// What the controller has to know comes through the second.
    #[must_use]
    pub fn new(is_on: bool, identity: Identity, resync: Option<Duration>) -> (Arc<Self>, UnboundedReceiver<News>) {
        let (news, receiver) = mpsc::unbounded_channel();
        let (places, _) = watch::channel(BTreeMap::new());
        let made =
            Self { is_on, identity, resync, standings: Mutex::default(), covered: Mutex::default(), places, news };
        (Arc::new(made), receiver)
    }

    /// Takes note of the places of these platforms.
    pub fn set_places<'a>(&self, objects: impl Iterator<Item = &'a AIPlatform>) {
        let mut wanted: BTreeMap<Place, Wanted> = BTreeMap::new();
        for object in objects.filter(|object| self.concerns(object)) {
            let here = place(&object.spec);
            let there = here.of_global_services();
            let has_platforms = |place: &Place| *place == here;
            for place in BTreeSet::from([here.clone(), there]) {
                let entry = wanted.entry(place.clone()).or_insert_with(|| Wanted {
                    scope: Scope {
                        region: place.region.clone(),
                        account_id: place.account_id.clone(),
                        owner: self.identity.owner(),
                        uid: String::new(),
                        assume_role: object.spec.assume_role.clone(),
                    },
                    has_platforms: false,
                });
                entry.has_platforms |= has_platforms(&place);
            }
        }
        self.places.send_if_modified(|places| {
            let is_other = *places != wanted;
            *places = wanted;
            is_other
        });
    }

    /// True for a platform whose places have a queue, or may still have one.
    fn concerns(&self, object: &AIPlatform) -> bool {
        let Some(status) = &object.status else { return false };
        // Nothing is made with credentials of which it is not known that they belong to the account.
        let is_admitted = status.account_check == Some(AccountCheck::Passed);
        is_admitted && (self.is_on || is_on(status))
    }

    /// True when events tell of changes of the platform, so that it need not be read often.
    #[must_use]
    pub fn flow(&self, object: &AIPlatform) -> bool {
        self.is_on && flows(&self.standings_of(object))
    }

    /// The time since which events have told of every change of the platform, so that what they tell of need not be read
    /// hourly. There is none where a resync period was set: it says how often to read.
    #[must_use]
    pub fn covered_since(&self, object: &AIPlatform) -> Option<Timestamp> {
        let here = place(&object.spec);
        let places = BTreeSet::from([here.of_global_services(), here]);
        let covered = self.covered();
        let since = places.iter().map(|place| covered.get(place).copied()).collect::<Option<Vec<_>>>()?;
        since.into_iter().max().filter(|_| self.resync.is_none() && self.flow(object))
    }

    /// The resync period of the platform.
    #[must_use]
    pub fn resync(&self, object: &AIPlatform) -> Duration {
        schedule::resync(self.resync, self.flow(object))
    }

    /// The condition of the platform, where it has one.
    #[must_use]
    pub fn report(&self, object: &AIPlatform) -> Option<Report> {
        if !self.concerns(object) {
            return None;
        }
        let standings = self.standings_of(object);
        let is_removed = !self.is_on && standings.is_empty();
        (!is_removed).then(|| report(&standings, self.resync(object)))
    }

    fn standings_of(&self, object: &AIPlatform) -> Vec<(Place, Standing)> {
        let here = place(&object.spec);
        let places = BTreeSet::from([here.of_global_services(), here]);
        let standings = self.standings();
        let initial = if self.is_on { Standing::Starting } else { Standing::Removing };
        let known = places.into_iter().map(|place| {
            let standing = standings.get(&place).cloned().unwrap_or_else(|| initial.clone());
            (place, standing)
        });
        known.filter(|(_, standing)| *standing != Standing::Removed).collect()
    }

    /// Takes note of how the operator hears of changes in a place. Whether events tell of every change from here on, and
    /// did not before.
    fn set_standing(&self, place: &Place, standing: Standing) -> bool {
        let mut is_begun = false;
        if standing == Standing::Listening(Flow::Flowing) {
            self.covered().entry(place.clone()).or_insert_with(|| {
                is_begun = true;
                Timestamp::now()
            });
        } else {
            self.doubt(place);
        }
        let is_news = self.standings().get(place) != Some(&standing);
        if is_news {
            self.standings().insert(place.clone(), standing);
            // Nobody listens any more when the operator ends.
            drop(self.news.send(News::Standing(place.clone())));
        }
        is_begun
    }

    /// Says that events may have been lost.
    fn doubt(&self, place: &Place) {
        self.covered().remove(place);
    }

    fn forget(&self, place: &Place) {
        self.doubt(place);
        self.standings().remove(place);
    }

    fn covered(&self) -> MutexGuard<'_, BTreeMap<Place, Timestamp>> {
        self.covered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standings(&self) -> MutexGuard<'_, BTreeMap<Place, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a platform.
#[must_use]
pub fn place(spec: &AIPlatformSpec) -> Place {
    Place { account_id: spec.account_id.clone(), region: spec.region.clone() }
}

/// What all listeners share.
struct Listening {
    events: Arc<DriftEvents>,
    providers: Arc<Providers>,
    metrics: Arc<Metrics>,
    authority: Authority,
}

impl Listening {
    fn aws(&self) -> &Aws {
        &self.providers.aws
    }
}

/// Keeps a listener in each place with platforms until the operator ends. Whoever does not lead hears nothing.
pub async fn run(events: Arc<DriftEvents>, providers: Arc<Providers>, metrics: Arc<Metrics>, authority: Authority) {
    let stop = authority.stop().clone();
    let mut places = events.places.subscribe();
    let shared = Arc::new(Listening { events, providers, metrics, authority });
    let mut listeners: BTreeMap<Place, (watch::Sender<Wanted>, CancellationToken)> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut ending: BTreeSet<Place> = BTreeSet::new();
    loop {
        let wanted = places.borrow_and_update().clone();
        let gone: Vec<Place> = listeners.keys().filter(|place| !wanted.contains_key(*place)).cloned().collect();
        for place in gone {
            if let Some((_, token)) = listeners.remove(&place) {
                token.cancel();
                ending.insert(place);
            }
        }
        for (place, wanted) in wanted {
            match listeners.get(&place) {
                Some((sender, _)) => {
                    sender.send_if_modified(|before| {
                        let is_other = *before != wanted;
                        *before = wanted;
                        is_other
                    });
                }
                // Two of one place would undo each other's work.
                None if ending.contains(&place) => {}
                None => {
                    let (sender, receiver) = watch::channel(wanted);
                    let token = CancellationToken::new();
                    let (shared, gone) = (Arc::clone(&shared), token.clone());
                    listeners.insert(place.clone(), (sender, token));
                    tasks.spawn(async move {
                        listener::run(&shared, &place, receiver, gone).await;
                        place
                    });
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            changed = places.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            Some(ended) = tasks.join_next() => {
                if let Ok(place) = ended {
                    ending.remove(&place);
                }
            }
        }
    }
    let ended = async { while tasks.join_next().await.is_some() {} };
    // A poll that is cut off has received nothing yet, or what it received comes once more.
    let _ = tokio::time::timeout(DRAIN, ended).await;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events(resync: Option<Duration>) -> Arc<DriftEvents> {
        let identity = Identity { cluster: "test".into(), namespaces: Vec::new(), label_selector: None };
        DriftEvents::new(true, identity, resync).0
    }

    #[test]
    fn changes_are_covered_while_events_come_without_a_gap_in_both_places() {
        let (object, flowing) = (crate::testing::object(json!({})), Standing::Listening(Flow::Flowing));
        let here = place(&object.spec);
        let places = [here.of_global_services(), here];
        let all = |events: &DriftEvents| places.each_ref().map(|place| events.set_standing(place, flowing.clone()));
        for place in &places {
            let events = events(None);
            assert!(events.set_standing(place, flowing.clone()), "it begins");
            assert_eq!(events.covered_since(&object), None, "the other one is not");
            assert_eq!(all(&events), places.each_ref().map(|each| each != place));
            let since = events.covered_since(&object);
            assert!(since.is_some());
            assert_eq!(all(&events), [false, false]);
            assert_eq!(events.covered_since(&object), since);
            events.doubt(place);
            assert_eq!(events.covered_since(&object), None, "some may have been lost");
            all(&events);
            assert!(events.covered_since(&object) >= since);
            events.set_standing(place, Standing::Starting);
            assert_eq!(events.covered_since(&object), None);
        }
        let read_often = events(Some(Duration::from_mins(10)));
        all(&read_often);
        assert_eq!(read_often.covered_since(&object), None, "the period that was set holds");
    }
}
