//! Fetches what a stream publishes now: kernel, initramfs and rootfs for PXE, and the metal image,
//! all of one document of metadata, each with its signature.

use std::path::Path;

use installer::cancel::Cancel;
use installer::download::{DownloadError, Form, Request, Wanted as File, download};
use installer::observe::Observer;
use installer::source::stream_metadata::{Artifact, DEFAULT_BASE_URL, StreamMetadata};
use installer::source::{Access, ManifestPlace, SourceError, StreamQuery};
use installer::verify::{Keyring, SignaturePolicy};

use super::build::{Gathered, artifact};
use super::error::failed;
use super::shelf::remove;
use super::{Found, MirrorError, PlainName, Shelf};

/// Where a stream is published, and how its servers are talked to.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// URL of the metadata; without it, where Fedora CoreOS has its own.
    pub url: Option<String>,
    /// Where else the files are, as in [`installer::source::Location::Url`].
    pub mirrors: Vec<String>,
    /// Format of the image.
    pub image_format: PlainName,
    /// How servers are talked to.
    pub access: Access,
}

/// Fetches the newest build of the shelf's stream, unless the shelf has it.
pub fn fetch(
    shelf: &Shelf,
    wanted: &Wanted,
    keyring: &Keyring,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Found, MirrorError> {
    let job = Job {
        shelf,
        wanted,
        keyring,
        observer,
        cancel,
    };
    let metadata = job.metadata()?;
    let (query, source) = (job.query("pxe"), |error| job.source(error));
    let pxe = metadata.artifacts(&query).map_err(source)?;
    let image = metadata.image(&job.query(wanted.image_format.as_str()));
    let image = image.map_err(source)?;
    let release = metadata.release(&query);
    let release = release.ok_or_else(|| MirrorError::NoRelease(shelf.stream().clone()))?;
    let release = plain("release", release)?;
    if shelf.has(&release) {
        return Ok(Found::There(release));
    }
    let part = |name: &'static str| {
        let missing = || MirrorError::Missing {
            stream: shelf.stream().clone(),
            artifact: name,
        };
        pxe.get(name).ok_or_else(missing)
    };
    let dir = shelf.incoming(&release)?;
    let gather = || {
        let gathered = Gathered {
            kernel: job.fetch("kernel", part("kernel")?, &dir)?,
            initramfs: job.fetch("initramfs", part("initramfs")?, &dir)?,
            rootfs: job.fetch("rootfs", part("rootfs")?, &dir)?,
            image: job.fetch("image", image, &dir)?,
            dir: dir.clone(),
            release,
        };
        gathered.verify(shelf, keyring, observer, cancel)
    };
    let gathered = gather();
    if let Err(error) = &gathered
        && !goes_on(error)
    {
        remove(&dir)?;
    }
    Ok(Found::New(Box::new(gathered?)))
}

/// Whether what was gathered is kept for the next run: where it would only fill the disk, or where
/// it is not good, it is not.
fn goes_on(error: &MirrorError) -> bool {
    match error {
        MirrorError::Cancelled(_) => true,
        MirrorError::Download { source, .. } => !matches!(**source, DownloadError::Write { .. }),
        _ => false,
    }
}

fn plain(what: &'static str, name: &str) -> Result<PlainName, MirrorError> {
    let name = name.parse();
    name.map_err(|source| MirrorError::Name { what, source })
}

struct Job<'a> {
    shelf: &'a Shelf,
    wanted: &'a Wanted,
    keyring: &'a Keyring,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
}

impl Job<'_> {
    fn source(&self, error: SourceError) -> MirrorError {
        match error {
            SourceError::Cancelled(cancelled) => cancelled.into(),
            source => MirrorError::Metadata {
                stream: self.shelf.stream().clone(),
                source,
            },
        }
    }

    fn metadata(&self) -> Result<StreamMetadata, MirrorError> {
        let (access, observer, cancel) = (&self.wanted.access, self.observer, self.cancel);
        let want = self.shelf.stream().as_str();
        let metadata = match &self.wanted.url {
            Some(url) => StreamMetadata::fetch_at(url, access, observer, cancel),
            None => StreamMetadata::fetch(DEFAULT_BASE_URL, want, access, observer, cancel),
        };
        let metadata = metadata.map_err(|error| self.source(error))?;
        if metadata.stream != want {
            return Err(MirrorError::OtherStream {
                want: want.to_owned(),
                got: metadata.stream.escape_debug().take(80).collect(),
            });
        }
        Ok(metadata)
    }

    fn query(&self, format: &str) -> StreamQuery {
        let wanted = self.wanted;
        StreamQuery {
            base_url: wanted.url.as_deref().unwrap_or(DEFAULT_BASE_URL).to_owned(),
            stream: self.shelf.stream().to_string(),
            architecture: self.shelf.architecture().to_string(),
            platform: "metal".to_owned(),
            format: format.to_owned(),
            mirrors: wanted.mirrors.clone(),
            access: wanted.access.clone(),
        }
    }

    /// Fetches a file and its signature into `dir`, unless they are there and good; its name.
    fn fetch(
        &self,
        name: &'static str,
        published: &Artifact,
        dir: &Path,
    ) -> Result<PlainName, MirrorError> {
        let request = Request {
            wanted: File::Artifact {
                artifact: published.clone(),
                query: self.query("pxe"),
            },
            dir: dir.to_owned(),
            form: Form::AsPublished,
            manifest: ManifestPlace::Beside,
            digest: None,
            policy: SignaturePolicy::Require,
            keyring: self.keyring.clone(),
        };
        let failed_with = |source| match source {
            DownloadError::Cancelled(cancelled) => cancelled.into(),
            source => MirrorError::Download {
                artifact: name,
                source: Box::new(source),
            },
        };
        let files = download(&request, self.observer, self.cancel).map_err(failed_with)?;
        let file = files.into_iter().next().map(|file| file.path);
        let path = file.unwrap_or_default();
        check_digest(&path, published)?;
        let file = path.file_name().unwrap_or_default();
        plain(name, &file.to_string_lossy())
    }
}

/// What was verified as it came is what the disk has.
fn check_digest(path: &Path, published: &Artifact) -> Result<(), MirrorError> {
    let Some(want) = published.sha256 else {
        return std::fs::metadata(path)
            .map(drop)
            .map_err(failed("read", path));
    };
    let got = artifact(path)?.sha256;
    if got != want {
        return Err(MirrorError::Changed {
            path: path.to_owned(),
            want,
            got,
        });
    }
    Ok(())
}
