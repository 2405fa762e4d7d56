//! What a connection is known by: our address on it, and the client's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpStream;

/// Our side of a connection, and who is at the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Address that the client connected to.
    pub address: Ipv4Addr,
    /// Port that it connected to.
    pub port: u16,
    /// Address that it connected from.
    pub peer: Ipv4Addr,
    /// And the port.
    pub peer_port: u16,
}

impl Local {
    /// Of a connection that `peer` made.
    pub(super) fn of(stream: &TcpStream, peer: SocketAddr) -> Self {
        let ours = stream.local_addr();
        // Otherwise the connection is gone already; whatever is answered reaches nobody.
        let ours = ours.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Self {
            address: v4(ours),
            port: ours.port(),
            peer: v4(peer),
            peer_port: peer.port(),
        }
    }
}

fn v4(address: SocketAddr) -> Ipv4Addr {
    match address.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}
