//! Sends what a transfer decided on: single packets, and runs of blocks, many to a system call where
//! the kernel cuts them apart (UDP_SEGMENT, udp(7)).

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::tftp::Content;
use crate::tftp::transfer::low_16;

/// DATA and the block's number.
const HEADER: usize = 4;
/// Most packets that every kernel cuts out of one buffer (`UDP_MAX_SEGMENTS`).
const MAX_SEGMENTS: usize = 64;
/// Most bytes of such a buffer: what one packet could carry over IPv4.
const MAX_BYTES: usize = 65_507;

/// Why blocks were not sent.
#[derive(Debug)]
pub(super) enum SendError {
    /// They cannot be read.
    Read(io::Error),
    /// The socket failed.
    Socket(io::Error),
}

/// The blocks of one content, on their way to one client.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    socket: &'a UdpSocket,
    content: &'a Content,
    block_size: u16,
    /// Blocks for one system call.
    at_once: usize,
    buffer: Vec<u8>,
}

impl<'a> Blocks<'a> {
    /// Blocks of `block_size` bytes for the peer of `socket`.
    pub(super) fn new(socket: &'a UdpSocket, content: &'a Content, block_size: u16) -> Self {
        let packet = usize::from(block_size) + HEADER;
        Self {
            socket,
            content,
            block_size,
            at_once: (MAX_BYTES / packet).clamp(1, MAX_SEGMENTS),
            buffer: Vec::new(),
        }
    }

    /// Sends `count` blocks from number `first` on, counted from 1.
    pub(super) async fn send(&mut self, first: u64, count: u16) -> Result<(), SendError> {
        let end = first + u64::from(count);
        let mut next = first;
        while next < end {
            let left = usize::try_from(end - next).unwrap_or(usize::MAX);
            let run = left.min(self.at_once);
            self.fill(next, run).map_err(SendError::Read)?;
            match self.send_buffer(run).await {
                Ok(()) => next += run as u64,
                // The kernel, the device or the path cannot: from here on it is one at a time.
                Err(_) if run > 1 => self.at_once = 1,
                Err(error) => return Err(SendError::Socket(error)),
            }
        }
        Ok(())
    }

    /// Puts `run` packets one behind the other; only the last can be shorter than the others.
    fn fill(&mut self, first: u64, run: usize) -> io::Result<()> {
        let size = usize::from(self.block_size);
        let offset = (first - 1) * u64::from(self.block_size);
        let wanted = u16::try_from(run * size).map_err(io::Error::other)?;
        let bytes = self.content.read(offset, wanted)?;
        self.buffer.clear();
        for (number, block) in (first..).zip(0..run) {
            self.buffer.extend_from_slice(&[0, 3]);
            self.buffer.extend_from_slice(&low_16(number).to_be_bytes());
            let rest = bytes.get(block * size..).unwrap_or_default();
            self.buffer
                .extend_from_slice(rest.get(..size).unwrap_or(rest));
        }
        Ok(())
    }

    async fn send_buffer(&self, run: usize) -> io::Result<()> {
        if run == 1 {
            return send_packet(self.socket, &self.buffer).await;
        }
        let segment = u16::try_from(usize::from(self.block_size) + HEADER);
        let segment = segment.map_err(io::Error::other)?;
        let descriptor = self.socket.as_raw_fd();
        let sent = self.socket.async_io(Interest::WRITABLE, || {
            let cut = [ControlMessage::UdpGsoSegments(&segment)];
            let whole = [IoSlice::new(&self.buffer)];
            sendmsg::<()>(descriptor, &whole, &cut, MsgFlags::empty(), None)
                .map_err(io::Error::from)
        });
        lost_is_sent(sent.await.map(drop))
    }
}

/// Sends one packet.
pub(super) async fn send_packet(socket: &UdpSocket, packet: &[u8]) -> io::Result<()> {
    lost_is_sent(socket.send(packet).await.map(drop))
}

/// The client's port is closed, or a queue is full: as good as lost, and the timer sends again.
fn lost_is_sent(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error)
            if [Errno::ECONNREFUSED, Errno::ENOBUFS, Errno::ENOMEM]
                .iter()
                .any(|lost| error.raw_os_error() == Some(*lost as i32)) =>
        {
            Ok(())
        }
        sent => sent,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn pair() -> (UdpSocket, UdpSocket) {
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        server.connect(client.local_addr().unwrap()).await.unwrap();
        (server, client)
    }

    async fn next(client: &UdpSocket) -> Vec<u8> {
        let mut packet = vec![0; 70_000];
        let wait = Duration::from_secs(20);
        let received = tokio::time::timeout(wait, client.recv(&mut packet)).await;
        packet.truncate(received.unwrap().unwrap());
        packet
    }

    /// Sends blocks and looks at each packet.
    async fn check(size: u64, block_size: u16, runs: &[(u64, u16)], at_once: Option<usize>) {
        let bytes: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        let content = Content::Bytes(bytes.clone());
        let (server, client) = pair().await;
        let mut blocks = Blocks::new(&server, &content, block_size);
        blocks.at_once = at_once.unwrap_or(blocks.at_once);
        for (first, count) in runs {
            blocks.send(*first, *count).await.unwrap();
            for number in *first..first + u64::from(*count) {
                let from = usize::try_from(number - 1).unwrap() * usize::from(block_size);
                let to = bytes.len().min(from + usize::from(block_size));
                let packet = next(&client).await;
                let low = u16::try_from(number % 65_536).unwrap().to_be_bytes();
                assert_eq!(packet[..4], [0, 3, low[0], low[1]], "of {size}");
                assert_eq!(packet[4..], bytes[from..to], "block {number} of {size}");
            }
        }
    }

    #[tokio::test]
    async fn blocks_arrive_as_packets_of_their_own_however_many_are_sent_at_once() {
        for at_once in [None, Some(1), Some(3)] {
            check(100, 512, &[(1, 1)], at_once).await;
            check(512, 512, &[(1, 2)], at_once).await;
            check(1428 * 7, 1428, &[(1, 8)], at_once).await;
            check(
                1428 * 100 + 1,
                1428,
                &[(1, 64), (37, 64), (65, 37)],
                at_once,
            )
            .await;
            check(40_000, 8, &[(4_901, 100)], at_once).await;
        }
        check(140_000, 60_000, &[(1, 2), (3, 1)], None).await;
        check(8 * 70_000, 8, &[(65_530, 10)], None).await;
    }

    #[tokio::test]
    async fn packets_that_no_path_takes_together_are_sent_one_by_one() {
        let content = Content::Bytes(vec![7; 20_000]);
        let (server, client) = pair().await;
        let mut blocks = Blocks::new(&server, &content, 1428);
        blocks.at_once = 200;
        // More segments than the kernel cuts: it refuses, and nothing is lost.
        blocks.block_size = 100;
        blocks.send(1, 200).await.unwrap();
        assert_eq!(blocks.at_once, 1);
        for number in 1..=200u8 {
            assert_eq!(next(&client).await[..4], [0, 3, 0, number]);
        }
    }

    #[tokio::test]
    async fn a_client_that_is_gone_is_no_error_and_a_file_that_shrank_is() {
        let (server, client) = pair().await;
        drop(client);
        let content = Content::Bytes(vec![7; 20_000]);
        let mut blocks = Blocks::new(&server, &content, 512);
        for first in [1, 9, 17] {
            blocks.send(first, 8).await.unwrap();
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let content = Content::File(file, 2000);
        let mut blocks = Blocks::new(&server, &content, 512);
        let outcome = blocks.send(1, 2).await;
        assert!(matches!(outcome, Err(SendError::Read(_))), "{outcome:?}");
    }
}
