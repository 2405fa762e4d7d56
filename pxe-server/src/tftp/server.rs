//! The sockets of the TFTP side: one for requests, and one for each running transfer, whose port
//! is the transfer's identifier (RFC 1350 section 4). A transfer is a task, not a thread.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::limit::{Asked, Limiter};
use crate::net::{Arrival, PacketPort, PacketSocket};
use crate::tftp::files::to_netascii;
use crate::tftp::send::{Blocks, SendError, send_packet};
use crate::tftp::trace::Trace;
use crate::tftp::{
    Action, Asker, Content, ErrorCode, FileSource, Limits, Mode, Negotiated, OpenError, Opened,
    Outcome, ReadRequest, RequestError, Transfer, error, negotiate, oack,
};
use crate::trace::Recorder;

/// Transfers that run at once; a request beyond that is dropped, and its client asks again.
const MAX_TRANSFERS: usize = 4096;
/// Largest file that is converted to netascii, in memory.
const MAX_NETASCII: u64 = 1024 * 1024;
/// What a client is told when its file cannot be read.
const UNREADABLE: &str = "the server cannot read this file";
/// Requests and acknowledgements are far smaller.
const MAX_PACKET: usize = 1024;

/// The server on its port.
#[derive(Debug)]
pub struct TftpServer {
    socket: PacketSocket,
    files: Arc<dyn FileSource>,
    limits: Limits,
    limiter: Arc<Limiter>,
    recorder: Recorder,
    port: u16,
    running: Arc<Running>,
}

/// Clients that a transfer runs for: a request that is repeated because its answer was lost must
/// not start a second one.
type Running = Mutex<HashSet<SocketAddrV4>>;

/// Removes a client from [`Running`] when its transfer ends, however it ends.
struct Registered(Arc<Running>, SocketAddrV4);

impl Registered {
    fn new(running: &Arc<Running>, client: SocketAddrV4) -> Option<Self> {
        let mut clients = running.lock().ok()?;
        (clients.len() < MAX_TRANSFERS && clients.insert(client))
            .then(|| Self(running.clone(), client))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut clients) = self.0.lock() {
            clients.remove(&self.1);
        }
    }
}

impl TftpServer {
    /// Serves `files` on `port`, in the runtime that this is called from.
    pub fn new(
        port: PacketPort,
        files: Arc<dyn FileSource>,
        limiter: Arc<Limiter>,
        recorder: Recorder,
    ) -> io::Result<Self> {
        Ok(Self {
            port: port.port()?,
            socket: port.open()?,
            files,
            limits: Limits::default(),
            limiter,
            recorder,
            running: Arc::default(),
        })
    }

    /// Serves until `stop` becomes true, and from then on until the transfers under way have ended.
    /// Dropping the future ends those, too.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut transfers = JoinSet::new();
        let mut buffer = [0u8; MAX_PACKET];
        loop {
            let received = tokio::select! {
                received = self.socket.receive(&mut buffer) => received,
                Some(_) = transfers.join_next() => continue,
                () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
            };
            let arrival = match received {
                Ok(arrival) => arrival,
                Err(error) => {
                    tracing::warn!(%error, "receiving a TFTP request");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let refusal = buffer
                .get(..arrival.length)
                .and_then(|packet| self.request(packet, &arrival, &mut transfers));
            if let Some(refusal) = refusal
                && let Err(error) = self.socket.send(&refusal, arrival.from, &arrival).await
            {
                tracing::debug!(%error, to = %arrival.from, "sending a TFTP error");
            }
        }
        drop(self.socket);
        while transfers.join_next().await.is_some() {}
    }

    /// Starts a transfer, or gives the ERROR packet that refuses it.
    fn request(
        &self,
        packet: &[u8],
        arrival: &Arrival,
        transfers: &mut JoinSet<()>,
    ) -> Option<Vec<u8>> {
        let from = arrival.from;
        let request = match ReadRequest::parse(packet) {
            Ok(request) => request,
            Err(reason) => {
                tracing::debug!(%from, %reason, "TFTP packet refused");
                return no_request(&reason);
            }
        };
        let machine = request.file.split('/').find_map(|part| part.parse().ok());
        let asked = self.limiter.ask(Asked::Tftp, machine, Some(*from.ip()));
        if asked.is_err() {
            tracing::debug!(%from, "asks too often");
            return None;
        }
        let registered = Registered::new(&self.running, from)?;
        let (files, limits) = (self.files.clone(), self.limits);
        let ours = SocketAddr::from((arrival.local, self.port));
        // Who looks at captures need not have tickets.
        let whose = machine.filter(|_| !request.file.contains("ticket="));
        let trace = Trace::new(&self.recorder, whose, from);
        trace.received(ours, packet, None);
        let asker = Asker {
            local: arrival.local,
            peer: *from.ip(),
        };
        transfers.spawn(async move {
            let _registered = registered;
            serve(&*files, &request, asker, limits, &trace).await;
        });
        None
    }
}

/// The ERROR packet for what is no request to read.
fn no_request(reason: &RequestError) -> Option<Vec<u8>> {
    match reason {
        RequestError::Write => Some(error(
            ErrorCode::AccessViolation,
            "this server is read-only",
        )),
        RequestError::Mode => Some(error(
            ErrorCode::IllegalOperation,
            "modes are octet and netascii",
        )),
        RequestError::Malformed => None,
    }
}

/// Sends the client what it asked for, or why it does not get it.
async fn serve(
    files: &dyn FileSource,
    request: &ReadRequest,
    asker: Asker,
    limits: Limits,
    trace: &Trace,
) {
    let from = trace.client();
    let local = SocketAddr::from((asker.local, 0));
    let opened = files.open(&request.file, asker).await;
    let opened = match opened.and_then(|opened| in_mode(opened, request.mode)) {
        Ok(opened) => opened,
        Err(reason) => {
            let packet = refusal(&request.file, from, &reason);
            if let Err(error) = refuse(local, trace, &packet).await {
                tracing::debug!(%error, to = %from, "sending a TFTP error");
            }
            return;
        }
    };
    let terms = negotiate(&request.options, opened.content.size(), limits);
    let outcome = send_file(local, &terms, &opened.content, trace).await;
    report(&request.file, from, &opened.content, outcome.as_ref());
    if let (Ok(Outcome::Complete), Some((mac, event))) = (outcome, opened.note) {
        files.arrived(mac, event);
    }
}

/// The ERROR packet for a file that is not served.
fn refusal(file: &str, from: SocketAddrV4, reason: &OpenError) -> Vec<u8> {
    // The name can hold a ticket.
    let file = file.split('?').next().unwrap_or_default();
    match reason {
        OpenError::NotFound => {
            tracing::info!(%from, file, "TFTP file not found");
            error(ErrorCode::NotFound, "no such file")
        }
        OpenError::Refused(refused) => {
            tracing::warn!(%from, file, error = refused as &dyn std::error::Error, "TFTP file refused");
            error(ErrorCode::AccessViolation, &refused.to_string())
        }
        OpenError::Unreadable(_) => {
            tracing::error!(%from, file, error = reason as &dyn std::error::Error, "TFTP file not served");
            error(ErrorCode::NotDefined, UNREADABLE)
        }
    }
}

async fn refuse(local: SocketAddr, trace: &Trace, packet: &[u8]) -> io::Result<()> {
    let socket = UdpSocket::bind(local).await?;
    trace.sent(socket.local_addr()?, packet);
    socket.send_to(packet, trace.client()).await.map(|_| ())
}

fn in_mode(opened: Opened, mode: Mode) -> Result<Opened, OpenError> {
    if mode == Mode::Octet {
        return Ok(opened);
    }
    let size = opened.content.size();
    if size > MAX_NETASCII {
        return Err(OpenError::Unreadable(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "too large for netascii",
        )));
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < size {
        bytes.extend(
            opened
                .content
                .read(bytes.len() as u64, u16::MAX)
                .map_err(OpenError::Unreadable)?,
        );
    }
    Ok(Opened {
        content: Content::Bytes(to_netascii(&bytes)),
        ..opened
    })
}

fn report(file: &str, to: SocketAddrV4, content: &Content, outcome: Result<&Outcome, &io::Error>) {
    let bytes = content.size();
    // The name can hold a ticket.
    let file = file.split('?').next().unwrap_or_default();
    match outcome {
        Ok(Outcome::Complete) => tracing::info!(%to, file, bytes, "TFTP transfer complete"),
        Ok(Outcome::Probed) => tracing::debug!(%to, file, bytes, "TFTP size probe"),
        Ok(outcome) => tracing::warn!(%to, file, ?outcome, "TFTP transfer ended early"),
        Err(error) => tracing::warn!(%to, file, %error, "TFTP transfer failed"),
    }
}

/// Drives one [`Transfer`] to its end.
async fn send_file(
    local: SocketAddr,
    terms: &Negotiated,
    content: &Content,
    trace: &Trace,
) -> io::Result<Outcome> {
    let socket = UdpSocket::bind(local).await?;
    socket.connect(SocketAddr::from(trace.client())).await?;
    let start = Instant::now();
    let (mut transfer, mut action) = Transfer::start(terms, content.size(), Duration::ZERO);
    let (mut buffer, mut received) = ([0u8; MAX_PACKET], 0);
    let mut blocks = Blocks::new(&socket, content, terms.block_size);
    let ours = socket.local_addr()?;
    loop {
        match action {
            Action::Wait => {}
            Action::SendOack => {
                let packet = oack(&terms.accepted);
                trace.sent(ours, &packet);
                send_packet(&socket, &packet).await?;
            }
            Action::SendBlocks { first, count } => match blocks.send(first, count).await {
                Ok(()) => {}
                Err(SendError::Socket(reason)) => return Err(reason),
                Err(SendError::Read(reason)) => {
                    let refusal = error(ErrorCode::NotDefined, UNREADABLE);
                    trace.sent(ours, &refusal);
                    send_packet(&socket, &refusal).await?;
                    return Err(reason);
                }
            },
            Action::Finish(outcome) => {
                let last = buffer.get(..received).unwrap_or_default();
                let told = format!("{outcome:?}: {} bytes in all", content.size());
                trace.received(ours, last, Some(told));
                return Ok(outcome);
            }
        }
        action =
            match tokio::time::timeout_at(start + transfer.deadline(), socket.recv(&mut buffer))
                .await
            {
                Ok(Ok(length)) => {
                    received = length;
                    transfer.on_packet(buffer.get(..length).unwrap_or_default(), start.elapsed())
                }
                // An ICMP error of an earlier packet: a client that restarts may be back in time.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    tokio::time::sleep_until(start + transfer.deadline()).await;
                    transfer.on_time(start.elapsed())
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => transfer.on_time(start.elapsed()),
            };
    }
}
