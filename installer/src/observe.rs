//! What running work tells whoever watches it. The watcher draws; nothing here prints.

use std::time::Duration;

use embed::progress::Progress;

/// A watcher. Everything comes from the thread that called the operation; events come often
/// (every block), and a watcher that draws thins them out itself.
pub trait Observer {
    /// Something happened.
    fn event(&self, progress: Progress);

    /// A fetch met an obstacle and goes on.
    fn fetch(&self, _notice: &FetchNotice) {}
}

/// An obstacle on the way of a fetch, and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchNotice {
    /// A failure that may pass: the same place is asked again.
    Retry {
        /// What is fetched.
        url: String,
        /// Why the last try failed, causes included.
        reason: String,
        /// Time until the next try.
        delay: Duration,
    },
    /// A place failed for good: the next one is asked.
    Mirror {
        /// The place that failed.
        url: String,
        /// Why, causes included.
        reason: String,
        /// The place that is asked now.
        next: String,
    },
    /// A chunk of a packed image is not what its manifest lists: another place is asked for it.
    BadChunk {
        /// The place that gave it.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// The place that is asked now.
        next: String,
    },
    /// The server cannot go on where the transfer broke off: it sends everything again, and what
    /// was there already is compared and left out.
    Again {
        /// What is fetched.
        url: String,
        /// How much was there already, bytes.
        bytes: u64,
    },
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Progress) {}
}
