//! Conditional and range requests, decided apart from what they are about: RFC 9110 section 13
//! (If-None-Match, If-Modified-Since, If-Range) and section 14 (Range).
//!
//! One range is answered; a request for several gets the whole, as section 14.2 allows.

use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

/// What a request asks of whatever it will be answered with.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    is_get: bool,
    headers: HeaderMap,
}

impl Conditions {
    /// The conditions among a request's `headers`.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let asked = [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE, IF_RANGE];
        let pairs = asked.iter().flat_map(|name| {
            let values = headers.get_all(name).iter();
            values.map(|value| (name.clone(), value.clone()))
        });
        let mut kept = HeaderMap::new();
        for (name, value) in pairs {
            kept.append(name, value);
        }
        Self {
            is_get: method == Method::GET,
            headers: kept,
        }
    }

    /// Whether the answer carries its bytes.
    pub(super) fn is_get(&self) -> bool {
        self.is_get
    }

    fn text(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.method, &parts.headers))
    }
}

/// What could be sent, as it is now.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Entity tag, strong, with its quotes.
    pub(super) tag: String,
    /// Time of the last change, where there is one.
    pub(super) modified: Option<SystemTime>,
    /// Size, bytes.
    pub(super) size: u64,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of it.
    Whole,
    /// These bytes; at least one.
    Part(Range<u64>),
    /// Nothing: the client has it.
    NotModified,
    /// Nothing: it has no such bytes.
    Unsatisfiable,
}

impl Held {
    /// Decides.
    pub(super) fn judge(&self, asked: &Conditions) -> Verdict {
        if self.known_to(asked) {
            return Verdict::NotModified;
        }
        match asked.text(RANGE) {
            Some(range) if asked.is_get && self.range_applies(asked) => self.range(range),
            _ => Verdict::Whole,
        }
    }

    /// If-None-Match, or in its absence If-Modified-Since: the client has it already.
    fn known_to(&self, asked: &Conditions) -> bool {
        let tags: Vec<_> = asked.headers.get_all(IF_NONE_MATCH).iter().collect();
        if !tags.is_empty() {
            let tags = tags.into_iter().filter_map(|value| value.to_str().ok());
            return tags.flat_map(|value| value.split(',')).any(|known| {
                let known = known.trim();
                known == "*" || known.strip_prefix("W/").unwrap_or(known) == self.tag
            });
        }
        let since = asked.text(IF_MODIFIED_SINCE);
        let since = since.and_then(|date| httpdate::parse_http_date(date).ok());
        matches!((self.second(), since), (Some(modified), Some(since)) if modified <= since)
    }

    /// If-Range: the client has the rest of this very version.
    fn range_applies(&self, asked: &Conditions) -> bool {
        match asked.text(IF_RANGE) {
            None => !asked.headers.contains_key(IF_RANGE),
            Some(tag) if tag.starts_with('"') => tag == self.tag,
            Some(date) => {
                let date = httpdate::parse_http_date(date).ok();
                date.is_some() && date == self.second()
            }
        }
    }

    /// The time of the last change as HTTP can say it.
    fn second(&self) -> Option<SystemTime> {
        let since = self.modified?.duration_since(UNIX_EPOCH).ok()?;
        Some(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
    }

    /// What is not a range of bytes is as if it were not there (section 14.2).
    fn range(&self, text: &str) -> Verdict {
        let span = text.strip_prefix("bytes=").map(str::trim);
        let Some((first, last)) = span.and_then(|span| span.split_once('-')) else {
            return Verdict::Whole;
        };
        let (first, last) = match (number(first), number(last)) {
            (Ok(None), Ok(Some(tail))) => (self.size.saturating_sub(tail), u64::MAX),
            (Ok(Some(first)), Ok(last)) => (first, last.unwrap_or(u64::MAX)),
            _ => return Verdict::Whole,
        };
        if first > last {
            return Verdict::Whole;
        }
        let end = last.saturating_add(1).min(self.size);
        if first >= end {
            return Verdict::Unsatisfiable;
        }
        Verdict::Part(first..end)
    }

    /// Status and headers of the answer that `verdict` means, its content type left out.
    pub(super) fn head(&self, verdict: &Verdict) -> (StatusCode, HeaderMap) {
        let mut headers = HeaderMap::new();
        let mut say = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        say(ETAG, self.tag.clone());
        if let Some(modified) = self.second() {
            say(LAST_MODIFIED, httpdate::fmt_http_date(modified));
        }
        say(ACCEPT_RANGES, "bytes".to_owned());
        let size = self.size;
        let status = match verdict {
            Verdict::Whole => {
                say(CONTENT_LENGTH, size.to_string());
                StatusCode::OK
            }
            Verdict::Part(span) => {
                say(CONTENT_LENGTH, (span.end - span.start).to_string());
                let last = span.end - 1;
                say(CONTENT_RANGE, format!("bytes {}-{last}/{size}", span.start));
                StatusCode::PARTIAL_CONTENT
            }
            Verdict::NotModified => StatusCode::NOT_MODIFIED,
            Verdict::Unsatisfiable => {
                say(CONTENT_RANGE, format!("bytes */{size}"));
                say(CONTENT_LENGTH, "0".to_owned());
                StatusCode::RANGE_NOT_SATISFIABLE
            }
        };
        (status, headers)
    }
}

/// Digits as a number, which may be too large for any file; nothing as none.
fn number(text: &str) -> Result<Option<u64>, ()> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(());
    }
    match text {
        "" => Ok(None),
        digits => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
    }
}

#[cfg(test)]
mod tests;
