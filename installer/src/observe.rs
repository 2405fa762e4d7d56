//! What running work tells whoever watches it. The watcher draws; nothing here prints.

use std::time::Duration;

use embed::progress::Progress;

/// A watcher. Events come from the thread that called the operation, often (every block); a
/// watcher that draws thins them out itself.
pub trait Observer {
    /// Something happened.
    fn event(&self, progress: Progress);

    /// A fetch failed in a way that may pass and will be tried again.
    fn retry(&self, _notice: &RetryNotice<'_>) {}
}

/// A fetch that will be tried again.
#[derive(Debug)]
#[non_exhaustive]
pub struct RetryNotice<'a> {
    /// What is fetched.
    pub url: &'a str,
    /// Why the last try failed, causes included.
    pub reason: &'a str,
    /// Time until the next try.
    pub delay: Duration,
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Progress) {}
}
