//! The rootfs archive: a cpio whose first member is a squashfs that holds the raw image as its one
//! file. An ISO boot loop-mounts the squashfs inside the archive, so its place is fixed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embed::contract::initrd as names;
use embed::initrd::newc;

use installer::cancel::Cancel;

use crate::iso::Timestamp;
use crate::tools::{ToolError, ToolPath};

/// Start of every squashfs.
pub(crate) const SQUASHFS_MAGIC: &[u8; 4] = b"hsqs";
/// Largest member of a cpio, bytes.
const MAX_MEMBER: u64 = u32::MAX as u64;
/// Larger blocks pack better; smaller ones cost less when the live system reads a little of each.
const BLOCK: &str = "256K";

/// zstd level of the squashfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevel(u8);

impl CompressionLevel {
    /// The level that costs about as much time as reading the image does.
    pub const DEFAULT: Self = Self(3);

    /// A level from 1 (fast) to 22 (small).
    pub fn new(level: u8) -> Option<Self> {
        (1..=22).contains(&level).then_some(Self(level))
    }
}

/// Why there is no rootfs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootfsError {
    /// `mksquashfs` failed.
    #[error("cannot make the squashfs of the live root")]
    Squashfs(#[source] ToolError),
    /// More than a cpio member can hold.
    #[error("the squashfs of the live root has {0} bytes; an initrd member holds less than 4 GiB")]
    TooLarge(u64),
    /// The squashfs is not where an ISO boot looks for it.
    #[error("the squashfs is not at byte {want} of the rootfs archive", want = names::SQUASHFS_OFFSET)]
    Misplaced,
    /// A file on the way.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Packs the directory `content`, which holds nothing but the raw image, into a squashfs at `to`.
pub fn squashfs(
    mksquashfs: &ToolPath,
    content: &Path,
    to: &Path,
    level: CompressionLevel,
    time: Timestamp,
    cancel: &Cancel,
) -> Result<(), RootfsError> {
    let mut command = mksquashfs.command();
    // It refuses to run when both the variable and the options are there.
    command.env_remove("SOURCE_DATE_EPOCH").arg(content).arg(to);
    command.args([
        "-comp",
        "zstd",
        "-Xcompression-level",
        &level.0.to_string(),
        "-b",
        BLOCK,
    ]);
    command.args([
        "-noappend",
        "-no-progress",
        "-quiet",
        "-all-root",
        "-no-xattrs",
        "-no-exports",
    ]);
    let time = time.as_unix().to_string();
    command.args(["-mkfs-time", &time, "-all-time", &time]);
    mksquashfs
        .run(command, cancel)
        .map_err(RootfsError::Squashfs)
}

/// Writes the rootfs archive of `version` around the squashfs at `squashfs` to `to`, and looks
/// whether an ISO boot will find it.
pub fn archive(squashfs: &Path, version: &str, to: &Path) -> Result<(), RootfsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RootfsError::File { path, source }
    };
    let input = File::open(squashfs).map_err(failed(squashfs))?;
    let size = input.metadata().map_err(failed(squashfs))?.len();
    if size > MAX_MEMBER {
        return Err(RootfsError::TooLarge(size));
    }
    let output = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(failed(to))?;
    let written = write_members(&input, size, version, &output);
    written.map_err(failed(to))?;
    let mut magic = [0u8; 4];
    output
        .read_exact_at(&mut magic, names::SQUASHFS_OFFSET)
        .map_err(failed(to))?;
    if &magic != SQUASHFS_MAGIC {
        return Err(RootfsError::Misplaced);
    }
    fs::remove_file(squashfs).map_err(failed(squashfs))
}

fn write_members(squashfs: &File, size: u64, version: &str, output: &File) -> io::Result<()> {
    let mut cpio = newc::Writer::new(output);
    cpio.file(names::SQUASHFS, 0o644, size, squashfs)?;
    for (at, _) in names::ROOTFS_STAMP.match_indices('/') {
        cpio.directory(names::ROOTFS_STAMP.get(..at).unwrap_or_default(), 0o755)?;
    }
    let stamp = format!("{version}\n");
    cpio.file(
        names::ROOTFS_STAMP,
        0o644,
        stamp.len() as u64,
        stamp.as_bytes(),
    )?;
    cpio.finish().map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use embed::initrd::{Limits, walk};

    use super::*;

    #[test]
    fn squashfs_is_first_at_byte_124_and_the_stamp_follows() {
        let dir = tempfile::tempdir().unwrap();
        let (squashfs, to) = (dir.path().join("s"), dir.path().join("rootfs.img"));
        fs::write(&squashfs, b"hsqs, and some more").unwrap();
        archive(&squashfs, "1.0", &to).unwrap();
        let bytes = fs::read(&to).unwrap();
        assert_eq!(&bytes[124..143], b"hsqs, and some more");
        let mut seen = Vec::new();
        walk(bytes.as_slice(), Limits::AREA, |entry, data| {
            let mut text = String::new();
            data.read_to_string(&mut text).unwrap();
            seen.push((entry.name.clone(), text));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        let (names, texts): (Vec<String>, Vec<String>) = seen.into_iter().unzip();
        assert_eq!(names, ["root.squashfs", "etc", "etc/coreos-live-rootfs"]);
        assert_eq!(texts[2], "1.0\n");
    }

    #[test]
    fn what_is_no_squashfs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (squashfs, to) = (dir.path().join("s"), dir.path().join("rootfs.img"));
        fs::write(&squashfs, b"something else").unwrap();
        assert!(matches!(
            archive(&squashfs, "1.0", &to),
            Err(RootfsError::Misplaced)
        ));
    }
}
