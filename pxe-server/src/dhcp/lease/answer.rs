//! Writes OFFER, ACK and NAK with a lease and, for boot clients, with what they boot.
//!
//! Boot programs are named as a plain DHCP server names them, by next-server and file: no class
//! `PXEClient`, which makes firmware ask for a boot server, and no option 43.

use std::net::Ipv4Addr;
use std::time::Duration;

use dhcproto::v4::{DhcpOption, Flags, MessageType, OptionCode, UnknownOption};

use super::request::LeaseRequest;
use super::{Reservation, SubnetParts};
use crate::dhcp::answer::{BootInfo, HTTP_CLASS, finish, reply_to};
use crate::dhcp::decide::{BROADCAST, Destination, Ignored, Reply, destination};

/// iPXE's sub-option 176 with value 1: there is no proxy to wait two seconds for.
const NO_PROXY: [u8; 3] = [0xb0, 1, 1];

/// What an answer is made of beside the request.
pub(super) struct Terms<'a> {
    pub(super) server: Ipv4Addr,
    pub(super) subnet: &'a SubnetParts,
    pub(super) reservation: Option<&'a Reservation>,
    pub(super) boot: Option<BootInfo>,
}

/// The address and how long it is the client's; none for INFORM.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leased {
    pub(super) address: Ipv4Addr,
    pub(super) time: Duration,
}

/// An OFFER or ACK.
pub(super) fn accept(
    request: &LeaseRequest,
    message_type: MessageType,
    leased: Option<Leased>,
    terms: &Terms<'_>,
) -> Result<Reply, Ignored> {
    let envelope = &request.envelope;
    let mut message = reply_to(envelope, message_type, terms.server);
    if message_type == MessageType::Offer {
        // RFC 2131 table 3: zero in an OFFER.
        message.set_ciaddr(Ipv4Addr::UNSPECIFIED);
    }
    if let Some(leased) = leased {
        message.set_yiaddr(leased.address);
    }
    if let Some(boot) = &terms.boot {
        message.set_siaddr(terms.server);
        boot.name_file(&mut message);
    }
    for option in options(request, leased, terms) {
        message.opts_mut().insert(option);
    }
    let packet = finish(message, envelope.relay_agent.as_deref()).map_err(|_| Ignored::TooLong)?;
    if packet.len() > usize::from(request.max_size) {
        return Err(Ignored::TooLong);
    }
    Ok(Reply {
        packet,
        to: destination(envelope),
        mac: envelope.mac,
        event: None,
    })
}

fn options(request: &LeaseRequest, leased: Option<Leased>, terms: &Terms<'_>) -> Vec<DhcpOption> {
    let subnet = terms.subnet;
    let last = Ipv4Addr::from(subnet.network.last());
    let mut options = vec![DhcpOption::SubnetMask(subnet.network.mask())];
    let mut tell = |number: u8, there: bool, option: DhcpOption| {
        if there && request.wants(number) {
            options.push(option);
        }
    };
    let router = subnet.gateway.into_iter().collect();
    tell(3, subnet.gateway.is_some(), DhcpOption::Router(router));
    let dns = DhcpOption::DomainNameServer(subnet.dns.clone());
    tell(6, !subnet.dns.is_empty(), dns);
    let host_name = terms.reservation.and_then(|kept| kept.host_name.clone());
    let is_named = host_name.is_some();
    let host_name = DhcpOption::Hostname(host_name.unwrap_or_default());
    tell(12, is_named, host_name);
    let domain = DhcpOption::DomainName(subnet.domain.clone().unwrap_or_default());
    tell(15, subnet.domain.is_some(), domain);
    tell(28, true, DhcpOption::BroadcastAddr(last));
    let ntp = DhcpOption::NtpServers(subnet.ntp.clone());
    tell(42, !subnet.ntp.is_empty(), ntp);
    if let Some(Leased { time, .. }) = leased {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        options.push(DhcpOption::AddressLeaseTime(seconds));
        options.push(DhcpOption::Renewal(seconds / 2));
        options.push(DhcpOption::Rebinding(seconds / 8 * 7));
    }
    options.extend(request.client_id.clone().map(DhcpOption::ClientIdentifier));
    options.extend(boot_options(request, terms));
    options
}

fn boot_options(request: &LeaseRequest, terms: &Terms<'_>) -> Vec<DhcpOption> {
    let (Some(client), Some(boot)) = (&request.boot, &terms.boot) else {
        return Vec::new();
    };
    let uuid = client.uuid.map(|uuid| uuid.to_vec());
    let mut options: Vec<DhcpOption> = uuid
        .map(DhcpOption::ClientMachineIdentifier)
        .into_iter()
        .collect();
    match boot {
        BootInfo::HttpBoot { .. } => {
            options.push(DhcpOption::ClassIdentifier(HTTP_CLASS.to_vec()));
        }
        BootInfo::Ipxe { .. } => {
            let ipxe = UnknownOption::new(OptionCode::Unknown(175), NO_PROXY.to_vec());
            options.push(DhcpOption::Unknown(ipxe));
        }
        _ => {}
    }
    options
}

/// A NAK. It reaches a client behind a relay by a broadcast of that relay (RFC 2131 section 4.1).
pub(super) fn refuse(
    request: &LeaseRequest,
    server: Ipv4Addr,
    why: &str,
) -> Result<Reply, Ignored> {
    let envelope = &request.envelope;
    let relayed = !envelope.giaddr.is_unspecified();
    let mut message = reply_to(envelope, MessageType::Nak, server);
    message.set_ciaddr(Ipv4Addr::UNSPECIFIED);
    if relayed {
        message.set_flags(Flags::from(envelope.flags | BROADCAST));
    }
    let options = message.opts_mut();
    options.insert(DhcpOption::Message(why.to_owned()));
    if let Some(id) = request.client_id.clone() {
        options.insert(DhcpOption::ClientIdentifier(id));
    }
    let packet = finish(message, envelope.relay_agent.as_deref()).map_err(|_| Ignored::TooLong)?;
    let to = if relayed {
        Destination::Relay(envelope.giaddr)
    } else {
        Destination::Broadcast
    };
    Ok(Reply {
        packet,
        to,
        mac: envelope.mac,
        event: None,
    })
}
