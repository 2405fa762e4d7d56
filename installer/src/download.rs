//! Fetching published artifacts to files, verified, with their signatures beside them.
//!
//! A file appears under its name only when it is complete and verified; a failed download leaves
//! no trace and keeps what an earlier one left.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::progress::Progress;
use tempfile::NamedTempFile;

use crate::cancel::{Cancel, Cancelled};
use crate::image::unpack;
use crate::observe::Observer;
use crate::pipeline::{Decoding, ImageError, Pipeline};
use crate::source::http::Fetcher;
use crate::source::stream_metadata::{Artifact, fetch_with};
use crate::source::{
    Access, ExpectedDigest, ImageStream, Signature, SourceError, StreamQuery, named, open_sized,
};
use crate::verify::{Check, Keyring, SignaturePolicy, Trust, VerifyError};

/// What to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One URL; its signature is at the same path with `.sig` appended.
    Url {
        /// The file.
        url: String,
        /// Where else it is, as in [`crate::source::Location::Url`].
        mirrors: Vec<String>,
        /// How servers are talked to.
        access: Access,
    },
    /// All artifacts of a format of a stream, in the order of their types.
    Stream(StreamQuery),
}

/// In which form files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As they are published, with their signature as `NAME.sig`.
    #[default]
    AsPublished,
    /// Names that end in `.gz`, `.xz` or `.zst`, but not `.tar.*`, decompressed and without that
    /// ending. No signature is kept, as it would not match.
    Decompressed,
}

/// A download to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// What.
    pub wanted: Wanted,
    /// Into which directory, which must exist.
    pub dir: PathBuf,
    /// In which form.
    pub form: Form,
    /// The digest that the one file must have as published, see
    /// [`crate::install::Request::digest`].
    pub digest: Option<Sha256Digest>,
    /// What to do about an absent signature.
    pub policy: SignaturePolicy,
    /// Whose signatures count.
    pub keyring: Keyring,
}

/// A file that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// The file.
    pub path: PathBuf,
    /// Why it is believed.
    pub trust: Trust,
    /// Whether it was there before, with the same signature, and was only verified again.
    pub was_there: bool,
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// It could not be opened.
    #[error("cannot fetch the artifact")]
    Source(#[source] SourceError),
    /// It can never be verified: no signature, no keys.
    #[error("the artifact cannot be verified")]
    Verify(#[source] VerifyError),
    /// Its bytes did not come, cannot be decoded, or nobody vouches for them.
    #[error("the artifact {url} is not good")]
    Image {
        /// Where it came from.
        url: String,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// The URL does not end in a file name.
    #[error("{url} does not end in a file name")]
    FileName {
        /// The URL.
        url: String,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Fetches everything that is wanted; the files in the order in which they were done.
pub fn download(
    request: &Request,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<Downloaded>, DownloadError> {
    let (access, named) = match &request.wanted {
        Wanted::Url {
            url,
            mirrors,
            access,
        } => (access, named(Some(url.as_str()), mirrors)),
        Wanted::Stream(query) => (&query.access, query.named()),
    };
    let fetcher = Fetcher::new(access, &named, observer, cancel).map_err(source_error)?;
    let job = Job {
        request,
        fetcher,
        observer,
        cancel,
    };
    let artifacts = job.artifacts().map_err(source_error)?;
    artifacts
        .iter()
        .map(|artifact| job.fetch(artifact))
        .collect()
}

fn source_error(error: SourceError) -> DownloadError {
    match error {
        SourceError::Cancelled(cancelled) => cancelled.into(),
        error => DownloadError::Source(error),
    }
}

struct Job<'a> {
    request: &'a Request,
    fetcher: Fetcher<'a>,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Job<'_> {
    fn artifacts(&self) -> Result<Vec<Artifact>, SourceError> {
        match &self.request.wanted {
            Wanted::Url { url, .. } => Ok(vec![Artifact::at(url)?]),
            Wanted::Stream(query) => {
                let metadata = fetch_with(&self.fetcher, &query.base_url, &query.stream)?;
                if self.request.digest.is_some() {
                    return Ok(vec![metadata.image(query)?.clone()]);
                }
                Ok(metadata.artifacts(query)?.values().cloned().collect())
            }
        }
    }

    fn fetch(&self, artifact: &Artifact) -> Result<Downloaded, DownloadError> {
        let url = &artifact.location;
        let (name, decoding) = self.file_name(url)?;
        let path = self.request.dir.join(&name);
        let mirrors = match &self.request.wanted {
            Wanted::Url { mirrors, .. } => mirrors,
            Wanted::Stream(query) => &query.mirrors,
        };
        let places = artifact.with_mirrors(mirrors).map_err(source_error)?;
        let signature = self.fetcher.signature(&places).map_err(source_error)?;
        let published = artifact.expected_digest();
        let digest = ExpectedDigest::choose(url, published, self.request.digest)
            .map_err(|error| DownloadError::Verify(error.into()))?;
        if decoding == Decoding::AsIs
            && let Some(trust) = self.already_there(&path, &signature, digest)?
        {
            return Ok(Downloaded {
                path,
                trust,
                was_there: true,
            });
        }
        let mut stream = self
            .fetcher
            .open_with(&places, signature.clone())
            .map_err(source_error)?;
        stream.digest = digest;
        let kept = match (signature, decoding) {
            (Signature::Detached(bytes), Decoding::AsIs) => Some(bytes),
            _ => None,
        };
        let trust = self.write(stream, decoding, &path, kept.as_deref())?;
        Ok(Downloaded {
            path,
            trust,
            was_there: false,
        })
    }

    /// The name under which a URL is kept, and whether it is decoded.
    fn file_name(&self, url: &str) -> Result<(String, Decoding), DownloadError> {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        if matches!(name, "" | "." | "..") || path.split('/').count() < 4 {
            return Err(DownloadError::FileName {
                url: url.to_owned(),
            });
        }
        let stem = [".gz", ".xz", ".zst"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        match stem.filter(|stem| !stem.ends_with(".tar") && !stem.is_empty()) {
            Some(stem) if self.request.form == Form::Decompressed => {
                Ok((stem.to_owned(), Decoding::Detect))
            }
            _ => Ok((name.to_owned(), Decoding::AsIs)),
        }
    }

    /// Verifies a file of an earlier download that has the very signature published now.
    fn already_there(
        &self,
        path: &Path,
        signature: &Signature,
        digest: Option<ExpectedDigest>,
    ) -> Result<Option<Trust>, DownloadError> {
        let Signature::Detached(published) = signature else {
            return Ok(None);
        };
        if fs::read(signature_path(path)).ok().as_ref() != Some(published) {
            return Ok(None);
        }
        let Ok((file, length)) = open_sized(path) else {
            return Ok(None);
        };
        let stream = ImageStream {
            reader: Box::new(file),
            name: path.display().to_string(),
            length,
            signature: signature.clone(),
            digest,
            sector_size: None,
            remote: None,
        };
        let mut pipeline = self.start(stream, Decoding::AsIs)?;
        while let Ok(Some(_)) = pipeline.next(self.observer) {}
        match pipeline.finish() {
            Ok(verified) => Ok(Some(verified.trust().clone())),
            Err(ImageError::Cancelled(cancelled)) => Err(cancelled.into()),
            // Damaged or incomplete: fetched again.
            Err(_) => Ok(None),
        }
    }

    fn start(&self, stream: ImageStream, decoding: Decoding) -> Result<Pipeline, DownloadError> {
        let check = Check::prepare(&stream, self.request.policy, &self.request.keyring)
            .map_err(DownloadError::Verify)?;
        Ok(Pipeline::start(stream, check, decoding, self.cancel))
    }

    /// Streams into a temporary file, and gives it its name once it is verified.
    fn write(
        &self,
        stream: ImageStream,
        decoding: Decoding,
        path: &Path,
        signature: Option<&[u8]>,
    ) -> Result<Trust, DownloadError> {
        let at = |source| DownloadError::Write {
            path: path.to_owned(),
            source,
        };
        let url = stream.name.clone();
        let pipeline = self.start(stream, decoding)?;
        let file = self.temp_file().map_err(at)?;
        self.observer.event(Progress::Started {
            target: path.display().to_string(),
        });
        let (verified, _) = unpack(pipeline, file.as_file(), self.observer, |_| {})
            .map_err(|error| image_error(url, path, error))?;
        self.publish(file, path, signature).map_err(at)?;
        self.observer.event(Progress::Done);
        Ok(verified.trust().clone())
    }

    fn temp_file(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(".coreos-installer-")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(&self.request.dir)
    }

    /// The signature goes first and the old one away before: a file under its name never lies
    /// beside another file's signature.
    fn publish(
        &self,
        file: NamedTempFile,
        path: &Path,
        signature: Option<&[u8]>,
    ) -> io::Result<()> {
        file.as_file().sync_all()?;
        let signature_path = signature_path(path);
        match fs::remove_file(&signature_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if let Some(bytes) = signature {
            let mut temp = self.temp_file()?;
            temp.write_all(bytes)?;
            temp.as_file().sync_all()?;
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            temp.persist(&signature_path)?;
        }
        if let Err(error) = file.persist(path) {
            let _ = fs::remove_file(&signature_path);
            return Err(error.error);
        }
        File::open(&self.request.dir)?.sync_all()
    }
}

fn image_error(url: String, path: &Path, error: ImageError) -> DownloadError {
    match error {
        ImageError::Cancelled(cancelled) => cancelled.into(),
        ImageError::Write(source) => DownloadError::Write {
            path: path.to_owned(),
            source,
        },
        source => DownloadError::Image { url, source },
    }
}

/// Where the signature of a file is kept.
fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

#[cfg(test)]
mod tests;
