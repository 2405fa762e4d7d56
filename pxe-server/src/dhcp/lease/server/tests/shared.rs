//! Servers that lease from the same pools, over a real etcd: no address for two clients, no two for
//! one, nothing acknowledged that is not durable, and silence without a quorum.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{sleep, spawn};
use std::time::Instant;

use super::*;
use crate::cluster::Cluster;
use crate::dhcp::Holder;
use crate::store::{Etcd, EtcdSettings, MachineStore as _};

mod histories;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 3);
const PATIENCE: Duration = Duration::from_secs(120);
const DECLINE: u8 = 4;
const RELEASE: u8 = 7;

/// A server of its own connection, which is told what others do if it follows.
struct Peer {
    bench: Bench,
    _state: tempfile::TempDir,
}

fn pool(last: u8) -> Arc<Subnets> {
    let near = subnet("10.1.0.0/24", &format!("10.1.0.10-10.1.0.{last}"), US);
    Arc::new(Subnets::new(vec![near]).unwrap())
}

impl Peer {
    fn start(us: Ipv4Addr, cluster: &Cluster, last: u8, follows: bool) -> Self {
        let state = tempfile::tempdir().unwrap();
        let settings = EtcdSettings {
            address: cluster.address().parse().unwrap(),
            ca: None,
            identity: None,
            credentials: None,
            patience: Duration::from_secs(5),
        };
        let etcd = Arc::new(Etcd::open(&settings, state.path()).unwrap());
        etcd.load().unwrap();
        let bench = Bench::at(us, etcd.clone().leases().unwrap(), pool(last));
        if follows {
            // For as long as anybody leases from it.
            let server = Arc::downgrade(&bench.server);
            spawn(move || etcd.follow(&mut |_| server.strong_count() > 0));
        }
        Self {
            bench,
            _state: state,
        }
    }

    /// The answer, if there is one: everything that was queued before is written by then.
    fn answer(&mut self, packet: &[u8]) -> Option<Message> {
        let packet = numbered(packet);
        let message = |reply: &Reply| Message::from_bytes(&reply.packet).unwrap();
        match self.bench.try_handle(&packet, true) {
            Ok(Handled::Send(reply)) => return Some(message(&reply)),
            Ok(Handled::Done) => {}
            Err(_) => return None,
        }
        self.fence();
        let mut found = None;
        loop {
            let answer = message(&self.bench.answers.blocking_recv().unwrap().reply);
            if answer.chaddr() == [0; 6] {
                return found;
            }
            if answer.xid().to_be_bytes() == packet[4..8] {
                found = Some(answer);
            }
        }
    }

    /// Lets an answer to nobody go after everything that is queued.
    fn fence(&self) {
        let nobody = [(53, &[REQUEST][..]), (50, &[10, 9, 9, 9])];
        let nobody = with_mac([0; 6], packet(&nobody));
        let Ok(Handled::Send(reply)) = self.bench.try_handle(&nobody, true) else {
            panic!("of another network");
        };
        let arrival = Arrival {
            length: 0,
            from: std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
            local: US,
            interface: 1,
            broadcast: true,
        };
        let end = Outgoing {
            reply: *reply,
            arrival,
        };
        assert!(
            self.bench
                .server
                .keeper
                .keep(Change::new(vec![]), Some(end))
        );
    }

    fn offer(&mut self, client: u8) -> Option<Ipv4Addr> {
        let offer = self.answer(&from(client, packet(&[(53, &[DISCOVER])])))?;
        assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
        Some(offer.yiaddr())
    }

    fn acknowledged(&mut self, request: &[u8]) -> bool {
        let answer = self.answer(request);
        answer.is_some_and(|answer| answer.opts().msg_type() == Some(MessageType::Ack))
    }

    fn refused(&mut self, request: &[u8]) -> bool {
        let answer = self.answer(request);
        answer.is_some_and(|answer| answer.opts().msg_type() == Some(MessageType::Nak))
    }

    /// Asks until it is acknowledged: what another server has done may not be heard of yet.
    fn asks_until_acknowledged(&mut self, request: &[u8]) {
        let end = Instant::now() + PATIENCE;
        while !self.acknowledged(request) {
            assert!(Instant::now() < end, "no ACK: {:?}", self.leases());
        }
    }

    /// Asks until it is refused.
    fn asks_until_refused(&mut self, request: &[u8]) {
        let end = Instant::now() + PATIENCE;
        while !self.refused(request) {
            assert!(Instant::now() < end, "no NAK: {:?}", self.leases());
        }
    }

    fn lease(&mut self, client: u8) -> Ipv4Addr {
        let address = self.offer(client).unwrap();
        let us = self.bench.us;
        assert!(self.acknowledged(&selecting_at(us, client, address)));
        address
    }

    fn leases(&self) -> Vec<(u8, Ipv4Addr)> {
        let leases = self.bench.server.leases().0.into_iter();
        let client = |holder| match holder {
            Holder::Leased { mac } => mac.0[5],
            other => panic!("{other:?}"),
        };
        leases
            .map(|lease| (client(lease.holder), lease.address))
            .collect()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.leases());
            sleep(Duration::from_millis(10));
        }
    }
}

fn with_mac(mac: [u8; 6], mut packet: Vec<u8>) -> Vec<u8> {
    packet[28..34].copy_from_slice(&mac);
    packet
}

/// With a transaction number of its own.
fn numbered(packet: &[u8]) -> Vec<u8> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let mut packet = packet.to_vec();
    packet[4..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    packet
}

/// RENEW or REBIND, RELEASE.
fn holding(kind: u8, client: u8, address: Ipv4Addr) -> Vec<u8> {
    with_header(from(client, packet(&[(53, &[kind])])), CIADDR, address)
}

fn rebooting(client: u8, address: Ipv4Addr) -> Vec<u8> {
    let options: [(u8, &[u8]); 2] = [(53, &[REQUEST]), (50, &address.octets())];
    from(client, packet(&options))
}

#[test]
fn what_one_leases_the_other_offers_and_renews() {
    let Some(cluster) = Cluster::start("leases of two servers", 1) else {
        return;
    };
    let mut one = Peer::start(US, &cluster, 99, true);
    let mut two = Peer::start(OTHER, &cluster, 99, true);
    let offers = [one.offer(1), two.offer(1)];
    assert_eq!(offers[0], offers[1], "both the same");
    let address = one.lease(1);
    assert_eq!(Some(address), offers[0]);
    two.wait_until("the lease", |two| two.leases() == [(1, address)]);
    let chosen = selecting_at(US, 1, address);
    let ignored = two.bench.try_handle(&chosen, true).unwrap_err();
    assert_eq!(ignored, Ignored::NoLease(NoLease::OtherServer));
    assert!(two.acknowledged(&holding(REQUEST, 1, address)));
    assert!(two.acknowledged(&rebooting(1, address)));
    one.asks_until_acknowledged(&rebooting(1, address));
    assert!(two.refused(&rebooting(1, Ipv4Addr::new(10, 7, 0, 1))));
    let unknown = two.bench.try_handle(&rebooting(2, address), true);
    assert_eq!(unknown.unwrap_err(), Ignored::NoLease(NoLease::Unheard));
    two.asks_until_refused(&holding(REQUEST, 2, address));
    two.answer(&holding(RELEASE, 1, address));
    one.wait_until("the release", |one| one.leases().is_empty());
    assert_eq!(one.lease(1), address);
    let two = Peer::start(OTHER, &cluster, 99, true);
    assert_eq!(two.leases(), [(1, address)], "all known at the start");
}

#[test]
fn who_has_not_heard_of_a_lease_grants_nothing_against_it() {
    let Some(cluster) = Cluster::start("leases that are not heard of", 1) else {
        return;
    };
    let mut one = Peer::start(US, &cluster, 10, true);
    let mut deaf = Peer::start(OTHER, &cluster, 10, false);
    let address = one.lease(1);
    assert_eq!(deaf.offer(2), Some(address), "it knows no better");
    assert!(!deaf.acknowledged(&selecting_at(OTHER, 2, address)));
    assert_eq!(one.leases(), [(1, address)]);
    // Its word against a lease is worth nothing, either.
    let mut wide = Peer::start(US, &cluster, 11, true);
    let mut deaf = Peer::start(OTHER, &cluster, 11, false);
    let other = wide.lease(2);
    assert_eq!(deaf.offer(2).map(|_| ()), Some(()));
    wide.answer(&holding(RELEASE, 1, address));
    assert_eq!(wide.offer(3), Some(address));
    assert!(wide.acknowledged(&selecting_at(US, 3, address)));
    assert_eq!(deaf.answer(&holding(REQUEST, 3, address)), None);
    assert!(wide.leases().contains(&(2, other)));
}

#[test]
fn a_client_that_is_given_another_address_loses_the_one_that_it_had() {
    let Some(cluster) = Cluster::start("two addresses for one client", 1) else {
        return;
    };
    let mut one = Peer::start(US, &cluster, 12, true);
    let mut deaf = Peer::start(OTHER, &cluster, 12, false);
    let had = deaf.offer(1).unwrap();
    let has = (10..=12).map(|last| Ipv4Addr::new(10, 1, 0, last));
    let has = has.into_iter().find(|address| *address != had).unwrap();
    assert!(one.acknowledged(&selecting(1, has)));
    assert!(
        !deaf.acknowledged(&selecting_at(OTHER, 1, had)),
        "it has one already"
    );
    assert!(one.acknowledged(&selecting(1, had)), "it has moved");
    assert_eq!(one.leases(), [(1, had)]);
    assert!(one.acknowledged(&selecting(2, has)), "free for anybody");
}

#[test]
fn a_lease_that_is_over_goes_to_another_client_by_any_server() {
    let Some(cluster) = Cluster::start("leases that are over", 1) else {
        return;
    };
    let mut one = Peer::start(US, &cluster, 10, true);
    let mut two = Peer::start(OTHER, &cluster, 10, true);
    let address = one.lease(1);
    two.wait_until("the lease", |two| two.leases() == [(1, address)]);
    assert_eq!(two.offer(2), None, "nothing is left");
    let later = Moment(one.bench.server.clock.now().0 + 3601);
    two.bench.server.clock.not_before(later);
    assert_eq!(two.offer(2), None, "clocks differ a little");
    two.bench.server.clock.not_before(Moment(later.0 + 60));
    assert_eq!(two.lease(2), address);
    one.wait_until("the new lease", |one| one.leases() == [(2, address)]);
    assert!(one.refused(&holding(REQUEST, 1, address)));
    two.answer(&{
        let options: [(u8, &[u8]); 3] = [
            (53, &[DECLINE]),
            (50, &address.octets()),
            (54, &OTHER.octets()),
        ];
        from(2, packet(&options))
    });
    one.wait_until("the quarantine", |one| {
        one.bench.server.states()[0].quarantined == 1
    });
}

#[test]
fn without_a_quorum_nobody_is_told_anything_and_all_goes_on_when_it_is_back() {
    let Some(mut cluster) = Cluster::start("leases without a quorum", 3) else {
        return;
    };
    let mut one = Peer::start(US, &cluster, 99, true);
    let address = one.lease(1);
    cluster.kill(0);
    cluster.kill(1);
    let renew = holding(REQUEST, 1, address);
    let away = || Ignored::NoLease(NoLease::Away);
    let end = Instant::now() + PATIENCE;
    // The first ones wait for etcd in vain.
    while one.bench.try_handle(&numbered(&renew), true).err() != Some(away()) {
        assert!(Instant::now() < end, "the loss is noticed");
        sleep(Duration::from_millis(50));
    }
    for silent in [
        renew.clone(),
        from(2, packet(&[(53, &[DISCOVER])])),
        rebooting(1, Ipv4Addr::new(10, 7, 0, 1)),
    ] {
        assert_eq!(one.bench.try_handle(&silent, true).unwrap_err(), away());
    }
    assert!(
        one.bench.answers.try_recv().is_err(),
        "nothing was promised"
    );
    let late = Peer::start(OTHER, &cluster, 99, true);
    assert_eq!(late.bench.try_handle(&renew, true).unwrap_err(), away());

    cluster.restart(1);
    let end = Instant::now() + PATIENCE;
    // What was written in vain may be found done, and is asked for once more.
    let answer = loop {
        assert!(Instant::now() < end, "the quorum is back");
        let _ = one.bench.try_handle(&numbered(&renew), true);
        sleep(Duration::from_millis(50));
        if let Ok(answer) = one.bench.answers.try_recv() {
            break Message::from_bytes(&answer.reply.packet).unwrap();
        }
    };
    assert_eq!(answer.opts().msg_type(), Some(MessageType::Ack));
    late.wait_until("the lease", |late| late.leases() == [(1, address)]);
}
