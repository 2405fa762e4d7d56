//! A build all of whose files are verified, still under a hidden name, and the manifest that says
//! what they are. The manifest is made of the files themselves: nothing in it is taken from others
//! but names.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::manifest::{Artifact, ChunkList, FORMAT, ImageArtifact, Manifest};
use embed::medium::LiveImage;
use installer::cancel::Cancel;
use installer::image::{ImageFacts, SignaturePlace, Terms, read_verified};
use installer::observe::Observer;
use installer::pipeline::ImageError;
use installer::source::{Location, ManifestPlace, manifest_beside};
use installer::verify::{Keyring, SignaturePolicy};

use super::error::failed;
use super::shelf::{entries, remove};
use super::{MANIFEST, MirrorError, PlainName, Shelf};

/// Sector size of images that do not tell.
const SECTOR: u32 = 512;

/// The files of a build, gathered in one directory. All but the image are verified.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) dir: PathBuf,
    pub(super) release: PlainName,
    pub(super) kernel: PlainName,
    pub(super) initramfs: PlainName,
    pub(super) rootfs: PlainName,
    pub(super) image: PlainName,
}

/// A build all of whose files have passed their signatures, under a hidden name.
#[derive(Debug)]
pub struct VerifiedBuild {
    dir: PathBuf,
    release: PlainName,
    manifest: Manifest,
}

impl Gathered {
    /// Verifies the image by what was published with it, and describes all files.
    pub(super) fn verify(
        self,
        shelf: &Shelf,
        keyring: &Keyring,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<VerifiedBuild, MirrorError> {
        let names = [&self.kernel, &self.initramfs, &self.rootfs, &self.image];
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.into_iter().find(|name| !seen.insert(*name)) {
            return Err(MirrorError::SameName(twice.to_string()));
        }
        let path = |name: &PlainName| self.dir.join(name.as_str());
        let image = path(&self.image);
        let facts = facts(&image, keyring, observer, cancel)?;
        let manifest = Manifest {
            format: FORMAT,
            source: LiveImage {
                name: shelf.stream().to_string(),
                version: self.release.to_string(),
                architecture: shelf.architecture().to_string(),
                sector_size: facts.sector_size.map_or(SECTOR, |sector| sector.bytes()),
                size: facts.size,
                sha256: facts.sha256,
            },
            kargs: Vec::new(),
            kernel: artifact(&path(&self.kernel))?,
            initramfs: artifact(&path(&self.initramfs))?,
            rootfs: artifact(&path(&self.rootfs))?,
            iso: None,
            image: Some(described(&image)?),
        };
        Ok(VerifiedBuild {
            dir: self.dir,
            release: self.release,
            manifest,
        })
    }
}

impl VerifiedBuild {
    /// What the stream calls it.
    pub fn release(&self) -> &PlainName {
        &self.release
    }

    /// Makes it durable, and gives it its name from one moment to the next.
    pub(super) fn name(self, shelf: &Shelf) -> Result<PlainName, MirrorError> {
        let (hidden, manifest) = (self.dir.as_path(), self.dir.join(MANIFEST));
        let expected = files(&self.manifest);
        for name in entries(hidden)? {
            if !expected.contains(&name) {
                remove(&hidden.join(name))?;
            }
        }
        let settle = || {
            let mut file = File::create_new(&manifest)?;
            file.write_all(self.manifest.to_json().as_bytes())?;
            fs::set_permissions(hidden, Permissions::from_mode(0o755))?;
            for entry in fs::read_dir(hidden)? {
                let file = File::open(entry?.path())?;
                file.set_permissions(Permissions::from_mode(0o644))?;
                file.sync_all()?;
            }
            File::open(hidden)?.sync_all()
        };
        settle().map_err(failed("write", &manifest))?;
        let path = shelf.build(&self.release);
        let name = || {
            fs::rename(hidden, &path)?;
            File::open(shelf.dir())?.sync_all()
        };
        name().map_err(failed("make", &path))?;
        Ok(self.release)
    }
}

/// The files of a build, its manifest aside, with the signatures that a bundle needs.
pub(super) fn files(manifest: &Manifest) -> BTreeSet<String> {
    let parts = [&manifest.kernel, &manifest.initramfs, &manifest.rootfs];
    let signatures = parts.into_iter().map(|part| format!("{}.sig", part.file));
    let named = manifest.file_names().into_iter().map(str::to_owned);
    named.chain(signatures).collect()
}

fn facts(
    image: &Path,
    keyring: &Keyring,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<ImageFacts, MirrorError> {
    let terms = Terms {
        manifest: &ManifestPlace::Beside,
        signature: SignaturePlace::Beside,
        digest: None,
        policy: SignaturePolicy::Require,
        keyring,
    };
    match read_verified(&Location::File(image.to_owned()), &terms, observer, cancel) {
        Ok((_, facts)) => Ok(facts),
        Err(ImageError::Cancelled(cancelled)) => Err(cancelled.into()),
        Err(error) => Err(MirrorError::Image(Box::new(error))),
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The file at `path` as manifests describe it.
pub(super) fn artifact(path: &Path) -> Result<Artifact, MirrorError> {
    let read = File::open(path).and_then(Sha256Digest::of_reader);
    let (sha256, size) = read.map_err(failed("read", path))?;
    Ok(Artifact {
        file: file_name(path),
        size,
        sha256,
    })
}

/// The image with what is beside it.
fn described(image: &Path) -> Result<ImageArtifact, MirrorError> {
    let signature_of = |path: &Path| -> Option<String> {
        let name = format!("{}.sig", file_name(path));
        path.with_file_name(&name).is_file().then_some(name)
    };
    let list = manifest_beside(image).filter(|list| list.is_file());
    Ok(ImageArtifact {
        artifact: artifact(image)?,
        signature: signature_of(image),
        chunks: list.map(|list| ChunkList {
            signature: signature_of(&list),
            file: file_name(&list),
        }),
    })
}

/// Reads a small file of at most `limit` bytes.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, MirrorError> {
    let read = || {
        if fs::metadata(path)?.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        fs::read(path)
    };
    read().map_err(failed("read", path))
}
