//! Reads any client's packet: what it wants with which address, and whether it boots.

use std::net::Ipv4Addr;

use crate::dhcp::request::{BootRequest, Envelope, ParseError, code};

/// Smallest packet that every client takes (RFC 2131 section 2): 576 bytes with IP and UDP headers.
const MIN_MAX_SIZE: u16 = 576;
/// IP and UDP headers.
const HEADERS: u16 = 28;

/// A client's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeaseRequest {
    pub(super) envelope: Envelope,
    /// Option 50.
    pub(super) requested: Option<Ipv4Addr>,
    /// Option 61, given back unchanged (RFC 6842); it names nobody here.
    pub(super) client_id: Option<Vec<u8>>,
    /// Option 55; none asks for nothing in particular.
    pub(super) parameters: Option<Vec<u8>>,
    /// Longest packet that the client takes, bytes of DHCP.
    pub(super) max_size: u16,
    /// What it tells as a boot client, if it is one.
    pub(super) boot: Option<BootRequest>,
}

impl LeaseRequest {
    /// Reads a packet. `ipxe_classes` are the user classes by which iPXE is known.
    pub(super) fn parse(packet: &[u8], ipxe_classes: &[String]) -> Result<Self, ParseError> {
        let (envelope, options) = Envelope::read(packet)?;
        let max_size = match options.get(code::MAX_SIZE) {
            Some([high, low]) => u16::from_be_bytes([*high, *low]).max(MIN_MAX_SIZE),
            _ => MIN_MAX_SIZE,
        };
        let boot = BootRequest::read(envelope.clone(), &options, ipxe_classes).ok();
        Ok(Self {
            requested: options.address(code::REQUESTED_ADDRESS),
            client_id: options.get(code::CLIENT_ID).map(<[u8]>::to_vec),
            parameters: options.get(code::PARAMETERS).map(<[u8]>::to_vec),
            max_size: max_size - HEADERS,
            boot,
            envelope,
        })
    }

    /// Whether the client asks for an option, or says nothing of what it asks for.
    pub(super) fn wants(&self, option: u8) -> bool {
        self.parameters
            .as_ref()
            .is_none_or(|list| list.contains(&option))
    }

    /// The address that a REQUEST is about.
    pub(super) fn wanted(&self) -> Option<Ipv4Addr> {
        let own = Some(self.envelope.ciaddr).filter(|own| !own.is_unspecified());
        match self.envelope.server_id {
            Some(_) => self.requested.or(own),
            None => own.or(self.requested),
        }
    }

    /// The address whose subnet the client is in: what its relay says (RFC 3527 before RFC 2131),
    /// its own where it renews by unicast, or ours on its link.
    pub(super) fn subnet_address(&self, link: Ipv4Addr, broadcast: bool) -> Ipv4Addr {
        let envelope = &self.envelope;
        if !envelope.giaddr.is_unspecified() {
            let selected = envelope.relay_sub_option(code::LINK_SELECTION);
            let selected = selected.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            return selected.map_or(envelope.giaddr, Ipv4Addr::from);
        }
        if !broadcast && !envelope.ciaddr.is_unspecified() {
            return envelope.ciaddr;
        }
        link
    }
}
