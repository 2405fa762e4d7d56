//! The build: from a published image, or from ready-made live parts, to media, rootfs, initramfs,
//! kernel and manifest.
//!
//! Everything is made in a directory of its own inside the output directory and moved into place
//! at the end, the manifest last: a failed build leaves what was there.

mod error;
mod image;
mod parts;
mod publish;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use embed::kargs::Kargs;
use embed::manifest::{Artifact, FORMAT, ImageArtifact, Manifest};
use embed::medium::LiveImage;
use embed::ostree::BootLink;
use installer::cancel::Cancel;
use installer::sign::Signer;
use installer::verify::Trust;
use tempfile::TempDir;

use crate::artifact;
use crate::identity::Identity;
use crate::image::{Arch, BlsEntry, BootError, EfiLoader, OsImage, of_kernel};
use crate::initramfs::InitramfsError;
use crate::iso::VolumeId;
use crate::media::LiveMedia;
use crate::options::{BuildOptions, Source};
use crate::tools::HostTools;
use crate::watch::{Step, Watch};

pub use error::BuildError;
use error::output;
pub use parts::PartsError;

const MANIFEST: &str = "manifest.json";
/// What the results are, behind the name of the OS.
const KERNEL: &str = "live-kernel";
const INITRAMFS: &str = "live-initramfs.img";
const ROOTFS: &str = "live-rootfs.img";
const ISO: &str = "live.iso";
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
    /// Fingerprint of the key that signed manifest and ISO.
    pub signed_by: Option<String>,
}

/// Builds everything that `options` ask for.
pub fn build(
    options: &BuildOptions,
    tools: &HostTools,
    watch: &dyn Watch,
    cancel: &Cancel,
) -> Result<Built, BuildError> {
    // A key that is not there should not be found out after the work.
    let signer = options.sign_key.as_deref().map(Signer::find).transpose();
    let signer = signer.map_err(BuildError::Sign)?;
    let built = Builder::new(options, tools, watch, cancel)?.run(signer);
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

/// A live set whose kernel, initramfs and rootfs lie among the results.
struct Live {
    source: LiveImage,
    kargs: Kargs,
    title: String,
    loader: EfiLoader,
    features: String,
    rootfs: Artifact,
    image: Option<ImageArtifact>,
    trust: Trust,
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

    fn run(&self, signer: Option<Signer>) -> Result<Built, BuildError> {
        let live = match &self.options.source {
            Source::Image(from) => self.live_from_image(from)?,
            Source::Parts(from) => self.live_from_parts(from)?,
        };
        let iso_path = self.write_iso(&live)?;
        self.begin(Step::Digests)?;
        let describe = |path: &Path| artifact::describe(path).map_err(output(path));
        let manifest = Manifest {
            format: FORMAT,
            source: live.source,
            kargs: live.kargs.iter().map(str::to_owned).collect(),
            kernel: describe(&self.artifact(KERNEL))?,
            initramfs: describe(&self.artifact(INITRAMFS))?,
            rootfs: live.rootfs,
            iso: Some(describe(&iso_path)?),
            image: live.image,
        };
        let signed_by = self.finish(&manifest, signer)?;
        Ok(Built {
            manifest,
            trust: live.trust,
            volume_id: live.volume_id,
            signed_by,
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

    fn architecture(&self, kernel: &[u8]) -> Result<String, BuildError> {
        let found = match of_kernel(kernel) {
            Some(Arch::X86_64) => return Ok(Arch::X86_64.to_string()),
            Some(other) => other.to_string(),
            None => "an unknown machine".to_owned(),
        };
        Err(BuildError::Architecture {
            image: self.options.source.path().to_owned(),
            found,
        })
    }

    /// Names the image `os` as the options say.
    fn name(&self, os: &OsImage, architecture: String) -> LiveImage {
        let name = self.options.name.as_str().to_owned();
        let digits = || Identity::of_image(os.sha256()).prefix(VERSION_DIGITS);
        let version = self.options.version.clone().unwrap_or_else(digits);
        LiveImage {
            name,
            version,
            architecture,
            sector_size: os.sector_size(),
            size: os.size(),
            sha256: os.sha256(),
        }
    }

    /// The label that was asked for, or the one nearest to name and version.
    fn label(&self, image: &LiveImage) -> Result<VolumeId, BuildError> {
        match &self.options.volume_id {
            Some(given) => Ok(given.clone()),
            None => VolumeId::nearest(&format!("{}-{}", image.name, image.version))
                .map_err(BuildError::Label),
        }
    }

    fn write_iso(&self, live: &Live) -> Result<PathBuf, BuildError> {
        self.begin(Step::Iso)?;
        let path = self.artifact(ISO);
        let opened = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        let mut out = opened.map_err(output(&path))?;
        let media = LiveMedia {
            kernel: &self.artifact(KERNEL),
            initramfs: &self.artifact(INITRAMFS),
            rootfs: &self.artifact(ROOTFS),
            loader: &live.loader,
            title: &live.title,
            kargs: &live.kargs,
            features: &live.features,
            volume_id: &live.volume_id,
            embed_area: self.options.embed_area.bytes(),
            time: self.options.time,
            identity: Identity::of_image(live.source.sha256),
        };
        let progress = |done| self.watch.bytes(done, None);
        media
            .write(
                self.tools,
                self.scratch.path(),
                &mut out,
                &progress,
                self.cancel,
            )
            .map_err(BuildError::Media)?;
        Ok(path)
    }

    fn loader(&self, os: &OsImage) -> Result<EfiLoader, BuildError> {
        os.efi_loader().map_err(|source| BuildError::Esp {
            image: self.options.source.path().to_owned(),
            source,
        })
    }

    /// The deployment that an OSTree system boots; `None` for another one.
    fn deployment(&self, entry: &BlsEntry) -> Result<Option<BootLink>, BuildError> {
        BootLink::of(&Kargs::parse(&entry.options)).map_err(|source| BuildError::Deployment {
            image: self.options.source.path().to_owned(),
            source,
        })
    }

    /// Title of the menu entry.
    fn title(&self, entry: &BlsEntry, image: &LiveImage) -> String {
        let title = match entry.title.as_str() {
            "" => &image.name,
            title => title,
        };
        format!("{title} (Live)")
    }

    fn boot_error(&self, source: BootError) -> BuildError {
        BuildError::Boot {
            image: self.options.source.path().to_owned(),
            source,
        }
    }

    fn initramfs(&self, source: InitramfsError) -> BuildError {
        BuildError::Initramfs {
            image: self.options.source.path().to_owned(),
            source,
        }
    }
}
