//! The TCP side of HTTP: takes connections up to a bound, answers plain requests itself, files by
//! sendfile(2), and hands everything else (requests with bodies, odd ones) to hyper with the bytes
//! already read. What the answer is, the routes decide in both cases.
//!
//! Nobody holds a connection for nothing: heads, idle time and slow readers have their limits.

mod conversation;
mod head;
mod hyper;
mod patience;
mod send;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::Local;
use crate::http::access::Certified;
use crate::http::tls::{Tls, units};
use crate::net::NetError;
use conversation::Conversation;

/// Connections at once, where the limit of open files allows them.
const CONNECTIONS: u64 = 16_384;
/// Connections that the kernel may have finished and we not taken yet.
const BACKLOG: i32 = 4096;
/// How often idle connections are closed to make room.
const MAKE_ROOM: Duration = Duration::from_secs(1);

/// What all connections of a listener are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing.
    Serving,
    /// Others wait: who is idle leaves.
    Crowded,
    /// It is over after the current answer.
    Stopping,
}

/// A listener for HTTP connections, bound; no runtime is needed for it yet.
#[derive(Debug)]
pub(super) struct Front {
    listener: std::net::TcpListener,
    limit: usize,
    secure: Option<Secure>,
}

/// How connections are set up that are not plain.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    /// Certificate and key.
    pub(super) tls: Arc<Tls>,
    /// The port that answers name to machines, which speak plain HTTP.
    pub(super) plain_port: u16,
}

impl Front {
    /// Listens on `address`; port 0 takes any free one.
    pub(super) fn bind(address: SocketAddr, secure: Option<Secure>) -> Result<Self, NetError> {
        let failed = |source| NetError::Bind {
            service: "HTTP",
            address,
            source,
        };
        let listen = || -> io::Result<std::net::TcpListener> {
            let domain = Domain::for_address(address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        Ok(Self {
            listener: listen().map_err(failed)?,
            limit: limit(),
            secure,
        })
    }

    /// The port that is listened on.
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Serves `router` until `stop` becomes true, and from then on until the answers that were
    /// begun are sent. Dropping the future ends every connection.
    pub(super) async fn run(self, router: Router, mut stop: watch::Receiver<bool>) {
        let Self {
            listener,
            limit,
            secure,
        } = self;
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "a port is not served");
                return;
            }
        };
        let (phase, _) = watch::channel(Phase::Serving);
        let mut connections = JoinSet::new();
        loop {
            let full = connections.len() >= limit;
            tokio::select! {
                accepted = listener.accept(), if !full => match accepted {
                    Ok((stream, peer)) => {
                        let conversation = begin(stream, peer, &secure, &router, phase.subscribe());
                        connections.spawn(conversation);
                    }
                    Err(error) => turned_away(&error).await,
                },
                Some(_) = connections.join_next() => {}
                () = tokio::time::sleep(MAKE_ROOM), if full => {
                    tracing::warn!(limit, "as many connections as can be: idle ones are closed");
                    phase.send_replace(Phase::Crowded);
                }
                () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
            }
        }
        drop(listener);
        phase.send_replace(Phase::Stopping);
        while connections.join_next().await.is_some() {}
    }
}

/// One connection from its first byte to its end.
fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    secure: &Option<Secure>,
    router: &Router,
    phase: watch::Receiver<Phase>,
) -> impl Future<Output = ()> + Send + use<> {
    // Small answers leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "setting TCP_NODELAY");
    }
    let local = Local::of(&stream, peer);
    let (secure, router) = (secure.clone(), router.clone());
    async move {
        let ended = match secure {
            None => {
                let conversation = Conversation::new(stream, local, router, phase);
                conversation.run().await
            }
            Some(secure) => encrypted(stream, local, secure, router, phase).await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }
}

/// One connection with TLS; hyper serves it.
async fn encrypted(
    stream: TcpStream,
    local: Local,
    secure: Secure,
    router: Router,
    phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let accepted = tokio::time::timeout(patience::HEAD, secure.tls.accept(stream)).await;
    let stream = accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let local = Local {
        port: secure.plain_port,
        ..local
    };
    let certified = units(&stream).map(|units| Certified::by(&units));
    hyper::serve(stream, (local, certified), router, phase).await
}

/// Clients that are gone already are nothing; a lack of memory or files passes.
async fn turned_away(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        tracing::error!(%error, "taking a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Connections at once: each takes a descriptor; a quarter is left for files and everybody else.
fn limit() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
    let connections = (files - files / 4).clamp(64, CONNECTIONS);
    usize::try_from(connections).unwrap_or(64)
}

#[cfg(test)]
mod tests;
