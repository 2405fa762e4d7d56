//! The retransmission timer: smoothed round trip and deviation (RFC 6298's arithmetic with a
//! LAN's bounds), doubled after each loss.

use std::time::Duration;

/// Never retransmit sooner: a client that only paused is sent a packet for nothing.
const FLOOR: Duration = Duration::from_millis(10);
/// Never wait longer.
const CEILING: Duration = Duration::from_secs(2);
/// Before anything was measured.
const INITIAL: Duration = Duration::from_millis(250);

/// The timer of one transfer.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrip {
    /// Smoothed round trip and its mean deviation, once measured.
    estimate: Option<(Duration, Duration)>,
    doublings: u32,
    ceiling: Duration,
}

impl RoundTrip {
    /// A timer that never waits longer than `ceiling`, if given, nor than two seconds.
    pub fn new(ceiling: Option<Duration>) -> Self {
        Self {
            estimate: None,
            doublings: 0,
            ceiling: ceiling.map_or(CEILING, |ceiling| ceiling.min(CEILING)),
        }
    }

    /// Takes a measurement of something that was sent once (Karn: never of what was sent again).
    pub fn measured(&mut self, sample: Duration) {
        self.doublings = 0;
        self.estimate = Some(match self.estimate {
            None => (sample, sample / 2),
            Some((mean, deviation)) => (
                (mean * 7 + sample) / 8,
                (deviation * 3 + mean.abs_diff(sample)) / 4,
            ),
        });
    }

    /// Something was lost: wait longer for the next.
    pub fn back_off(&mut self) {
        self.doublings = (self.doublings + 1).min(8);
    }

    /// The peer is heard again.
    pub fn heard(&mut self) {
        self.doublings = 0;
    }

    /// How long to wait before sending again.
    pub fn timeout(&self) -> Duration {
        let base = self.estimate.map_or(INITIAL, |(mean, deviation)| {
            (mean + deviation * 4).max(FLOOR)
        });
        base.saturating_mul(1 << self.doublings).min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_follows_the_measured_round_trip_within_its_bounds() {
        let mut timer = RoundTrip::new(None);
        assert_eq!(timer.timeout(), INITIAL);
        for _ in 0..50 {
            timer.measured(Duration::from_micros(200));
        }
        assert_eq!(timer.timeout(), FLOOR);
        timer.back_off();
        assert_eq!(timer.timeout(), FLOOR * 2);
        for _ in 0..20 {
            timer.back_off();
        }
        assert_eq!(timer.timeout(), CEILING);
        assert_eq!(
            RoundTrip::new(Some(Duration::from_secs(9))).ceiling,
            CEILING
        );
    }
}
