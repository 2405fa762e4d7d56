//! What running work tells whoever watches it. The watcher draws; nothing here prints.

pub use embed::progress::FetchNotice;
use embed::progress::Progress;

/// A watcher. Everything comes from the thread that called the operation; events come often
/// (every block), and a watcher that draws thins them out itself.
pub trait Observer {
    /// Something happened.
    fn event(&self, progress: Progress);

    /// A fetch met an obstacle and goes on.
    fn fetch(&self, _notice: &FetchNotice) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Progress) {}
}
