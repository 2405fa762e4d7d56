//! Fetches a file by TFTP as firmware does: blocks of 1468 bytes, four in a window (RFC 7440), each
//! acknowledgement repeated after a second without an answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

const BLOCK_SIZE: usize = 1468;
const WINDOW: u16 = 4;
/// How long an answer is waited for before the last packet is sent again.
const PAUSE: Duration = Duration::from_secs(1);

/// Size of the fetched file, bytes, and how many packets were sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) bytes: u64,
    pub(super) repeated: u32,
}

/// Where a transfer is.
#[derive(Debug)]
struct Receiving {
    block_size: usize,
    window: u16,
    /// The last block that came in order.
    last: u16,
    /// Blocks since the last acknowledgement.
    in_window: u16,
    bytes: u64,
}

/// What to do after a packet.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    Acknowledge,
    Done,
}

impl Receiving {
    fn new() -> Self {
        Self {
            block_size: 512,
            window: 1,
            last: 0,
            in_window: 0,
            bytes: 0,
        }
    }

    fn take(&mut self, packet: &[u8]) -> io::Result<Next> {
        match packet {
            [0, 6, options @ ..] => {
                self.negotiated(options);
                Ok(Next::Acknowledge)
            }
            [0, 3, high, low, data @ ..] => {
                if u16::from_be_bytes([*high, *low]) != self.last.wrapping_add(1) {
                    // A gap, or a block again: the server goes on after the last one in order.
                    self.in_window = 0;
                    return Ok(Next::Acknowledge);
                }
                self.last = self.last.wrapping_add(1);
                self.in_window += 1;
                self.bytes += data.len() as u64;
                if data.len() < self.block_size {
                    return Ok(Next::Done);
                }
                if self.in_window < self.window {
                    return Ok(Next::Wait);
                }
                self.in_window = 0;
                Ok(Next::Acknowledge)
            }
            [0, 5, _, code, text @ ..] => {
                let text = String::from_utf8_lossy(text);
                let text = text.trim_end_matches('\0');
                Err(io::Error::other(format!("TFTP error {code}: {text}")))
            }
            _ => Ok(Next::Wait),
        }
    }

    fn negotiated(&mut self, options: &[u8]) {
        let words: Vec<&[u8]> = options.split(|byte| *byte == 0).collect();
        for pair in words.chunks_exact(2) {
            let [name, value] = pair else { continue };
            let value: Option<u16> = std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
            match (name.to_ascii_lowercase().as_slice(), value) {
                (b"blksize", Some(size)) => self.block_size = size.into(),
                (b"windowsize", Some(window)) => self.window = window.max(1),
                _ => {}
            }
        }
    }

    fn acknowledgement(&self) -> Vec<u8> {
        let [high, low] = self.last.to_be_bytes();
        vec![0, 4, high, low]
    }
}

/// Fetches `file` from the server at `to`.
pub(super) async fn fetch(to: SocketAddr, file: &str, patience: Duration) -> io::Result<Fetched> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await?;
    let end = Instant::now() + patience;
    let mut receiving = Receiving::new();
    let mut packet = request(file);
    let mut peer = to;
    let mut buffer = [0u8; 2048];
    let mut repeated = 0;
    socket.send_to(&packet, peer).await?;
    loop {
        let until = end.min(Instant::now() + PAUSE);
        let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await else {
            if Instant::now() >= end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            repeated += 1;
            socket.send_to(&packet, peer).await?;
            continue;
        };
        let (length, from) = received?;
        // The transfer's own port is the one that the first answer comes from.
        if from.ip() != to.ip() || (peer != to && from != peer) {
            continue;
        }
        peer = from;
        let next = receiving.take(buffer.get(..length).unwrap_or_default())?;
        if next == Next::Wait {
            continue;
        }
        packet = receiving.acknowledgement();
        socket.send_to(&packet, peer).await?;
        if next == Next::Done {
            let bytes = receiving.bytes;
            return Ok(Fetched { bytes, repeated });
        }
    }
}

fn request(file: &str) -> Vec<u8> {
    let mut packet = vec![0, 1];
    let (size, window) = (BLOCK_SIZE.to_string(), WINDOW.to_string());
    for word in [
        file,
        "octet",
        "tsize",
        "0",
        "blksize",
        &size,
        "windowsize",
        &window,
    ] {
        packet.extend_from_slice(word.as_bytes());
        packet.push(0);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_acknowledged_whole_and_a_gap_at_once() {
        let mut receiving = Receiving::new();
        let oack = b"\0\x06tsize\x0010\0blksize\x004\0windowsize\x002\0";
        assert_eq!(receiving.take(oack).unwrap(), Next::Acknowledge);
        let block = |number: u8, data: &[u8]| [&[0, 3, 0, number], data].concat();
        assert_eq!(receiving.take(&block(1, b"abcd")).unwrap(), Next::Wait);
        assert_eq!(
            receiving.take(&block(3, b"ijkl")).unwrap(),
            Next::Acknowledge
        );
        assert_eq!(receiving.acknowledgement(), [0, 4, 0, 1]);
        assert_eq!(receiving.take(&block(2, b"efgh")).unwrap(), Next::Wait);
        assert_eq!(receiving.take(&block(3, b"ij")).unwrap(), Next::Done);
        assert_eq!(receiving.bytes, 10);
        let error = receiving.take(b"\0\x05\0\x01no\0").unwrap_err();
        assert_eq!(error.to_string(), "TFTP error 1: no");
    }
}
