//! Fetching over HTTP: one client, retries until an answer's headers are there, then a plain
//! blocking reader. A body that breaks off is an error of the reader.
//!
//! Retried are transport errors and the statuses that say "later" (RFC 9110 section 15: 408, 429,
//! 500, 502, 503, 504), after 1 s doubling to 10 minutes. Any other failure is final.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::{Client, Response};

use super::stream_metadata::Artifact;
use super::{ImageStream, MAX_SIGNATURE, Signature, SourceError, read_limited};
use crate::cancel::Cancel;
use crate::observe::{Observer, RetryNotice};

const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(600);
/// How long a connection may take, an answer's headers, and each single read of a body.
const STALL: Duration = Duration::from_secs(60);

/// How often a failed request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retries {
    /// So many times after the first try.
    Count(u32),
    /// Until it succeeds or fails for good.
    Infinite,
}

impl Retries {
    fn allow(self, done: u32) -> bool {
        match self {
            Self::Count(n) => done < n,
            Self::Infinite => true,
        }
    }
}

/// A client with its retry policy and its watcher.
pub(crate) struct Fetcher<'a> {
    client: Client,
    retries: Retries,
    observer: &'a dyn Observer,
    cancel: &'a Cancel,
    first_delay: Duration,
}

impl<'a> Fetcher<'a> {
    /// Sets up a client; proxy variables of the environment are honoured.
    pub(crate) fn new(
        retries: Retries,
        observer: &'a dyn Observer,
        cancel: &'a Cancel,
    ) -> Result<Self, SourceError> {
        let client = Client::builder()
            .timeout(STALL)
            .connect_timeout(STALL)
            .user_agent(concat!("coreos-installer/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SourceError::Client)?;
        Ok(Self {
            client,
            retries,
            observer,
            cancel,
            first_delay: FIRST_DELAY,
        })
    }

    /// Opens an image and reads its signature.
    pub(crate) fn open(&self, artifact: &Artifact) -> Result<ImageStream, SourceError> {
        let signature = self.signature(&artifact.signature)?;
        let mut stream = self.open_with(&artifact.location, signature)?;
        stream.digest = artifact.expected_digest();
        Ok(stream)
    }

    /// Reads a signature.
    ///
    /// One that the server refuses with a 4xx status is absent; whether that is tolerated is
    /// decided elsewhere. Any other failure is an error.
    pub(crate) fn signature(&self, url: &str) -> Result<Signature, SourceError> {
        match self.get_small(url, MAX_SIGNATURE) {
            Ok(bytes) => Ok(Signature::Detached(bytes)),
            Err(SourceError::Status { url, status }) if (400..500).contains(&status) => {
                Ok(Signature::Absent {
                    looked_at: url,
                    status: Some(status),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens an image whose signature was read before.
    pub(crate) fn open_with(
        &self,
        url: &str,
        signature: Signature,
    ) -> Result<ImageStream, SourceError> {
        let response = self.get(url)?;
        Ok(ImageStream {
            name: response.url().to_string(),
            length: response.content_length(),
            reader: Box::new(response),
            signature,
            digest: None,
            sector_size: None,
        })
    }

    /// Fetches a document of at most `limit` bytes.
    pub(crate) fn get_small(&self, url: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let response = self.get(url)?;
        read_limited(response, limit, url)?.map_err(|source| SourceError::Read {
            name: url.to_owned(),
            offset: 0,
            source,
        })
    }

    /// An answer with a success status, its body not yet read.
    fn get(&self, url: &str) -> Result<Response, SourceError> {
        let target = parse(url)?;
        let mut delay = self.first_delay;
        let mut tries = 0;
        loop {
            self.cancel.check()?;
            let error = match self.try_get(&target) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if !is_passing(&error) || !self.retries.allow(tries) {
                return Err(error);
            }
            let reason = chain(&error);
            self.observer.retry(&RetryNotice {
                url,
                reason: &reason,
                delay,
            });
            self.cancel.sleep(delay)?;
            delay = delay.saturating_mul(2).min(MAX_DELAY);
            tries = tries.saturating_add(1);
        }
    }

    fn try_get(&self, url: &Url) -> Result<Response, SourceError> {
        let response =
            self.client
                .get(url.clone())
                .send()
                .map_err(|source| SourceError::Transport {
                    url: url.to_string(),
                    source: source.without_url(),
                })?;
        let status = response.status();
        if status.is_success() {
            Ok(response)
        } else {
            Err(SourceError::Status {
                url: url.to_string(),
                status: status.as_u16(),
            })
        }
    }
}

/// The URL at the same path with `.sig` appended.
pub(super) fn signature_url(url: &str) -> Result<String, SourceError> {
    let mut url = parse(url)?;
    url.set_path(&format!("{}.sig", url.path()));
    Ok(url.into())
}

fn parse(url: &str) -> Result<Url, SourceError> {
    Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| SourceError::Url {
            url: url.to_owned(),
        })
}

/// Whether the same request may succeed later.
fn is_passing(error: &SourceError) -> bool {
    match error {
        SourceError::Status { status, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        }
        SourceError::Transport { source, .. } => !source.is_redirect() && !source.is_builder(),
        _ => false,
    }
}

/// An error and its causes in one line.
fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
