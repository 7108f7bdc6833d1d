//! The memory of what happened a moment ago, as far as this process saw it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Values by key, each for a while.
pub(super) struct Recent<K, V> {
    holds: Duration,
    values: Mutex<BTreeMap<K, (Instant, V)>>,
}

impl<K: Ord, V: Clone> Recent<K, V> {
    /// An empty memory that keeps each value for so long.
    pub(super) fn new(holds: Duration) -> Self {
        Self { holds, values: Mutex::default() }
    }

    pub(super) fn put(&self, key: K, value: V) {
        self.with(Instant::now(), |values| values.insert(key, (Instant::now(), value)));
    }

    /// Keeps a value where there is none.
    pub(super) fn put_new(&self, key: K, value: V) {
        let now = Instant::now();
        self.with(now, |values| {
            values.entry(key).or_insert((now, value));
        });
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.with(Instant::now(), |values| values.get(key).map(|(_, value)| value.clone()))
    }

    pub(super) fn drop_key(&self, key: &K) {
        self.with(Instant::now(), |values| values.remove(key));
    }

    fn with<T>(&self, now: Instant, change: impl FnOnce(&mut BTreeMap<K, (Instant, V)>) -> T) -> T {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|_, (at, _)| now.saturating_duration_since(*at) < self.holds);
        change(&mut values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_for_a_while() {
        let recent = Recent::new(Duration::from_mins(2));
        recent.put("a", 1);
        assert_eq!(recent.get(&"a"), Some(1));
        let later = Instant::now() + Duration::from_mins(2);
        assert_eq!(recent.with(later, |values| values.len()), 0);
        recent.put("b", 2);
        recent.put_new("b", 3);
        assert_eq!(recent.get(&"b"), Some(2));
        recent.drop_key(&"b");
        assert_eq!(recent.get(&"b"), None);
    }
}
