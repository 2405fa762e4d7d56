//! A location, found: everything about it that is asked once, so that the ways of reading an image
//! share one client for its servers and one copy of a stream's metadata.

use std::path::Path;

use embed::digest::Sha256Digest;

use super::http::Fetcher;
use super::listed::{self, Listed};
use super::stream_metadata::{Artifact, fetch_with};
use super::{
    ExpectedDigest, ImageStream, Location, ManifestPlace, Signature, SourceError, file, live,
    named, osmet,
};
use crate::cancel::Cancel;
use crate::observe::Observer;

/// A location that was found. Nothing of the image was read yet.
pub(crate) enum Located<'a> {
    /// A local file.
    File(&'a Path),
    /// A file at one or several places on servers.
    Servers {
        /// How they are talked to.
        fetcher: Box<Fetcher<'a>>,
        /// Where, the first one first.
        places: Vec<Artifact>,
    },
    /// The image of the live medium.
    LiveMedium,
    /// An image that an osmet file describes.
    Osmet {
        /// The osmet file.
        file: &'a Path,
        /// Where its objects are.
        repository: &'a Path,
    },
}

impl Location {
    /// Finds the image, which for a stream means asking for its metadata. One that is `wanted` by
    /// its digest is preferred.
    pub(crate) fn locate<'a>(
        &'a self,
        wanted: Option<Sha256Digest>,
        observer: &'a dyn Observer,
        cancel: &Cancel,
    ) -> Result<Located<'a>, SourceError> {
        match self {
            Self::File(path) => Ok(Located::File(path)),
            Self::Url {
                url,
                mirrors,
                access,
            } => {
                let places = Artifact::at(url)?.with_mirrors(mirrors)?;
                let named = named(Some(url.as_str()), mirrors);
                let fetcher = Box::new(Fetcher::new(access, &named, observer, cancel)?);
                Ok(Located::Servers { fetcher, places })
            }
            Self::Stream(query) => {
                let fetcher = Fetcher::new(&query.access, &query.named(), observer, cancel)?;
                let metadata = fetch_with(&fetcher, &query.base_url, &query.stream)?;
                let places = metadata
                    .to_install(query, wanted)?
                    .with_mirrors(&query.mirrors)?;
                let fetcher = Box::new(fetcher);
                Ok(Located::Servers { fetcher, places })
            }
            Self::LiveMedium => Ok(Located::LiveMedium),
            Self::Osmet { file, repository } => Ok(Located::Osmet { file, repository }),
        }
    }

    /// Opens the image as one stream and reads its signature.
    pub fn open(
        &self,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<ImageStream, SourceError> {
        self.locate(None, observer, cancel)?.open()
    }
}

impl Located<'_> {
    /// Opens the image as one stream and reads its signature.
    pub(crate) fn open(&self) -> Result<ImageStream, SourceError> {
        match self {
            Self::File(path) => file::open(path),
            Self::Servers { fetcher, places } => fetcher.open(places),
            Self::LiveMedium => live::open(),
            Self::Osmet { file, repository } => osmet::open(file, repository),
        }
    }

    /// Opens the file as one stream whose signature was read before.
    pub(crate) fn open_with(&self, signature: Signature) -> Result<ImageStream, SourceError> {
        match self {
            Self::Servers { fetcher, places } => fetcher.open_with(places, signature),
            Self::File(_) | Self::LiveMedium | Self::Osmet { .. } => {
                let stream = self.open()?;
                Ok(ImageStream {
                    signature,
                    ..stream
                })
            }
        }
    }

    /// The image as a packed one, if there is a manifest of it.
    pub(crate) fn listed(&self, place: &ManifestPlace) -> Result<Option<Listed>, SourceError> {
        match (self, place) {
            (_, ManifestPlace::Unused) => Ok(None),
            (Self::File(image), ManifestPlace::Beside) => listed::beside_file(image),
            (Self::File(image), ManifestPlace::File(path)) => {
                listed::with_file(image, path).map(Some)
            }
            (Self::Servers { fetcher, places }, ManifestPlace::Beside) => {
                fetcher.find_listed(places)
            }
            (Self::Servers { fetcher, places }, ManifestPlace::Url(url)) => {
                fetcher.listed_at(places, url).map(Some)
            }
            (Self::Servers { fetcher, places }, ManifestPlace::File(path)) => {
                let (manifest, signature) = listed::read_manifest(path)?;
                let name = path.display().to_string();
                fetcher.listed(places, name, manifest, signature).map(Some)
            }
            // Nobody who reads a local image has a client for servers, and a live medium's images
            // are not packed.
            (Self::File(_), ManifestPlace::Url(url)) => {
                Err(SourceError::ManifestUrl { url: url.clone() })
            }
            (Self::LiveMedium | Self::Osmet { .. }, _) => Ok(None),
        }
    }

    /// The signature over the image as published.
    pub(crate) fn signature(&self) -> Result<Signature, SourceError> {
        match self {
            Self::File(path) => file::signature_of(path),
            Self::Servers { fetcher, places } => fetcher.signature(places),
            Self::LiveMedium | Self::Osmet { .. } => self.open().map(|stream| stream.signature),
        }
    }

    /// The digest that the image's publisher tells.
    pub(crate) fn digest(&self) -> Option<ExpectedDigest> {
        match self {
            Self::Servers { places, .. } => places.first().and_then(Artifact::expected_digest),
            Self::File(_) | Self::LiveMedium | Self::Osmet { .. } => None,
        }
    }
}
