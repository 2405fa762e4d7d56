//! Reads a boot client's request out of an untrusted packet: what kind of client on what machine.
//!
//! The wire is `dhcproto`'s; options are taken raw, because firmware deviates from their typed
//! forms (RFC 4578 makes option 93 a list, iPXE's option 77 is a bare string).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::borrowed::{DhcpOptionIterator, Message};
use dhcproto::v4::{MAGIC, MessageType, Opcode};

use crate::boot::{ClientArch, Transport};
use crate::mac::MacAddr;
use crate::machine::{host_name, text_or_hex};

/// Option numbers of RFC 2132, 3004, 3046, 4578; 175 is iPXE's own encapsulation.
pub(super) mod code {
    pub(in crate::dhcp) const HOST_NAME: u8 = 12;
    pub(in crate::dhcp) const REQUESTED_ADDRESS: u8 = 50;
    pub(in crate::dhcp) const OVERLOAD: u8 = 52;
    pub(in crate::dhcp) const MESSAGE_TYPE: u8 = 53;
    pub(in crate::dhcp) const SERVER_ID: u8 = 54;
    pub(in crate::dhcp) const PARAMETERS: u8 = 55;
    pub(in crate::dhcp) const MAX_SIZE: u8 = 57;
    pub(in crate::dhcp) const VENDOR_CLASS: u8 = 60;
    pub(in crate::dhcp) const CLIENT_ID: u8 = 61;
    pub(in crate::dhcp) const USER_CLASS: u8 = 77;
    pub(in crate::dhcp) const RELAY_AGENT: u8 = 82;
    pub(in crate::dhcp) const CLIENT_ARCH: u8 = 93;
    pub(in crate::dhcp) const CLIENT_UUID: u8 = 97;
    pub(in crate::dhcp) const IPXE: u8 = 175;
    /// Sub-option of [`RELAY_AGENT`]: the port that the relay heard the client on.
    pub(in crate::dhcp) const CIRCUIT_ID: u8 = 1;
    /// Sub-option of [`RELAY_AGENT`]: the subnet to lease from (RFC 3527).
    pub(in crate::dhcp) const LINK_SELECTION: u8 = 5;
    /// Sub-option of [`IPXE`]: this build fetches over HTTP.
    pub(in crate::dhcp) const IPXE_HTTP: u8 = 0x13;
    pub(in crate::dhcp) const IPXE_HTTPS: u8 = 0x14;
}

/// Why a packet is no boot client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Shorter than the fixed header, or without the DHCP cookie.
    #[error("not a DHCP packet")]
    NotDhcp,
    /// A reply.
    #[error("not a request")]
    NotRequest,
    /// Hardware address of another kind.
    #[error("no Ethernet address")]
    NotEthernet,
    /// No message type, or one that no client sends.
    #[error("no client's message type")]
    MessageType,
    /// Option 60 is missing or of an ordinary client.
    #[error("not a boot client")]
    NotBootClient,
    /// Option 97 has neither 17 bytes nor is it missing.
    #[error("machine identifier of wrong length")]
    UuidLength,
    /// No known client architecture.
    #[error("unknown client architecture")]
    Arch,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The firmware itself.
    Firmware,
    /// iPXE, and how it can fetch.
    Ipxe {
        /// Has the HTTP feature.
        http: bool,
        /// The same by HTTPS.
        https: bool,
    },
}

/// What every client's packet says: of whom it is, and how the answer gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// One of those that clients send.
    pub message_type: MessageType,
    /// Transaction ID.
    pub xid: u32,
    /// Flags, copied to the answer.
    pub flags: u16,
    /// The client's own address, when it has one.
    pub ciaddr: Ipv4Addr,
    /// The relay's address, when there is one.
    pub giaddr: Ipv4Addr,
    /// The machine.
    pub mac: MacAddr,
    /// Option 54.
    pub server_id: Option<Ipv4Addr>,
    /// Option 12, as a name.
    pub host_name: Option<String>,
    /// Option 82, given back unchanged.
    pub relay_agent: Option<Vec<u8>>,
}

/// A boot client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRequest {
    /// DISCOVER, REQUEST or INFORM, and whose.
    pub envelope: Envelope,
    /// Option 97 whole: a type byte and 16 bytes.
    pub uuid: Option<[u8; 17]>,
    /// Firmware family and transport.
    pub arch: ClientArch,
    /// Who speaks.
    pub kind: Kind,
}

impl Envelope {
    /// The Ethernet address of who sent a packet, without a look at the rest of it.
    pub(super) fn mac_of(packet: &[u8]) -> Option<MacAddr> {
        let is_ethernet = packet.get(1..3)? == [1, 6];
        let address = packet.get(28..34)?.try_into().ok()?;
        is_ethernet.then_some(MacAddr(address))
    }

    /// Reads what every packet has, and all its options.
    pub(super) fn read(packet: &[u8]) -> Result<(Self, Options), ParseError> {
        let message = Message::new(packet).map_err(|_| ParseError::NotDhcp)?;
        if packet.get(236..240) != Some(&MAGIC) {
            return Err(ParseError::NotDhcp);
        }
        if message.opcode() != Opcode::BootRequest {
            return Err(ParseError::NotRequest);
        }
        // The length is checked before the address is asked for: `chaddr` slices by it.
        if (u8::from(message.htype()), message.hlen()) != (1, 6) {
            return Err(ParseError::NotEthernet);
        }
        let mac = MacAddr(
            message
                .chaddr()
                .try_into()
                .map_err(|_| ParseError::NotEthernet)?,
        );
        let options = Options::read(packet);
        let message_type = match options.get(code::MESSAGE_TYPE) {
            Some([number]) => MessageType::from(*number),
            _ => return Err(ParseError::MessageType),
        };
        let envelope = Self {
            message_type,
            xid: message.xid(),
            flags: message.flags().into(),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            mac,
            server_id: options.address(code::SERVER_ID),
            host_name: options
                .get(code::HOST_NAME)
                .and_then(|name| host_name(std::str::from_utf8(name).ok()?)),
            relay_agent: options.get(code::RELAY_AGENT).map(<[u8]>::to_vec),
        };
        Ok((envelope, options))
    }

    /// A part of what the relay added (RFC 3046).
    pub(super) fn relay_sub_option(&self, number: u8) -> Option<&[u8]> {
        sub_option(self.relay_agent.as_deref()?, number)
    }
}

impl BootRequest {
    /// Reads a packet. `ipxe_classes` are the user classes by which iPXE is known.
    pub fn parse(packet: &[u8], ipxe_classes: &[String]) -> Result<Self, ParseError> {
        let (envelope, options) = Envelope::read(packet)?;
        if !matches!(
            envelope.message_type,
            MessageType::Discover | MessageType::Request | MessageType::Inform
        ) {
            return Err(ParseError::MessageType);
        }
        Self::read(envelope, &options, ipxe_classes)
    }

    /// What `options` say of a boot client.
    pub(super) fn read(
        envelope: Envelope,
        options: &Options,
        ipxe_classes: &[String],
    ) -> Result<Self, ParseError> {
        let arch = options.arch()?;
        let uuid = match options.get(code::CLIENT_UUID) {
            None => None,
            Some(bytes) => Some(bytes.try_into().map_err(|_| ParseError::UuidLength)?),
        };
        Ok(Self {
            envelope,
            uuid,
            arch,
            kind: options.kind(ipxe_classes),
        })
    }

    /// The relay's name for the port that it heard the client on (RFC 3046 section 3.1).
    pub fn circuit_id(&self) -> Option<String> {
        text_or_hex(self.envelope.relay_sub_option(code::CIRCUIT_ID)?)
    }

    /// The machine's UUID as text; none when it is all zeros. The first three fields are little-endian, as SMBIOS has them.
    pub fn uuid_text(&self) -> Option<String> {
        let uuid = self.uuid.filter(|[_, uuid @ ..]| *uuid != [0; 16])?;
        let [_, a, b, c, d, e, f, g, h, rest @ ..] = uuid;
        let [i, j, node @ ..] = rest;
        let node = hex::encode(node);
        Some(format!(
            "{d:02x}{c:02x}{b:02x}{a:02x}-{f:02x}{e:02x}-{h:02x}{g:02x}-{i:02x}{j:02x}-{node}"
        ))
    }
}

/// All options of a packet by number; parts of one option are joined (RFC 3396).
pub(super) struct Options(BTreeMap<u8, Vec<u8>>);

impl Options {
    fn read(packet: &[u8]) -> Self {
        let mut options = Self(BTreeMap::new());
        options.add(packet.get(240..).unwrap_or_default());
        // RFC 2132 section 9.3: 1 = `file`, 2 = `sname`, 3 = both carry options, `file` first.
        let overload = options
            .get(code::OVERLOAD)
            .and_then(<[u8]>::first)
            .copied()
            .unwrap_or(0);
        if matches!(overload, 1 | 3) {
            options.add(packet.get(108..236).unwrap_or_default());
        }
        if matches!(overload, 2 | 3) {
            options.add(packet.get(44..108).unwrap_or_default());
        }
        options
    }

    fn add(&mut self, bytes: &[u8]) {
        for option in DhcpOptionIterator::new(bytes) {
            self.0
                .entry(option.code().into())
                .or_default()
                .extend_from_slice(option.data());
        }
    }

    pub(super) fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// The option as one address.
    pub(super) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.get(code)?.try_into().ok()?;
        Some(bytes.into())
    }

    /// Option 93 is a list of which the first known number counts. Where it is missing or says
    /// BIOS, a number in option 60 counts more: some ARM firmware fills in only that one.
    fn arch(&self) -> Result<ClientArch, ParseError> {
        let class = self.get(code::VENDOR_CLASS).unwrap_or_default();
        let transport = match class {
            class if class.starts_with(b"PXEClient") => Transport::Pxe,
            class if class.starts_with(b"HTTPClient") => Transport::Http,
            _ => return Err(ParseError::NotBootClient),
        };
        let list = self.get(code::CLIENT_ARCH).unwrap_or_default();
        let mut listed = list
            .chunks_exact(2)
            .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
            .map(u16::from_be_bytes);
        let from_list = listed.find(|number| ClientArch::from_wire(*number).is_some());
        let from_class = std::str::from_utf8(class).ok().and_then(|class| {
            let number = class
                .split(':')
                .skip_while(|word| *word != "Arch")
                .nth(1)?
                .parse::<u16>()
                .ok()?;
            ClientArch::from_wire(number).map(|_| number)
        });
        let number = match (from_list, from_class) {
            (None | Some(0), Some(number)) => number,
            (Some(number), _) => number,
            (None, None) => return Err(ParseError::Arch),
        };
        let arch = ClientArch::from_wire(number).ok_or(ParseError::Arch)?;
        Ok(ClientArch { transport, ..arch })
    }

    fn kind(&self, ipxe_classes: &[String]) -> Kind {
        let user_class = self.get(code::USER_CLASS).unwrap_or_default();
        let named = ipxe_classes
            .iter()
            .any(|class| user_class == class.as_bytes() || has_class(user_class, class));
        match (self.get(code::IPXE), named) {
            (None, false) => Kind::Firmware,
            (None, true) => Kind::Ipxe {
                http: true,
                https: true,
            },
            (Some(features), _) => Kind::Ipxe {
                http: sub_option(features, code::IPXE_HTTP).is_some(),
                https: sub_option(features, code::IPXE_HTTPS).is_some(),
            },
        }
    }
}

/// RFC 3004: a sequence of length-prefixed classes.
fn has_class(mut list: &[u8], class: &str) -> bool {
    while let Some((length, rest)) = list.split_first() {
        let Some((item, rest)) = rest.split_at_checked(usize::from(*length)) else {
            return false;
        };
        if item == class.as_bytes() {
            return true;
        }
        list = rest;
    }
    false
}

/// The data of one of encapsulated options: number, length, data.
fn sub_option(mut list: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [number, length, rest @ ..] = list {
        let (data, rest) = rest.split_at_checked(usize::from(*length))?;
        if *number == wanted {
            return Some(data);
        }
        list = rest;
    }
    None
}
