//! Loop devices as disks, with a known old content.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

/// What fills a disk before it is installed to.
pub(crate) const OLD: u8 = 0xaa;

/// A loop device over a file; detached when dropped.
pub(crate) struct LoopDisk {
    pub(crate) node: PathBuf,
    /// Removed with the disk.
    _file: NamedTempFile,
}

impl LoopDisk {
    /// A disk full of [`OLD`], or the reason why there is none.
    pub(crate) fn new(len: usize, sector: u32) -> Result<Self, String> {
        // In memory if possible: an install flushes, and a busy machine's disk is slow at that.
        let file = NamedTempFile::new_in("/dev/shm")
            .or_else(|_| NamedTempFile::new())
            .unwrap();
        std::fs::write(file.path(), vec![OLD; len]).unwrap();
        let out = Command::new("losetup")
            .args(["--find", "--show", "--sector-size", &sector.to_string()])
            .arg(file.path())
            .output()
            .map_err(|e| format!("losetup: {e}"))?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).trim().to_owned());
        }
        let node = String::from_utf8(out.stdout).unwrap().trim().into();
        Ok(Self { node, _file: file })
    }

    /// Another loop device over a node.
    pub(crate) fn over(node: &Path) -> Option<PathBuf> {
        let out = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(node)
            .output()
            .ok()?;
        Some(String::from_utf8(out.stdout).ok()?.trim().into())
    }

    pub(crate) fn detach(node: &Path) {
        let _ = Command::new("losetup").arg("--detach").arg(node).status();
    }

    /// Everything on the disk, past no cache.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.node).unwrap()
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) {
        let disk = File::options().write(true).open(&self.node).unwrap();
        disk.write_all_at(data, offset).unwrap();
        disk.sync_all().unwrap();
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        Self::detach(&self.node);
    }
}

/// Loop devices bound to `path`, by name.
pub(crate) fn loops_over(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for dir in std::fs::read_dir("/sys/block").unwrap() {
        let dir = dir.unwrap().path();
        if let Ok(backing) = std::fs::read_to_string(dir.join("loop/backing_file"))
            && Path::new(backing.trim_end()) == path
        {
            found.push(dir.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// The used entries of the table of a disk or image: number, name, first and last sector. `None`
/// if neither copy is valid. Read by a library that the code under test does not use.
pub(crate) fn partitions(bytes: &[u8], sector: u64) -> Option<Vec<(u32, String, u64, u64)>> {
    let size = gpt::disk::LogicalBlockSize::try_from(sector).unwrap();
    let disk = gpt::GptConfig::new()
        .logical_block_size(size)
        .open_from_device(std::io::Cursor::new(bytes.to_vec()))
        .ok()?;
    let entry =
        |(n, p): (&u32, &gpt::partition::Partition)| (*n, p.name.clone(), p.first_lba, p.last_lba);
    Some(disk.partitions().iter().map(entry).collect())
}

/// Asserts that a disk holds exactly these partitions, in both tables, and no boot code.
pub(crate) fn assert_unbootable(bytes: &[u8], sector: u64, names: &[&str]) {
    assert!(bytes[..440].iter().all(|b| *b == 0), "boot code is left");
    assert_eq!(bytes[450], 0xee, "no protective MBR");
    let config = gpt::GptConfig::new()
        .logical_block_size(gpt::disk::LogicalBlockSize::try_from(sector).unwrap())
        .only_valid_headers(true);
    let disk = config
        .open_from_device(std::io::Cursor::new(bytes.to_vec()))
        .expect("two valid headers");
    let found: Vec<_> = disk
        .partitions()
        .values()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(found, names);
}
