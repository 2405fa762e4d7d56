//! One request and its answer's headers: redirects followed by hand, so that the user's headers
//! stay with the server that they are for, and failures named by the stage they happened at.
//! Names, connections and answers are waited for on threads that are left when asked to stop.

use std::io;

use reqwest::Url;
use reqwest::blocking::{Client, Response};
use reqwest::header::{HeaderMap, IF_RANGE, LOCATION, RANGE};

use super::access::{Access, parse, shown};
use crate::cancel::Cancel;
use crate::source::{SourceError, Stage};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

/// Whether a redirect may lead from https to http.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Downgrade {
    /// What comes is checked by other means.
    Allow,
    /// The connection is all that vouches for what comes.
    Refuse,
}

/// Which part of a file is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'v> {
    /// All of it.
    All,
    /// From a byte on, if the file is still the one with this validator (RFC 9110 section 13.1.5).
    From { at: u64, validator: &'v str },
    /// From a byte on, of whatever the file is now.
    Rest { at: u64 },
}

/// A client for one thread or another.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    headers: HeaderMap,
    /// Origins of the servers that the user named.
    named: Vec<String>,
    pub(super) access: Access,
    pub(super) downgrade: Downgrade,
    pub(super) cancel: Cancel,
}

impl Http {
    pub(super) fn new(
        access: &Access,
        named: &[&str],
        cancel: &Cancel,
    ) -> Result<Self, SourceError> {
        let named = named
            .iter()
            .map(|url| parse(url).map(|url| origin(&url)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            client: access.client()?,
            headers: access.header_map()?,
            named,
            access: access.clone(),
            downgrade: Downgrade::Allow,
            cancel: cancel.clone(),
        })
    }

    /// Counts the server of `url` among those that the user named.
    pub(super) fn name(&mut self, url: &str) -> Result<(), SourceError> {
        self.named.push(origin(&parse(url)?));
        Ok(())
    }

    /// The same for a part of the work, which can be stopped by itself.
    pub(super) fn part(&self) -> Self {
        let mut part = self.clone();
        part.cancel = self.cancel.part();
        part
    }

    /// An answer with a success status, its body not yet read.
    pub(super) fn get(&self, url: &Url, part: Part<'_>) -> Result<Response, SourceError> {
        let named = self.named.contains(&origin(url));
        let mut here = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.client.get(here.clone());
            if named && origin(&here) == origin(url) {
                request = request.headers(self.headers.clone());
            }
            if let Part::From { at, validator } = part {
                request = request
                    .header(RANGE, format!("bytes={at}-"))
                    .header(IF_RANGE, validator);
            }
            if let Part::Rest { at } = part {
                request = request.header(RANGE, format!("bytes={at}-"));
            }
            let sent = self.cancel.or_leave(move || request.send())?;
            let response = sent.map_err(|e| self.no_answer(url, e))?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                let location = response.headers().get(LOCATION);
                let location = location.and_then(|location| location.to_str().ok());
                here = self.follow(&here, location.unwrap_or_default())?;
                continue;
            }
            let wanted = match part {
                Part::All => status.is_success() && status.as_u16() != 206,
                Part::From { .. } | Part::Rest { .. } => status.is_success(),
            };
            return if wanted {
                Ok(response)
            } else {
                Err(SourceError::Status {
                    url: shown(url),
                    status: status.as_u16(),
                })
            };
        }
        Err(SourceError::Redirects {
            url: shown(url),
            limit: MAX_REDIRECTS,
        })
    }

    fn follow(&self, from: &Url, location: &str) -> Result<Url, SourceError> {
        let refused = |to: String, reason| SourceError::Redirect {
            url: shown(from),
            to,
            reason,
        };
        let to = from
            .join(location)
            .ok()
            .filter(|_| !location.is_empty())
            .ok_or_else(|| refused(format!("`{location}`"), "it is no URL"))?;
        match to.scheme() {
            "https" => Ok(to),
            "http" if from.scheme() == "https" && self.downgrade == Downgrade::Refuse => Err(
                refused(shown(&to), "nothing would check what comes by plain http"),
            ),
            "http" => Ok(to),
            _ => Err(refused(shown(&to), "it is neither http nor https")),
        }
    }

    fn no_answer(&self, url: &Url, source: reqwest::Error) -> SourceError {
        let url = shown(url);
        if source.is_timeout() {
            let stage = if source.is_connect() {
                Stage::Connect
            } else {
                Stage::Headers
            };
            return self.stalled(url, stage);
        }
        SourceError::Transport {
            url,
            source: source.without_url(),
        }
    }

    /// What it means that a body could not be read on.
    pub(super) fn broken(&self, url: &Url, at: u64, source: io::Error) -> SourceError {
        let inner = source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<reqwest::Error>());
        if inner.is_some_and(reqwest::Error::is_timeout) {
            return self.stalled(shown(url), Stage::Body { at });
        }
        SourceError::Read {
            name: shown(url),
            offset: at,
            source,
        }
    }

    fn stalled(&self, url: String, stage: Stage) -> SourceError {
        let waited = match stage {
            Stage::Connect => self.access.connect_patience(),
            _ => self.access.patience,
        };
        SourceError::Stalled { url, stage, waited }
    }
}

/// Scheme, host and port.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_plain_http_is_refused_only_from_https_and_when_nothing_else_checks() {
        let mut http = Http::new(&Access::default(), &[], &Cancel::new()).unwrap();
        let secure = parse("https://h/a").unwrap();
        let plain = parse("http://h/a").unwrap();
        assert_eq!(http.follow(&secure, "http://h/b").unwrap().scheme(), "http");
        http.downgrade = Downgrade::Refuse;
        let error = http.follow(&secure, "http://h/b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "https://h/a redirects to http://h/b, which is not followed: \
             nothing would check what comes by plain http"
        );
        assert_eq!(http.follow(&secure, "b").unwrap().as_str(), "https://h/b");
        assert!(http.follow(&plain, "http://h/b").is_ok());
    }

    #[test]
    fn the_server_of_a_url_is_its_scheme_host_and_port() {
        let same = |a: &str, b: &str| origin(&parse(a).unwrap()) == origin(&parse(b).unwrap());
        assert!(same("https://h/a", "https://h:443/b?c"));
        assert!(!same("https://h/a", "http://h/a"));
        assert!(!same("https://h/a", "https://h:444/a"));
        assert!(!same("https://h/a", "https://h.example/a"));
    }
}
