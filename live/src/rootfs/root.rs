//! Mounts the live root from the archive and writes down what was booted.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use embed::contract::{initrd, run};
use embed::kargs::Kargs;
use embed::medium::{LiveImage, LiveMedium};
use embed::ostree::BootLink;

use super::archive::locate_squashfs;
use super::{ARCHIVE, RootfsError, initramfs_version, read_text};
use crate::superblock::{self, Kind};
use crate::{module, mount, ostree, table};

/// Mounts the root of the obtained rootfs on `sysroot` and writes down what was booted. Where `kargs`
/// name the deployment of an OSTree system, the root is only the physical one and stays aside; a
/// unit of [`ostree`] takes it to `sysroot`.
pub fn mount_root(kargs: &Kargs, sysroot: &Path) -> Result<LiveMedium, RootfsError> {
    let live = Path::new(run::LIVE_DIR);
    let archive = Path::new(ARCHIVE);
    let squashfs = locate_squashfs(archive, &initramfs_version()?)?;
    let images = live.join("image");
    mount::part_of(
        archive,
        squashfs.offset,
        squashfs.length,
        &images,
        Kind::Squashfs,
    )?;
    let image: LiveImage =
        serde_json::from_str(&read_text(&Path::new("/").join(initrd::LIVE_IMAGE))?)
            .map_err(RootfsError::Image)?;
    let medium = LiveMedium {
        image,
        path: images.join(initrd::DISK_IMAGE),
    };
    mount_image_root(&medium, &live.join("root"))?;
    let layer = live.join("rw");
    mount::memory(&layer, None)?;
    let link = BootLink::of(kargs).ok().flatten();
    let target = match &link {
        Some(_) => Path::new(run::PHYSICAL_ROOT),
        None => sysroot,
    };
    mount::overlay(
        &live.join("root"),
        &layer.join("upper"),
        &layer.join("work"),
        target,
    )?;
    let root = match &link {
        Some(link) => deployment(target, link)?,
        None => target.to_owned(),
    };
    module::graft(Path::new("/"), &root).map_err(|source| RootfsError::Io {
        path: Path::new("/").join(initrd::MODULE),
        source,
    })?;
    write_medium(&medium)?;
    Ok(medium)
}

fn deployment(physical: &Path, link: &BootLink) -> Result<PathBuf, RootfsError> {
    ostree::deployment(physical, link).map_err(|source| RootfsError::Deployment {
        link: link.path().to_owned(),
        source,
    })
}

pub(super) fn mount_image_root(medium: &LiveMedium, target: &Path) -> Result<(), RootfsError> {
    let path = &medium.path;
    let io_error = |source| RootfsError::Io {
        path: path.clone(),
        source,
    };
    let wrong = |reason| RootfsError::Archive {
        path: path.clone(),
        reason,
    };
    let mut file = File::open(path).map_err(io_error)?;
    let size = file.metadata().map_err(io_error)?.len();
    if size != medium.image.size {
        return Err(wrong(
            "its disk image does not have the size that the initramfs names",
        ));
    }
    let table = table::read(&file, medium.image.sector_size, size).map_err(|source| {
        RootfsError::Table {
            path: path.clone(),
            source,
        }
    })?;
    let root = table
        .partitions()
        .find(|partition| partition.name == "root")
        .ok_or_else(|| wrong("its disk image has no partition named root"))?;
    let kind = match superblock::read(&mut file, root.start).map_err(io_error)? {
        Some(superblock) => superblock.kind,
        None => return Err(wrong("its root partition has an unknown file system")),
    };
    Ok(mount::part_of(path, root.start, root.length, target, kind)?)
}

fn write_medium(medium: &LiveMedium) -> Result<(), RootfsError> {
    let write = |path: &Path, text: &str| -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        File::create(path)?.write_all(text.as_bytes())
    };
    let json = serde_json::to_string_pretty(medium).map_err(RootfsError::Image)?;
    let issue = Path::new("/run/issue.d/30-coreos-live.issue");
    for (path, text) in [
        (Path::new(run::MEDIUM), json),
        (issue, issue_text(&medium.image)),
    ] {
        write(path, &text).map_err(|source| RootfsError::Io {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

/// What the login prompt of a live system says; agetty fills in the addresses as they come.
pub(super) fn issue_text(image: &LiveImage) -> String {
    format!(
        "\nThis is {} {} (live): it runs from memory and changes no disk by itself.\n\
         Addresses: \\4 \\6\n\
         To install it:  sudo coreos-installer install --ignition-file CONFIG.ign /dev/DISK\n\n",
        image.name, image.version
    )
}
