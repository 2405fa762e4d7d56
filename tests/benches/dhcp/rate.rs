//! Sends DISCOVERs at a steady rate through one relay's socket and times their OFFERs, from the
//! moment at which each was due: a server that makes the driver wait does not look better for it.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{DRIVER, SERVER};

/// How long the last answers are waited for.
const LINGER: Duration = Duration::from_secs(2);

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) median: Duration,
    pub(super) p99: Duration,
    pub(super) slowest: Duration,
    pub(super) lost: u32,
}

/// `machines` clients, each asking once, `rate` a second.
pub(super) fn drive(machines: u32, rate: u32) -> Result<Run> {
    let socket = UdpSocket::bind((DRIVER, 67)).context("listening for answers to relays")?;
    socket.set_read_timeout(Some(LINGER))?;
    let receiver = socket.try_clone()?;
    let started = Instant::now();
    let answers = std::thread::spawn(move || receive(&receiver, machines));
    for number in 0..machines {
        let due = started + Duration::from_secs(1) * number / rate;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        socket.send_to(&discover(number), (SERVER, 67))?;
    }
    let answers = answers
        .join()
        .map_err(|_| anyhow::anyhow!("the receiver has panicked"))?;
    let mut times: Vec<Duration> = answers
        .iter()
        .map(|(number, at)| *at - (started + Duration::from_secs(1) * *number / rate))
        .collect();
    times.sort_unstable();
    let at = |hundredths: usize| {
        let place = times.len().saturating_sub(1) * hundredths / 100;
        times.get(place).copied().unwrap_or_default()
    };
    Ok(Run {
        median: at(50),
        p99: at(99),
        slowest: at(100),
        lost: machines - u32::try_from(times.len())?,
    })
}

/// The first answer to each, with its time.
fn receive(socket: &UdpSocket, machines: u32) -> Vec<(u32, Instant)> {
    let mut buffer = [0u8; 2048];
    let mut answers = Vec::new();
    while answers.len() < machines as usize {
        let Ok(length) = socket.recv(&mut buffer) else {
            break;
        };
        let at = Instant::now();
        let xid = buffer.get(4..8).filter(|_| length >= 240);
        if let Some(Ok(xid)) = xid.map(<[u8; 4]>::try_from) {
            answers.push((u32::from_be_bytes(xid), at));
        }
    }
    answers
}

/// What the ROM of a BIOS machine sends, as its relay passes it on.
fn discover(number: u32) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 1];
    packet.extend_from_slice(&number.to_be_bytes());
    packet.resize(24, 0);
    packet.extend_from_slice(&[10, 64, 0, 3]);
    packet.extend_from_slice(&[2, 0x53]);
    packet.extend_from_slice(&number.to_be_bytes());
    packet.resize(236, 0);
    packet.extend_from_slice(&[99, 130, 83, 99, 53, 1, 1, 93, 2, 0, 0, 60, 32]);
    packet.extend_from_slice(b"PXEClient:Arch:00000:UNDI:002001");
    packet.extend_from_slice(&[55, 6, 1, 3, 6, 15, 66, 67, 255]);
    packet
}
