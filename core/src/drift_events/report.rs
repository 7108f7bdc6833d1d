//! The condition by which a platform says how the operator hears of changes.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::Place;
use super::flow::Flow;
use crate::api::status::AIPlatformStatus;

/// The type of the condition.
pub const CONDITION: &str = "DriftEvents";

/// The standing of one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The queue and the rule are there.
    Listening(Flow),
    /// The queue and the rule are not as they should be yet.
    Starting,
    /// Somebody has to act, or it passes by itself: the reason in a word and in a sentence.
    Failed(&'static str, String),
    /// The operator runs without drift events: queue and rule go.
    Removing,
    /// They are gone, or were never the operator's.
    Removed,
}

/// The condition, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// The reason in a word.
    pub reason: &'static str,
    /// The reason in a sentence.
    pub message: String,
}

/// The report about the places of a platform, which is that of the worst of them.
#[must_use]
pub fn report(places: &[(Place, Standing)], resync: Duration) -> Report {
    let period = period(resync);
    let Some((place, worst)) = places.iter().max_by(|(_, one), (_, other)| one.cmp(other)) else {
        return Report { status: "Unknown", reason: "Starting", message: "the account is not known yet".into() };
    };
    let made = |status, reason, message| Report { status, reason, message };
    match worst {
        Standing::Listening(Flow::Flowing) => {
            let message = format!("changes that others make arrive as events; everything is read again every {period}");
            made("True", "Flowing", message)
        }
        Standing::Listening(Flow::Unproven) => {
            let message = format!("no event has come in {place} yet; everything is read again every {period}");
            made("Unknown", "Unproven", message)
        }
        Standing::Listening(Flow::Silent(since)) => {
            let message = format!(
                "no event has come in {place} since the operator wrote something at {since}: is there a trail that logs \
                 management events there? Everything is read again every {period}"
            );
            made("False", "Silent", message)
        }
        Standing::Starting => {
            let message =
                format!("the queue and the rule in {place} are being made; everything is read again every {period}");
            made("Unknown", "Starting", message)
        }
        Standing::Failed(reason, why) => {
            made("False", reason, format!("{place}: {why}; everything is read again every {period}"))
        }
        Standing::Removing | Standing::Removed => {
            let message =
                format!("the operator runs without --drift-events: its queue and rule in {place} are removed");
            made("False", "Removing", message)
        }
    }
}

/// True when events come in all places of a platform.
#[must_use]
pub fn flows(places: &[(Place, Standing)]) -> bool {
    let is_flowing = |(_, standing): &(Place, Standing)| *standing == Standing::Listening(Flow::Flowing);
    !places.is_empty() && places.iter().all(is_flowing)
}

/// True when a status shows that drift events were on when it was written.
#[must_use]
pub fn is_on(status: &AIPlatformStatus) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == CONDITION)
}

/// Puts the condition into a status, or takes it out. Its time moves only when it flips.
pub fn put(status: &mut AIPlatformStatus, before: Option<&AIPlatformStatus>, report: Option<Report>, now: Timestamp) {
    status.conditions.retain(|condition| condition.type_ != CONDITION);
    let Some(Report { status: word, reason, message }) = report else { return };
    let before = before.into_iter().flat_map(|status| &status.conditions).find(|it| it.type_ == CONDITION);
    let unchanged = before.filter(|before| before.status == word);
    status.conditions.push(Condition {
        last_transition_time: unchanged.map_or(Time(now), |before| before.last_transition_time.clone()),
        observed_generation: status.observed_generation,
        type_: CONDITION.into(),
        status: word.into(),
        reason: reason.into(),
        message,
    });
}

fn period(resync: Duration) -> String {
    match resync.as_secs() {
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
