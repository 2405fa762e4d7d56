//! Fetching published artifacts to files, verified, with their signatures beside them, and with
//! the chunk manifest of a packed image.
//!
//! A file appears under its name only when it is complete and verified; a failed download leaves
//! no trace and keeps what an earlier one left.

use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::progress::Progress;

use crate::cancel::Cancel;
use crate::image::{OpenImage, SignaturePlace, Terms, unpack, vouched_list};
use crate::observe::Observer;
use crate::pipeline::{Decoding, Extent, ImageError, Pipeline, Reading};
use crate::source::http::Fetcher;
use crate::source::located::Located;
use crate::source::stream_metadata::{Artifact, fetch_with};
use crate::source::{
    Access, ExpectedDigest, ImageStream, ManifestPlace, SourceError, StreamQuery, named, open_sized,
};
use crate::verify::{Check, Keyring, SignaturePolicy, Trust};

use kept::{Companions, temp_file};

pub use error::DownloadError;

mod error;
mod kept;

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
    /// One artifact of a stream whose metadata is at hand.
    Artifact {
        /// The artifact.
        artifact: Artifact,
        /// How the metadata was found; where else the artifact is.
        query: StreamQuery,
    },
}

/// In which form files are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As they are published, with their signature as `NAME.sig`; a packed image with its chunk
    /// manifest and that one's signature, if it is named like one.
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
    /// Where the chunk manifest is, if the file is a packed image.
    pub manifest: ManifestPlace,
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
    /// The chunk manifest that was kept beside it.
    pub manifest: Option<PathBuf>,
    /// Why it is believed.
    pub trust: Trust,
    /// Whether it was there before, with the same signature, and was only verified again.
    pub was_there: bool,
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
        Wanted::Stream(query) | Wanted::Artifact { query, .. } => (&query.access, query.named()),
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
            Wanted::Artifact { artifact, .. } => Ok(vec![artifact.clone()]),
            Wanted::Stream(query) => {
                let metadata = fetch_with(&self.fetcher, &query.base_url, &query.stream)?;
                let named = matches!(
                    self.request.manifest,
                    ManifestPlace::File(_) | ManifestPlace::Url(_)
                );
                if named || self.request.digest.is_some() {
                    return Ok(vec![metadata.image(query)?.clone()]);
                }
                Ok(metadata.artifacts(query)?.values().cloned().collect())
            }
        }
    }

    fn fetch(&self, artifact: &Artifact) -> Result<Downloaded, DownloadError> {
        let (name, decoding) = self.file_name(&artifact.location)?;
        let path = self.request.dir.join(&name);
        let mirrors = match &self.request.wanted {
            Wanted::Url { mirrors, .. } => mirrors,
            Wanted::Stream(query) | Wanted::Artifact { query, .. } => &query.mirrors,
        };
        let located = Located::Servers {
            fetcher: Box::new(self.fetcher.clone()),
            places: artifact.with_mirrors(mirrors).map_err(source_error)?,
        };
        match decoding {
            Decoding::AsIs => self.keep(&located, &artifact.location, path),
            Decoding::Detect => self.decompress(&located, path),
        }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            manifest: &self.request.manifest,
            signature: SignaturePlace::Beside,
            digest: self.request.digest,
            policy: self.request.policy,
            keyring: &self.request.keyring,
        }
    }

    /// Fetches a file and what vouches for it, as published.
    fn keep(
        &self,
        located: &Located<'_>,
        url: &str,
        path: PathBuf,
    ) -> Result<Downloaded, DownloadError> {
        let list = vouched_list(located, &self.terms(), self.observer).map_err(open_error)?;
        let digest = match &list {
            Some((_, vouched)) => Some(vouched.file_digest()),
            None => ExpectedDigest::choose(url, located.digest(), self.request.digest)
                .map_err(|error| DownloadError::Verify(error.into()))?,
        };
        let trust = list.as_ref().map(|(_, vouched)| vouched.trust().clone());
        let companions = Companions {
            signature: located.signature().map_err(source_error)?,
            list: list.map(|(listed, _)| (listed.manifest, listed.signature)),
        };
        let there = self.already_there(&path, &companions, digest)?;
        let was_there = there.is_some();
        let verified = match there {
            Some(trust) => trust,
            None => self.fetch_file(located, digest, &companions, &path)?,
        };
        Ok(Downloaded {
            manifest: companions.manifest(&path),
            path,
            // A digest is believed for the sake of the manifest that lists it.
            trust: match (trust, verified) {
                (Some(signed @ Trust::Signature { .. }), Trust::Digest(_)) => signed,
                (_, verified) => verified,
            },
            was_there,
        })
    }

    fn fetch_file(
        &self,
        located: &Located<'_>,
        digest: Option<ExpectedDigest>,
        companions: &Companions,
        path: &Path,
    ) -> Result<Trust, DownloadError> {
        let mut stream = located
            .open_with(companions.signature.clone())
            .map_err(source_error)?;
        stream.digest = digest;
        let pipeline = self.start(stream)?;
        self.write(pipeline, companions, path)
    }

    /// Fetches an image by whatever vouches for it, and keeps only what is in it.
    fn decompress(
        &self,
        located: &Located<'_>,
        path: PathBuf,
    ) -> Result<Downloaded, DownloadError> {
        let image = OpenImage::at(located, &self.terms(), self.observer).map_err(open_error)?;
        let pipeline = image.start(Extent::Frames, self.cancel);
        Ok(Downloaded {
            trust: self.write(pipeline, &Companions::none(), &path)?,
            manifest: None,
            path,
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

    /// Verifies a file of an earlier download beside which lies the very same as is published now.
    fn already_there(
        &self,
        path: &Path,
        companions: &Companions,
        digest: Option<ExpectedDigest>,
    ) -> Result<Option<Trust>, DownloadError> {
        if !companions.are_beside(path) {
            return Ok(None);
        }
        let Ok((file, length)) = open_sized(path) else {
            return Ok(None);
        };
        let stream = ImageStream {
            reader: Box::new(file),
            name: path.display().to_string(),
            length,
            signature: companions.signature.clone(),
            digest,
            sector_size: None,
            local: None,
            remote: None,
        };
        let mut pipeline = self.start(stream)?;
        while let Ok(Some(_)) = pipeline.next(self.observer) {}
        match pipeline.finish() {
            Ok(verified) => Ok(Some(verified.trust().clone())),
            Err(ImageError::Cancelled(cancelled)) => Err(cancelled.into()),
            // Damaged or incomplete: fetched again.
            Err(_) => Ok(None),
        }
    }

    fn start(&self, stream: ImageStream) -> Result<Pipeline, DownloadError> {
        let check = Check::prepare(&stream, self.request.policy, &self.request.keyring)
            .map_err(DownloadError::Verify)?;
        let reading = Reading::new(Decoding::AsIs);
        Ok(Pipeline::start(stream, check, reading, self.cancel))
    }

    /// Writes a temporary file, and gives it its name once it is verified.
    fn write(
        &self,
        pipeline: Pipeline,
        companions: &Companions,
        path: &Path,
    ) -> Result<Trust, DownloadError> {
        let at = |source| DownloadError::Write {
            path: path.to_owned(),
            source,
        };
        let url = pipeline.name().to_owned();
        let file = temp_file(&self.request.dir).map_err(at)?;
        self.observer.event(Progress::Started {
            target: path.display().to_string(),
        });
        let (verified, _) = unpack(pipeline, file.as_file(), self.observer, |_| {})
            .map_err(|error| image_error(url, path, error))?;
        companions
            .publish(file, &self.request.dir, path)
            .map_err(at)?;
        self.observer.event(Progress::Done);
        Ok(verified.trust().clone())
    }
}

fn open_error(error: ImageError) -> DownloadError {
    match error {
        ImageError::Verify(error) => DownloadError::Verify(error),
        ImageError::Source(error) => DownloadError::Source(error),
        ImageError::Cancelled(cancelled) => cancelled.into(),
        // Nothing else happens before anything is read.
        source => DownloadError::Image {
            url: String::new(),
            source,
        },
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

#[cfg(test)]
mod tests;
