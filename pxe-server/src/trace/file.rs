//! A capture file (pcapng, draft-ietf-opsawg-pcapng) of packets, with IP, UDP and TCP headers that are
//! made here: this server sees what is in them, not them.
//!
//! In TCP only what machines ask is there; sequence numbers count it, so that tools read one request
//! after the other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddrV4;

use etherparse::PacketBuilder;
use etherparse::err::packet::BuildVecWriteError;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, PcapError};

use super::{Packet, Transport};

/// Times are in nanoseconds: ten to the power of minus this.
const NANOSECONDS: u8 = 9;
const TIME_TO_LIVE: u8 = 64;
const WINDOW: u16 = u16::MAX;

/// Why no capture could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A block could not be written.
    #[error("the capture could not be written")]
    Block(#[source] PcapError),
    /// A packet is longer than any can be.
    #[error("a packet from {from} is too long")]
    Packet {
        /// Who sent it.
        from: SocketAddrV4,
        /// Cause.
        #[source]
        source: BuildVecWriteError,
    },
}

/// The file that holds `packets`.
pub fn capture(packets: &[Packet]) -> Result<Vec<u8>, CaptureError> {
    let mut writer = PcapNgWriter::new(Vec::new()).map_err(CaptureError::Block)?;
    let interface = InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(NANOSECONDS)],
    };
    writer
        .write_pcapng_block(interface)
        .map_err(CaptureError::Block)?;
    let mut sequences = HashMap::new();
    for packet in packets {
        let data = frame(packet, &mut sequences).map_err(|source| CaptureError::Packet {
            from: packet.from,
            source,
        })?;
        let comment = packet.comment.as_deref();
        let options = comment.map(|text| EnhancedPacketOption::Comment(Cow::Borrowed(text)));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: packet.time,
            original_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            data: Cow::Owned(data),
            options: options.into_iter().collect(),
        };
        writer
            .write_pcapng_block(block)
            .map_err(CaptureError::Block)?;
    }
    Ok(writer.into_inner())
}

/// The packet with its headers.
fn frame(
    packet: &Packet,
    sequences: &mut HashMap<(SocketAddrV4, SocketAddrV4), u32>,
) -> Result<Vec<u8>, BuildVecWriteError> {
    let Packet {
        from, to, payload, ..
    } = packet;
    let ip = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), TIME_TO_LIVE);
    let mut data = Vec::new();
    match packet.transport {
        Transport::Udp => {
            let udp = ip.udp(from.port(), to.port());
            udp.write_to_vec(&mut data, payload)?;
        }
        Transport::Tcp => {
            let sequence = sequences.entry((*from, *to)).or_insert(1);
            let tcp = ip
                .tcp(from.port(), to.port(), *sequence, WINDOW)
                .psh()
                .ack(1);
            tcp.write_to_vec(&mut data, payload)?;
            let length = u32::try_from(payload.len()).unwrap_or_default();
            *sequence = sequence.wrapping_add(length);
        }
    }
    Ok(data)
}
