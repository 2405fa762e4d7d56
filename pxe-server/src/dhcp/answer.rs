//! Writes a proxy's answer: yiaddr 0, no lease options, our identifier, the client's own
//! identifiers echoed, and the boot information in the shape that the client understands; and the
//! parts of an answer that one with a lease has, too.

use std::net::Ipv4Addr;

use dhcproto::encoder::{Encodable, Encoder};
use dhcproto::error::EncodeError;
use dhcproto::v4::{
    DhcpOption, Flags, HType, Message, MessageType, Opcode, OptionCode, UnknownOption,
};

use crate::dhcp::request::{BootRequest, Envelope};

/// Smallest packet that old relays and ROMs take (RFC 1542 section 2.1).
const MIN_PACKET: usize = 300;
/// The `file` field holds this many bytes and a NUL.
const MAX_FILE_FIELD: usize = 127;
/// Option 43 for BIOS ROMs (PXE 2.1 table 2-1): sub-option 6, discovery control, value 8: do no
/// discovery, use the file that is named; then the end mark.
const USE_BOOT_FILE: [u8; 4] = [6, 1, 8, 255];

/// The class that firmware's HTTP boot looks for in an answer.
pub(super) const HTTP_CLASS: &[u8] = b"HTTPClient";

/// Boot information by kind of client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BootInfo {
    /// BIOS ROM: the file now.
    BiosFile {
        /// TFTP name.
        path: String,
    },
    /// UEFI PXE: nothing yet; without file and option 43 the client asks port 4011.
    AskBootServer,
    /// UEFI PXE on port 4011: the file.
    UefiFile {
        /// TFTP name.
        path: String,
    },
    /// iPXE: a URL; next-server must not be zero even so.
    Ipxe {
        /// The URL.
        url: String,
    },
    /// UEFI HTTP boot: a URL and the class `HTTPClient`.
    HttpBoot {
        /// The URL.
        url: String,
    },
}

/// Everything in an answer.
pub(super) struct Answer<'a> {
    pub(super) request: &'a BootRequest,
    pub(super) message_type: MessageType,
    pub(super) server: Ipv4Addr,
    pub(super) boot: BootInfo,
}

impl Answer<'_> {
    /// The packet, padded to [`MIN_PACKET`] bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let envelope = &self.request.envelope;
        let mut message = reply_to(envelope, self.message_type, self.server);
        message.set_siaddr(self.server);
        if !envelope.giaddr.is_unspecified() {
            // A relay sends to the address in the answer unless it is asked for a broadcast (RFC 1542
            // section 4.1.2), and this answer leases none.
            message.set_flags(Flags::from(envelope.flags).set_broadcast());
        }
        let options = message.opts_mut();
        let class: &[u8] = if matches!(self.boot, BootInfo::HttpBoot { .. }) {
            HTTP_CLASS
        } else {
            b"PXEClient"
        };
        options.insert(DhcpOption::ClassIdentifier(class.to_vec()));
        if let Some(uuid) = self.request.uuid {
            options.insert(DhcpOption::ClientMachineIdentifier(uuid.to_vec()));
        }
        if matches!(self.boot, BootInfo::BiosFile { .. }) {
            options.insert(DhcpOption::VendorExtensions(USE_BOOT_FILE.to_vec()));
        }
        self.boot.name_file(&mut message);
        finish(message, self.request.envelope.relay_agent.as_deref())
    }
}

/// An answer with what every answer repeats of its request.
pub(super) fn reply_to(
    envelope: &Envelope,
    message_type: MessageType,
    server: Ipv4Addr,
) -> Message {
    let mut message = Message::default();
    message
        .set_opcode(Opcode::BootReply)
        .set_htype(HType::Eth)
        .set_xid(envelope.xid)
        .set_flags(Flags::from(envelope.flags))
        .set_ciaddr(envelope.ciaddr)
        .set_giaddr(envelope.giaddr)
        .set_chaddr(&envelope.mac.0);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(message_type));
    options.insert(DhcpOption::ServerIdentifier(server));
    message
}

/// The packet, with what the relay wants back as its last option (RFC 3046 section 2.2: the encoder
/// puts it there), padded to [`MIN_PACKET`] bytes.
pub(super) fn finish(
    mut message: Message,
    relay_agent: Option<&[u8]>,
) -> Result<Vec<u8>, EncodeError> {
    if let Some(relay_agent) = relay_agent {
        // The encoder writes one option of at most 255 bytes for an unknown kind.
        if relay_agent.len() > usize::from(u8::MAX) {
            return Err(EncodeError::AddOverflow);
        }
        let raw = UnknownOption::new(OptionCode::RelayAgentInformation, relay_agent.to_vec());
        message.opts_mut().insert(DhcpOption::Unknown(raw));
    }
    let mut packet = Vec::with_capacity(MIN_PACKET);
    message.encode(&mut Encoder::new(&mut packet))?;
    packet.resize(packet.len().max(MIN_PACKET), 0);
    Ok(packet)
}

impl BootInfo {
    /// In the `file` field where it fits; in option 67 when it does not, and for HTTP boot, where
    /// firmware looks there first.
    pub(super) fn name_file(&self, message: &mut Message) {
        let (name, is_http_boot) = match self {
            Self::AskBootServer => return,
            Self::BiosFile { path } | Self::UefiFile { path } => (path, false),
            Self::Ipxe { url } => (url, false),
            Self::HttpBoot { url } => (url, true),
        };
        if name.len() <= MAX_FILE_FIELD {
            message.set_fname_str(name);
        }
        if is_http_boot || name.len() > MAX_FILE_FIELD {
            message
                .opts_mut()
                .insert(DhcpOption::BootfileName(name.as_bytes().to_vec()));
        }
    }
}
