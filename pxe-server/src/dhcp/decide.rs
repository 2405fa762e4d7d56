//! What a boot client is answered, and to which address: the three shapes of a proxy's answer
//! (BIOS ROM, UEFI by way of port 4011, iPXE) and that of UEFI HTTP boot.

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use crate::boot::{Firmware, HttpPorts, Programs, Scheme, Schemes, Transport, boot_path};
use crate::dhcp::answer::{Answer, BootInfo};
use crate::dhcp::lease::NoLease;
use crate::dhcp::request::{BootRequest, Envelope, Kind, ParseError};
use crate::mac::MacAddr;
use crate::machine::{BootClient, Event, Facts};

/// The flag by which a client asks for a broadcast (RFC 2131 figure 2).
pub(super) const BROADCAST: u16 = 0x8000;

/// The port that a packet came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// 67, where every DHCP server hears the client's broadcasts.
    Dhcp,
    /// 4011, the PXE boot server.
    BootServer,
}

/// What the decision depends on beside the packet.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The port that the packet came to.
    pub service: Service,
    /// Our address on the interface that the packet came in on.
    pub address: Ipv4Addr,
    /// Our address on that interface, whatever clients are told.
    pub link: Ipv4Addr,
    /// Ports of our HTTP server.
    pub ports: HttpPorts,
    /// By which schemes it is named.
    pub schemes: Schemes,
    /// Boot programs.
    pub programs: &'a Programs,
    /// User classes by which iPXE is known.
    pub ipxe_user_classes: &'a [String],
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Everybody on the interface, client port.
    Broadcast,
    /// This client, client port.
    Client(Ipv4Addr),
    /// This relay, server port.
    Relay(Ipv4Addr),
    /// Where the packet came from.
    Sender,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The packet.
    pub packet: Vec<u8>,
    /// Where it goes.
    pub to: Destination,
    /// Which machine is answered.
    pub mac: MacAddr,
    /// What to note about it.
    pub event: Option<Event>,
}

/// Why a packet gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// Not a boot client's request.
    #[error(transparent)]
    Parse(ParseError),
    /// A message for another server.
    #[error("meant for another server")]
    OtherServer,
    /// A message type that has no answer on this port.
    #[error("no answer to this message type on this port")]
    Unasked,
    /// The site has no boot program for this firmware.
    #[error("no boot program for this firmware")]
    NoProgram,
    /// The machine asks more often than it may.
    #[error("asks too often")]
    TooOften,
    /// No group of the site can match the machine, and the site ignores such.
    #[error("no group matches, and unknown machines are ignored")]
    Unknown,
    /// The answer cannot be written.
    #[error("answer does not fit a packet")]
    TooLong,
    /// No lease, for this reason.
    #[error(transparent)]
    NoLease(NoLease),
}

/// The outcome for one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send this.
    Answer(Box<Reply>),
    /// Stay silent.
    Ignore(Ignored),
}

/// Decides about one packet.
pub fn decide(packet: &[u8], context: &Context<'_>) -> Decision {
    match answer(packet, context) {
        Ok(reply) => Decision::Answer(Box::new(reply)),
        Err(reason) => Decision::Ignore(reason),
    }
}

fn answer(packet: &[u8], context: &Context<'_>) -> Result<Reply, Ignored> {
    let request = BootRequest::parse(packet, context.ipxe_user_classes).map_err(Ignored::Parse)?;
    let message_type = match (context.service, request.envelope.message_type) {
        (Service::Dhcp, MessageType::Discover) => MessageType::Offer,
        // Without an address to lease, only a REQUEST that names us is ours to answer.
        (Service::Dhcp, MessageType::Request)
            if request.envelope.server_id == Some(context.address) =>
        {
            MessageType::Ack
        }
        (Service::Dhcp, MessageType::Request) => return Err(Ignored::OtherServer),
        (Service::BootServer, MessageType::Request | MessageType::Inform) => {
            match request.envelope.server_id {
                Some(other) if other != context.address => return Err(Ignored::OtherServer),
                _ => MessageType::Ack,
            }
        }
        _ => return Err(Ignored::Unasked),
    };
    let boot = boot_info(&request, message_type, context)?;
    let answer = Answer {
        request: &request,
        message_type,
        server: context.address,
        boot,
    };
    let packet = answer.encode().map_err(|_| Ignored::TooLong)?;
    let event = (message_type == MessageType::Offer).then(|| sighting(&request, context.link));
    Ok(Reply {
        packet,
        to: match context.service {
            // A boot server's client has its address and hears its own port.
            Service::BootServer => Destination::Sender,
            Service::Dhcp => destination(&request.envelope),
        },
        mac: request.envelope.mac,
        event,
    })
}

/// The shape of boot information that the client understands.
pub(super) fn boot_info(
    request: &BootRequest,
    message_type: MessageType,
    context: &Context<'_>,
) -> Result<BootInfo, Ignored> {
    let endpoint = context.ports.at(context.address, context.schemes);
    if let Kind::Ipxe { http, https } = request.kind
        && match context.schemes.scripts {
            Scheme::Http => http,
            Scheme::Https => https,
        }
    {
        return Ok(BootInfo::Ipxe {
            url: endpoint.script_url("boot.ipxe"),
        });
    }
    let program = context
        .programs
        .name(request.arch.firmware)
        .ok_or(Ignored::NoProgram)?;
    let path = boot_path(request.envelope.mac, program);
    Ok(
        match (request.kind, request.arch.transport, request.arch.firmware) {
            // An iPXE without HTTP, or HTTPS where scripts are named by it, chainloads a fuller one; native iPXE takes it by full URL only.
            (Kind::Ipxe { .. }, _, _) => BootInfo::Ipxe {
                url: format!("tftp://{}/{path}", context.address),
            },
            (_, Transport::Http, _) => BootInfo::HttpBoot {
                url: endpoint.url(&path),
            },
            (_, Transport::Pxe, Firmware::Bios) => BootInfo::BiosFile { path },
            (_, Transport::Pxe, _) if message_type == MessageType::Offer => BootInfo::AskBootServer,
            (_, Transport::Pxe, _) => BootInfo::UefiFile { path },
        },
    )
}

/// RFC 2131 section 4.1. Who has no address yet is answered by a broadcast.
pub(super) fn destination(envelope: &Envelope) -> Destination {
    if !envelope.giaddr.is_unspecified() {
        return Destination::Relay(envelope.giaddr);
    }
    if envelope.flags & BROADCAST != 0 || envelope.ciaddr.is_unspecified() {
        return Destination::Broadcast;
    }
    Destination::Client(envelope.ciaddr)
}

/// What a request tells of its machine.
pub(super) fn sighting(request: &BootRequest, link: Ipv4Addr) -> Event {
    let client = match (request.kind, request.arch.transport) {
        (Kind::Ipxe { .. }, _) => BootClient::Ipxe,
        (Kind::Firmware, Transport::Http) => BootClient::HttpBoot,
        (Kind::Firmware, Transport::Pxe) => BootClient::Firmware,
    };
    let relayed = !request.envelope.giaddr.is_unspecified();
    let facts = Facts {
        uuid: request.uuid_text(),
        hostname: request.envelope.host_name.clone(),
        firmware: Some(request.arch.firmware),
        arch: Some(request.arch.firmware.arch()),
        address: Some(if relayed {
            request.envelope.giaddr
        } else {
            link
        }),
        circuit_id: request.circuit_id(),
        ..Facts::default()
    };
    Event::DhcpDiscover { client, facts }
}

#[cfg(test)]
pub(super) mod tests;
