//! The live set of a published image: its kernel and boot loader as they are, its initramfs made a
//! live one, and the image itself in the rootfs.

use std::fs::{self, File};

use embed::kargs::Kargs;
use embed::medium::LiveImage;

use super::{BuildError, Builder, INITRAMFS, KERNEL, Live, ROOTFS, output};
use crate::artifact;
use crate::image::EfiLoader;
use crate::initramfs::{self, Whole};
use crate::live_kargs::live_kargs;
use crate::options::ImageSource;
use crate::rootfs;
use crate::unpack::{self, Unpacked};
use crate::watch::Step;

/// What an image gave, before anything expensive is made.
struct Extracted {
    source: LiveImage,
    kargs: Kargs,
    title: String,
    loader: EfiLoader,
    initramfs: File,
    features: String,
}

impl Builder<'_> {
    /// Makes the live set of `from`.
    pub(super) fn live_from_image(&self, from: &ImageSource) -> Result<Live, BuildError> {
        let unpacked = self.unpack(from)?;
        let mut extracted = self.extract(from, &unpacked)?;
        let volume_id = self.label(&extracted.source)?;
        let squashfs = self.scratch.path().join("root.squashfs");
        self.begin(Step::Squashfs)?;
        rootfs::squashfs(
            &self.tools.mksquashfs,
            &unpacked.dir,
            &squashfs,
            self.options.level,
            self.options.time,
            self.cancel,
        )
        .map_err(BuildError::Rootfs)?;
        fs::remove_dir_all(&unpacked.dir).map_err(output(&unpacked.dir))?;
        self.begin(Step::Rootfs)?;
        let rootfs_path = self.artifact(ROOTFS);
        rootfs::archive(&squashfs, &extracted.source.version, &rootfs_path)
            .map_err(BuildError::Rootfs)?;
        let (rootfs, chunks) =
            artifact::describe_rootfs(&rootfs_path).map_err(output(&rootfs_path))?;
        initramfs::append(
            &mut extracted.initramfs,
            &extracted.source,
            &chunks,
            &extracted.features,
        )
        .map_err(|e| self.initramfs(e))?;
        let image = match self.options.publish_image {
            true => Some(self.publish_image(&from.image, &unpacked)?),
            false => None,
        };
        Ok(Live {
            source: extracted.source,
            kargs: extracted.kargs,
            title: extracted.title,
            loader: extracted.loader,
            features: extracted.features,
            rootfs,
            image,
            trust: unpacked.trust().clone(),
            volume_id,
        })
    }

    pub(super) fn unpack(&self, from: &ImageSource) -> Result<Unpacked, BuildError> {
        self.begin(Step::Unpack)?;
        let dir = self.scratch.path().join("content");
        unpack::unpack(from, dir, self.watch, self.cancel).map_err(|source| BuildError::Unpack {
            image: from.image.clone(),
            source: Box::new(source),
        })
    }

    fn extract(&self, from: &ImageSource, unpacked: &Unpacked) -> Result<Extracted, BuildError> {
        self.begin(Step::Extract)?;
        let os = unpacked.open().map_err(|source| BuildError::Image {
            image: self.options.source.path().to_owned(),
            source,
        })?;
        let boot_error = |source| self.boot_error(source);
        let boot = os.boot().map_err(boot_error)?;
        let entry = boot.entry().map_err(boot_error)?;
        let deployment = self.deployment(&entry)?;
        let kernel = boot.kernel(&entry).map_err(boot_error)?;
        let architecture = self.architecture(&kernel)?;
        let kernel_path = self.artifact(KERNEL);
        fs::write(&kernel_path, &kernel).map_err(output(&kernel_path))?;
        let path = self.artifact(INITRAMFS);
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let mut initramfs = opened.map_err(output(&path))?;
        let survey =
            initramfs::take(&boot, &entry, &mut initramfs).map_err(|e| self.initramfs(e))?;
        let whole = Whole {
            kernel: &kernel,
            os: &os,
            deployment: deployment.as_ref(),
        };
        let module = from.live_module.as_deref();
        initramfs::make_live(&mut initramfs, &survey, module, whole)
            .map_err(|e| self.initramfs(e))?;
        let source = self.name(&os, architecture);
        Ok(Extracted {
            loader: self.loader(&os)?,
            kargs: live_kargs(&entry.options, &self.options.live_kargs)
                .map_err(BuildError::Kargs)?,
            title: self.title(&entry, &source),
            source,
            initramfs,
            features: initramfs::features(survey.has_network() || survey.is_live()),
        })
    }
}
