//! The leases' clock: seconds that never go back, whatever is done to the wall clock.
//!
//! It begins at the wall clock's time, or at the newest time that was ever written down once that is
//! known and if it is later, and goes on by the kernel's monotonic clock. A wall clock that was set back makes leases
//! last longer and takes none away; one that was set forward while no server ran ends leases early,
//! and the probe before each new offer finds who still uses them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

use super::Moment;

/// The clock of one run of the server.
#[derive(Debug)]
pub(super) struct LeaseClock {
    base: AtomicU64,
    started: Instant,
}

impl LeaseClock {
    /// A clock that goes by the wall clock as it is now.
    pub(super) fn start() -> Self {
        Self::at(Timestamp::now())
    }

    fn at(wall: Timestamp) -> Self {
        Self {
            base: AtomicU64::new(u64::try_from(wall.as_second()).unwrap_or_default()),
            started: Instant::now(),
        }
    }

    /// Sets it forward to the newest time that was written down, if it is behind.
    pub(super) fn not_before(&self, newest: Moment) {
        let passed = self.started.elapsed().as_secs();
        self.base
            .fetch_max(newest.0.saturating_sub(passed), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Moment {
        Moment(self.base.load(Ordering::Relaxed)).after(self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_back_does_not_set_leases_back() {
        let clock = |seconds, newest| {
            let clock = LeaseClock::at(Timestamp::from_second(seconds).unwrap());
            clock.not_before(Moment(newest));
            clock.now()
        };
        assert!(clock(1000, 5000) >= Moment(5000));
        assert!(clock(9000, 5000) >= Moment(9000));
        assert!(clock(-5, 0) < Moment(9000));
    }
}
