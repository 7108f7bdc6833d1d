//! Snapshots: a list of everything of one kind in an account, read once in a period and shared by all platforms that the
//! same credentials serve there, in place of reads of single resources.
//!
//! A snapshot lives with the clients of its region and role. It never says that something is absent: what it lacks is read
//! by itself, and so is everything while the list cannot be had. What a write has touched is read by itself until a
//! snapshot was begun after the write.

mod shared_read;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::failure::{Class, Error};
pub(super) use shared_read::{MOMENT, Shareable, SharedRead};

/// The longest period of a snapshot. Drift is seen this much later than by a read of its own.
const LONGEST_PERIOD: Duration = Duration::from_mins(2);

/// The part of a resync interval that a snapshot may be old.
const PART_OF_RESYNC: u32 = 5;

/// The longest period while events tell of every change by others: half of the interval of resyncs then.
const COVERED_PERIOD: Duration = Duration::from_mins(30);

/// The longest time for which a list may not show a write yet that a read of its own shows.
const SETTLES: Duration = Duration::from_secs(15);

/// The time for which single reads take the place of a list that the operator may not make.
const DENIED_FOR: Duration = Duration::from_hours(1);

/// The time for which they take the place of a list that failed otherwise.
const FAILED_FOR: Duration = Duration::from_mins(1);

/// The pages of a list that are read at most. What is beyond them is read by itself.
pub(super) const MOST_PAGES: usize = 10;

/// The period of snapshots for platforms that are resynced at this interval.
#[must_use]
pub fn period(resync: Duration) -> Duration {
    (resync / PART_OF_RESYNC).min(LONGEST_PERIOD)
}

/// The age that a shared list may have: its period or, where events have told of every change by others for longer, more.
pub(super) fn age(period: Duration, covered: Duration) -> Duration {
    period.max(covered.min(COVERED_PERIOD))
}

/// A snapshot of everything of one kind, by name, and what single reads have to stand for.
pub(super) struct Snapshot<T> {
    /// The permission that the list needs.
    action: &'static str,
    period: Duration,
    list: SharedRead<List<T>>,
    standing: Mutex<Standing>,
}

/// Everything of one kind, by name, as far as it was read.
pub(super) struct Listing<T> {
    pub(super) entries: BTreeMap<String, T>,
    /// True where the last page was reached.
    pub(super) is_complete: bool,
}

impl<T> From<BTreeMap<String, T>> for Listing<T> {
    fn from(entries: BTreeMap<String, T>) -> Self {
        Self { entries, is_complete: false }
    }
}

/// A list as it was read.
struct List<T> {
    begun: Instant,
    entries: BTreeMap<String, Arc<T>>,
    is_complete: bool,
}

impl<T: Send + Sync + 'static> Shareable for List<T> {
    fn holds(&self) -> Duration {
        Duration::ZERO
    }
}

/// The reasons for which a list is not used, for some names or for all.
#[derive(Default)]
struct Standing {
    /// Names that were written, or are being written.
    touched: BTreeMap<String, Touch>,
    /// The time until which the list is not asked for again.
    unavailable_until: Option<Instant>,
    /// True while the list is known to be denied, which is logged once.
    is_denied: bool,
}

/// A write, or several at the same time.
#[derive(Default)]
struct Touch {
    under_way: usize,
    ended: Option<Instant>,
}

impl<T: Send + Sync + 'static> Snapshot<T> {
    /// No snapshot yet, of a list that needs this permission and is shared for this long.
    pub(super) fn new(action: &'static str, period: Duration) -> Self {
        Self { action, period, list: SharedRead::default(), standing: Mutex::default() }
    }

    /// The snapshot that is shared now, or a new one. It may be older where events have told of every change by others for
    /// the time that is `covered`. There is none while the list cannot be had: single reads take its place.
    pub(super) async fn view<F, L>(&self, covered: Duration, list: impl FnOnce() -> F) -> Option<View<'_, T>>
    where
        F: Future<Output = Result<L, Error>> + Send + 'static,
        L: Into<Listing<T>> + 'static,
    {
        if self.is_unavailable() {
            return None;
        }
        let age = age(self.period, covered);
        let taken = self.list.get_within(age, || read(list())).await;
        let list = self.noted(taken)?;
        (list.begun.elapsed() <= age.max(MOMENT)).then_some(View { snapshot: self, list })
    }

    /// A snapshot that begins from now on, which those share who ask while another one is under way.
    pub(super) async fn view_from_now<F, L>(&self, list: impl FnOnce() -> F) -> Option<View<'_, T>>
    where
        F: Future<Output = Result<L, Error>> + Send + 'static,
        L: Into<Listing<T>> + 'static,
    {
        if self.is_unavailable() {
            return None;
        }
        let taken = self.list.get_fresh(|| read(list())).await;
        self.noted(taken).map(|list| View { snapshot: self, list })
    }

    fn is_unavailable(&self) -> bool {
        self.standing().unavailable_until.is_some_and(|until| Instant::now() < until)
    }

    fn noted(&self, taken: Result<Arc<List<T>>, Error>) -> Option<Arc<List<T>>> {
        self.note(taken.as_ref().err(), Instant::now());
        taken.ok()
    }

    /// Takes note of a write of this name, from here until what is returned is dropped.
    pub(super) fn touch(&self, name: &str) -> Touching<'_, T> {
        self.standing().touched.entry(name.into()).or_default().under_way += 1;
        Touching { snapshot: self, name: name.into() }
    }

    fn note(&self, error: Option<&Error>, now: Instant) {
        let mut standing = self.standing();
        let Some(error) = error else {
            if std::mem::take(&mut standing.is_denied) {
                info!(action = self.action, "the list is permitted now: it is shared by all platforms again");
            }
            standing.unavailable_until = None;
            return;
        };
        if standing.unavailable_until.is_some_and(|until| now < until) {
            return;
        }
        let is_denied = error.class == Class::Denied;
        standing.unavailable_until = Some(now + if is_denied { DENIED_FOR } else { FAILED_FOR });
        let is_known = is_denied && standing.is_denied;
        standing.is_denied |= is_denied;
        if !is_known {
            warn!(action = self.action, %error, "the list cannot be had: each resource is read by itself for a while");
        }
    }

    /// True while this name is being written.
    fn is_under_way(&self, name: &str) -> bool {
        self.standing().touched.get(name).is_some_and(|touch| touch.under_way > 0)
    }

    /// True when a list that was begun then shows the last write of this name.
    fn shows(&self, name: &str, begun: Instant) -> bool {
        let settles = SETTLES.min(self.period);
        let standing = self.standing();
        let Some(Touch { under_way, ended }) = standing.touched.get(name) else { return true };
        *under_way == 0 && ended.is_some_and(|ended| ended + settles <= begun)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a list, and when it began.
async fn read<T, L: Into<Listing<T>>>(list: impl Future<Output = Result<L, Error>>) -> Result<List<T>, Error> {
    let begun = Instant::now();
    let Listing { entries, is_complete } = list.await?.into();
    let entries = entries.into_iter().map(|(name, entry)| (name, Arc::new(entry))).collect();
    Ok(List { begun, entries, is_complete })
}

/// A snapshot as it is seen at one time.
pub(super) struct View<'a, T> {
    snapshot: &'a Snapshot<T>,
    list: Arc<List<T>>,
}

impl<T: Send + Sync + 'static> View<'_, T> {
    /// The entry of this name. Where there is none the resource has to be read by itself, whatever the reason.
    pub(super) fn entry(&self, name: &str) -> Option<Arc<T>> {
        let entry = self.list.entries.get(name)?;
        self.snapshot.shows(name, self.list.begun).then(|| Arc::clone(entry))
    }
}

impl<T: Send + Sync + 'static> View<'_, T> {
    /// The entry of this name for its deletion: it may lack what was written a moment ago, and not whose it is.
    pub(super) fn entry_of_departing(&self, name: &str) -> Option<Arc<T>> {
        let entry = self.list.entries.get(name)?;
        (!self.snapshot.is_under_way(name)).then(|| Arc::clone(entry))
    }

    /// True when the list was read to its end and has nothing of this name. That something is absent follows from it only
    /// where it was there for long, and a deletion of it was answered before the list began.
    pub(super) fn lacks(&self, name: &str) -> bool {
        self.list.is_complete && !self.list.entries.contains_key(name)
    }
}

/// A write that is under way. It ends when this is dropped, however it ends.
pub(super) struct Touching<'a, T: Send + Sync + 'static> {
    snapshot: &'a Snapshot<T>,
    name: String,
}

impl<T: Send + Sync + 'static> Drop for Touching<'_, T> {
    fn drop(&mut self) {
        let now = Instant::now();
        // No list that is still used was begun before that.
        let kept = age(self.snapshot.period, COVERED_PERIOD) + SETTLES * 2 + MOMENT;
        let mut standing = self.snapshot.standing();
        let is_recent = |touch: &Touch| touch.ended.is_none_or(|ended| now.saturating_duration_since(ended) < kept);
        standing.touched.retain(|_, touch| touch.under_way > 0 || is_recent(touch));
        let touch = standing.touched.entry(std::mem::take(&mut self.name)).or_default();
        touch.under_way = touch.under_way.saturating_sub(1);
        touch.ended = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// A list that is counted, of one entry that has its number as its value.
    struct Service {
        snapshot: Snapshot<usize>,
        lists: AtomicUsize,
    }

    impl Service {
        fn new(period: Duration) -> Self {
            Self { snapshot: Snapshot::new("iam:GetAccountAuthorizationDetails", period), lists: AtomicUsize::new(0) }
        }

        async fn view(&self, failing: Option<Class>) -> Option<View<'_, usize>> {
            self.view_covered(failing, Duration::ZERO).await
        }

        async fn view_covered(&self, failing: Option<Class>, covered: Duration) -> Option<View<'_, usize>> {
            let list = || {
                let number = self.lists.fetch_add(1, Ordering::Relaxed) + 1;
                async move {
                    tokio::task::yield_now().await;
                    match failing {
                        Some(class) => Err(crate::testing::failure(class)),
                        None => Ok(BTreeMap::from([("ours".to_string(), number)])),
                    }
                }
            };
            self.snapshot.view(covered, list).await
        }

        async fn entry(&self, name: &str) -> Option<usize> {
            self.view(None).await.and_then(|view| view.entry(name)).map(|entry| *entry)
        }

        fn lists(&self) -> usize {
            self.lists.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_snapshot_is_a_fifth_of_a_resync_old_and_two_minutes_at_most() {
        assert_eq!(period(Duration::from_secs(10)), Duration::from_secs(2));
        assert_eq!(period(Duration::from_mins(10)), LONGEST_PERIOD);
        assert_eq!(period(HOUR), LONGEST_PERIOD);
    }

    #[tokio::test]
    async fn all_who_read_in_a_period_share_one_list() {
        let service = Service::new(HOUR);
        let at_once = join_all((0..100).map(|_| service.entry("ours"))).await;
        assert!(at_once.iter().all(|entry| *entry == Some(1)));
        assert_eq!((service.entry("ours").await, service.lists()), (Some(1), 1));
    }

    #[tokio::test]
    async fn what_is_older_than_the_period_is_not_used() {
        let service = Service::new(Duration::ZERO);
        assert_eq!(service.entry("ours").await, Some(1));
        assert_eq!(service.entry("ours").await, Some(2));
    }

    #[tokio::test]
    async fn while_events_tell_of_changes_a_list_may_be_as_old_as_the_first_of_them() {
        let service = Service::new(Duration::ZERO);
        let shared = async |covered| service.view_covered(None, covered).await.and_then(|view| view.entry("ours"));
        assert_eq!(shared(HOUR).await.as_deref(), Some(&1));
        assert_eq!(shared(HOUR).await.as_deref(), Some(&1));
        assert_eq!(shared(Duration::ZERO).await.as_deref(), Some(&2), "they do not come any more");
        assert_eq!((age(MOMENT, HOUR), age(MOMENT, MOMENT * 2)), (COVERED_PERIOD, MOMENT * 2));
    }

    #[tokio::test]
    async fn what_a_list_lacks_is_not_said_to_be_absent() {
        let service = Service::new(HOUR);
        assert_eq!(service.entry("theirs").await, None, "the caller reads it by itself");
        assert_eq!(service.lists(), 1);
    }

    #[tokio::test]
    async fn a_list_from_before_a_write_is_not_used_for_what_was_written() {
        let service = Service::new(HOUR);
        assert_eq!(service.entry("ours").await, Some(1));
        let other = service.snapshot.touch("other");
        assert_eq!(service.entry("ours").await, Some(1), "another one is written");
        drop(other);
        let write = service.snapshot.touch("ours");
        let second = service.snapshot.touch("ours");
        assert_eq!(service.entry("ours").await, None, "it is being written");
        drop(write);
        assert_eq!(service.entry("ours").await, None, "by somebody else still");
        drop(second);
        assert_eq!((service.entry("ours").await, service.lists()), (None, 1), "the list is from before");
    }

    #[tokio::test]
    async fn a_list_that_was_begun_after_a_write_shows_it() {
        let service = Service::new(Duration::ZERO);
        drop(service.snapshot.touch("ours"));
        assert_eq!(service.entry("ours").await, Some(1));
    }

    #[test]
    fn a_list_shows_a_write_some_time_after_it() {
        let service = Service::new(HOUR);
        drop(service.snapshot.touch("ours"));
        let now = Instant::now();
        assert!(!service.snapshot.shows("ours", now));
        assert!(service.snapshot.shows("ours", now + SETTLES));
    }

    #[tokio::test]
    async fn what_goes_is_known_by_a_list_from_right_after_a_write() {
        let service = Service::new(HOUR);
        let list = || async { Ok(Listing { entries: BTreeMap::from([("ours".to_string(), 7)]), is_complete: true }) };
        let write = service.snapshot.touch("ours");
        let view = service.snapshot.view_from_now(list).await.unwrap();
        assert_eq!(view.entry_of_departing("ours"), None, "it is being written");
        drop(write);
        let view = service.snapshot.view_from_now(list).await.unwrap();
        assert_eq!((view.entry("ours"), view.entry_of_departing("ours").map(|entry| *entry)), (None, Some(7)));
        assert!(view.lacks("gone") && !view.lacks("ours"));
        let cut_off = || async { Ok(BTreeMap::from([("ours".to_string(), 8)])) };
        assert!(!service.snapshot.view_from_now(cut_off).await.unwrap().lacks("gone"), "it may be on a later page");
    }

    #[test]
    fn what_was_written_long_ago_is_forgotten() {
        let service = Service::new(Duration::ZERO);
        let long_ago = Instant::now().checked_sub(HOUR).unwrap();
        let touch = Touch { under_way: 0, ended: Some(long_ago) };
        service.snapshot.standing().touched.insert("old".into(), touch);
        drop(service.snapshot.touch("new"));
        assert_eq!(service.snapshot.standing().touched.keys().collect::<Vec<_>>(), ["new"]);
    }

    #[tokio::test]
    async fn a_list_that_fails_is_not_asked_for_again_for_a_while() {
        for (class, held) in
            [(Class::Denied, DENIED_FOR), (Class::Throttled, FAILED_FOR), (Class::Transient, FAILED_FOR)]
        {
            let service = Service::new(HOUR);
            assert!(service.view(Some(class)).await.is_none());
            assert!(service.view(None).await.is_none());
            assert_eq!(service.lists(), 1, "{class:?}");
            let until = service.snapshot.standing().unavailable_until.unwrap();
            assert!(until <= Instant::now() + held && until > Instant::now() + held / 2);
            service.snapshot.standing().unavailable_until = Some(Instant::now());
            assert_eq!(service.entry("ours").await, Some(2), "then it is");
            assert!(!service.snapshot.standing().is_denied);
        }
    }
}
