//! Writes a proxy's answer: yiaddr 0, no lease options, our identifier, the client's own
//! identifiers echoed, and the boot information in the shape that the client understands.

use std::net::Ipv4Addr;

use dhcproto::encoder::{Encodable, Encoder};
use dhcproto::error::EncodeError;
use dhcproto::v4::{
    DhcpOption, Flags, HType, Message, MessageType, Opcode, OptionCode, UnknownOption,
};

use crate::dhcp::request::BootRequest;

/// Smallest packet that old relays and ROMs take (RFC 1542 section 2.1).
const MIN_PACKET: usize = 300;
/// The `file` field holds this many bytes and a NUL.
const MAX_FILE_FIELD: usize = 127;
/// Option 43 for BIOS ROMs (PXE 2.1 table 2-1): sub-option 6, discovery control, value 8: do no
/// discovery, use the file that is named; then the end mark.
const USE_BOOT_FILE: [u8; 4] = [6, 1, 8, 255];

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
        let request = self.request;
        let mut message = Message::default();
        message
            .set_opcode(Opcode::BootReply)
            .set_htype(HType::Eth)
            .set_xid(request.xid)
            .set_flags(Flags::from(request.flags))
            .set_ciaddr(request.ciaddr)
            .set_siaddr(self.server)
            .set_giaddr(request.giaddr)
            .set_chaddr(&request.mac.0);
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(self.message_type));
        options.insert(DhcpOption::ServerIdentifier(self.server));
        let class: &[u8] = if matches!(self.boot, BootInfo::HttpBoot { .. }) {
            b"HTTPClient"
        } else {
            b"PXEClient"
        };
        options.insert(DhcpOption::ClassIdentifier(class.to_vec()));
        if let Some(uuid) = request.uuid {
            options.insert(DhcpOption::ClientMachineIdentifier(uuid.to_vec()));
        }
        if let Some(relay_agent) = &request.relay_agent {
            // The encoder writes one option of at most 255 bytes for an unknown kind.
            if relay_agent.len() > usize::from(u8::MAX) {
                return Err(EncodeError::AddOverflow);
            }
            let raw = UnknownOption::new(OptionCode::RelayAgentInformation, relay_agent.clone());
            options.insert(DhcpOption::Unknown(raw));
        }
        if matches!(self.boot, BootInfo::BiosFile { .. }) {
            options.insert(DhcpOption::VendorExtensions(USE_BOOT_FILE.to_vec()));
        }
        self.name_file(&mut message);
        let mut packet = Vec::with_capacity(MIN_PACKET);
        message.encode(&mut Encoder::new(&mut packet))?;
        packet.resize(packet.len().max(MIN_PACKET), 0);
        Ok(packet)
    }

    /// In the `file` field where it fits; in option 67 when it does not, and for HTTP boot, where
    /// firmware looks there first.
    fn name_file(&self, message: &mut Message) {
        let (name, is_http_boot) = match &self.boot {
            BootInfo::AskBootServer => return,
            BootInfo::BiosFile { path } | BootInfo::UefiFile { path } => (path, false),
            BootInfo::Ipxe { url } => (url, false),
            BootInfo::HttpBoot { url } => (url, true),
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
