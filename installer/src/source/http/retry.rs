//! How often and after which delay something is tried again.

use std::time::Duration;

const MAX_DELAY: Duration = Duration::from_secs(600);

/// How often a failed request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// So many times after the first try.
    Count(u32),
    /// Until it succeeds or fails for good.
    Infinite,
}

impl Default for Retries {
    fn default() -> Self {
        Self::Count(0)
    }
}

/// Counts the tries since something last went well.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    retries: Retries,
    first_delay: Duration,
    tries: u32,
    delay: Duration,
}

impl Backoff {
    pub(super) fn new(retries: Retries, first_delay: Duration) -> Self {
        Self {
            retries,
            first_delay,
            tries: 0,
            delay: first_delay,
        }
    }

    /// Time until the next try, twice as long each time; `None` when there is none.
    pub(super) fn next_delay(&mut self) -> Option<Duration> {
        match self.retries {
            Retries::Count(n) if self.tries >= n => return None,
            _ => {}
        }
        let delay = self.delay;
        self.tries = self.tries.saturating_add(1);
        self.delay = delay.saturating_mul(2).min(MAX_DELAY);
        Some(delay)
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
        self.delay = self.first_delay;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_ten_minutes_and_end_with_the_count() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(Retries::Count(12), second);
        let delays: Vec<u64> = std::iter::from_fn(|| backoff.next_delay())
            .map(|delay| delay.as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        backoff.reset();
        assert_eq!(backoff.next_delay(), Some(second));
        assert_eq!(Backoff::new(Retries::default(), second).next_delay(), None);
    }
}
