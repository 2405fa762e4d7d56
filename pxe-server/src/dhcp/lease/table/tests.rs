//! The table's rules one by one, through verdicts about clients' packets; `histories` has what holds
//! whatever happens.

mod histories;

use std::time::Duration;

use dhcproto::v4::MessageType;

use super::*;
use crate::dhcp::lease::decide::{NoLease, Refusal, Verdict, decide, offer};
use crate::dhcp::lease::request::LeaseRequest;
use crate::dhcp::lease::{Reservation, Subnet, SubnetParts};
use crate::dhcp::request::Envelope;
use crate::mac::MacAddr;
use crate::net::Net;
use crate::store::Revision;

const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const LEASE: u64 = 600;

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

/// A subnet with this pool and these reservations (client, last byte).
fn subnets(pool: &str, reserved: &[(u8, u8)]) -> Arc<Subnets> {
    let parts = SubnetParts {
        network: Net::parse("10.1.0.0/24").unwrap(),
        pools: vec![pool.parse().unwrap()],
        gateway: Some(US),
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        lease: Duration::from_secs(LEASE),
    };
    let mut subnets = Subnets::new(vec![Subnet::new(parts).unwrap()]).unwrap();
    for (client, last) in reserved {
        let kept = Reservation {
            mac: mac(*client),
            address: Ipv4Addr::new(10, 1, 0, *last),
            host_name: None,
        };
        subnets.reserve(kept).unwrap();
    }
    Arc::new(subnets)
}

fn told(record: LeaseRecord, revision: u64) -> LeaseDocument {
    LeaseDocument {
        key: LeaseKey::Address(record.address),
        revision: Revision(revision),
        value: Some(LeaseValue::Record(record)),
    }
}

/// One that was told these records.
fn table_of(subnets: Arc<Subnets>, records: Vec<LeaseRecord>) -> Table {
    let mut table = Table::new(subnets, Servers::One);
    let documents = records.into_iter().map(|record| told(record, 0));
    table.learn(LeaseNews::All {
        documents: documents.collect(),
        revision: Revision::default(),
    });
    table
}

fn request(kind: MessageType, client: u8) -> LeaseRequest {
    LeaseRequest {
        envelope: Envelope {
            message_type: kind,
            xid: 1,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac: mac(client),
            server_id: None,
            host_name: None,
            relay_agent: None,
        },
        requested: None,
        client_id: None,
        parameters: None,
        max_size: 548,
        boot: None,
    }
}

fn selecting(client: u8, address: Ipv4Addr) -> LeaseRequest {
    let mut request = request(MessageType::Request, client);
    request.envelope.server_id = Some(US);
    request.requested = Some(address);
    request
}

fn rebooting(client: u8, address: Ipv4Addr) -> LeaseRequest {
    let mut request = selecting(client, address);
    request.envelope.server_id = None;
    request
}

/// RENEW, RELEASE, INFORM: the address is in the header.
fn with_address(kind: MessageType, client: u8, address: Ipv4Addr) -> LeaseRequest {
    let mut request = request(kind, client);
    request.envelope.ciaddr = address;
    request
}

fn judged(table: &mut Table, request: &LeaseRequest, now: Moment) -> Verdict {
    decide(table.room_of(US).unwrap(), request, US, now)
}

/// An offer, after a probe that finds nobody if there is one.
fn offered(table: &mut Table, client: u8, now: Moment) -> Option<Ipv4Addr> {
    let discover = request(MessageType::Discover, client);
    let mut verdict = judged(table, &discover, now);
    if let Verdict::Probe(address) = verdict {
        let room = table.room_of(US).unwrap();
        assert_eq!(room.probed(mac(client), address, false, now), None);
        verdict = offer(room, &discover, now);
    }
    match verdict {
        Verdict::Offer(address) => Some(address),
        _ => None,
    }
}

fn leased(table: &mut Table, client: u8, now: Moment) -> LeaseRecord {
    let address = offered(table, client, now).unwrap();
    match judged(table, &selecting(client, address), now) {
        Verdict::Ack(record) => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_gets_its_address_again_also_after_its_lease_is_over() {
    let mut table = table_of(subnets("10.1.0.10-10.1.0.200", &[]), Vec::new());
    let first = leased(&mut table, 1, Moment(0));
    assert_eq!(first.until, Moment(LEASE));
    let other = leased(&mut table, 2, Moment(5));
    assert_ne!(first.address, other.address);
    let later = Moment(10 * LEASE);
    let discover = request(MessageType::Discover, 1);
    let again = judged(&mut table, &discover, later);
    assert_eq!(again, Verdict::Offer(first.address), "without a probe");
}

#[test]
fn the_longest_unused_address_goes_to_a_newcomer_when_nothing_else_is_left() {
    let mut table = table_of(subnets("10.1.0.10-10.1.0.11", &[]), Vec::new());
    let first = leased(&mut table, 1, Moment(0));
    leased(&mut table, 2, Moment(9));
    let silent = |news| Verdict::Silent {
        why: NoLease::Exhausted,
        news,
    };
    let newcomer = request(MessageType::Discover, 3);
    for (news, now) in [(true, 20), (false, 30), (false, LEASE - 1)] {
        assert_eq!(judged(&mut table, &newcomer, Moment(now)), silent(news));
    }
    let states = table.states(Moment(30));
    assert_eq!((states[0].leased, states[0].available), (2, 0));
    assert_eq!(states[0].exhausted_since, Some(Moment(20)));
    let taken = judged(&mut table, &newcomer, Moment(LEASE));
    assert_eq!(taken, Verdict::Probe(first.address));
    let late = with_address(MessageType::Request, 1, first.address);
    let refused = judged(&mut table, &late, Moment(LEASE + 1));
    assert_eq!(refused, Verdict::Nak(Refusal::Taken));
    assert_eq!(table.states(Moment(LEASE))[0].exhausted_since, None);
}

#[test]
fn an_address_that_answers_is_left_alone_and_another_is_probed() {
    let mut table = table_of(subnets("10.1.0.10-10.1.0.11", &[]), Vec::new());
    let discover = request(MessageType::Discover, 1);
    let Verdict::Probe(used) = judged(&mut table, &discover, Moment(0)) else {
        panic!()
    };
    let waits = Verdict::Silent {
        why: NoLease::Waits,
        news: false,
    };
    assert_eq!(judged(&mut table, &discover, Moment(1)), waits);
    let room = table.room_of(US).unwrap();
    let record = room.probed(mac(1), used, true, Moment(1)).unwrap();
    assert_eq!(record.holder, Holder::Quarantined);
    let Verdict::Probe(other) = offer(room, &discover, Moment(1)) else {
        panic!()
    };
    assert_ne!(used, other);
    // It stays so over a restart, and ends.
    let kept = subnets("10.1.0.10-10.1.0.11", &[]);
    let mut table = table_of(kept, vec![record.clone()]);
    let refused = judged(&mut table, &selecting(2, used), Moment(5));
    assert_eq!(refused, Verdict::Nak(Refusal::Taken));
    let later = judged(&mut table, &selecting(2, used), record.until);
    assert!(matches!(later, Verdict::Ack(_)), "{later:?}");
}

#[test]
fn decline_and_release_are_for_the_holder_only() {
    let mut table = table_of(subnets("10.1.0.10-10.1.0.20", &[]), Vec::new());
    let lease = leased(&mut table, 1, Moment(0));
    let not_its = Verdict::Silent {
        why: NoLease::NotIts,
        news: false,
    };
    let decline = |client| {
        let mut decline = selecting(client, lease.address);
        decline.envelope.message_type = MessageType::Decline;
        decline
    };
    let release = |client| with_address(MessageType::Release, client, lease.address);
    assert_eq!(judged(&mut table, &decline(2), Moment(1)), not_its);
    assert_eq!(judged(&mut table, &release(2), Moment(1)), not_its);
    let Verdict::Keep(released) = judged(&mut table, &release(1), Moment(2)) else {
        panic!()
    };
    assert_eq!(released.until, Moment(2));
    assert_eq!(leased(&mut table, 1, Moment(3)).address, lease.address);
    let Verdict::Keep(declined) = judged(&mut table, &decline(1), Moment(4)) else {
        panic!()
    };
    assert_eq!(declined.holder, Holder::Quarantined);
    assert_ne!(leased(&mut table, 1, Moment(5)).address, lease.address);
}

#[test]
fn a_reservation_comes_before_everything_but_a_running_lease() {
    let free = subnets("10.1.0.10-10.1.0.20", &[]);
    let mut table = table_of(free, Vec::new());
    let lease = leased(&mut table, 1, Moment(0));
    let last = lease.address.octets()[3];
    table.serve(
        &subnets("10.1.0.10-10.1.0.20", &[(2, last), (3, 99)]),
        Moment(1),
    );
    assert_eq!(
        offered(&mut table, 3, Moment(1)),
        Some(Ipv4Addr::new(10, 1, 0, 99))
    );
    assert_ne!(offered(&mut table, 2, Moment(1)), Some(lease.address));
    let renew = with_address(MessageType::Request, 1, lease.address);
    let refused = judged(&mut table, &renew, Moment(2));
    assert_eq!(refused, Verdict::Nak(Refusal::NotGiven));
    assert_eq!(offered(&mut table, 2, Moment(LEASE)), Some(lease.address));
}

#[test]
fn who_remembers_an_address_keeps_it_only_if_it_is_its_own() {
    let mut table = table_of(subnets("10.1.0.10-10.1.0.20", &[]), Vec::new());
    let lease = leased(&mut table, 1, Moment(0));
    let again = judged(&mut table, &rebooting(1, lease.address), Moment(9));
    assert!(matches!(again, Verdict::Ack(ref record) if record.until == Moment(9 + LEASE)));
    for (client, address, why) in [
        (2, lease.address, Refusal::NotKnown),
        (2, Ipv4Addr::new(10, 1, 0, 15), Refusal::NotKnown),
        (1, Ipv4Addr::new(10, 2, 0, 15), Refusal::OtherNetwork),
    ] {
        let verdict = judged(&mut table, &rebooting(client, address), Moment(9));
        assert_eq!(verdict, Verdict::Nak(why));
    }
    let lost = with_address(MessageType::Request, 7, Ipv4Addr::new(10, 1, 0, 15));
    let taken_up = judged(&mut table, &lost, Moment(9));
    assert!(matches!(taken_up, Verdict::Ack(_)) || lease.address.octets()[3] == 15);
}

#[test]
fn a_subnet_that_is_gone_for_a_while_comes_back_with_its_leases() {
    let served = subnets("10.1.0.10-10.1.0.20", &[]);
    let mut table = table_of(served.clone(), Vec::new());
    let lease = leased(&mut table, 1, Moment(0));
    table.serve(&Arc::default(), Moment(1));
    assert!(table.room_of(US).is_none() && table.leases(Moment(1)).is_empty());
    table.serve(&served, Moment(2));
    assert_eq!(table.leases(Moment(2)), [lease]);
}
