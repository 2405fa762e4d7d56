//! Packing a raw image for the fast way in: a file of many zstd frames, the chunk manifest that
//! describes it ([`embed::chunks`]), and signatures over both.
//!
//! The same image, chunk size, level and zstd give the same bytes, on any number of processors.

mod compress;
mod list;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use embed::chunks::{IMAGE_SUFFIX, MANIFEST_SUFFIX, Manifest, ManifestError, SeekTableError};
use tempfile::NamedTempFile;

use crate::cancel::{Cancel, Cancelled};
use crate::decode;
use crate::observe::Observer;
use crate::sign::{SignError, Signer};

/// What to pack, and how.
#[derive(Clone, Debug)]
pub struct PackRequest {
    /// The raw image.
    pub raw: PathBuf,
    /// Directory for what is made.
    pub dir: PathBuf,
    /// Size of a chunk, bytes; [`embed::chunks`] says which are possible.
    pub chunk_size: u32,
    /// Compression level of zstd.
    pub level: i32,
    /// ID, fingerprint or user of the secret key to sign with.
    pub key: Option<String>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// The packed image.
    pub image: PathBuf,
    /// Its chunk manifest.
    pub manifest: PathBuf,
    /// Fingerprint of the key that signed both; the signatures are at the same names with `.sig`.
    pub signed_by: Option<String>,
    /// Size of the raw image, bytes.
    pub raw_size: u64,
    /// How much of that is in listed runs of zeroes, bytes.
    pub zeroes: u64,
    /// Size of the packed image, bytes.
    pub size: u64,
    /// Number of chunks with data.
    pub chunks: usize,
}

/// Why an image was not packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The raw image cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is compressed, or no disk image.
    #[error("{} is not a raw image but {what}", path.display())]
    NotRaw {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A result cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// zstd does not take these settings or this data.
    #[error("cannot compress at level {level}")]
    Compress {
        /// The level that was asked for.
        level: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image cannot be described with chunks of this size.
    #[error("cannot describe the chunks")]
    Manifest(#[source] ManifestError),
    /// The image has more chunks than a seek table has room for.
    #[error("cannot make the seek table")]
    SeekTable(#[source] SeekTableError),
    /// It cannot be signed.
    #[error("cannot sign")]
    Sign(#[source] SignError),
    /// A thread ended without a word.
    #[error("the packing broke off")]
    Broken,
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Packs an image. Nothing is overwritten, and what cannot be made whole is not left.
pub fn pack(
    request: &PackRequest,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Packed, PackError> {
    let names = Names::of(request);
    names.refuse_existing()?;
    let mut signer = match &request.key {
        Some(key) => Some(Signer::find(key).map_err(PackError::Sign)?),
        None => None,
    };
    let raw = open(&request.raw)?;
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| PackError::Write { path, source }
    };
    let mut packed = new_file(&request.dir).map_err(at(&names.image))?;
    let manifest = {
        let mut out = BufWriter::new(packed.as_file_mut());
        let work = compress::Work {
            request,
            observer,
            cancel,
        };
        let manifest = work.run(raw, &mut out, &names.image)?;
        out.flush().map_err(at(&names.image))?;
        manifest
    };
    let mut list = new_file(&request.dir).map_err(at(&names.manifest))?;
    let json = manifest.to_json().map_err(PackError::Manifest)?;
    list.write_all(&json).map_err(at(&names.manifest))?;
    let mut results = Vec::new();
    for (temp, path) in [(packed, &names.image), (list, &names.manifest)] {
        cancel.check()?;
        let signature = match &mut signer {
            Some(signer) => Some(signature(signer, temp.path(), request, path)?),
            None => None,
        };
        results.push((temp, path.clone()));
        results.extend(signature);
    }
    publish(results)?;
    Ok(describe(names, signer, &manifest))
}

fn describe(names: Names, signer: Option<Signer>, manifest: &Manifest) -> Packed {
    let data: u64 = manifest.chunks().iter().map(|c| u64::from(c.length)).sum();
    Packed {
        image: names.image,
        manifest: names.manifest,
        signed_by: signer.map(Signer::into_fingerprint),
        raw_size: manifest.image().size,
        zeroes: manifest.image().size.saturating_sub(data),
        size: manifest.file().size,
        chunks: manifest.chunks().len(),
    }
}

/// A signature over the file at `temp`, which will be at `path`, in a file that will be beside it.
fn signature(
    signer: &mut Signer,
    temp: &Path,
    request: &PackRequest,
    path: &Path,
) -> Result<(NamedTempFile, PathBuf), PackError> {
    let place = signature_of(path);
    let at = |source| PackError::Write {
        path: place.clone(),
        source,
    };
    let bytes = signer.sign(temp).map_err(PackError::Sign)?;
    let mut file = new_file(&request.dir).map_err(at)?;
    file.write_all(&bytes).map_err(at)?;
    Ok((file, place))
}

/// Gives the files their names, the manifest's last; takes back what it gave when one fails.
fn publish(files: Vec<(NamedTempFile, PathBuf)>) -> Result<(), PackError> {
    let mut done: Vec<PathBuf> = Vec::new();
    for (temp, path) in files {
        let named = temp
            .as_file()
            .sync_all()
            .and_then(|()| temp.persist_noclobber(&path).map_err(|e| e.error));
        if let Err(source) = named {
            for path in done {
                // What was asked for is not there either way; the first error is the one to tell.
                let _ = std::fs::remove_file(path);
            }
            return Err(PackError::Write { path, source });
        }
        done.push(path);
    }
    Ok(())
}

/// A file that vanishes unless it is given its name; readable by everyone, as results are.
fn new_file(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".pack-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(dir)
}

/// The raw image, unless its first bytes show that it is none.
fn open(path: &Path) -> Result<File, PackError> {
    let at = |source| PackError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    let mut start = [0; decode::START];
    let len = file.read_at(&mut start, 0).map_err(at)?;
    let what = match len {
        0 => Some("an empty file"),
        len => decode::not_raw(start.get(..len).unwrap_or_default()),
    };
    match what {
        None => Ok(file),
        Some(what) => Err(PackError::NotRaw {
            path: path.to_owned(),
            what,
        }),
    }
}

/// Where results go.
struct Names {
    image: PathBuf,
    manifest: PathBuf,
}

impl Names {
    fn of(request: &PackRequest) -> Self {
        let name = request.raw.file_name().unwrap_or_default();
        let name = Path::new(name);
        let stem = match name.extension() {
            Some(extension) if extension == "raw" || extension == "img" => {
                name.file_stem().unwrap_or_default()
            }
            _ => name.as_os_str(),
        };
        let with = |suffix: &str| {
            let mut name = stem.to_owned();
            name.push(suffix);
            request.dir.join(name)
        };
        Self {
            image: with(IMAGE_SUFFIX),
            manifest: with(MANIFEST_SUFFIX),
        }
    }

    /// Work of minutes should not end in a name that is taken.
    fn refuse_existing(&self) -> Result<(), PackError> {
        for path in [&self.image, &self.manifest] {
            for path in [path.clone(), signature_of(path)] {
                if path.symlink_metadata().is_ok() {
                    let source = io::ErrorKind::AlreadyExists.into();
                    return Err(PackError::Write { path, source });
                }
            }
        }
        Ok(())
    }
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sig");
    name.into()
}

#[cfg(test)]
mod tests;
