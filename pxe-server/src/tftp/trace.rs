//! What is kept of a transfer for a capture: the request, what answers it first, and the client's last
//! packet with what came of all of it.

use std::net::{SocketAddr, SocketAddrV4};

use crate::mac::MacAddr;
use crate::trace::{Packet, Recorder, Transport};

/// Keeps packets of one transfer, if it is known whose it is.
#[derive(Debug)]
pub(super) struct Trace {
    recorder: Recorder,
    machine: Option<MacAddr>,
    client: SocketAddrV4,
}

impl Trace {
    /// Of a transfer to `client`.
    pub(super) fn new(recorder: &Recorder, machine: Option<MacAddr>, client: SocketAddrV4) -> Self {
        Self {
            recorder: recorder.clone(),
            machine,
            client,
        }
    }

    /// Who asks.
    pub(super) fn client(&self) -> SocketAddrV4 {
        self.client
    }

    /// Keeps what the client sent to us at `to`.
    pub(super) fn received(&self, to: SocketAddr, packet: &[u8], comment: Option<String>) {
        if let (Some(mac), SocketAddr::V4(to)) = (self.machine, to) {
            let mut packet = Packet::now(Transport::Udp, self.client, to, packet);
            packet.comment = comment;
            self.recorder.note(mac, packet);
        }
    }

    /// Keeps what we sent from `from`.
    pub(super) fn sent(&self, from: SocketAddr, packet: &[u8]) {
        if let (Some(mac), SocketAddr::V4(from)) = (self.machine, from) {
            let packet = Packet::now(Transport::Udp, from, self.client, packet);
            self.recorder.note(mac, packet);
        }
    }
}
