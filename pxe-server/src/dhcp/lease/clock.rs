//! The leases' clock: seconds that never go back, whatever is done to the wall clock.
//!
//! It begins at the wall clock's time, or at the newest time that was ever written down if that is
//! later, and goes on by the kernel's monotonic clock. A wall clock that was set back makes leases
//! last longer and takes none away; one that was set forward while no server ran ends leases early,
//! and the probe before each new offer finds who still uses them.

use std::time::Instant;

use jiff::Timestamp;

use super::Moment;

/// The clock of one run of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseClock {
    base: Moment,
    started: Instant,
}

impl LeaseClock {
    /// A clock that is not behind `newest`, the newest time that was written down.
    pub(super) fn start(newest: Moment) -> Self {
        Self::at(Timestamp::now(), newest)
    }

    fn at(wall: Timestamp, newest: Moment) -> Self {
        let wall = u64::try_from(wall.as_second()).unwrap_or_default();
        Self {
            base: Moment(wall).max(newest),
            started: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.base.after(self.started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_back_does_not_set_leases_back() {
        let wall = |seconds| Timestamp::from_second(seconds).unwrap();
        assert!(LeaseClock::at(wall(1000), Moment(5000)).now() >= Moment(5000));
        let ahead = LeaseClock::at(wall(9000), Moment(5000)).now();
        assert!(ahead >= Moment(9000));
        assert!(LeaseClock::at(wall(-5), Moment(0)).now() < Moment(9000));
    }
}
