//! Fetching over HTTP: documents of bounded size, and images as blocking readers that go on where
//! a transfer broke off ([`body`]).
//!
//! Retried are transport errors, silence, broken bodies and the statuses that say "later" (RFC
//! 9110 section 15: 408, 429, 500, 502, 503, 504). Any other failure is final for its place.

mod access;
mod body;
pub(crate) mod frames;
mod request;
mod retry;

use std::sync::mpsc::channel;

use embed::chunks::{IMAGE_SUFFIX, MANIFEST_SUFFIX};
use reqwest::Url;

use super::stream_metadata::Artifact;
use super::{ImageStream, MAX_SIGNATURE, Remote, Signature, SourceError, read_limited};
use crate::cancel::Cancel;
use crate::observe::{FetchNotice, Observer};

pub(crate) use access::shown;
pub use access::{Access, ClientIdentity, Header};
pub(crate) use request::Downgrade;
pub use retry::Retries;

use access::parse;
use body::Body;
use request::{Http, Part};
use retry::Backoff;

/// A client with its watcher.
#[derive(Clone)]
pub(crate) struct Fetcher<'a> {
    http: Http,
    observer: &'a dyn Observer,
}

impl<'a> Fetcher<'a> {
    /// Sets up a client. The user's headers go to the servers of the URLs in `named`.
    pub(crate) fn new(
        access: &Access,
        named: &[&str],
        observer: &'a dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            http: Http::new(access, named, cancel)?,
            observer,
        })
    }

    /// Whether redirects may lead from https to http.
    pub(crate) fn with_downgrade(mut self, downgrade: Downgrade) -> Self {
        self.http.downgrade = downgrade;
        self
    }

    /// The same, for which the user named one more server.
    pub(crate) fn naming(&self, url: &str) -> Result<Self, SourceError> {
        let mut fetcher = self.clone();
        fetcher.http.name(url)?;
        Ok(fetcher)
    }

    /// Opens an image that is at each of `places`, and reads its signature.
    pub(crate) fn open(&self, places: &[Artifact]) -> Result<ImageStream, SourceError> {
        let signature = self.signature(places)?;
        self.open_with(places, signature)
    }

    /// Reads the signature from the first of `places` that has it.
    ///
    /// One that the servers refuse with a 4xx status is absent; whether that is tolerated is
    /// decided elsewhere. Any other failure is an error.
    pub(crate) fn signature(&self, places: &[Artifact]) -> Result<Signature, SourceError> {
        let urls: Vec<&str> = places.iter().map(|p| p.signature.as_str()).collect();
        self.signature_at(&urls)
    }

    /// Reads a signature from the first of `urls` that has it; absent as in [`Self::signature`].
    fn signature_at(&self, urls: &[&str]) -> Result<Signature, SourceError> {
        let mut absent = None;
        let mut failed = None;
        for url in urls {
            match self.get_small(url, MAX_SIGNATURE) {
                Ok(bytes) => return Ok(Signature::Detached(bytes)),
                Err(SourceError::Status { url, status }) if (400..500).contains(&status) => {
                    absent.get_or_insert(Signature::Absent {
                        looked_at: url,
                        status: Some(status),
                    });
                }
                Err(error @ SourceError::Cancelled(_)) => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match (failed, absent) {
            (None, Some(absent)) => Ok(absent),
            (Some(error), _) => Err(error),
            (None, None) => Err(SourceError::Url { url: String::new() }),
        }
    }

    /// Opens an image whose signature was read before.
    pub(crate) fn open_with(
        &self,
        places: &[Artifact],
        signature: Signature,
    ) -> Result<ImageStream, SourceError> {
        let urls = urls(places)?;
        let http = self.http.part();
        let stop = http.cancel.clone();
        let (sender, notices) = channel();
        let body = Body::open(http, urls, sender, &mut |notice| self.tell(&notice))?;
        Ok(ImageStream {
            name: body.name(),
            length: body.length(),
            reader: Box::new(body),
            signature,
            digest: places.first().and_then(Artifact::expected_digest),
            sector_size: None,
            local: None,
            remote: Some(Remote { stop, notices }),
        })
    }

    /// Fetches a document of at most `limit` bytes.
    pub(crate) fn get_small(&self, url: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let url = parse(url)?;
        let access = &self.http.access;
        let mut backoff = Backoff::new(access.retries, access.first_delay);
        loop {
            let error = match self.try_small(&url, limit) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            let Some(delay) = backoff.next_delay().filter(|_| error.is_passing()) else {
                return Err(error);
            };
            self.tell(&FetchNotice::Retry {
                url: shown(&url),
                reason: error.in_one_line(),
                delay,
            });
            self.http.cancel.sleep(delay)?;
        }
    }

    fn try_small(&self, url: &Url, limit: u64) -> Result<Vec<u8>, SourceError> {
        let answer = self.http.get(url, Part::All)?;
        let name = shown(url);
        let read = move || read_limited(answer, limit, &name);
        let read = self.http.cancel.or_leave(read)??;
        read.map_err(|error| self.http.broken(url, 0, error))
    }

    fn tell(&self, notice: &FetchNotice) {
        self.observer.fetch(notice);
    }
}

/// Where the files at `places` are.
fn urls(places: &[Artifact]) -> Result<Vec<Url>, SourceError> {
    let locations = places.iter().map(|place| &place.location);
    locations.map(|location| parse(location)).collect()
}

/// The URL of the manifest beside the packed image at `url`; `None` if it is no packed image.
pub(super) fn manifest_url(url: &str) -> Option<String> {
    let mut url = parse(url).ok()?;
    let stem = url.path().strip_suffix(IMAGE_SUFFIX)?.to_owned();
    url.set_path(&format!("{stem}{MANIFEST_SUFFIX}"));
    Some(url.into())
}

/// The URL at the same path with `.sig` appended.
pub(super) fn signature_url(url: &str) -> Result<String, SourceError> {
    let mut url = parse(url)?;
    url.set_path(&format!("{}.sig", url.path()));
    Ok(url.into())
}

/// Whether `mirror` is a directory, in which files have their published names.
pub(super) fn is_directory(mirror: &str) -> Result<bool, SourceError> {
    Ok(parse(mirror)?.path().ends_with('/'))
}

/// Where `mirror` has the file of `url`: in that directory if it ends in a slash, else it is the
/// file.
pub(super) fn on_mirror(mirror: &str, url: &str) -> Result<String, SourceError> {
    let mut place = parse(mirror)?;
    if is_directory(mirror)? {
        let url = parse(url)?;
        let name = url.path().rsplit('/').next().unwrap_or_default();
        place.set_path(&format!("{}{name}", place.path()));
    }
    Ok(place.into())
}

#[cfg(test)]
mod tests;
