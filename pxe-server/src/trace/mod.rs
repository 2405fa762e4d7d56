//! The newest packets of each machine, as this server received and sent them: DHCP whole, of TFTP what
//! begins and ends a transfer, of HTTP the heads of requests. In memory only, and bounded.
//!
//! `file` makes a capture of them that other tools open.

mod file;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::mac::MacAddr;

pub use file::{CaptureError, capture};

/// Packets that are kept of a machine.
const PACKETS: usize = 256;
/// Bytes that are kept of all machines; the one that was silent for longest is forgotten first.
const BYTES: usize = 32 * 1024 * 1024;
/// What a packet takes beside its contents, roughly.
const OVERHEAD: usize = 128;

/// How a packet travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// DHCP and TFTP.
    Udp,
    /// HTTP; TLS is not seen.
    Tcp,
}

/// A packet between a machine and this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When, since 1970.
    pub time: Duration,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// How.
    pub transport: Transport,
    /// What it says.
    pub payload: Vec<u8>,
    /// What came of it.
    pub comment: Option<String>,
}

impl Packet {
    /// One that travels now.
    pub fn now(transport: Transport, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Self {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            time: time.unwrap_or_default(),
            from,
            to,
            transport,
            payload: payload.to_vec(),
            comment: None,
        }
    }

    /// With what came of it.
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    fn size(&self) -> usize {
        self.payload.len() + self.comment.as_ref().map_or(0, String::len) + OVERHEAD
    }
}

/// Keeps packets; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    machines: HashMap<MacAddr, Machine>,
    /// Machines by when they were heard of last.
    order: BTreeMap<u64, MacAddr>,
    count: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Machine {
    packets: VecDeque<Packet>,
    last: u64,
}

impl Recorder {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a packet of `mac`.
    pub fn note(&self, mac: MacAddr, packet: Packet) {
        self.kept().note(mac, packet);
    }

    /// What is kept of `mac`, oldest first.
    pub fn packets(&self, mac: MacAddr) -> Vec<Packet> {
        let kept = self.kept();
        let machine = kept.machines.get(&mac);
        machine.map_or_else(Vec::new, |machine| {
            machine.packets.iter().cloned().collect()
        })
    }
}

impl Kept {
    fn note(&mut self, mac: MacAddr, packet: Packet) {
        self.count += 1;
        self.bytes += packet.size();
        let machine = self.machines.entry(mac).or_default();
        self.order.remove(&machine.last);
        machine.last = self.count;
        self.order.insert(self.count, mac);
        machine.packets.push_back(packet);
        if machine.packets.len() > PACKETS
            && let Some(oldest) = machine.packets.pop_front()
        {
            self.bytes -= oldest.size();
        }
        while self.bytes > BYTES
            && let Some((_, silent)) = self.order.pop_first()
        {
            let forgotten = self.machines.remove(&silent).unwrap_or_default();
            self.bytes -= forgotten.packets.iter().map(Packet::size).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn packet(number: u32, size: usize) -> Packet {
        let at = SocketAddrV4::new(Ipv4Addr::from(number), 68);
        Packet::now(Transport::Udp, at, at, &vec![0; size])
    }

    fn mac(number: u32) -> MacAddr {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr([2, 0, a, b, c, d])
    }

    #[test]
    fn the_newest_packets_of_a_machine_are_kept() {
        let recorder = Recorder::default();
        for number in 0..300 {
            recorder.note(mac(1), packet(number, 10));
        }
        let numbers: Vec<u32> = recorder
            .packets(mac(1))
            .iter()
            .map(|packet| (*packet.from.ip()).into())
            .collect();
        assert_eq!(numbers, (44..300).collect::<Vec<u32>>());
        assert!(recorder.packets(mac(2)).is_empty());
    }

    #[test]
    fn memory_is_bounded_and_who_was_silent_for_longest_is_forgotten() {
        let recorder = Recorder::default();
        let size = 100_000;
        recorder.note(mac(0), packet(0, size));
        for number in 1..1000 {
            recorder.note(mac(number), packet(number, size));
            recorder.note(mac(0), packet(0, 1));
        }
        assert!(!recorder.packets(mac(0)).is_empty(), "it is never silent");
        assert!(recorder.packets(mac(1)).is_empty() && !recorder.packets(mac(999)).is_empty());
        let kept = recorder.kept();
        let sum: usize = kept
            .machines
            .values()
            .flat_map(|machine| &machine.packets)
            .map(Packet::size)
            .sum();
        assert!(kept.bytes == sum && sum <= BYTES, "{} {sum}", kept.bytes);
        assert_eq!(kept.order.len(), kept.machines.len());
    }
}
