//! DHCP for all machines through one socket, as a relay agent (RFC 1542 section 4): the server
//! answers to our address, and the transaction's number tells whose answer it is.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use dhcproto::{Decodable as _, Encodable as _};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Pauses between attempts, as firmware makes them; the last one is repeated.
const PAUSES: [u64; 4] = [1, 2, 4, 8];

/// Why no relay.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}, where the server answers relays")]
pub struct RelayError {
    /// The address.
    pub address: SocketAddr,
    /// Cause.
    #[source]
    pub source: io::Error,
}

type Waiting = Arc<Mutex<HashMap<u32, (MessageType, oneshot::Sender<Message>)>>>;

/// The socket of all machines.
#[derive(Debug)]
pub(super) struct Relay {
    socket: Arc<UdpSocket>,
    address: Ipv4Addr,
    server: SocketAddrV4,
    waiting: Waiting,
    listener: tokio::task::JoinHandle<()>,
}

impl Relay {
    pub(super) async fn bind(address: Ipv4Addr, server: SocketAddrV4) -> Result<Self, RelayError> {
        let at = SocketAddr::from((address, server.port()));
        let failed = |source| RelayError {
            address: at,
            source,
        };
        let socket = UdpSocket::bind(at).await.map_err(failed)?;
        // A thousand answers can be there before the first is read.
        let wide = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
        wide.map_err(failed)?;
        let (socket, waiting) = (Arc::new(socket), Waiting::default());
        let listener = tokio::spawn(listen(socket.clone(), waiting.clone()));
        Ok(Self {
            socket,
            address,
            server,
            waiting,
            listener,
        })
    }

    /// Sends `message` until it is answered by one of this type, and tells how often it was sent.
    pub(super) async fn ask(
        &self,
        mut message: Message,
        answer: MessageType,
        patience: Duration,
    ) -> Result<(Message, u32), io::Error> {
        message.set_giaddr(self.address).set_hops(1);
        let packet = message.to_vec().map_err(io::Error::other)?;
        let (sender, mut answered) = oneshot::channel();
        let xid = message.xid();
        self.lock().insert(xid, (answer, sender));
        let end = Instant::now() + patience;
        let mut sent = 0;
        let mut pauses = PAUSES.into_iter().chain(std::iter::repeat(8));
        let outcome = loop {
            self.socket.send_to(&packet, self.server).await?;
            sent += 1;
            let pause = Duration::from_secs(pauses.next().unwrap_or(8));
            let until = end.min(Instant::now() + pause);
            match tokio::time::timeout_at(until, &mut answered).await {
                Ok(Ok(message)) => break Ok((message, sent)),
                Ok(Err(_)) => break Err(io::ErrorKind::ConnectionAborted.into()),
                Err(_) if Instant::now() >= end => break Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {}
            }
        };
        self.lock().remove(&xid);
        outcome
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<u32, (MessageType, oneshot::Sender<Message>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(socket: Arc<UdpSocket>, waiting: Waiting) {
    let mut buffer = [0u8; 2048];
    loop {
        let Ok(length) = socket.recv(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Some(Ok(message)) = buffer.get(..length).map(Message::from_bytes) else {
            continue;
        };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = waiting.get(&message.xid()).map(|(kind, _)| *kind);
        if wanted.is_some()
            && wanted == message.opts().msg_type()
            && let Some((_, sender)) = waiting.remove(&message.xid())
        {
            let _ = sender.send(message);
        }
    }
}

/// The server that an answer names.
pub(super) fn server_of(answer: &Message) -> Option<Ipv4Addr> {
    match answer.opts().get(OptionCode::ServerIdentifier)? {
        DhcpOption::ServerIdentifier(address) => Some(*address),
        _ => None,
    }
}

/// What an answer gives to boot: option 67 before the header's field.
pub(super) fn file_of(answer: &Message) -> Option<String> {
    if let Some(DhcpOption::BootfileName(name)) = answer.opts().get(OptionCode::BootfileName) {
        return Some(String::from_utf8_lossy(name).into_owned());
    }
    let name = answer.fname_str()?.ok()?.trim_end_matches('\0');
    (!name.is_empty()).then(|| name.to_owned())
}
