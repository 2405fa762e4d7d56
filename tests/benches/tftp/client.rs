//! Clients of TFTP: as many transfers at once as are asked for, by one thread, each with its own
//! socket. Every byte is compared. Loss and distance are made here, for every server alike: not every
//! kernel can make them.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long an answer is waited for before the last packet is sent again.
const PAUSE: Duration = Duration::from_secs(1);
/// A transfer that gets nowhere for so long has failed.
const SILENCE: Duration = Duration::from_secs(30);
/// What one socket may hold: a window of 64 and what the kernel counts beside it.
const BUFFER: usize = 1 << 20;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) block_size: u16,
    pub(crate) window: u16,
    /// Of 1,000 packets, so many are lost in each direction.
    pub(crate) lost: u32,
    /// What is added to each round trip.
    pub(crate) delay: Duration,
}

/// What came of a run of transfers.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How long each took that arrived, sorted.
    pub(crate) times: Vec<Duration>,
    pub(crate) failed: usize,
    /// DATA packets that the server sent.
    pub(crate) packets: u64,
}

/// A sequence of numbers that is the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn is_lost(&mut self, of_thousand: u32) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 1000 < u64::from(of_thousand)
    }
}

struct Transfer<'a> {
    socket: UdpSocket,
    peer: SocketAddr,
    /// The port that answers; the server's own until it does.
    from: Option<SocketAddr>,
    expected: &'a [u8],
    block_size: usize,
    window: u16,
    /// Blocks that came in order, and how many since the last acknowledgement.
    blocks: u64,
    since: u16,
    /// An out-of-order block was answered; the next is not, until one is in order.
    answered: bool,
    last: Vec<u8>,
    sent: Instant,
    heard: Instant,
    packets: u64,
    done: bool,
}

enum Next {
    Wait,
    Answer,
    Done,
}

/// Fetches `file` `count` times at once from the server at `peer`.
pub(crate) fn run(
    peer: SocketAddr,
    file: &str,
    expected: &[u8],
    terms: Terms,
    count: usize,
) -> Result<Outcome> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut outcome = Outcome::default();
    let began = Instant::now();
    let mut running = Vec::new();
    for _ in 0..count {
        running.push(Transfer::begin(peer, file, expected, terms)?);
    }
    let mut buffer = vec![0; usize::from(u16::MAX)];
    while !running.is_empty() {
        let mut waiting: Vec<PollFd<'_>> = running
            .iter()
            .map(|transfer| PollFd::new(transfer.socket.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut waiting, PollTimeout::from(100u8)).context("waiting for packets")?;
        let ready: Vec<bool> = waiting.iter().map(|fd| fd.any() == Some(true)).collect();
        for (transfer, ready) in running.iter_mut().zip(ready) {
            if ready {
                transfer.receive(&mut buffer, terms, &mut dice)?;
            }
            if !transfer.done && transfer.sent.elapsed() >= PAUSE {
                transfer.send()?;
            }
        }
        running.retain(|transfer| {
            let is_over = transfer.done || transfer.heard.elapsed() >= SILENCE;
            if is_over {
                outcome.packets += transfer.packets;
                match transfer.done {
                    true => outcome.times.push(began.elapsed()),
                    false => outcome.failed += 1,
                }
            }
            !is_over
        });
    }
    outcome.times.sort_unstable();
    Ok(outcome)
}

impl<'a> Transfer<'a> {
    fn begin(peer: SocketAddr, file: &str, expected: &'a [u8], terms: Terms) -> Result<Self> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_nonblocking(true)?;
        // Bounded by net.core.rmem_max; the default is enough for small windows.
        let _ =
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &BUFFER);
        let (size, window) = (terms.block_size.to_string(), terms.window.to_string());
        let mut last = vec![0, 1];
        let mut words = vec![file, "octet", "blksize", &size];
        if terms.window > 1 {
            words.extend(["windowsize", &window]);
        }
        for word in words {
            last.extend_from_slice(word.as_bytes());
            last.push(0);
        }
        let now = Instant::now();
        let mut transfer = Self {
            socket,
            peer,
            from: None,
            expected,
            block_size: 512,
            window: 1,
            blocks: 0,
            since: 0,
            answered: false,
            last,
            sent: now,
            heard: now,
            packets: 0,
            done: false,
        };
        transfer.send()?;
        Ok(transfer)
    }

    fn send(&mut self) -> Result<()> {
        self.sent = Instant::now();
        let sent = self
            .socket
            .send_to(&self.last, self.from.unwrap_or(self.peer));
        match sent {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            sent => sent.map(drop).context("sending"),
        }
    }

    /// Takes all that is there.
    fn receive(&mut self, buffer: &mut [u8], terms: Terms, dice: &mut Dice) -> Result<()> {
        while !self.done {
            let (length, from) = match self.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error).context("receiving"),
            };
            if self.from.is_some_and(|known| known != from) {
                continue;
            }
            let packet = buffer.get(..length).unwrap_or_default();
            self.packets += u64::from(packet.starts_with(&[0, 3]));
            if dice.is_lost(terms.lost) {
                continue;
            }
            self.from = Some(from);
            let next = self.take(packet)?;
            if matches!(next, Next::Wait) {
                continue;
            }
            self.done = matches!(next, Next::Done);
            let number = u16::try_from(self.blocks % 65_536).unwrap_or_default();
            self.last = [[0, 4], number.to_be_bytes()].concat();
            if !terms.delay.is_zero() {
                std::thread::sleep(terms.delay);
            }
            if dice.is_lost(terms.lost) && !self.done {
                self.sent = Instant::now();
            } else {
                self.send()?;
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: &[u8]) -> Result<Next> {
        match packet {
            [0, 6, options @ ..] => {
                // Sent again, its acknowledgement was lost.
                if self.blocks == 0 {
                    self.negotiated(options);
                    self.heard = Instant::now();
                    return Ok(Next::Answer);
                }
                Ok(Next::Wait)
            }
            [0, 3, high, low, data @ ..] => self.block(u16::from_be_bytes([*high, *low]), data),
            [0, 5, _, code, text @ ..] => {
                bail!("TFTP error {code}: {}", String::from_utf8_lossy(text))
            }
            _ => Ok(Next::Wait),
        }
    }

    fn block(&mut self, number: u16, data: &[u8]) -> Result<Next> {
        let wanted = u16::try_from((self.blocks + 1) % 65_536).unwrap_or_default();
        if number != wanted {
            self.since = 0;
            // RFC 7440: one answer to a gap.
            let answer = !std::mem::replace(&mut self.answered, true);
            return Ok(if answer { Next::Answer } else { Next::Wait });
        }
        let from = usize::try_from(self.blocks)? * self.block_size;
        let expected = self.expected.get(from..from + data.len());
        ensure!(
            expected == Some(data),
            "block {} is not as in the file",
            self.blocks + 1
        );
        self.blocks += 1;
        self.since += 1;
        self.answered = false;
        self.heard = Instant::now();
        if data.len() < self.block_size {
            ensure!(from + data.len() == self.expected.len(), "the file was cut");
            return Ok(Next::Done);
        }
        if self.since < self.window {
            return Ok(Next::Wait);
        }
        self.since = 0;
        Ok(Next::Answer)
    }

    fn negotiated(&mut self, options: &[u8]) {
        let words: Vec<&[u8]> = options.split(|byte| *byte == 0).collect();
        for pair in words.chunks_exact(2) {
            let [name, value] = pair else { continue };
            let value = std::str::from_utf8(value).ok();
            match (
                name.to_ascii_lowercase().as_slice(),
                value.and_then(|value| value.parse().ok()),
            ) {
                (b"blksize", Some(size)) => self.block_size = size,
                (b"windowsize", Some(window)) => {
                    self.window = u16::try_from(window).unwrap_or(1).max(1);
                }
                _ => {}
            }
        }
    }
}
