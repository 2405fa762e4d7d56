//! The TCP listener: answers leave at once (TCP_NODELAY), and each connection knows by which of
//! our addresses it was made.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

use crate::net::NetError;

/// Our side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Address that the client connected to.
    pub address: Ipv4Addr,
    /// Port that it connected to.
    pub port: u16,
    /// Address that it connected from.
    pub peer: Ipv4Addr,
}

/// A listener for HTTP connections.
#[derive(Debug)]
pub struct HttpListener(TcpListener);

impl HttpListener {
    /// Listens on `port` of every IPv4 address; 0 takes any free port.
    pub async fn bind(port: u16) -> Result<Self, NetError> {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let bound = TcpListener::bind(address).await;
        bound.map(Self).map_err(|source| NetError::Bind {
            service: "HTTP",
            address,
            source,
        })
    }

    /// The port that is listened on.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }
}

impl Listener for HttpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "setting TCP_NODELAY");
        }
        (stream, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, HttpListener>> for Local {
    fn connect_info(stream: IncomingStream<'_, HttpListener>) -> Self {
        let peer = match stream.remote_addr().ip() {
            IpAddr::V4(peer) => peer,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        match stream
            .io()
            .local_addr()
            .map(|address| (address.ip(), address.port()))
        {
            Ok((IpAddr::V4(address), port)) => Self {
                address,
                port,
                peer,
            },
            // The connection is gone already; whatever is answered reaches nobody.
            _ => Self {
                address: Ipv4Addr::UNSPECIFIED,
                port: 0,
                peer,
            },
        }
    }
}
