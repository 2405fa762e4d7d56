//! Media from ready-made live parts: a kernel, a live initramfs and the rootfs that it waits for,
//! packed as they are. What is not among them (boot loader, kernel arguments) is in the OS image
//! inside the rootfs, or beside parts that another builder made.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use embed::contract::initrd as names;
use embed::digest::Sha256Digest;
use embed::initrd::{Archive, InitrdError, Limits};
use embed::manifest::Artifact;
use embed::medium::LiveImage;
use embed::stream_hash::{StreamHash, StreamHashError};
use installer::verify::Trust;

use super::publish::link_or_copy;
use super::{BuildError, Builder, INITRAMFS, KERNEL, Live, ROOTFS, output};
use crate::artifact;
use crate::image::{BlsEntry, ImageError, OsImage};
use crate::live_kargs::{live_kargs, others_live_kargs};
use crate::options::{ImageSource, PartsSource};
use crate::rootfs::SQUASHFS_MAGIC;
use crate::tools::ToolError;
use crate::watch::Step;

/// What a live system understands that does not say.
const NO_FEATURES: &str = "{}\n";

/// Why ready-made parts cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartsError {
    /// The initramfs cannot be read.
    #[error("cannot look into the initramfs")]
    Initramfs(#[source] InitrdError),
    /// The initramfs is not a live one.
    #[error("the initramfs has no `{0}`: it is not a live one")]
    NotLive(&'static str),
    /// The set is of another builder, and nothing starts it.
    #[error("the initramfs names no image in its rootfs: another builder made it")]
    ImageMissing,
    /// The set has its image already.
    #[error("the initramfs names the image in its rootfs; no other one starts it")]
    ImageInside,
    /// A description in the initramfs that is none.
    #[error("`{0}` in the initramfs is damaged")]
    Description(
        &'static str,
        #[source] Box<dyn std::error::Error + Send + Sync>,
    ),
    /// The rootfs is not the one that the initramfs waits for.
    #[error("the rootfs is not the one that the initramfs waits for")]
    OtherRootfs(#[source] io::Error),
    /// The rootfs is no archive around a squashfs.
    #[error("the rootfs has no squashfs at byte {offset}", offset = names::SQUASHFS_OFFSET)]
    NoSquashfs,
    /// The OS image cannot be taken out of the rootfs.
    #[error("cannot take `{image}` out of the rootfs", image = names::DISK_IMAGE)]
    Squashfs(#[source] ToolError),
    /// The OS image is another one than the initramfs names.
    #[error("the rootfs holds an image with sha256 {found}; the initramfs names {want}")]
    OtherImage {
        /// Digest of the image in the rootfs.
        found: Sha256Digest,
        /// Digest that the initramfs names.
        want: Sha256Digest,
    },
    /// The OS image cannot be read.
    #[error("cannot read the image in the rootfs")]
    Image(#[source] ImageError),
    /// A part cannot be read.
    #[error("cannot read it")]
    Read(#[source] io::Error),
}

impl Builder<'_> {
    /// Takes over the live set that `from` names.
    pub(super) fn live_from_parts(&self, from: &PartsSource) -> Result<Live, BuildError> {
        self.begin(Step::Extract)?;
        for (file, what) in [
            (&from.kernel, KERNEL),
            (&from.initramfs, INITRAMFS),
            (&from.rootfs, ROOTFS),
        ] {
            link_or_copy(file, &self.artifact(what))?;
        }
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |source| BuildError::Parts { file, source }
        };
        let kernel = fs::read(&from.kernel).map_err(output(&from.kernel))?;
        let architecture = self.architecture(&kernel)?;
        let described = describe(&from.initramfs).map_err(failed(&from.initramfs))?;
        self.begin(Step::Rootfs)?;
        check_rootfs(&from.rootfs, &described.chunks).map_err(failed(&from.rootfs))?;
        let path = self.artifact(ROOTFS);
        let rootfs = artifact::describe(&path).map_err(output(&path))?;
        let set = Set {
            architecture,
            rootfs,
            features: described.features,
        };
        match (described.image, &from.image) {
            (Some(image), None) => {
                check_squashfs(&from.rootfs).map_err(failed(&from.rootfs))?;
                let os = self.image_inside(&from.rootfs, &image);
                self.own_parts(set, image, &os.map_err(failed(&from.rootfs))?)
            }
            (None, Some(image)) => self.others_parts(set, image),
            (Some(_), Some(_)) => Err(failed(&from.initramfs)(PartsError::ImageInside)),
            (None, None) => Err(failed(&from.initramfs)(PartsError::ImageMissing)),
        }
    }

    /// A set with the image `os` in its rootfs.
    fn own_parts(&self, set: Set, mut image: LiveImage, os: &OsImage) -> Result<Live, BuildError> {
        let entry = self.entry(os)?;
        self.deployment(&entry)?;
        image.architecture = set.architecture;
        let kargs = live_kargs(&entry.options, &self.options.live_kargs);
        Ok(Live {
            kargs: kargs.map_err(BuildError::Kargs)?,
            title: self.title(&entry, &image),
            loader: self.loader(os)?,
            features: set.features,
            rootfs: set.rootfs,
            image: None,
            trust: Trust::Digest(image.sha256),
            volume_id: self.label(&image)?,
            source: image,
        })
    }

    /// A set of another builder, started as the image of the same build is.
    fn others_parts(&self, set: Set, from: &ImageSource) -> Result<Live, BuildError> {
        let unpacked = self.unpack(from)?;
        let os = unpacked.open().map_err(|source| BuildError::Image {
            image: from.image.clone(),
            source,
        })?;
        let entry = self.entry(&os)?;
        let source = self.name(&os, set.architecture);
        let kargs = others_live_kargs(&entry.options, &self.options.live_kargs);
        let image = match self.options.publish_image {
            true => Some(self.publish_image(&from.image, &unpacked)?),
            false => None,
        };
        Ok(Live {
            kargs: kargs.map_err(BuildError::Kargs)?,
            title: self.title(&entry, &source),
            loader: self.loader(&os)?,
            features: set.features,
            rootfs: set.rootfs,
            image,
            trust: unpacked.trust().clone(),
            volume_id: self.label(&source)?,
            source,
        })
    }

    fn entry(&self, os: &OsImage) -> Result<BlsEntry, BuildError> {
        os.boot()
            .and_then(|boot| boot.entry())
            .map_err(|source| self.boot_error(source))
    }

    /// The OS image in the rootfs at `rootfs`, which must be the one that the initramfs names.
    fn image_inside(&self, rootfs: &Path, want: &LiveImage) -> Result<OsImage, PartsError> {
        let path = self.scratch.path().join(names::DISK_IMAGE);
        let out = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(PartsError::Read)?;
        let unsquashfs = &self.tools.unsquashfs;
        let mut command = unsquashfs.command();
        command
            .args(["-offset", &names::SQUASHFS_OFFSET.to_string(), "-cat"])
            .arg(rootfs)
            .arg(names::DISK_IMAGE);
        let to = out.try_clone().map_err(PartsError::Read)?;
        unsquashfs
            .run_into(command, to, self.cancel)
            .map_err(PartsError::Squashfs)?;
        let raw = File::open(&path).map_err(PartsError::Read)?;
        let (found, size) = Sha256Digest::of_reader(raw).map_err(PartsError::Read)?;
        if (found, size) != (want.sha256, want.size) {
            return Err(PartsError::OtherImage {
                found,
                want: want.sha256,
            });
        }
        OsImage::of_live(out, want).map_err(PartsError::Image)
    }
}

/// What is the same of every set.
struct Set {
    architecture: String,
    rootfs: Artifact,
    features: String,
}

/// What a live initramfs says.
struct Described {
    /// The image in the rootfs, if this toolkit made the set.
    image: Option<LiveImage>,
    chunks: StreamHash,
    features: String,
}

/// Reads what the live initramfs at `path` says.
fn describe(path: &Path) -> Result<Described, PartsError> {
    let file = File::open(path).map_err(PartsError::Read)?;
    let wanted = [names::LIVE_IMAGE, names::WANT_ROOTFS, names::FEATURES];
    let archive = Archive::read_matching(BufReader::new(file), Limits::IMAGE, |path| {
        wanted.contains(&path)
    })
    .map_err(PartsError::Initramfs)?;
    let text = |path| {
        let bytes = archive.get(path).ok_or(PartsError::NotLive(path))?;
        Ok(String::from_utf8_lossy(bytes))
    };
    let chunks = StreamHash::parse(&text(names::WANT_ROOTFS)?)
        .map_err(|e: StreamHashError| PartsError::Description(names::WANT_ROOTFS, e.into()))?;
    let image = archive.get(names::LIVE_IMAGE).map(serde_json::from_slice);
    let image = image
        .transpose()
        .map_err(|e| PartsError::Description(names::LIVE_IMAGE, e.into()))?;
    let features = match archive.get(names::FEATURES) {
        Some(features) => String::from_utf8_lossy(features).into_owned(),
        None => NO_FEATURES.to_owned(),
    };
    Ok(Described {
        image,
        chunks,
        features,
    })
}

/// Looks whether the rootfs at `path` is the one with `chunks`.
fn check_rootfs(path: &Path, chunks: &StreamHash) -> Result<(), PartsError> {
    let file = File::open(path).map_err(PartsError::Read)?;
    io::copy(&mut chunks.verify(&file), &mut io::sink()).map_err(PartsError::OtherRootfs)?;
    Ok(())
}

/// Looks whether an ISO boot finds the squashfs in the rootfs at `path`.
fn check_squashfs(path: &Path) -> Result<(), PartsError> {
    let file = File::open(path).map_err(PartsError::Read)?;
    let mut magic = [0u8; SQUASHFS_MAGIC.len()];
    file.read_exact_at(&mut magic, names::SQUASHFS_OFFSET)
        .map_err(PartsError::Read)?;
    if &magic != SQUASHFS_MAGIC {
        return Err(PartsError::NoSquashfs);
    }
    Ok(())
}
