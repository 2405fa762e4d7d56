//! Downloads a file whose chunk hashes are known: each chunk is checked before it is kept, and a
//! broken or wrong transfer goes on at the first chunk that is missing, at the next server if there
//! are several.
//!
//! HTTP Range (RFC 9110 section 14); a server without it, or a TFTP server, is read again from the
//! start, and what is already there is skipped. Where the file is kept is the caller's.

mod tftp;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use embed::stream_hash::{StreamHash, StreamHashError};
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{CONTENT_RANGE, RANGE};

use tftp::{Patience, Transfer};

pub use tftp::TftpError;

/// A transfer may stand still this long.
const STALL: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);

/// How stubborn a download is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Failures in a row of each server, without a new verified chunk, after which it gives up when
    /// the last one was wrong data.
    pub wrong: u32,
    /// The same when the server could not be reached or was in trouble.
    pub unreachable: u32,
    /// Time between a failure of all servers and the next attempt.
    pub pause: Duration,
}

impl Policy {
    /// For a live root: a server that restarts or a switch port that still learns is waited for
    /// some minutes, a file of another build is not.
    pub const ROOTFS: Self = Self {
        wrong: 4,
        unreachable: 60,
        pause: Duration::from_secs(5),
    };

    fn limit(&self, error: &AttemptError) -> u32 {
        match error {
            AttemptError::Wrong(_) => self.wrong,
            _ => self.unreachable,
        }
    }
}

/// Why one attempt ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// No connection, or it broke.
    #[error("transfer failed")]
    Transport(#[source] reqwest::Error),
    /// An answer that may be better next time.
    #[error("server answered {0}")]
    Status(StatusCode),
    /// The same by TFTP.
    #[error("transfer by TFTP failed")]
    Tftp(#[source] TftpError),
    /// The body broke off.
    #[error("connection broke at byte {offset}")]
    Broken {
        /// Bytes received.
        offset: u64,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// What arrived is not what was expected.
    #[error("wrong data")]
    Wrong(#[source] StreamHashError),
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nothing to fetch from.
    #[error("no URL to download from")]
    NoUrl,
    /// An answer that will not change.
    #[error("server answered {status} for {url}")]
    Refused {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// The same by TFTP.
    #[error("cannot download {url}")]
    Tftp {
        /// What was asked for.
        url: String,
        /// Why it will not change.
        #[source]
        source: TftpError,
    },
    /// Too many failures.
    #[error("cannot download {url}: {failures} attempts failed")]
    GaveUp {
        /// What was asked for.
        url: String,
        /// Failures in a row.
        failures: u32,
        /// The last one.
        #[source]
        source: AttemptError,
    },
    /// A verified chunk could not be kept.
    #[error("cannot store the download")]
    Store(#[source] io::Error),
    /// The HTTP client could not be set up.
    #[error("cannot set up HTTP client")]
    Client(#[source] reqwest::Error),
}

/// What happens on the way, for whoever watches.
#[derive(Debug)]
pub enum Notice<'a> {
    /// This URL is fetched from now on.
    From(&'a str),
    /// So many of so many chunks are verified and kept.
    Chunks {
        /// Kept.
        done: usize,
        /// Expected.
        total: usize,
    },
    /// An attempt failed; another follows.
    Retry(&'a AttemptError),
    /// A server will not give it; another is asked.
    Refused(&'a FetchError),
}

/// An HTTP client that gives up on transfers that stand still.
pub fn client() -> Result<Client, FetchError> {
    Client::builder()
        .timeout(STALL)
        .connect_timeout(CONNECT)
        .build()
        .map_err(FetchError::Client)
}

/// Downloads the file, which each of `urls` names, to `out`; `out` receives only bytes that `want`
/// vouches for, in order. Returns the length in bytes.
///
/// A failure is followed by an attempt at the next URL, one that will not change leaves it out.
pub fn fetch(
    client: &Client,
    urls: &[String],
    want: &StreamHash,
    out: &mut impl Write,
    policy: Policy,
    mut notice: impl FnMut(Notice<'_>),
) -> Result<u64, FetchError> {
    let mut state = State {
        want,
        out,
        next: 0,
        length: 0,
    };
    let mut urls: VecDeque<&str> = urls.iter().map(String::as_str).collect();
    let mut failures = 0;
    let mut said = None;
    loop {
        let url = *urls.front().ok_or(FetchError::NoUrl)?;
        if said.replace(url) != Some(url) {
            notice(Notice::From(url));
        }
        let before = state.next;
        let error = match state.attempt(client, url, &mut notice) {
            Ok(()) => return Ok(state.length),
            Err(Ended::Refused(error)) if urls.len() > 1 => {
                notice(Notice::Refused(&error));
                urls.pop_front();
                continue;
            }
            Err(Ended::Refused(error) | Ended::Store(error)) => return Err(error),
            Err(Ended::Attempt(error)) => error,
        };
        failures = if state.next > before { 1 } else { failures + 1 };
        let servers = u32::try_from(urls.len()).unwrap_or(u32::MAX);
        if failures >= policy.limit(&error).saturating_mul(servers) {
            return Err(FetchError::GaveUp {
                url: url.to_owned(),
                failures,
                source: error,
            });
        }
        notice(Notice::Retry(&error));
        urls.rotate_left(1);
        if failures % servers == 0 {
            std::thread::sleep(policy.pause);
        }
    }
}

enum Ended {
    /// The server has said so.
    Refused(FetchError),
    Store(FetchError),
    Attempt(AttemptError),
}

struct State<'a, W> {
    want: &'a StreamHash,
    out: &'a mut W,
    next: usize,
    length: u64,
}

impl<W: Write> State<'_, W> {
    fn attempt(
        &mut self,
        client: &Client,
        url: &str,
        notice: &mut impl FnMut(Notice<'_>),
    ) -> Result<(), Ended> {
        let (mut body, start) = self.open(client, url)?;
        let there = self.length.saturating_sub(start);
        let skipped =
            io::copy(&mut body.by_ref().take(there), &mut io::sink()).map_err(|e| broken(0, e))?;
        if skipped < there {
            return Err(wrong(StreamHashError::Truncated { offset: skipped }));
        }
        let total = self.want.chunks();
        while self.next < total {
            let chunk = self.read_chunk(&mut body)?;
            self.want
                .check(self.next, &chunk)
                .map_err(|error| self.explain(error, chunk.len()))?;
            self.out
                .write_all(&chunk)
                .map_err(|error| Ended::Store(FetchError::Store(error)))?;
            self.next += 1;
            self.length += chunk.len() as u64;
            notice(Notice::Chunks {
                done: self.next,
                total,
            });
        }
        let surplus = body
            .read(&mut [0u8; 1])
            .map_err(|error| broken(self.length, error))?;
        if surplus > 0 {
            return Err(wrong(StreamHashError::Surplus {
                offset: self.length,
            }));
        }
        Ok(())
    }

    /// The file's bytes, and the byte that they begin with.
    fn open(&self, client: &Client, url: &str) -> Result<(Box<dyn Read>, u64), Ended> {
        if url
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("tftp:"))
        {
            return match Transfer::open(url, Patience::NETWORK) {
                Ok(transfer) => Ok((Box::new(transfer), 0)),
                Err(source) if source.is_final() => Err(Ended::Refused(FetchError::Tftp {
                    url: url.to_owned(),
                    source,
                })),
                Err(error) => Err(Ended::Attempt(AttemptError::Tftp(error))),
            };
        }
        let mut request = client.get(url);
        if self.length > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.length));
        }
        let response = request
            .send()
            .map_err(|error| Ended::Attempt(AttemptError::Transport(error)))?;
        check_status(&response, url)?;
        let start = match continues_at(&response, self.length) {
            true => self.length,
            false => 0,
        };
        Ok((Box::new(response), start))
    }

    fn read_chunk(&self, response: &mut impl Read) -> Result<Vec<u8>, Ended> {
        let size = self.want.chunk_size();
        let mut chunk = Vec::with_capacity(size);
        match response.take(size as u64).read_to_end(&mut chunk) {
            Ok(_) => Ok(chunk),
            Err(error) => Err(broken(self.length + chunk.len() as u64, error)),
        }
    }

    /// A short chunk before the last is a file that ends early, whatever its hash.
    fn explain(&self, error: StreamHashError, got: usize) -> Ended {
        if got < self.want.chunk_size() && self.next + 1 < self.want.chunks() {
            return wrong(StreamHashError::Truncated {
                offset: self.length + got as u64,
            });
        }
        wrong(error)
    }
}

fn broken(offset: u64, source: io::Error) -> Ended {
    Ended::Attempt(AttemptError::Broken { offset, source })
}

fn wrong(error: StreamHashError) -> Ended {
    Ended::Attempt(AttemptError::Wrong(error))
}

fn check_status(response: &Response, url: &str) -> Result<(), Ended> {
    let status = response.status();
    let passing = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
        Ok(())
    } else if status.is_client_error() && !passing {
        Err(Ended::Refused(FetchError::Refused {
            url: url.to_owned(),
            status,
        }))
    } else {
        Err(Ended::Attempt(AttemptError::Status(status)))
    }
}

/// Whether the body begins at byte `offset`.
fn continues_at(response: &Response, offset: u64) -> bool {
    let range = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

#[cfg(test)]
mod tests;
