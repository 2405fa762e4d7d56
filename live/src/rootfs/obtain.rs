//! Makes the rootfs archive available in one place: on the ISO, from a second initrd, or
//! downloaded into memory with every chunk checked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use embed::contract::{initrd, iso, run};
use embed::kargs::Kargs;
use embed::stream_hash::StreamHash;

use super::{ARCHIVE, RootfsError, Source, compare_versions, initramfs_version, read_text};
use crate::console::Consoles;
use crate::discover::{Devices, PATIENCE};
use crate::fetch::{self, Notice, Policy};
use crate::memory::Memory;
use crate::mount;

/// Makes the rootfs available at a fixed place, from wherever it comes.
pub fn obtain(kargs: &Kargs, consoles: &Consoles) -> Result<(), RootfsError> {
    let unpacked = Path::new("/").join(initrd::SQUASHFS);
    let file = match Source::choose(kargs, unpacked.exists()).ok_or(RootfsError::NoSource)? {
        Source::Iso(label) => {
            consoles.line(&format!("rootfs: looking for the ISO labelled {label}"));
            let mounted = Path::new(run::LIVE_DIR).join("iso");
            Devices::default().wait(&label, PATIENCE)?.mount(&mounted)?;
            mounted.join(iso::ROOTFS)
        }
        Source::Initrd => {
            let stamp = Path::new("/").join(initrd::ROOTFS_STAMP);
            let Ok(version) = fs::read_to_string(stamp) else {
                return Err(RootfsError::Incomplete);
            };
            compare_versions(&version, &initramfs_version()?)?;
            unpacked
        }
        Source::Urls(urls) => download(&urls, consoles)?,
    };
    // Nothing was mounted there yet when the kernel unpacked the rootfs itself.
    fs::create_dir_all(run::LIVE_DIR)
        .and_then(|()| std::os::unix::fs::symlink(&file, ARCHIVE))
        .map_err(|source| RootfsError::Io {
            path: ARCHIVE.into(),
            source,
        })
}

fn download(urls: &[String], consoles: &Consoles) -> Result<PathBuf, RootfsError> {
    let want = StreamHash::parse(&read_text(&Path::new("/").join(initrd::WANT_ROOTFS))?)
        .map_err(RootfsError::Want)?;
    let size = (want.chunks() as u64).saturating_mul(want.chunk_size() as u64);
    Memory::parse(&read_text(Path::new("/proc/meminfo"))?).check(size)?;
    let dir = Path::new(run::LIVE_DIR).join("ram");
    mount::memory(&dir, Some(size.saturating_add(want.chunk_size() as u64)))?;
    let path = dir.join("rootfs.img");
    let mut file = File::create(&path).map_err(|source| RootfsError::Io {
        path: path.clone(),
        source,
    })?;
    let mut shown = 0;
    let length = fetch::fetch(
        &fetch::client()?,
        urls,
        &want,
        &mut file,
        Policy::ROOTFS,
        |notice| match notice {
            Notice::From(url) => consoles.line(&format!("rootfs: fetching {url}")),
            Notice::Chunks { done, total } if done * 4 / total > shown => {
                shown = done * 4 / total;
                consoles.line(&format!("rootfs: {}%", shown * 25));
            }
            Notice::Chunks { .. } => {}
            Notice::Retry(error) => {
                consoles.line(&format!("rootfs: {}; trying again", chain(error)))
            }
            Notice::Refused(error) => {
                consoles.line(&format!("rootfs: {}; asking another server", chain(error)))
            }
        },
    )?;
    consoles.line(&format!("rootfs: {} MiB verified", length / 1024 / 1024));
    Ok(path)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
