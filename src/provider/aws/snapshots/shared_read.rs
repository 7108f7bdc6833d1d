//! Reads that many platforms share: whoever asks within a moment takes the same answer, and nobody takes one from before
//! a write.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::failure::Error;

/// The time for which a read that is under way is shared, from when it began.
pub(in super::super) const MOMENT: Duration = Duration::from_secs(5);

type Flight<T> = Shared<BoxFuture<'static, Result<Arc<T>, Error>>>;

/// A read whose answer is shared.
pub(in super::super) struct SharedRead<T> {
    latest: Mutex<Option<Latest<T>>>,
}

struct Latest<T> {
    /// The time at which the read began; not set while it waits for the one before it.
    begun: Arc<OnceLock<Instant>>,
    flight: Flight<T>,
}

/// An answer that may be shared.
pub(in super::super) trait Shareable: Send + Sync + 'static {
    /// The time for which it is, from when the read began.
    fn holds(&self) -> Duration;
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self { latest: Mutex::default() }
    }
}

impl<T: Shareable> SharedRead<T> {
    /// The answer of a read that is under way or was begun a moment ago, or that of a new one. An error is for those who
    /// waited for it, and for nobody after them.
    pub(in super::super) async fn get<F>(&self, read: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.flight(Age::AsItHolds, Instant::now(), read).await
    }

    /// The answer of a read that begins from now on. Those who call while one is under way share the next one.
    pub(in super::super) async fn get_fresh<F>(&self, read: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.flight(Age::None, Instant::now(), read).await
    }

    /// The answer of a read that was begun no longer ago than this, or that holds still, or that of a new one.
    pub(in super::super) async fn get_within<F>(&self, age: Duration, read: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.flight(Age::Within(age), Instant::now(), read).await
    }

    /// The answer of a read that was begun no longer ago than this, where it holds at all, or that of a new one.
    pub(in super::super) async fn get_while<F>(&self, age: Duration, read: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.flight(Age::WithinIfAny(age), Instant::now(), read).await
    }

    fn flight<F>(&self, age: Age, now: Instant, read: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shared = |latest: &Latest<T>| match latest.begun.get() {
            None => true,
            Some(begun) => now.saturating_duration_since(*begun) < age.limit(&latest.flight),
        };
        if let Some(latest) = latest.as_ref().filter(|latest| is_shared(latest)) {
            return latest.flight.clone();
        }
        let under_way = latest.as_ref().map(|latest| latest.flight.clone()).filter(|flight| flight.peek().is_none());
        let begun = Arc::new(OnceLock::new());
        if under_way.is_none() {
            // It begins with the first who waits for it, who is here.
            let _ = begun.set(now);
        }
        let (read, begins) = (read(), Arc::clone(&begun));
        let flight = async move {
            if let Some(under_way) = under_way {
                let _ = under_way.await;
                let _ = begins.set(Instant::now());
            }
            read.await.map(Arc::new)
        };
        let flight = flight.boxed().shared();
        *latest = Some(Latest { begun, flight: flight.clone() });
        flight
    }

    /// The latest answer, where its read began less than this time ago, even if it is not shared any more.
    pub(in super::super) fn latest(&self, within: Duration) -> Option<Arc<T>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let Latest { begun, flight } = latest.as_ref()?;
        let is_young = begun.get().is_some_and(|begun| begun.elapsed() < within);
        flight.peek().filter(|_| is_young)?.as_ref().ok().cloned()
    }

    /// Drops the answer: something was written, or may have been.
    pub(in super::super) fn forget(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The age that a shared answer may have.
#[derive(Clone, Copy)]
enum Age {
    /// None: its read begins from now on.
    None,
    /// That for which it says that it holds.
    AsItHolds,
    /// That, or this if it is more.
    Within(Duration),
    /// The same, where it holds at all.
    WithinIfAny(Duration),
}

impl Age {
    /// The age that the answer of a read may have.
    fn limit<T: Shareable>(self, flight: &Flight<T>) -> Duration {
        let holds = match flight.peek() {
            None => MOMENT,
            Some(Ok(answer)) => answer.holds(),
            Some(Err(_)) => return Duration::ZERO,
        };
        match self {
            Self::None => Duration::ZERO,
            Self::AsItHolds => holds,
            Self::WithinIfAny(_) if holds.is_zero() => Duration::ZERO,
            Self::Within(age) | Self::WithinIfAny(age) => holds.max(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::{join, join4};
    use tokio::sync::oneshot;

    use super::*;
    use crate::failure::Class;

    struct Number(u32, Duration);

    impl Shareable for Number {
        fn holds(&self) -> Duration {
            self.1
        }
    }

    #[derive(Default)]
    struct Reads {
        shared: SharedRead<Number>,
        begun: AtomicU32,
    }

    impl Reads {
        async fn at(&self, now: Instant, holds: Duration) -> u32 {
            let read = || {
                let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
                async move { Ok(Number(number, holds)) }
            };
            self.shared.flight(Age::AsItHolds, now, read).await.unwrap().0
        }
    }

    #[tokio::test]
    async fn an_answer_is_shared_for_as_long_as_it_holds() {
        for holds in [MOMENT, MOMENT / 10, MOMENT * 100] {
            let (reads, now) = (Reads::default(), Instant::now());
            assert_eq!(reads.at(now, holds).await, 1);
            assert_eq!(reads.at(now + holds / 2, holds).await, 1);
            assert_eq!(reads.at(now + holds, holds).await, 2);
        }
    }

    #[tokio::test]
    async fn an_answer_that_holds_may_be_older_for_whoever_knows_that_nothing_changed() {
        for (holds, number) in [(MOMENT, 1), (Duration::ZERO, 2)] {
            let (reads, now) = (Reads::default(), Instant::now());
            assert_eq!(reads.at(now, holds).await, 1);
            let again =
                reads.shared.flight(Age::WithinIfAny(MOMENT * 9), now + MOMENT * 3, || async { Ok(Number(2, MOMENT)) });
            assert_eq!(again.await.unwrap().0, number);
        }
    }

    #[tokio::test]
    async fn nobody_takes_an_answer_from_before_a_write() {
        let (reads, now) = (Reads::default(), Instant::now());
        assert_eq!(reads.at(now, MOMENT).await, 1);
        reads.shared.forget();
        assert_eq!(reads.at(now, MOMENT).await, 2);
    }

    #[tokio::test]
    async fn whoever_wants_it_fresh_shares_what_begins_after_that_and_nothing_else() {
        let shared = SharedRead::<Number>::default();
        let (tell, told) = oneshot::channel::<()>();
        let first = shared.get_fresh(|| async move {
            told.await.unwrap();
            Ok(Number(1, MOMENT))
        });
        let second = shared.get_fresh(|| async { Ok(Number(2, MOMENT)) });
        let third = shared.get_fresh(|| async { Ok(Number(3, MOMENT)) });
        let tell = async { tell.send(()).unwrap() };
        let (first, second, third, ()) = join4(first, second, third, tell).await;
        let number = |answer: Result<Arc<Number>, Error>| answer.unwrap().0;
        assert_eq!((number(first), number(second), number(third)), (1, 2, 2));
        assert_eq!(number(shared.get(|| async { Ok(Number(4, MOMENT)) }).await), 2);
        assert_eq!(number(shared.get_fresh(|| async { Ok(Number(5, MOMENT)) }).await), 5);
    }

    #[tokio::test]
    async fn those_who_read_at_once_wait_for_one_read_and_hear_one_error() {
        let shared = SharedRead::<Number>::default();
        let (tell, told) = oneshot::channel::<()>();
        let error = Error {
            class: Class::Throttled,
            action: "ec2:DescribeVpcEndpoints".into(),
            subject: "eu-west-1".into(),
            code: "RequestLimitExceeded".into(),
            message: String::new(),
            request_id: None,
        };
        let failing = error.clone();
        let first = shared.get(|| async move {
            told.await.unwrap();
            Err(failing)
        });
        let second = async {
            let second = shared.get(|| async { Ok(Number(2, MOMENT)) });
            tell.send(()).unwrap();
            second.await
        };
        let (first, second) = join(first, second).await;
        assert_eq!(first.err(), Some(error.clone()));
        assert_eq!(second.err(), Some(error));
        let third = shared.get(|| async { Ok(Number(3, MOMENT)) }).await;
        assert_eq!(third.unwrap().0, 3, "an error is not kept");
        assert_eq!(shared.latest(MOMENT).map(|answer| answer.0), Some(3));
    }
}
