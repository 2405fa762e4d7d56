//! The verified raw image on disk: the installer decodes and checks it, this module keeps its proof
//! together with the file.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use embed::contract::initrd::DISK_IMAGE;
use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::image::{ImageFacts, SignaturePlace, Terms, unpack_verified};
use installer::observe::Observer;
use installer::source::{Location, ManifestPlace, manifest_beside};
use installer::verify::{Trust, Verified};

use crate::image::{ImageError, OsImage};
use crate::options::ImageSource;
use crate::watch::Watch;

/// Largest signature that is read, bytes.
const MAX_SIGNATURE: u64 = 1 << 20;

/// Why there is no verified image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The signature that was named cannot be read.
    #[error("cannot read the signature {path}")]
    Signature {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what its publisher signed, or cannot be decoded.
    #[error("cannot verify and unpack it")]
    Image(#[source] installer::pipeline::ImageError),
    /// No place for the raw image.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A verified raw image in a directory that holds nothing else.
#[derive(Debug)]
pub struct Unpacked {
    /// The directory.
    pub dir: PathBuf,
    /// The signature's file, if there is one.
    pub signature: Option<PathBuf>,
    /// The chunk manifest that the image was checked by, if there is one.
    pub list: Option<PathBuf>,
    file: File,
    facts: ImageFacts,
    verified: Verified,
}

impl Unpacked {
    /// Opens the image.
    pub fn open(&self) -> Result<OsImage, ImageError> {
        OsImage::open(
            self.file.try_clone().map_err(ImageError::Open)?,
            &self.facts,
            &self.verified,
        )
    }

    /// Why the image is believed.
    pub fn trust(&self) -> &Trust {
        self.verified.trust()
    }
}

struct Forward<'a>(&'a dyn Watch);

impl Observer for Forward<'_> {
    fn event(&self, progress: Progress) {
        if let Progress::Copying { bytes, total } = progress {
            self.0.bytes(bytes, total);
        }
    }
}

/// Decodes and verifies the image that `from` names into the new directory `dir`.
pub fn unpack(
    from: &ImageSource,
    dir: PathBuf,
    watch: &dyn Watch,
    cancel: &Cancel,
) -> Result<Unpacked, UnpackError> {
    let given = from.signature.as_deref().map(|path| {
        read_signature(path).map_err(|source| UnpackError::Signature {
            path: path.to_owned(),
            source,
        })
    });
    let given = given.transpose()?;
    let terms = Terms {
        manifest: &ManifestPlace::Beside,
        signature: match &given {
            Some(bytes) => SignaturePlace::Given(bytes),
            None => SignaturePlace::Beside,
        },
        digest: None,
        policy: from.policy,
        keyring: &from.keyring,
    };
    let path = dir.join(DISK_IMAGE);
    let failed = |source| UnpackError::File {
        path: path.clone(),
        source,
    };
    fs::create_dir(&dir).map_err(failed)?;
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    // Both become part of the rootfs, whatever the umask of whoever builds it.
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).map_err(failed)?;
    let image = Location::File(from.image.clone());
    let unpacked = unpack_verified(&image, &terms, &file, &Forward(watch), cancel);
    let (verified, facts) = unpacked.map_err(UnpackError::Image)?;
    let beside = || Some(signature_of(&from.image)).filter(|path| path.exists());
    Ok(Unpacked {
        dir,
        signature: from.signature.clone().or_else(beside),
        list: manifest_beside(&from.image).filter(|_| facts.list.is_some()),
        file,
        facts,
        verified,
    })
}

fn read_signature(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_SIGNATURE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIGNATURE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Where the signature over a file is.
pub(crate) fn signature_of(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".sig");
    PathBuf::from(name)
}
