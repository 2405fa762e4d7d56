//! A flag that asks running work to stop, shared between a signal handler and the image path.
//!
//! Setting it is all that a signal handler does; the work looks at it between blocks and undoes
//! what it must itself. Waits inside libraries that look at no flag are left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often somebody who waits looks at the flag.
const POLL: Duration = Duration::from_millis(50);

/// Cloning shares the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// Flags of those on whose behalf the work is done.
    above: Vec<Arc<AtomicBool>>,
}

/// The work was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag for a part of the work: asking the whole to stop asks the part too, but not the
    /// other way round.
    #[must_use]
    pub fn part(&self) -> Self {
        let mut above = self.above.clone();
        above.push(Arc::clone(&self.flag));
        Self {
            flag: Arc::default(),
            above,
        }
    }

    /// Asks the work to stop; it stays asked.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.above
            .iter()
            .chain([&self.flag])
            .any(|flag| flag.load(Ordering::SeqCst))
    }

    /// The flag itself, for `signal_hook::flag::register`.
    pub fn as_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// `Err` once the work was asked to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }

    /// Sleeps for `time` unless asked to stop.
    pub fn sleep(&self, time: Duration) -> Result<(), Cancelled> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(POLL));
        }
    }

    /// Does `work` on a thread of its own and gives what it gives, unless asked to stop before:
    /// then the thread is left to end by itself, and with it whatever it holds.
    pub(crate) fn or_leave<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Cancelled> {
        self.check()?;
        let (sender, outcome) = channel();
        let thread = std::thread::spawn(move || {
            // Whoever left does not want it any more.
            let _ = sender.send(work());
        });
        loop {
            match outcome.recv_timeout(POLL) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Timeout) => self.check()?,
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    // It cannot end without sending.
                    Ok(()) => return Err(Cancelled),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_the_flag_and_ends_a_sleep() {
        let cancel = Cancel::new();
        assert_eq!(cancel.check(), Ok(()));
        assert_eq!(cancel.sleep(Duration::ZERO), Ok(()));
        cancel.clone().cancel();
        assert_eq!(cancel.check(), Err(Cancelled));
        assert_eq!(cancel.sleep(Duration::from_secs(3600)), Err(Cancelled));
    }

    #[test]
    fn work_is_left_behind_when_asked_to_stop_and_its_value_is_given_else() {
        let cancel = Cancel::new();
        assert_eq!(cancel.or_leave(|| 7), Ok(7));
        let (started, starts) = channel();
        let (end, ends) = channel::<()>();
        let flag = cancel.clone();
        let stopper = std::thread::spawn(move || {
            starts.recv().unwrap();
            flag.cancel();
        });
        let work = move || {
            started.send(()).unwrap();
            ends.recv()
        };
        assert_eq!(cancel.or_leave(work), Err(Cancelled));
        stopper.join().unwrap();
        // The work was still waiting.
        end.send(()).unwrap();
        assert_eq!(cancel.or_leave(|| 7), Err(Cancelled));
    }

    #[test]
    #[should_panic(expected = "as it was")]
    fn a_panic_of_the_work_is_the_callers() {
        let _ = Cancel::new().or_leave(|| panic!("as it was"));
    }

    #[test]
    fn stopping_the_whole_stops_its_parts_and_not_the_other_way_round() {
        let whole = Cancel::new();
        let part = whole.part();
        let deepest = part.part();
        part.cancel();
        assert!(deepest.is_cancelled() && !whole.is_cancelled());
        let other = whole.part();
        whole.cancel();
        assert!(other.is_cancelled());
    }
}
