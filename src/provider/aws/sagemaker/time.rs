//! Times as SageMaker returns them: seconds with a fraction, of which milliseconds are real.

use aws_sdk_sagemaker::primitives::DateTime;
use jiff::Timestamp;

/// The time, to the nearest millisecond: on the way through binary fractions it may have lost a little.
pub(super) fn timestamp(time: &DateTime) -> Timestamp {
    const NANOSECONDS: i128 = 1_000_000;
    let milliseconds = (time.as_nanos() + NANOSECONDS / 2).div_euclid(NANOSECONDS);
    let exact =
        i64::try_from(milliseconds).ok().and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok());
    exact.unwrap_or_default()
}

/// The time as people read it.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_binary_fractions() {
        for milliseconds in 0..1000 {
            let wire: f64 = format!("1800000000.{milliseconds:03}").parse().unwrap();
            let time = timestamp(&DateTime::from_secs_f64(wire));
            assert_eq!(time.as_millisecond(), 1_800_000_000_000 + milliseconds);
        }
    }

    #[test]
    fn people_read_whole_seconds() {
        let time = timestamp(&DateTime::from_secs_f64(1_800_000_000.987));
        assert_eq!(whole_seconds(time).to_string(), "2027-01-15T08:00:00Z");
    }
}
