//! The body of an image as a plain blocking reader that goes on where it broke off.
//!
//! The bytes that were given cannot be taken back, so what comes after an interruption must be
//! the rest of the same file: either the server says so (`If-Range` with a strong validator,
//! RFC 9110 section 14), or it sends everything again, and the part that was given already is
//! hashed, compared and left out.

use std::io::{self, Read};
use std::sync::mpsc::Sender;

use embed::digest::Sha256Digest;
use reqwest::Url;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, DATE, ETAG, HeaderName, LAST_MODIFIED};
use sha2::{Digest as _, Sha256};

use super::access::shown;
use super::request::{Http, Part};
use super::retry::Backoff;
use crate::observe::FetchNotice;
use crate::source::{MirrorFailure, SourceError};

/// Size of the pieces in which a repeated prefix is compared, bytes.
const PIECE: usize = 64 * 1024;

/// Who is told of obstacles.
type Tell<'t> = &'t mut dyn FnMut(FetchNotice);

/// A file at one or several places.
pub(super) struct Body {
    http: Http,
    url: Url,
    /// Places that are still to be tried.
    rest: std::vec::IntoIter<Url>,
    failures: Vec<MirrorFailure>,
    answer: Option<Response>,
    /// Tells this version of the file at this place from every other.
    validator: Option<String>,
    /// Size of the file, once the first answer has told it.
    length: Option<u64>,
    /// Bytes given so far, and their digest.
    at: u64,
    given: Sha256,
    backoff: Backoff,
    notices: Sender<FetchNotice>,
}

impl Body {
    /// Waits for the first answer of the first place that gives one. What happens later is told
    /// through `notices`.
    pub(super) fn open(
        http: Http,
        places: Vec<Url>,
        notices: Sender<FetchNotice>,
        tell: Tell<'_>,
    ) -> Result<Self, SourceError> {
        let mut rest = places.into_iter();
        let url = rest.next().ok_or(SourceError::Url { url: String::new() })?;
        let backoff = Backoff::new(http.access.retries, http.access.first_delay);
        let mut body = Self {
            http,
            url,
            rest,
            failures: Vec::new(),
            answer: None,
            validator: None,
            length: None,
            at: 0,
            given: Sha256::new(),
            backoff,
            notices,
        };
        loop {
            match body.http.get(&body.url, Part::All) {
                Ok(answer) => {
                    body.length = answer.content_length();
                    body.adopt(answer);
                    return Ok(body);
                }
                Err(error) => body.recover(error, tell)?,
            }
        }
    }

    /// Size of the file, if the server tells it.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Where the bytes come from, redirects followed.
    pub(super) fn name(&self) -> String {
        shown(self.answer.as_ref().map_or(&self.url, Response::url))
    }

    fn adopt(&mut self, answer: Response) {
        self.validator = validator(&answer);
        self.answer = Some(answer);
    }

    /// The next bytes; none at the end.
    fn step(&mut self, buf: &mut [u8], tell: Tell<'_>) -> Result<usize, SourceError> {
        self.http.cancel.check()?;
        let answer = match &mut self.answer {
            Some(answer) => answer,
            None => {
                self.go_on(tell)?;
                // The next step reads from it.
                return self.step(buf, tell);
            }
        };
        let left = self.length.map_or(u64::MAX, |length| length - self.at);
        let want = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let read = match answer.read(buf.get_mut(..want).unwrap_or_default()) {
            Ok(0) if self.length.is_some() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read,
        };
        read.map_err(|error| self.http.broken(&self.url, self.at, error))
    }

    /// Asks for the rest of the file, and for all of it where that cannot be had.
    fn go_on(&mut self, tell: Tell<'_>) -> Result<(), SourceError> {
        if self.at > 0
            && let Some(validator) = &self.validator
        {
            let part = Part::From {
                at: self.at,
                validator,
            };
            match self.http.get(&self.url, part) {
                Ok(answer) if answer.status().as_u16() != 206 => return self.skip(answer, tell),
                Ok(answer) => {
                    if let Some(length) = self.length_by_rest(&answer) {
                        tell(FetchNotice::Resume {
                            url: shown(&self.url),
                            bytes: self.at,
                        });
                        self.length = Some(length);
                        self.answer = Some(answer);
                        return Ok(());
                    }
                }
                Err(SourceError::Status { status: 416, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let answer = self.http.get(&self.url, Part::All)?;
        self.skip(answer, tell)
    }

    /// The file's length, if an answer is exactly the part that was asked for, of the file that
    /// was asked for.
    fn length_by_rest(&self, answer: &Response) -> Option<u64> {
        let range = header(answer, CONTENT_RANGE).and_then(parse_content_range)?;
        let length = self.length.or(range.total)?;
        let right_range = range.first == self.at && range.total.is_none_or(|t| t == length);
        let same_tag = match (header(answer, ETAG), &self.validator) {
            (Some(tag), Some(validator)) if validator.starts_with('"') => tag == validator,
            _ => true,
        };
        (right_range && same_tag).then_some(length)
    }

    /// Compares the start of `answer` with what was given already, and goes on after that.
    fn skip(&mut self, mut answer: Response, tell: Tell<'_>) -> Result<(), SourceError> {
        match (self.length, answer.content_length()) {
            (Some(want), Some(got)) if want != got => {
                return Err(SourceError::ChangedLength {
                    url: shown(&self.url),
                    want,
                    got,
                });
            }
            _ => {}
        }
        if self.at > 0 {
            tell(FetchNotice::Again {
                url: shown(&self.url),
                bytes: self.at,
            });
        }
        let changed = || SourceError::Changed {
            url: shown(&self.url),
            at: self.at,
        };
        let mut hasher = Sha256::new();
        let mut piece = vec![0u8; PIECE];
        let mut done = 0;
        while done < self.at {
            self.http.cancel.check()?;
            let want = usize::try_from(self.at - done).map_or(PIECE, |left| left.min(PIECE));
            let n = answer
                .read(piece.get_mut(..want).unwrap_or_default())
                .map_err(|error| self.http.broken(&self.url, done, error))?;
            if n == 0 {
                return Err(changed());
            }
            hasher.update(piece.get(..n).unwrap_or_default());
            done += n as u64;
        }
        if Sha256Digest::finish(hasher) != Sha256Digest::finish(self.given.clone()) {
            return Err(changed());
        }
        self.adopt(answer);
        Ok(())
    }

    /// Waits for a retry, or turns to the next place; fails when there is neither.
    fn recover(&mut self, error: SourceError, tell: Tell<'_>) -> Result<(), SourceError> {
        self.answer = None;
        if matches!(error, SourceError::Cancelled(_)) {
            return Err(error);
        }
        if error.is_passing()
            && let Some(delay) = self.backoff.next_delay()
        {
            tell(FetchNotice::Retry {
                url: shown(&self.url),
                reason: error.in_one_line(),
                delay,
            });
            return Ok(self.http.cancel.sleep(delay)?);
        }
        let failure = MirrorFailure {
            url: shown(&self.url),
            reason: error.in_one_line(),
        };
        match self.rest.next() {
            Some(next) => {
                tell(FetchNotice::Mirror {
                    url: failure.url.clone(),
                    reason: failure.reason.clone(),
                    next: shown(&next),
                });
                self.failures.push(failure);
                self.url = next;
                self.validator = None;
                self.backoff.reset();
                Ok(())
            }
            None => {
                let earlier = std::mem::take(&mut self.failures);
                Err(SourceError::of_places(earlier, failure, error))
            }
        }
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.length == Some(self.at) {
            return Ok(0);
        }
        let notices = self.notices.clone();
        // Whoever does not listen any more does not want the bytes either.
        let tell = &mut |notice| drop(notices.send(notice));
        loop {
            match self.step(buf, tell) {
                Ok(n) => {
                    self.given.update(buf.get(..n).unwrap_or_default());
                    self.at = self.at.saturating_add(n as u64);
                    if n > 0 {
                        self.backoff.reset();
                    }
                    return Ok(n);
                }
                Err(error) => self.recover(error, tell).map_err(io::Error::other)?,
            }
        }
    }
}

pub(super) fn header(answer: &Response, name: HeaderName) -> Option<&str> {
    answer.headers().get(name)?.to_str().ok()
}

/// What identifies exactly these bytes: a strong entity tag, or a modification time that was over
/// when the answer was made, so that no other version can have it (RFC 9110 section 8.8.2.2).
fn validator(answer: &Response) -> Option<String> {
    match header(answer, ETAG) {
        Some(tag) if tag.starts_with('"') && tag.len() >= 2 && tag.ends_with('"') => {
            return Some(tag.to_owned());
        }
        _ => {}
    }
    let modified = header(answer, LAST_MODIFIED)?;
    // Both are whole seconds in the one format that servers may send.
    let date = header(answer, DATE)?;
    (modified != date).then(|| modified.to_owned())
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: u64,
    /// Size of the whole file; `*` is none.
    total: Option<u64>,
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110 section 14.4).
pub(super) fn parse_content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let fits = first <= last && total.is_none_or(|total| last < total);
    fits.then_some(ContentRange { first, total })
}

#[cfg(test)]
mod tests;
