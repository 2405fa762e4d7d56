//! Reads a file by TFTP (RFC 1350) with the options blksize (RFC 2348), tsize (RFC 2349) and
//! windowsize (RFC 7440), and the block number that goes on at 0 after 65535 as servers do.
//!
//! Only reading; what arrives is checked by the caller.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;

const PORT: u16 = 69;
const RRQ: u16 = 1;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;
/// Block size without the option (RFC 1350), and what is asked for: what fits an Ethernet frame.
const SMALL_BLOCK: usize = 512;
const BLOCK: usize = 1428;
const WINDOW: u16 = 16;
/// Largest datagram that is read.
const MAX_PACKET: usize = 4 + BLOCK;
/// Error codes after which another try is of no use: no such file, access violation, no such user.
const FINAL: [u16; 3] = [1, 2, 7];

/// How patient a transfer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Time until what was sent last is sent again.
    pub(super) timeout: Duration,
    /// How often that is done in a row.
    pub(super) tries: u32,
}

impl Patience {
    /// For real networks: half a minute without a word.
    pub(super) const NETWORK: Self = Self {
        timeout: Duration::from_secs(3),
        tries: 10,
    };
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TftpError {
    /// A URL without host or path.
    #[error("not a TFTP URL with host and path")]
    Url,
    /// No name, no route, no answer.
    #[error("cannot talk to the server")]
    Socket(#[source] io::Error),
    /// The server said no.
    #[error("server answered error {code}: {message}")]
    Refused {
        /// Its code (RFC 1350 section 5).
        code: u16,
        /// Its words.
        message: String,
    },
    /// An answer that is none.
    #[error("server sent something that is not TFTP")]
    Protocol,
}

impl TftpError {
    /// Whether another try cannot end better.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Url => true,
            Self::Refused { code, .. } => FINAL.contains(code),
            _ => false,
        }
    }
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    socket: UdpSocket,
    /// Where the server answers from; known from its first packet on.
    peer: Option<SocketAddr>,
    server: SocketAddr,
    patience: Patience,
    block: usize,
    window: u16,
    /// The last block that was taken, and how many since the last acknowledgement.
    taken: u16,
    unacknowledged: u16,
    /// A block is missing, and the server was told.
    gap: bool,
    last_sent: Vec<u8>,
    ready: Vec<u8>,
    position: usize,
    ended: bool,
}

enum Packet {
    Data(u16, Vec<u8>),
    Options(BTreeMap<String, String>),
}

impl Transfer {
    /// Asks for the file at `url`. The first packet has arrived when this returns.
    pub(super) fn open(url: &str, patience: Patience) -> Result<Self, TftpError> {
        let url = Url::parse(url).map_err(|_| TftpError::Url)?;
        let host = url.host_str().ok_or(TftpError::Url)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let path = percent_decode_str(url.path().trim_start_matches('/')).collect::<Vec<u8>>();
        if path.is_empty() || path.contains(&0) {
            return Err(TftpError::Url);
        }
        let server = (host, url.port().unwrap_or(PORT))
            .to_socket_addrs()
            .and_then(|mut all| all.next().ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(TftpError::Socket)?;
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => ([0u8; 4], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any).map_err(TftpError::Socket)?;
        socket
            .set_read_timeout(Some(patience.timeout))
            .map_err(TftpError::Socket)?;
        let mut transfer = Self {
            socket,
            peer: None,
            server,
            patience,
            block: SMALL_BLOCK,
            window: 1,
            taken: 0,
            unacknowledged: 0,
            gap: false,
            last_sent: Vec::new(),
            ready: Vec::new(),
            position: 0,
            ended: false,
        };
        transfer.send(request(&path))?;
        match transfer.receive()? {
            Packet::Options(options) => transfer.accept(&options)?,
            Packet::Data(number, bytes) => transfer.take_block(number, bytes)?,
        }
        Ok(transfer)
    }

    /// Takes over what the server agreed to; it may ask for less, and for nothing else.
    fn accept(&mut self, options: &BTreeMap<String, String>) -> Result<(), TftpError> {
        let number = |name: &str| options.get(name).map(|value| value.parse::<u16>());
        if let Some(block) = number("blksize") {
            let block = usize::from(block.map_err(|_| TftpError::Protocol)?);
            if !(8..=BLOCK).contains(&block) {
                return Err(TftpError::Protocol);
            }
            self.block = block;
        }
        if let Some(window) = number("windowsize") {
            let window = window.map_err(|_| TftpError::Protocol)?;
            if !(1..=WINDOW).contains(&window) {
                return Err(TftpError::Protocol);
            }
            self.window = window;
        }
        self.acknowledge()
    }

    /// Takes a block if it is the next one, and acknowledges at a window's end, at the file's, and
    /// when one is missing.
    fn take_block(&mut self, number: u16, bytes: Vec<u8>) -> Result<(), TftpError> {
        let ahead = number.wrapping_sub(self.taken.wrapping_add(1));
        if ahead > 0 {
            // An echo is not answered, or both sides would go on doubling. A gap is, once: the
            // server goes on behind the block that is named (RFC 7440 section 4).
            if ahead < WINDOW && !self.gap {
                self.gap = true;
                return self.acknowledge();
            }
            return Ok(());
        }
        self.gap = false;
        if bytes.len() > self.block {
            return Err(TftpError::Protocol);
        }
        self.taken = number;
        self.unacknowledged += 1;
        self.ended = bytes.len() < self.block;
        self.ready = bytes;
        self.position = 0;
        if self.ended || self.unacknowledged >= self.window {
            return self.acknowledge();
        }
        Ok(())
    }

    fn acknowledge(&mut self) -> Result<(), TftpError> {
        self.unacknowledged = 0;
        self.send([ACK.to_be_bytes(), self.taken.to_be_bytes()].concat())
    }

    fn send(&mut self, packet: Vec<u8>) -> Result<(), TftpError> {
        let to = self.peer.unwrap_or(self.server);
        self.last_sent = packet;
        self.socket
            .send_to(&self.last_sent, to)
            .map(|_| ())
            .map_err(TftpError::Socket)
    }

    /// The next packet of this transfer; what was sent last is sent again when none comes.
    fn receive(&mut self) -> Result<Packet, TftpError> {
        let mut buffer = [0u8; MAX_PACKET + 1];
        let mut tries = 0;
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let known = self.peer.is_none_or(|peer| peer == from);
                    if from.ip() != self.server.ip() || !known {
                        continue;
                    }
                    self.peer = Some(from);
                    return parse(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if is_timeout(&error) && tries < self.patience.tries => {
                    tries += 1;
                    if self.unacknowledged > 0 {
                        self.acknowledge()?;
                    } else {
                        self.send(self.last_sent.clone())?;
                    }
                }
                Err(error) => return Err(TftpError::Socket(error)),
            }
        }
    }
}

impl Read for Transfer {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.position == self.ready.len() {
            if self.ended || out.is_empty() {
                return Ok(0);
            }
            match self.receive().map_err(io::Error::other)? {
                Packet::Data(number, bytes) => {
                    self.take_block(number, bytes).map_err(io::Error::other)?
                }
                // Our first acknowledgement was lost.
                Packet::Options(_) if self.taken == 0 => {
                    self.acknowledge().map_err(io::Error::other)?;
                }
                Packet::Options(_) => return Err(io::Error::other(TftpError::Protocol)),
            }
        }
        let rest = self.ready.get(self.position..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.position += count;
        Ok(count)
    }
}

fn request(path: &[u8]) -> Vec<u8> {
    let mut packet = RRQ.to_be_bytes().to_vec();
    let (block, window) = (BLOCK.to_string(), WINDOW.to_string());
    let words = [
        path,
        b"octet",
        b"blksize",
        block.as_bytes(),
        b"windowsize",
        window.as_bytes(),
        b"tsize",
        b"0",
    ];
    for word in words {
        packet.extend_from_slice(word);
        packet.push(0);
    }
    packet
}

fn parse(packet: &[u8]) -> Result<Packet, TftpError> {
    let number = |at: usize| {
        let bytes = packet.get(at..at + 2).and_then(|b| b.try_into().ok());
        bytes.map(u16::from_be_bytes).ok_or(TftpError::Protocol)
    };
    match number(0)? {
        DATA => {
            let bytes = packet.get(4..).unwrap_or_default();
            Ok(Packet::Data(number(2)?, bytes.to_vec()))
        }
        OACK => {
            let text = String::from_utf8_lossy(packet.get(2..).unwrap_or_default());
            let words: Vec<&str> = text.split_terminator('\0').collect();
            let pairs = words.chunks_exact(2).filter_map(|pair| match pair {
                [name, value] => Some((name.to_ascii_lowercase(), (*value).to_owned())),
                _ => None,
            });
            Ok(Packet::Options(pairs.collect()))
        }
        ERROR => {
            let text = String::from_utf8_lossy(packet.get(4..).unwrap_or_default());
            Err(TftpError::Refused {
                code: number(2)?,
                message: text.trim_end_matches('\0').to_owned(),
            })
        }
        _ => Err(TftpError::Protocol),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests;
