//! How the registry and its store do: for metrics, probes and the service manager. Nothing here
//! waits for the store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Registry;

/// How the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether it could be written a moment ago.
    pub reachable: bool,
    /// Commits since the start.
    pub commits: u64,
    /// Commits that failed, all or in part.
    pub failed: u64,
    /// Time that all commits took.
    pub time: Duration,
}

impl Registry {
    /// How many machines are known.
    pub fn known(&self) -> usize {
        self.view.read().map_or(0, |view| view.len())
    }

    /// Whether the thread still takes requests.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// How the store does.
    pub fn store_status(&self) -> StoreStatus {
        StoreStatus {
            reachable: self.store.is_reachable(),
            commits: self.tally.commits.load(Ordering::Relaxed),
            failed: self.tally.failed.load(Ordering::Relaxed),
            time: Duration::from_micros(self.tally.micros.load(Ordering::Relaxed)),
        }
    }
}
