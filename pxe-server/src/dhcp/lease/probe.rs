//! Asks an address whether somebody is there, by an ICMP echo (RFC 2131 section 4.4.1 has servers
//! do so; RFC 792), and waits for half a second. Who filters echoes is found by the ARP that comes
//! before them, on the server's own links; behind a relay the client finds the address in use, and
//! declines it.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use crate::mac::MacAddr;
use crate::net::Neighbours;

/// How long an answer is waited for.
const WAIT: Duration = Duration::from_millis(500);
/// Type of an echo request and of its answer.
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
/// What our echoes carry beside the address that they ask.
const MARK: [u8; 8] = *b"dhcp?ask";

type Waiting = Arc<Mutex<HashMap<Ipv4Addr, oneshot::Sender<()>>>>;

/// A socket for echoes, opened and not used yet.
#[derive(Debug)]
pub struct EchoSocket {
    socket: Socket,
    neighbours: Option<Neighbours>,
}

impl EchoSocket {
    /// Opens it: one for echoes only where the kernel allows it, a raw one otherwise.
    pub fn open() -> io::Result<Self> {
        let echo_only = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4));
        let socket =
            echo_only.or_else(|_| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))?;
        socket.set_nonblocking(true)?;
        let neighbours = Neighbours::open().inspect_err(|error| {
            tracing::warn!(%error, "who answers no echo is not found");
        });
        Ok(Self {
            socket,
            neighbours: neighbours.ok(),
        })
    }
}

/// Asks by echoes.
#[derive(Debug)]
pub(super) struct Probe {
    socket: Arc<UdpSocket>,
    waiting: Waiting,
    neighbours: Option<Neighbours>,
    listener: tokio::task::JoinHandle<()>,
}

impl Probe {
    /// Begins to use the socket, in the runtime that this is called from.
    pub(super) fn new(echo: EchoSocket) -> io::Result<Self> {
        let EchoSocket { socket, neighbours } = echo;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        let waiting = Waiting::default();
        let listener = tokio::spawn(listen(socket.clone(), waiting.clone()));
        Ok(Self {
            socket,
            waiting,
            neighbours,
            listener,
        })
    }

    /// Whether somebody answers from `address`. By ARP, those who may be there do not count: the
    /// kernel remembers whom it found for a while after he is gone.
    pub(super) async fn is_in_use(&self, address: Ipv4Addr, may_be: &[MacAddr]) -> bool {
        let (sender, answer) = oneshot::channel();
        lock(&self.waiting).insert(address, sender);
        let to = SocketAddr::from((address, 0));
        if let Err(error) = self.socket.send_to(&echo(address), to).await {
            tracing::debug!(%address, %error, "asking whether an address is in use");
        }
        let answered = tokio::time::timeout(WAIT, answer).await;
        lock(&self.waiting).remove(&address);
        if matches!(answered, Ok(Ok(()))) {
            return true;
        }
        let neighbours = self.neighbours.as_ref();
        let holder = neighbours.and_then(|neighbours| neighbours.holder_of(address));
        holder.is_some_and(|holder| !may_be.contains(&holder))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<Ipv4Addr, oneshot::Sender<()>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(socket: Arc<UdpSocket>, waiting: Waiting) {
    let mut buffer = [0u8; 256];
    loop {
        let Ok(length) = socket.recv(&mut buffer).await else {
            // An error that an earlier echo met, such as an unreachable host.
            tokio::task::yield_now().await;
            continue;
        };
        let answered = buffer.get(..length).and_then(answers_for);
        if let Some(sender) = answered.and_then(|address| lock(&waiting).remove(&address)) {
            let _ = sender.send(());
        }
    }
}

/// An echo request; our mark and the address come back in its answer.
fn echo(address: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![ECHO, 0, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(&MARK);
    packet.extend_from_slice(&address.octets());
    let sum = checksum(&packet).to_be_bytes();
    for (place, byte) in packet.iter_mut().skip(2).zip(sum) {
        *place = byte;
    }
    packet
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// The address that an answer to one of our echoes is about. A raw socket gives the IP header, too.
fn answers_for(packet: &[u8]) -> Option<Ipv4Addr> {
    let icmp = match packet.first()? {
        first if first >> 4 == 4 => packet.get(usize::from(first & 0xf) * 4..)?,
        _ => packet,
    };
    let (header, data) = icmp.split_at_checked(8)?;
    let (mark, address) = data.split_at_checked(MARK.len())?;
    let ours = header.first() == Some(&ECHO_REPLY) && mark == MARK;
    let address: [u8; 4] = address.get(..4)?.try_into().ok()?;
    ours.then(|| address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_with_and_without_its_ip_header() {
        let address = Ipv4Addr::new(10, 1, 2, 3);
        let mut packet = echo(address);
        assert_eq!(
            checksum(&packet),
            0,
            "a packet with its sum sums up to nothing"
        );
        assert_eq!(answers_for(&packet), None, "the question is no answer");
        packet[0] = ECHO_REPLY;
        assert_eq!(answers_for(&packet), Some(address));
        let mut raw = vec![0x45; 20];
        raw.extend_from_slice(&packet);
        assert_eq!(answers_for(&raw), Some(address));
        for cut in 0..packet.len() {
            assert_eq!(answers_for(&packet[..cut]), None, "{cut}");
        }
    }
}
