//! The APIs that the cluster may lack, as far as one answer of discovery serves all platforms: it holds while the watch of
//! the API's definition agrees with it and shows no change.
//!
//! A definition is there a moment before its API is served, and may be served a moment after it has gone. While the two
//! disagree, and where definitions cannot be watched, each lookup asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::outage::Outage;
use crate::lookup::ApiLookup;

/// The knowledge of these APIs.
#[derive(Debug, Default)]
pub struct Served(Mutex<BTreeMap<ApiLookup, Known>>);

/// The knowledge of one.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// True where its definition is there; nothing where no watch has shown all that there is.
    is_defined: Option<bool>,
    /// True where the list with which a watch begins has shown its definition so far.
    is_listed: bool,
    /// The answer of discovery, where one was given since the definition last changed.
    is_served: Option<bool>,
    /// The number of changes so far.
    changes: u64,
    /// The last failure of the watch.
    outage: Outage,
}

/// A lookup that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u64);

impl Served {
    /// The watch of the definition has failed, and goes on from where it was.
    pub fn failed(&self, api: &ApiLookup, at: Instant) {
        self.all().entry(api.clone()).or_default().outage = Outage::began(at);
    }

    /// The watch of the definition begins.
    pub fn lost(&self, api: &ApiLookup) {
        self.change(api, None);
    }

    /// The list with which the watch begins shows the definition.
    pub fn listed(&self, api: &ApiLookup) {
        self.all().entry(api.clone()).or_default().is_listed = true;
    }

    /// The watch has shown all that there is.
    pub fn completed(&self, api: &ApiLookup) {
        let is_listed = self.all().get(api).is_some_and(|known| known.is_listed);
        self.change(api, Some(is_listed));
    }

    /// The watch shows that the definition was written, or that it is gone.
    pub fn changed(&self, api: &ApiLookup, is_defined: bool) {
        self.change(api, Some(is_defined));
    }

    /// True where the API is served, as far as that is known without a question.
    pub(super) fn known(&self, api: &ApiLookup) -> Option<bool> {
        self.all().get(api).filter(|known| !known.outage.lasts(Instant::now())).and_then(|known| known.is_served)
    }

    /// A lookup begins.
    pub(super) fn ask(&self, api: &ApiLookup) -> Asked {
        Asked(self.all().get(api).map_or(0, |known| known.changes))
    }

    /// Takes note of the answer to a lookup.
    pub(super) fn answered(&self, api: &ApiLookup, Asked(changes): Asked, is_served: bool) {
        if let Some(known) = self.all().get_mut(api).filter(|known| known.changes == changes) {
            known.is_served = known.is_defined.filter(|is_defined| *is_defined == is_served);
        }
    }

    fn change(&self, api: &ApiLookup, is_defined: Option<bool>) {
        let mut all = self.all();
        let known = all.entry(api.clone()).or_default();
        *known = Known { is_defined, changes: known.changes + 1, ..Known::default() };
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<ApiLookup, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    fn api() -> ApiLookup {
        ApiLookup::of(Kind::ScaledObject).unwrap()
    }

    fn answer(served: &Served, is_served: bool) -> Option<bool> {
        let asked = served.ask(&api());
        served.answered(&api(), asked, is_served);
        served.known(&api())
    }

    /// A watch whose list shows the definition or not.
    fn watched(is_defined: bool) -> Served {
        let served = Served::default();
        served.lost(&api());
        if is_defined {
            served.listed(&api());
        }
        served.completed(&api());
        served
    }

    #[test]
    fn an_answer_holds_while_the_definition_agrees_and_does_not_change() {
        for is_defined in [true, false] {
            let served = watched(is_defined);
            assert_eq!(served.known(&api()), None, "nobody has asked yet");
            assert_eq!(answer(&served, !is_defined), None, "one of the two is late");
            assert_eq!(answer(&served, is_defined), Some(is_defined));
            assert_eq!(answer(&served, !is_defined), None, "a later answer is another one");
            answer(&served, is_defined);
            served.changed(&api(), !is_defined);
            assert_eq!(served.known(&api()), None, "{is_defined}");
            assert_eq!(answer(&served, !is_defined), Some(!is_defined));
            served.lost(&api());
            assert_eq!(served.known(&api()), None, "it may have changed");
        }
    }

    #[test]
    fn an_answer_holds_only_where_the_definition_is_watched() {
        let served = Served::default();
        assert_eq!(answer(&served, false), None, "nobody watches");
        served.lost(&api());
        served.listed(&api());
        assert_eq!(answer(&served, true), None, "the list has not ended");
        served.completed(&api());
        assert_eq!(answer(&served, true), Some(true));
    }

    #[test]
    fn while_the_watch_fails_no_answer_holds() {
        let served = watched(true);
        answer(&served, true);
        served.failed(&api(), Instant::now());
        assert_eq!(served.known(&api()), None);
        served.changed(&api(), true);
        assert_eq!(answer(&served, true), Some(true), "it works again");
    }

    #[test]
    fn an_answer_to_a_question_from_before_a_change_is_out_of_date() {
        let served = watched(true);
        let asked = served.ask(&api());
        served.changed(&api(), true);
        served.answered(&api(), asked, true);
        assert_eq!(served.known(&api()), None);
    }
}
