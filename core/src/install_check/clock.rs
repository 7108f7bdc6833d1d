//! The clock of this machine against the times in the answers of others.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

use super::{Check, Finding, Outcome};

/// The difference that is none: answers carry whole seconds, and take a while.
const NOTABLE: SignedDuration = SignedDuration::from_secs(5);

/// The difference from which on something is wrong. AWS takes signatures that are at most five minutes off, some services
/// 15 (Signature Version 4, "Troubleshooting"); what is a minute off has no time source, and gets there.
const TOLERATED: SignedDuration = SignedDuration::from_secs(60);

/// A time that somebody else gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenTime {
    /// The `Date` header of an answer (RFC 9110, section 5.6.7).
    pub date: String,
    /// The time of this machine when the answer came.
    pub received: Timestamp,
}

impl GivenTime {
    /// The time by which this machine is ahead; absent where the time cannot be read.
    #[must_use]
    pub fn ahead(&self) -> Option<SignedDuration> {
        let theirs = DateTimeParser::new().parse_timestamp(&self.date).ok()?;
        Some(self.received.duration_since(theirs))
    }
}

/// The obstacle that a clock is which is far off from AWS's.
#[must_use]
pub fn obstacle(given: &GivenTime) -> Option<String> {
    let Finding { outcome, message, way_out, .. } = judge("AWS", Some(given), "");
    (outcome == Outcome::Missing).then(|| format!("it {message}: {}", way_out.unwrap_or_default()))
}

/// The line about the clock of this machine against one other; `absent` is why there is no time to compare with.
#[must_use]
pub fn judge(whose: &str, given: Option<&GivenTime>, absent: &str) -> Finding {
    let Some(given) = given else {
        return Finding::unknown(Check::Clock, format!("{whose} gave no time ({absent})"), "see to that first");
    };
    let Some(ahead) = given.ahead() else {
        return Finding::unknown(
            Check::Clock,
            format!("{whose} gave {:?} as the time", given.date),
            "check what answers there: it is not what it should be",
        );
    };
    let seconds = ahead.abs().as_secs();
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    if ahead.abs() <= NOTABLE {
        Finding::ok(Check::Clock, format!("agrees with that of {whose}"))
    } else if ahead.abs() <= TOLERATED {
        Finding::ok(Check::Clock, format!("is {seconds} seconds {direction} that of {whose}"))
    } else {
        Finding::missing(
            Check::Clock,
            format!(
                "is {seconds} seconds {direction} that of {whose}, and AWS may refuse what is signed at another time"
            ),
            "set the clock of this machine by NTP; on EC2 the Amazon Time Sync Service is at 169.254.169.123",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let date = "Thu, 26 Nov 2026 09:36:11 GMT";
        let then: Timestamp = "2026-11-26T09:36:11Z".parse().unwrap();
        for (seconds, outcome, part) in [
            (0, Outcome::Ok, "agrees with that of AWS"),
            (-5, Outcome::Ok, "agrees"),
            (30, Outcome::Ok, "30 seconds ahead of that of AWS"),
            (-60, Outcome::Ok, "60 seconds behind"),
            (61, Outcome::Missing, "61 seconds ahead of"),
            (-3600, Outcome::Missing, "3600 seconds behind that of AWS, and AWS may refuse"),
        ] {
            let given = GivenTime { date: date.into(), received: then + SignedDuration::from_secs(seconds) };
            let finding = judge("AWS", Some(&given), "");
            assert_eq!(finding.outcome, outcome, "{finding}");
            assert!(finding.message.contains(part), "{finding}");
            assert_eq!(obstacle(&given).is_some(), outcome == Outcome::Missing);
        }
    }

    #[test]
    fn without_a_time_nothing_is_known() {
        assert_eq!(judge("AWS", None, "it does not answer").outcome, Outcome::Unknown);
        let given = GivenTime { date: "tomorrow".into(), received: Timestamp::UNIX_EPOCH };
        assert_eq!(judge("AWS", Some(&given), "").outcome, Outcome::Unknown);
    }
}
