//! Packed images: the chunk manifest beside an image, and the image's frames one by one, from any
//! place that has it.
//!
//! Nothing here is verified. Whoever takes a frame looks at its digest, so places may be changed
//! at any chunk.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use embed::chunks::{IMAGE_SUFFIX, MANIFEST_SUFFIX, MAX_MANIFEST};

use super::http::frames::HttpFrames;
use super::{Signature, SourceError, file, http, read_limited};
use crate::cancel::Cancel;
use crate::observe::FetchNotice;

/// Where the chunk manifest of a packed image is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ManifestPlace {
    /// Beside the image, if it is there: `NAME.chunks.json` for `NAME.raw.zst`.
    #[default]
    Beside,
    /// A file that must be there.
    File(PathBuf),
    /// A URL, of a server that is talked to like the image's, that must be there.
    Url(String),
    /// It is not to be used: the image is read as one stream.
    Unused,
}

impl From<&str> for ManifestPlace {
    /// As it is written in `--image-manifest`.
    fn from(place: &str) -> Self {
        match place {
            "none" => Self::Unused,
            url if url.starts_with("http://") || url.starts_with("https://") => {
                Self::Url(url.to_owned())
            }
            path => Self::File(path.into()),
        }
    }
}

/// A packed image and its manifest, neither of them looked at yet.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Path or URL of the image.
    pub(crate) image: String,
    /// Path or URL of the manifest.
    pub(crate) name: String,
    /// The manifest.
    pub(crate) manifest: Vec<u8>,
    /// The signature over it.
    pub(crate) signature: Signature,
    /// The image.
    pub(crate) frames: Frames,
    /// Ends waiting.
    pub(crate) stop: Cancel,
    /// What reading frames meets.
    pub(crate) notices: Option<Receiver<FetchNotice>>,
}

/// The frames of a packed image.
#[derive(Debug)]
pub(crate) enum Frames {
    /// A local file.
    File(FileFrames),
    /// One or several servers.
    Http(Box<HttpFrames>),
}

/// A frame, and what else can be done about it.
#[derive(Debug)]
pub(crate) struct Place(pub(crate) usize);

impl Frames {
    /// Fills `buf` from byte `at` of the file on. Parts are asked for in their order.
    pub(crate) fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<Place, SourceError> {
        match self {
            Self::File(file) => file.read(at, buf).map(|()| Place(0)),
            Self::Http(http) => http.read(at, buf).map(Place),
        }
    }

    /// Whether nothing follows what was read last.
    pub(crate) fn is_at_end(&mut self) -> Result<bool, SourceError> {
        match self {
            Self::File(file) => file.is_at_end(),
            Self::Http(http) => http.is_at_end(),
        }
    }

    /// Where a bad frame can be had again; a local file is what it is.
    pub(crate) fn again(&self) -> Option<http::frames::Again> {
        match self {
            Self::File(_) => None,
            Self::Http(http) => Some(http.again()),
        }
    }
}

/// The frames of a local file.
#[derive(Debug)]
pub(crate) struct FileFrames {
    path: PathBuf,
    file: File,
    at: u64,
}

impl FileFrames {
    fn is_at_end(&mut self) -> Result<bool, SourceError> {
        let mut next = Vec::new();
        let read = self.file.by_ref().take(1).read_to_end(&mut next);
        read.map_err(|source| SourceError::File {
            path: self.path.clone(),
            source,
        })?;
        Ok(next.is_empty())
    }

    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<(), SourceError> {
        let path = self.path.clone();
        let failed = |source| SourceError::File { path, source };
        if self.at != at {
            let seek = self.file.seek(SeekFrom::Start(at));
            self.at = match seek {
                Ok(at) => at,
                Err(error) => return Err(failed(error)),
            };
        }
        match self.file.read_exact(buf) {
            Ok(()) => {
                self.at = self.at.saturating_add(buf.len() as u64);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(SourceError::Length {
                    name: self.path.display().to_string(),
                    want: at.saturating_add(buf.len() as u64),
                    got: self.file.metadata().map_or(self.at, |meta| meta.len()),
                })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// The image with the manifest beside it, if there is one.
pub(super) fn beside_file(image: &Path) -> Result<Option<Listed>, SourceError> {
    match manifest_beside(image) {
        Some(manifest) if manifest.exists() => with_file(image, &manifest).map(Some),
        _ => Ok(None),
    }
}

/// The image with the manifest at `path`.
pub(super) fn with_file(image: &Path, path: &Path) -> Result<Listed, SourceError> {
    let (manifest, signature) = read_manifest(path)?;
    let (file, _) = file::open_sized(image)?;
    Ok(Listed {
        image: image.display().to_string(),
        name: path.display().to_string(),
        manifest,
        signature,
        frames: Frames::File(FileFrames {
            path: image.to_owned(),
            file,
            at: 0,
        }),
        stop: Cancel::new(),
        notices: None,
    })
}

/// A manifest and the signature beside it.
pub(super) fn read_manifest(path: &Path) -> Result<(Vec<u8>, Signature), SourceError> {
    let (file, _) = file::open_sized(path)?;
    let name = path.display().to_string();
    let bytes = read_limited(file, MAX_MANIFEST, &name)?.map_err(|source| SourceError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok((bytes, file::signature_of(path)?))
}

/// Where the chunk manifest of a local packed image is; `None` for names of other files.
pub fn manifest_beside(image: &Path) -> Option<PathBuf> {
    let name = image.file_name()?.as_bytes();
    let mut manifest = name.strip_suffix(IMAGE_SUFFIX.as_bytes())?.to_vec();
    manifest.extend(MANIFEST_SUFFIX.as_bytes());
    Some(image.with_file_name(OsStr::from_bytes(&manifest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_packed_images_name_leads_to_a_manifest() {
        let beside = |path: &str| manifest_beside(Path::new(path));
        assert_eq!(
            beside("/a/os.raw.zst"),
            Some(PathBuf::from("/a/os.chunks.json"))
        );
        for other in ["/a/os.raw.xz", "/a/os.zst", "/a/os.raw.zst.sig", "/"] {
            assert_eq!(beside(other), None, "{other}");
        }
    }
}
