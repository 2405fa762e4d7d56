//! One UDP socket for all interfaces, with the way of each packet.

use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;

use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, RcvBuf, RcvBufForce};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Bytes of packets that may wait, as the kernel counts them: a thousand machines that are switched on
/// at once send a few packets of a kilobyte each, and each takes more than twice that.
const WAITING: usize = 8 * 1024 * 1024;

/// Why a socket could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// An interface was named that is not there.
    #[error("there is no network interface `{0}`")]
    NoInterface(String),
    /// The address cannot be listened on.
    #[error("cannot listen for {service} on {address}")]
    Bind {
        /// `DHCP`, `TFTP`, `HTTP`.
        service: &'static str,
        /// The address.
        address: SocketAddr,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// The way of a packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Bytes received.
    pub length: usize,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// Our address on the interface that it came in on.
    pub local: Ipv4Addr,
    /// That interface.
    pub interface: u32,
    /// Whether it was for everybody on the link.
    pub broadcast: bool,
}

/// A UDP port of every address, bound and not served yet: no runtime is needed for it.
#[derive(Debug)]
pub struct PacketPort {
    socket: Socket,
    interfaces: Vec<CString>,
}

/// A UDP socket bound to every address.
#[derive(Debug)]
pub struct PacketSocket {
    socket: UdpSocket,
    interfaces: Vec<CString>,
}

impl PacketPort {
    /// Listens on `port` of every address; packets that come in on other interfaces than the named
    /// ones are dropped. No name means all but loopback.
    pub fn bind(service: &'static str, port: u16, interfaces: &[String]) -> Result<Self, NetError> {
        let mut names = Vec::new();
        for interface in interfaces {
            let name = CString::new(interface.as_str())
                .map_err(|_| NetError::NoInterface(interface.clone()))?;
            if_nametoindex(name.as_c_str())
                .map_err(|_| NetError::NoInterface(interface.clone()))?;
            names.push(name);
        }
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let socket = open(address).map_err(|source| NetError::Bind {
            service,
            address,
            source,
        })?;
        Ok(Self {
            socket,
            interfaces: names,
        })
    }

    /// The port that is listened on.
    pub fn port(&self) -> io::Result<u16> {
        let address = self.socket.local_addr()?.as_socket();
        Ok(address.map_or(0, |address| address.port()))
    }

    /// Begins to serve it, in the runtime that this is called from.
    pub fn open(self) -> io::Result<PacketSocket> {
        Ok(PacketSocket {
            socket: UdpSocket::from_std(self.socket.into())?,
            interfaces: self.interfaces,
        })
    }
}

impl PacketSocket {
    /// Waits for a packet on one of the interfaces.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        loop {
            let arrival = self
                .socket
                .async_io(Interest::READABLE, || self.try_receive(buffer))
                .await?;
            if let Some(arrival) = arrival.filter(|arrival| self.is_served(arrival)) {
                return Ok(arrival);
            }
        }
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Option<Arrival>> {
        let mut control = nix::cmsg_space!(nix::libc::in_pktinfo);
        let mut slices = [IoSliceMut::new(buffer)];
        let received = recvmsg::<SockaddrIn>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let Some(from) = received.address else {
            return Ok(None);
        };
        for message in received.cmsgs()? {
            if let ControlMessageOwned::Ipv4PacketInfo(info) = message {
                return Ok(Some(Arrival {
                    length: received.bytes,
                    from: SocketAddrV4::new(from.ip(), from.port()),
                    local: Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)),
                    interface: u32::try_from(info.ipi_ifindex).unwrap_or_default(),
                    broadcast: info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr,
                }));
            }
        }
        Ok(None)
    }

    /// Interfaces are compared by name for each packet: one that is made anew has another index.
    fn is_served(&self, arrival: &Arrival) -> bool {
        if self.interfaces.is_empty() {
            return !arrival.local.is_loopback();
        }
        if_indextoname(arrival.interface).is_ok_and(|name| self.interfaces.contains(&name))
    }

    /// Sends a packet out of the interface that `arrival` came in on, from our address there.
    pub async fn send(&self, packet: &[u8], to: SocketAddrV4, arrival: &Arrival) -> io::Result<()> {
        let interface = i32::try_from(arrival.interface).map_err(io::Error::other)?;
        let local = nix::libc::in_addr {
            s_addr: u32::from(arrival.local).to_be(),
        };
        let info = nix::libc::in_pktinfo {
            ipi_ifindex: interface,
            ipi_spec_dst: local,
            ipi_addr: nix::libc::in_addr { s_addr: 0 },
        };
        let to = SockaddrIn::from(to);
        let send = || {
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            let slices = [IoSlice::new(packet)];
            Ok(sendmsg(
                self.socket.as_raw_fd(),
                &slices,
                &control,
                MsgFlags::empty(),
                Some(&to),
            )?)
        };
        self.socket.async_io(Interest::WRITABLE, send).await?;
        Ok(())
    }
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    make_room(&socket);
    setsockopt(&socket, Ipv4PacketInfo, &true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Without CAP_NET_ADMIN there is as much room as net.core.rmem_max allows; machines ask again.
fn make_room(socket: &Socket) {
    let forced = setsockopt(socket, RcvBufForce, &WAITING);
    if let Err(error) = forced.or_else(|_| setsockopt(socket, RcvBuf, &WAITING)) {
        tracing::warn!(%error, "sizing a receive buffer");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: usize = 3000;

    #[tokio::test]
    async fn what_a_thousand_machines_send_at_once_waits_until_it_is_read() {
        let port = PacketPort::bind("test", 0, &["lo".to_owned()]).unwrap();
        let allowed = setsockopt(&port.socket, RcvBufForce, &WAITING);
        if allowed.is_err() {
            eprintln!("SKIP: what_a_thousand_machines_send_at_once: needs CAP_NET_ADMIN");
            return;
        }
        let to = (Ipv4Addr::LOCALHOST, port.port().unwrap());
        let sender = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for _ in 0..PACKETS {
            sender.send_to(&[7; 600], to).unwrap();
        }
        let socket = port.open().unwrap();
        let mut buffer = [0; 1000];
        for _ in 0..PACKETS {
            let arrival = socket.receive(&mut buffer).await.unwrap();
            assert_eq!(arrival.length, 600);
        }
    }
}
