//! The clock that leadership is measured with: it never jumps, and it goes on while the machine or this process sleeps.

use std::time::Duration;

/// Time since the machine started, time asleep included.
///
/// `std::time::Instant` stands still while a machine is suspended (`CLOCK_MONOTONIC`): a leader that wakes up would
/// believe in a lease that ran out long ago.
pub(super) fn now() -> Duration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(id);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
