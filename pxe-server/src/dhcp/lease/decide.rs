//! What a client gets for its packet (RFC 2131 section 4.3): a verdict, and the table as it is
//! after that. No sockets; the time is told.
//!
//! Who leases here keeps its leases in one store, this server alone or with others: a REQUEST for an
//! address that it does not give is answered with a NAK, so that the client begins anew at once.
//! About other networks nothing is said.

use std::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::request::LeaseRequest;
use super::room::{Offer, Refused, Room};
use super::{LeaseRecord, Moment};

/// Why a packet gets no lease, and no other answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLease {
    /// A network that is not served.
    #[error("no subnet of the site is the client's")]
    Subnet,
    /// Nothing is left.
    #[error("no address is left in the client's subnet")]
    Exhausted,
    /// It comes as soon as its address is probed.
    #[error("its address is being probed")]
    Waits,
    /// The client has chosen another server.
    #[error("the client has chosen another server")]
    OtherServer,
    /// A REQUEST that asks for nothing, or another message that makes no sense.
    #[error("the message asks for nothing")]
    Senseless,
    /// A RELEASE or DECLINE of an address that is not the client's.
    #[error("the address is not this client's")]
    NotIts,
    /// Another server may know a lease that this one has not heard of yet.
    #[error("the lease is not known to this server")]
    Unheard,
    /// Nothing can be written, so nothing is promised.
    #[error("the state cannot be written now")]
    Away,
    /// Too much is being probed or written.
    #[error("the server is busy; the client asks again")]
    Busy,
}

/// Why a REQUEST is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the address is not of this network")]
    OtherNetwork,
    #[error("the address is not given to this client")]
    NotGiven,
    #[error("the lease is not known")]
    NotKnown,
    #[error("the address is another's")]
    Taken,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Offer this address.
    Offer(Ipv4Addr),
    /// Offer this address if nobody answers from it.
    Probe(Ipv4Addr),
    /// Acknowledge this lease once it is durable.
    Ack(LeaseRecord),
    /// Tell what the subnet's clients are told; the client has its address from elsewhere.
    Inform,
    /// Refuse, for this reason.
    Nak(Refusal),
    /// Make this durable; there is no answer.
    Keep(LeaseRecord),
    /// No answer. `news` is worth a line in the log.
    Silent {
        /// Why.
        why: NoLease,
        /// Whether it has not been said before.
        news: bool,
    },
}

fn silent(why: NoLease) -> Verdict {
    Verdict::Silent { why, news: false }
}

/// Decides about a packet of a client in this subnet. `us` is what it knows this server by.
pub(super) fn decide(
    room: &mut Room,
    request: &LeaseRequest,
    us: Ipv4Addr,
    now: Moment,
) -> Verdict {
    let envelope = &request.envelope;
    let mac = envelope.mac;
    let keep = |record: Option<LeaseRecord>| record.map_or(silent(NoLease::NotIts), Verdict::Keep);
    match envelope.message_type {
        MessageType::Discover => offer(room, request, now),
        MessageType::Request => match (envelope.server_id, request.requested) {
            (Some(other), _) if other != us => {
                room.withdraw(mac, now);
                silent(NoLease::OtherServer)
            }
            (Some(_), Some(address)) => granted(room, request, address, now),
            (None, Some(address)) if envelope.ciaddr.is_unspecified() => {
                rebooted(room, request, address, now)
            }
            _ if !envelope.ciaddr.is_unspecified() => granted(room, request, envelope.ciaddr, now),
            _ => silent(NoLease::Senseless),
        },
        MessageType::Decline => match request.requested {
            Some(address) => keep(room.decline(mac, address, now)),
            None => silent(NoLease::Senseless),
        },
        MessageType::Release => keep(room.release(mac, envelope.ciaddr, now)),
        MessageType::Inform if !envelope.ciaddr.is_unspecified() => Verdict::Inform,
        _ => silent(NoLease::Senseless),
    }
}

/// An offer for a client that looks for an address.
pub(super) fn offer(room: &mut Room, request: &LeaseRequest, now: Moment) -> Verdict {
    match room.offer(request.envelope.mac, request.requested, now) {
        Offer::Ready(address) => Verdict::Offer(address),
        Offer::Probe(address) => Verdict::Probe(address),
        Offer::Waits => silent(NoLease::Waits),
        Offer::Exhausted { first: news } => Verdict::Silent {
            why: NoLease::Exhausted,
            news,
        },
    }
}

/// A client that remembers an address from before it was started again.
fn rebooted(room: &mut Room, request: &LeaseRequest, address: Ipv4Addr, now: Moment) -> Verdict {
    if !room.contains(address) {
        return Verdict::Nak(Refusal::OtherNetwork);
    }
    if !room.is_known(request.envelope.mac, address) {
        return Verdict::Nak(Refusal::NotKnown);
    }
    granted(room, request, address, now)
}

/// A client that takes an offer or goes on with its lease. One that uses an address which nobody
/// else has gets it even if its lease is not known: the state may have been lost.
fn granted(room: &mut Room, request: &LeaseRequest, address: Ipv4Addr, now: Moment) -> Verdict {
    let envelope = &request.envelope;
    match room.grant(envelope.mac, address, envelope.host_name.clone(), now) {
        Ok(record) => Verdict::Ack(record),
        Err(Refused::Taken) => Verdict::Nak(Refusal::Taken),
        Err(Refused::NotGiven) if !room.contains(address) => Verdict::Nak(Refusal::OtherNetwork),
        Err(Refused::NotGiven) => Verdict::Nak(Refusal::NotGiven),
    }
}
