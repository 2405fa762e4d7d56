//! NetworkManager keyfiles for the first boot: collected from a directory, appended as one xz cpio
//! to the initramfs of the default boot entry (upstream 0.27's form), applied there before
//! Ignition may fetch anything.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use embed::contract::initrd::NETWORK_DIR;
use embed::initrd::{Archive, Limits};
use embed::network::is_keyfile;

use super::bls::Entry;
use super::root::BootRoot;
use super::{Existing, FirstBootError};

/// Largest keyfile, bytes.
const MAX_KEYFILE: u64 = 1024 * 1024;

/// Bytes at the end of an initramfs in which archives of keyfiles are looked for.
const MAX_APPENDED: u64 = 16 * 1024 * 1024;

/// How many places that look like the start of an archive are tried.
const MAX_TRIES: usize = 64;

/// How an xz stream begins.
const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";

/// Initrd members start at multiples of this.
const ALIGN: u64 = 4;

/// One keyfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyfile {
    /// File name.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// The keyfiles of one machine, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyfiles(Vec<Keyfile>);

impl Keyfiles {
    /// The regular files in `dir`, not those in directories below it.
    pub fn from_dir(dir: &Path) -> io::Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(dir)? {
            paths.push(entry?.path());
        }
        paths.sort_unstable();
        let mut keyfiles = Vec::new();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .map(str::to_owned);
            let Some(name) = name else {
                return Err(io::Error::other(format!(
                    "{}: name is not UTF-8",
                    path.display()
                )));
            };
            keyfiles.push(Keyfile {
                name,
                bytes: read_bounded(&path)?,
            });
        }
        Ok(Self(keyfiles))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keyfiles.
    pub fn iter(&self) -> impl Iterator<Item = &Keyfile> {
        self.0.iter()
    }

    /// Appends the archive to the initramfs that the default boot entry names, in place of one
    /// that was appended earlier if `existing` says so.
    pub(super) fn append_to_initramfs(
        &self,
        root: &BootRoot,
        existing: Existing,
    ) -> Result<(), FirstBootError> {
        let entry = Entry::default_of(root)?;
        let initrd = entry.initrd()?.trim_start_matches('/');
        let (length, end) = root.read_end(initrd, MAX_APPENDED)?;
        let appended = end.len().saturating_sub(appended_at(&end)) as u64;
        let keep = match existing {
            Existing::Add => length,
            Existing::Refuse if appended > 0 => return Err(FirstBootError::NetworkThere),
            Existing::Refuse | Existing::Replace => length.saturating_sub(appended),
        };
        let padding = usize::try_from(keep.wrapping_neg() % ALIGN).unwrap_or(0);
        let mut tail = vec![0; padding];
        tail.extend_from_slice(&self.to_archive()?);
        root.replace_end(initrd, keep, &tail)
    }

    fn to_archive(&self) -> Result<Vec<u8>, FirstBootError> {
        let mut archive = Archive::default();
        for keyfile in &self.0 {
            archive
                .insert(
                    &format!("{NETWORK_DIR}/{}", keyfile.name),
                    keyfile.bytes.as_slice(),
                )
                .map_err(|error| FirstBootError::Pack(io::Error::other(error)))?;
        }
        archive.to_xz_cpio().map_err(FirstBootError::Pack)
    }
}

impl FromIterator<Keyfile> for Keyfiles {
    fn from_iter<I: IntoIterator<Item = Keyfile>>(keyfiles: I) -> Self {
        Self(keyfiles.into_iter().collect())
    }
}

/// Where in the last bytes of an initramfs the archives of keyfiles begin that were appended to it:
/// archives that hold nothing else, up to the end. At the end of `bytes` if there are none.
fn appended_at(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    let starts: Vec<usize> = bytes
        .windows(XZ_MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == XZ_MAGIC)
        .map(|(at, _)| at)
        .collect();
    for start in starts.into_iter().rev().take(MAX_TRIES) {
        let archive = bytes
            .get(start..end)
            .map(|bytes| Archive::read(bytes, Limits::AREA));
        if let Some(Ok(archive)) = archive
            && !archive.is_empty()
            && archive.iter().all(|(path, _)| is_keyfile(path))
        {
            end = start;
        }
    }
    end
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_KEYFILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_KEYFILE {
        return Err(io::Error::other(format!(
            "{} is larger than 1 MiB",
            path.display()
        )));
    }
    Ok(bytes)
}
