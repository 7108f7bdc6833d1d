//! The parts of one resource, each written by a call of its own: a part that is refused holds up no other.

use std::fmt;

use crate::failure::Error;
use crate::outcome::Applied;
use crate::request_id;

/// Calls in a row without any answer, after which the rest of a step is left for the next pass: a service that answers
/// nobody would otherwise hold the step for a minute a call.
const UNANSWERED: u32 = 2;

/// A part of a resource that could not be written, and what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The part, as it stands in diffs, such as `versioning` or `policies.access`; nothing where the step is one call.
    pub part: Option<String>,
    /// The error.
    pub error: Error,
}

/// The failures of one step: one at least, in the order of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    refused: Vec<Refused>,
    wrote: bool,
    owned: bool,
    id: Option<String>,
}

impl Failures {
    /// The refused parts.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The errors by part.
    pub fn errors(&self) -> impl Iterator<Item = &Error> {
        self.refused.iter().map(|refused| &refused.error)
    }

    /// True when something was written all the same.
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.wrote
    }

    /// True when the resource is known to be the platform's own all the same: it was made with its owner tag, or its
    /// owner was read in this step, or was written and read back.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    /// The id that AWS chose, where the resource was made all the same.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// True when a path, a part of it or what it is a part of was refused; everything was where the step is one call.
    #[must_use]
    pub fn concerns(&self, path: &str) -> bool {
        let is_below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
        self.refused.iter().any(|refused| {
            refused.part.as_deref().is_none_or(|part| part == path || is_below(part, path) || is_below(path, part))
        })
    }

    /// True when somebody has to act before another try can succeed in everything.
    #[must_use]
    pub fn needs_somebody(&self) -> bool {
        self.errors().any(Error::needs_somebody)
    }

    /// The reason in conditions: that of the first failure that needs somebody, if one does.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let heaviest = self.errors().find(|error| error.needs_somebody()).or_else(|| self.errors().next());
        heaviest.map_or("Failed", Error::reason)
    }

    /// The same failures, each with its error changed.
    #[must_use]
    pub fn map(mut self, change: impl Fn(Error) -> Error) -> Self {
        for refused in &mut self.refused {
            refused.error = change(refused.error.clone());
        }
        self
    }
}

impl From<Error> for Failures {
    fn from(error: Error) -> Self {
        Self { refused: vec![Refused { part: None, error }], wrote: false, owned: false, id: None }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = request_id::distinct(self.errors().map(ToString::to_string));
        formatter.write_str(&messages.join("; "))
    }
}

impl std::error::Error for Failures {}

/// The parts of a step while it is taken.
#[derive(Debug, Default)]
pub struct Parts {
    refused: Vec<Refused>,
    wrote: bool,
    owned: bool,
    id: Option<String>,
    unanswered: u32,
}

impl Parts {
    /// The parts of a resource that this step has made, with its owner tag in the same call.
    #[must_use]
    pub fn of_a_creation() -> Self {
        Self { wrote: true, owned: true, ..Self::default() }
    }

    /// The same parts, of a resource for which AWS chose this id.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// Takes note that the resource is the platform's own, as its owner tag says.
    pub fn own(&mut self) {
        self.owned = true;
    }

    /// Takes note of what became of a part. The value of a call that succeeded.
    pub fn note<T>(&mut self, part: &str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                self.wrote = true;
                self.unanswered = 0;
                Some(value)
            }
            Err(error) => {
                self.unanswered = if error.is_unanswered() { self.unanswered + 1 } else { 0 };
                self.refused.push(Refused { part: Some(part.into()), error });
                None
            }
        }
    }

    /// Takes note of several refusals of one part.
    pub fn note_all(&mut self, part: &str, errors: Vec<Error>) {
        self.refused.extend(errors.into_iter().map(|error| Refused { part: Some(part.into()), error }));
    }

    /// True when the service has stopped answering, so that further calls would only wait.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.unanswered >= UNANSWERED
    }

    /// True when nothing was refused so far.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// The result of the step, which is `applied` where nothing was refused.
    ///
    /// # Errors
    /// The refused parts.
    pub fn end(self, applied: Applied) -> Result<Applied, Failures> {
        if self.refused.is_empty() {
            return Ok(applied);
        }
        Err(Failures { refused: self.refused, wrote: self.wrote, owned: self.owned, id: self.id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Class, UNREACHABLE};
    use crate::testing::failure;

    #[test]
    fn the_heaviest_failure_gives_the_reason_and_each_is_reported_once() {
        let mut parts = Parts::default();
        parts.note::<()>("versioning", Err(failure(Class::Throttled)));
        parts.note("tags", Ok(()));
        parts.note::<()>("policy", Err(failure(Class::Denied)));
        parts.note::<()>("lifecycle", Err(failure(Class::Denied)));
        let failures = parts.end(Applied::Ready).unwrap_err();
        assert_eq!((failures.reason(), failures.needs_somebody(), failures.wrote()), ("AccessDenied", true, true));
        assert_eq!(failures.to_string().matches("denies").count(), 1, "{failures}");
        assert!(failures.to_string().contains("throttles"), "{failures}");
    }

    #[test]
    fn a_field_is_concerned_by_its_own_parts_and_no_others() {
        let mut parts = Parts::default();
        parts.note::<()>("policies.access", Err(failure(Class::Denied)));
        let failures = parts.end(Applied::Ready).unwrap_err();
        assert!(failures.concerns("policies") && failures.concerns("policies.access"));
        assert!(failures.concerns("policies.access.Statement[]") && !failures.concerns("policies.old"));
        assert!(!failures.concerns("policy") && !failures.concerns("policies.acc") && !failures.concerns("tags"));
        assert!(Failures::from(failure(Class::Denied)).concerns("tags"), "one call writes everything");
    }

    #[test]
    fn a_resource_is_owned_only_where_that_was_seen_or_made() {
        let mut parts = Parts::default();
        parts.note("versioning", Ok(()));
        parts.note::<()>("policy", Err(failure(Class::Denied)));
        assert!(!parts.end(Applied::Ready).unwrap_err().is_owned(), "a write proves nothing");
        for mut parts in [Parts::of_a_creation(), Parts::default()] {
            parts.own();
            parts.note::<()>("policy", Err(failure(Class::Denied)));
            assert!(parts.end(Applied::Ready).unwrap_err().is_owned());
        }
        assert!(!Failures::from(failure(Class::Transient)).is_owned(), "a call whose answer was lost");
    }

    #[test]
    fn nothing_refused_is_the_outcome_itself() {
        let mut parts = Parts::default();
        assert_eq!(parts.note("tags", Ok(7)), Some(7));
        assert!(parts.is_complete());
        assert_eq!(parts.end(Applied::Gone), Ok(Applied::Gone));
    }

    #[test]
    fn a_service_that_stops_answering_is_not_called_for_every_part() {
        let silence = || crate::failure::Error { code: UNREACHABLE.into(), ..failure(Class::Transient) };
        let mut parts = Parts::default();
        parts.note::<()>("a", Err(silence()));
        assert!(!parts.is_unanswered(), "one lost answer is no outage");
        parts.note::<()>("b", Err(failure(Class::Transient)));
        parts.note::<()>("c", Err(silence()));
        assert!(!parts.is_unanswered(), "it answered in between");
        parts.note::<()>("d", Err(silence()));
        assert!(parts.is_unanswered());
    }
}
