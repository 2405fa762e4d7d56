//! The live system's own files for initramfs images that were built without them: an archive that
//! a media builder appends, and its way into the live system's root.
//!
//! What is in it is [`content`]'s; the builder and this program meet in the archive, whose names
//! are [`embed::contract::initrd`]'s.

mod content;
mod libraries;
mod pack;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use embed::contract::initrd;

pub use libraries::LibraryError;
pub use pack::{PackError, pack};

/// What the live root keeps if it has it.
const KEEP: [&str; 1] = ["etc/selinux/config"];

/// Puts the module of the initramfs at `initramfs`, if it has one, over the live root at `root`:
/// the program with its libraries, and the tree for the root.
pub fn graft(initramfs: &Path, root: &Path) -> io::Result<()> {
    let module = initramfs.join(initrd::MODULE);
    if !module.is_dir() {
        return Ok(());
    }
    let programs = root.join(initrd::MODULE);
    for part in [content::PROGRAMS, content::LIBRARIES] {
        copy_tree(&module.join(part), &programs.join(part), root)?;
    }
    copy_tree(&initramfs.join(initrd::MODULE_ROOT), root, root)
}

fn copy_tree(from: &Path, to: &Path, root: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target, root)?;
            continue;
        }
        let there = target.symlink_metadata().is_ok();
        if there && KEEP.iter().any(|kept| target == root.join(kept)) {
            continue;
        }
        if there {
            fs::remove_file(&target)?;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
