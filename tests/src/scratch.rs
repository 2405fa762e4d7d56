//! A directory for disks and sockets that is gone when the run ends, also when it is killed.
//!
//! In memory (a tmpfs of the private mount namespace, so the kernel removes it) when there is
//! enough; otherwise below a directory on disk, removed on drop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the private mount namespace has its tmpfs, see [`crate::lan::isolate::enter`].
const IN_MEMORY: &str = "/run/coreos-metal";

/// A scratch directory.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    on_disk: Option<tempfile::TempDir>,
}

impl Scratch {
    /// A scratch directory for about `need` bytes, beside which guests of `guests` bytes run.
    /// Only for a process that [`crate::lan::isolate`] put into private namespaces.
    pub fn new(need: u64, guests: u64, fallback: &Path) -> Result<Self> {
        if available_memory()? >= need.saturating_add(guests) {
            let path = PathBuf::from(IN_MEMORY);
            std::fs::create_dir_all(&path)
                .with_context(|| format!("creating {}", path.display()))?;
            return Ok(Self {
                path,
                on_disk: None,
            });
        }
        let directory = tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir_in(fallback)
            .with_context(|| format!("creating a scratch directory in {}", fallback.display()))?;
        Ok(Self {
            path: directory.path().to_owned(),
            on_disk: Some(directory),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For the log: where it is.
    pub fn describe(&self) -> String {
        let place = if self.on_disk.is_some() {
            "on disk (too little free memory)"
        } else {
            "in memory"
        };
        format!("{} {place}", self.path.display())
    }
}

/// Memory that the kernel could hand out now, bytes.
fn available_memory() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: u64 = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse().ok())
        .context("reading MemAvailable from /proc/meminfo")?;
    Ok(kib.saturating_mul(1024))
}
