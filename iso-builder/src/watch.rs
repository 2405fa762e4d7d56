//! What a build tells whoever watches it. The watcher draws; nothing here prints.

/// A part of a build, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Decoding the image and checking its signature.
    Unpack,
    /// Taking kernel, initramfs and boot loader out of it.
    Extract,
    /// Making the squashfs.
    Squashfs,
    /// Making the rootfs archive and its hashes.
    Rootfs,
    /// Writing the ISO.
    Iso,
    /// Digests for the manifest.
    Digests,
}

/// A watcher of a build.
pub trait Watch {
    /// A step begins; the one before it is done.
    fn step(&self, step: Step);

    /// The current step has got to `done` bytes, of `total` if that is known. Comes often.
    fn bytes(&self, done: u64, total: Option<u64>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn step(&self, _: Step) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}
}
