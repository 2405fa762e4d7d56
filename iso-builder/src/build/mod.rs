//! The build: from a published image to media, rootfs, initramfs, kernel and manifest.
//!
//! Everything is made in a directory of its own inside the output directory and moved into place
//! at the end, the manifest last: a failed build leaves what was there.

mod error;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use embed::kargs::Kargs;
use embed::manifest::{FORMAT, ImageArtifact, Manifest};
use embed::medium::LiveImage;
use installer::cancel::Cancel;
use installer::verify::Trust;
use tempfile::TempDir;

use crate::artifact;
use crate::identity::Identity;
use crate::image::{Arch, EfiLoader, OsImage, of_kernel};
use crate::initramfs::{self, InitramfsError};
use crate::iso::VolumeId;
use crate::live_kargs::live_kargs;
use crate::media::LiveMedia;
use crate::options::BuildOptions;
use crate::rootfs;
use crate::tools::HostTools;
use crate::unpack::{self, Unpacked};
use crate::watch::{Step, Watch};

pub use error::BuildError;
use error::output;

const MANIFEST: &str = "manifest.json";
/// Digits of the image's digest that stand for a version that was not given.
const VERSION_DIGITS: usize = 12;

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The manifest as written.
    pub manifest: Manifest,
    /// Why the image was believed.
    pub trust: Trust,
    /// Label of the ISO.
    pub volume_id: VolumeId,
}

/// Builds everything that `options` ask for.
pub fn build(
    options: &BuildOptions,
    tools: &HostTools,
    watch: &dyn Watch,
    cancel: &Cancel,
) -> Result<Built, BuildError> {
    let built = Builder::new(options, tools, watch, cancel)?.run();
    match built {
        // A child that got the same signal fails first, with an error that is not the reason.
        Err(_) if cancel.is_cancelled() => Err(BuildError::Interrupted {
            out: options.out.clone(),
        }),
        other => other,
    }
}

struct Builder<'a> {
    options: &'a BuildOptions,
    tools: &'a HostTools,
    watch: &'a dyn Watch,
    cancel: &'a Cancel,
    /// Files on the way.
    scratch: TempDir,
    /// Files to be moved into place.
    done: TempDir,
}

/// What an image gave, before anything expensive is made.
struct Extracted {
    source: LiveImage,
    kargs: Kargs,
    title: String,
    loader: EfiLoader,
    initramfs: File,
    volume_id: VolumeId,
}

impl<'a> Builder<'a> {
    fn new(
        options: &'a BuildOptions,
        tools: &'a HostTools,
        watch: &'a dyn Watch,
        cancel: &'a Cancel,
    ) -> Result<Self, BuildError> {
        let out = &options.out;
        fs::create_dir_all(out).map_err(output(out))?;
        let directory = || {
            tempfile::Builder::new()
                .prefix(".iso-builder-")
                .tempdir_in(out)
                .map_err(output(out))
        };
        Ok(Self {
            options,
            tools,
            watch,
            cancel,
            scratch: directory()?,
            done: directory()?,
        })
    }

    fn run(&self) -> Result<Built, BuildError> {
        let unpacked = self.unpack()?;
        let mut extracted = self.extract(&unpacked)?;
        let level = self.options.level;
        let squashfs = self.scratch.path().join("root.squashfs");
        self.begin(Step::Squashfs)?;
        rootfs::squashfs(
            &self.tools.mksquashfs,
            &unpacked.dir,
            &squashfs,
            level,
            self.options.time,
        )
        .map_err(BuildError::Rootfs)?;
        fs::remove_dir_all(&unpacked.dir).map_err(output(&unpacked.dir))?;
        self.begin(Step::Rootfs)?;
        let rootfs_path = self.artifact("live-rootfs.img");
        rootfs::archive(&squashfs, &extracted.source.version, &rootfs_path)
            .map_err(BuildError::Rootfs)?;
        let (rootfs, chunks) =
            artifact::describe_rootfs(&rootfs_path).map_err(output(&rootfs_path))?;
        initramfs::append(&mut extracted.initramfs, &extracted.source, &chunks)
            .map_err(|e| self.initramfs(e))?;
        let iso_path = self.write_iso(&extracted)?;
        self.begin(Step::Digests)?;
        let describe = |path: &Path| artifact::describe(path).map_err(output(path));
        let manifest = Manifest {
            format: FORMAT,
            source: extracted.source,
            kargs: extracted.kargs.iter().map(str::to_owned).collect(),
            kernel: describe(&self.artifact("live-kernel"))?,
            initramfs: describe(&self.artifact("live-initramfs.img"))?,
            rootfs,
            iso: Some(describe(&iso_path)?),
            image: self.publish_image(unpacked.signature.as_deref())?,
        };
        self.finish(&manifest)?;
        Ok(Built {
            manifest,
            trust: unpacked.trust().clone(),
            volume_id: extracted.volume_id,
        })
    }

    fn begin(&self, step: Step) -> Result<(), BuildError> {
        let interrupted = |_| BuildError::Interrupted {
            out: self.options.out.clone(),
        };
        self.cancel.check().map_err(interrupted)?;
        self.watch.step(step);
        Ok(())
    }

    fn artifact(&self, what: &str) -> PathBuf {
        self.done
            .path()
            .join(format!("{}-{what}", self.options.name.as_str()))
    }

    fn unpack(&self) -> Result<Unpacked, BuildError> {
        self.begin(Step::Unpack)?;
        let dir = self.scratch.path().join("content");
        unpack::unpack(self.options, dir, self.watch, self.cancel).map_err(|source| {
            BuildError::Unpack {
                image: self.options.image.clone(),
                source: Box::new(source),
            }
        })
    }

    fn extract(&self, unpacked: &Unpacked) -> Result<Extracted, BuildError> {
        self.begin(Step::Extract)?;
        let image = || self.options.image.clone();
        let os = unpacked.open().map_err(|source| BuildError::Image {
            image: image(),
            source,
        })?;
        let boot_error = |source| BuildError::Boot {
            image: image(),
            source,
        };
        let boot = os.boot().map_err(boot_error)?;
        let entry = boot.entry().map_err(boot_error)?;
        let kernel = boot.kernel(&entry).map_err(boot_error)?;
        let architecture = self.architecture(&kernel)?;
        let kernel_path = self.artifact("live-kernel");
        fs::write(&kernel_path, &kernel).map_err(output(&kernel_path))?;
        let loader = os.efi_loader().map_err(|source| BuildError::Esp {
            image: image(),
            source,
        })?;
        let kargs =
            live_kargs(&entry.options, &self.options.live_kargs).map_err(BuildError::Kargs)?;
        let path = self.artifact("live-initramfs.img");
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let mut initramfs = opened.map_err(output(&path))?;
        initramfs::take(&boot, &entry, &mut initramfs).map_err(|e| self.initramfs(e))?;
        let (source, volume_id) = self.name(&os, architecture)?;
        let title = if entry.title.is_empty() {
            source.name.clone()
        } else {
            entry.title
        };
        Ok(Extracted {
            source,
            kargs,
            title: format!("{title} (Live)"),
            loader,
            initramfs,
            volume_id,
        })
    }

    fn architecture(&self, kernel: &[u8]) -> Result<String, BuildError> {
        let found = match of_kernel(kernel) {
            Some(Arch::X86_64) => return Ok(Arch::X86_64.to_string()),
            Some(other) => other.to_string(),
            None => "an unknown machine".to_owned(),
        };
        Err(BuildError::Architecture {
            image: self.options.image.clone(),
            found,
        })
    }

    fn name(
        &self,
        os: &OsImage,
        architecture: String,
    ) -> Result<(LiveImage, VolumeId), BuildError> {
        let name = self.options.name.as_str().to_owned();
        let digits = || Identity::of_image(os.sha256()).prefix(VERSION_DIGITS);
        let version = self.options.version.clone().unwrap_or_else(digits);
        let volume_id = match &self.options.volume_id {
            Some(given) => given.clone(),
            None => VolumeId::nearest(&format!("{name}-{version}")).map_err(BuildError::Label)?,
        };
        let (sector_size, size, sha256) = (os.sector_size(), os.size(), os.sha256());
        Ok((
            LiveImage {
                name,
                version,
                architecture,
                sector_size,
                size,
                sha256,
            },
            volume_id,
        ))
    }

    fn write_iso(&self, extracted: &Extracted) -> Result<PathBuf, BuildError> {
        self.begin(Step::Iso)?;
        let path = self.artifact("live.iso");
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let mut out = opened.map_err(output(&path))?;
        let media = LiveMedia {
            kernel: &self.artifact("live-kernel"),
            initramfs: &self.artifact("live-initramfs.img"),
            rootfs: &self.artifact("live-rootfs.img"),
            loader: &extracted.loader,
            title: &extracted.title,
            kargs: &extracted.kargs,
            volume_id: &extracted.volume_id,
            embed_area: self.options.embed_area.bytes(),
            time: self.options.time,
            identity: Identity::of_image(extracted.source.sha256),
        };
        let progress = |done| self.watch.bytes(done, None);
        media
            .write(self.tools, self.scratch.path(), &mut out, &progress)
            .map_err(BuildError::Media)?;
        Ok(path)
    }

    /// Puts the published image beside the media, as a link where the file system allows it.
    fn publish_image(&self, signature: Option<&Path>) -> Result<Option<ImageArtifact>, BuildError> {
        if !self.options.publish_image {
            return Ok(None);
        }
        let image = &self.options.image;
        let name = artifact::file_name(image).map_err(output(image))?;
        let target = self.done.path().join(&name);
        link_or_copy(image, &target)?;
        let artifact = artifact::describe(&target).map_err(output(&target))?;
        let signature_name = signature.map(|_| format!("{name}.sig"));
        if let (Some(from), Some(name)) = (signature, &signature_name) {
            link_or_copy(from, &self.done.path().join(name))?;
        }
        Ok(Some(ImageArtifact {
            artifact,
            signature: signature_name,
        }))
    }

    fn finish(&self, manifest: &Manifest) -> Result<(), BuildError> {
        let staged = self.done.path().join(MANIFEST);
        fs::write(&staged, manifest.to_json()).map_err(output(&staged))?;
        for name in manifest.file_names().into_iter().chain([MANIFEST]) {
            let to = self.options.out.join(name);
            fs::rename(self.done.path().join(name), &to).map_err(output(&to))?;
        }
        Ok(())
    }

    fn initramfs(&self, source: InitramfsError) -> BuildError {
        BuildError::Initramfs {
            image: self.options.image.clone(),
            source,
        }
    }
}

fn link_or_copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    // A link to a symbolic link would point nowhere from the new place.
    let real = fs::canonicalize(from).map_err(output(from))?;
    if fs::hard_link(&real, to).is_err() {
        fs::copy(&real, to).map_err(output(to))?;
    }
    Ok(())
}
