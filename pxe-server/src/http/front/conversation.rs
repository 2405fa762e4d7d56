//! One connection: requests one after another, pipelined or not, each answered by the routes,
//! until one comes that is for hyper.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower_service::Service as _;

use super::head::{self, Head};
use super::patience::{HEAD, IDLE};
use super::send::{Manner, send};
use super::{Phase, hyper};
use crate::http::Local;

/// Room for a request that is about to be read, bytes.
const ROOM: usize = 1024;
/// Bytes of a refused request that are read, and for how long.
const REST: u64 = 256 * 1024;
const LINGER: Duration = Duration::from_secs(2);
/// The answer to a head that does not end.
const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A connection of a client.
pub(super) struct Conversation {
    stream: TcpStream,
    local: Local,
    router: Router,
    phase: watch::Receiver<Phase>,
    /// Bytes that were read and not used.
    read: Vec<u8>,
}

/// What comes next.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
enum Next {
    Plain {
        request: Request<Body>,
        last: bool,
    },
    Other,
    TooLarge,
    /// Nothing more.
    End,
}

impl Conversation {
    pub(super) fn new(
        stream: TcpStream,
        local: Local,
        router: Router,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            stream,
            local,
            router,
            phase,
            read: Vec::new(),
        }
    }

    /// Answers until the client, the server or an error ends it.
    pub(super) async fn run(mut self) -> io::Result<()> {
        loop {
            let (mut request, last) = match self.next().await? {
                Next::Plain { request, last } => (request, last),
                Next::Other => return self.give_to_hyper().await,
                Next::TooLarge => return self.refuse().await,
                Next::End => return Ok(()),
            };
            let bodyless = request.method() == Method::HEAD;
            request.extensions_mut().insert(ConnectInfo(self.local));
            let Ok(response) = self.router.call(request).await;
            let last = last || *self.phase.borrow() == Phase::Stopping;
            let manner = Manner { bodyless, last };
            if !send(&mut self.stream, response, manner, &mut self.phase).await? {
                return self.stream.shutdown().await;
            }
        }
    }

    /// Waits for the next request.
    async fn next(&mut self) -> io::Result<Next> {
        let mut looked_at = 0;
        let mut deadline = Instant::now() + if self.read.is_empty() { IDLE } else { HEAD };
        loop {
            if head::may_end(&self.read, looked_at) {
                match head::read(&self.read) {
                    Head::Plain {
                        request,
                        length,
                        last,
                    } => {
                        self.read.drain(..length);
                        return Ok(Next::Plain { request, last });
                    }
                    Head::Other => return Ok(Next::Other),
                    Head::Partial => {}
                }
            }
            looked_at = self.read.len();
            if looked_at >= head::MAX {
                return Ok(Next::TooLarge);
            }
            let idle = self.read.is_empty();
            if idle && *self.phase.borrow_and_update() == Phase::Stopping {
                return Ok(Next::End);
            }
            self.read.reserve(ROOM);
            let count = tokio::select! {
                biased;
                count = self.stream.read_buf(&mut self.read) => count?,
                () = sleep_until(deadline) => 0,
                _ = self.phase.changed(), if idle => 0,
            };
            if count == 0 {
                return Ok(Next::End);
            }
            if idle {
                deadline = Instant::now() + HEAD;
            }
        }
    }

    /// Says that the head is too large, and reads some of the rest: closed with bytes that nobody
    /// has read, a connection takes its last answer back.
    async fn refuse(mut self) -> io::Result<()> {
        self.stream.write_all(TOO_LARGE).await?;
        self.stream.shutdown().await?;
        let mut rest = self.stream.take(REST);
        let mut nowhere = tokio::io::sink();
        let rest = tokio::io::copy(&mut rest, &mut nowhere);
        tokio::time::timeout(LINGER, rest)
            .await
            .unwrap_or(Ok(0))
            .map(drop)
    }

    /// Hyper reads what was read here first.
    async fn give_to_hyper(self) -> io::Result<()> {
        let (input, output) = self.stream.into_split();
        let input = io::Cursor::new(self.read).chain(input);
        let stream = tokio::io::join(input, output);
        hyper::serve(stream, (self.local, None), self.router, self.phase).await
    }
}
