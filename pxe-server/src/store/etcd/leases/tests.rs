//! Leases in a real etcd: what is done, what is not, and what others are told.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::cluster::Cluster;
use crate::dhcp::{Holder, Moment};
use crate::mac::MacAddr;
use crate::store::LeasePart;
use crate::store::etcd::tests::{WAIT, news, open};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, last)
}

fn client() -> LeaseKey {
    LeaseKey::Client(Net::parse("10.1.0.0/24").unwrap(), MAC)
}

fn record(last: u8, until: u64) -> LeaseRecord {
    LeaseRecord {
        address: address(last),
        holder: Holder::Leased { mac: MAC },
        since: Moment(5),
        until: Moment(until),
        host_name: None,
    }
}

fn part(key: LeaseKey, expected: u64, write: LeaseWrite) -> LeasePart {
    LeasePart {
        key,
        expected: Revision(expected),
        write,
    }
}

fn lease(last: u8, expected: u64) -> LeaseChange {
    let value = LeaseValue::Record(record(last, 65));
    let key = LeaseKey::Address(address(last));
    vec![part(key, expected, LeaseWrite::Put(value))]
}

fn done(outcome: LeaseOutcome) -> u64 {
    match outcome {
        LeaseOutcome::Done(revision) => revision.0,
        other => panic!("{other:?}"),
    }
}

fn listen(store: &EtcdLeases) -> Receiver<LeaseNews> {
    let (sender, receiver) = channel();
    store
        .follow(Box::new(move |news| drop(sender.send(news))))
        .unwrap();
    receiver
}

#[test]
fn of_many_changes_each_is_done_or_not_by_itself() {
    let Some(cluster) = Cluster::start("etcd leases", 1) else {
        return;
    };
    let (etcd, _dir) = open(&cluster.address());
    let store = EtcdLeases(etcd);
    let mut both = lease(10, 0);
    let value = LeaseValue::Address(address(10));
    both.push(part(client(), 0, LeaseWrite::Put(value)));
    let outcomes = store.commit(&[both.clone(), lease(11, 0)]).unwrap();
    let first = done(outcomes[0]);
    assert_eq!(outcomes[1], outcomes[0], "in one transaction");
    let mut half = lease(12, 0);
    half.push(part(client(), first + 1, LeaseWrite::Delete));
    let kept = vec![part(client(), first, LeaseWrite::Leave)];
    let outcomes = store.commit(&[half, lease(11, first), kept]).unwrap();
    assert_eq!(outcomes[0], LeaseOutcome::Stale);
    let second = done(outcomes[1]);
    assert!(second > first);
    assert_eq!(done(outcomes[2]), second);

    let all = listen(&store);
    let LeaseNews::All {
        documents,
        revision,
    } = all.recv().unwrap()
    else {
        panic!("everything first");
    };
    assert_eq!(revision, Revision(second));
    let known = |key, revision, value| LeaseDocument {
        key,
        revision: Revision(revision),
        value: Some(value),
    };
    // Ends are taken to be a little later than others say.
    let read = |last| LeaseValue::Record(record(last, 65 + SKEW));
    let want = [
        known(LeaseKey::Address(address(10)), first, read(10)),
        known(LeaseKey::Address(address(11)), second, read(11)),
        known(client(), first, LeaseValue::Address(address(10))),
    ];
    assert_eq!(documents, want, "half a change is none");
}

#[test]
fn more_changes_than_one_transaction_takes_are_done_and_others_are_told() {
    let Some(cluster) = Cluster::start("many leases in etcd", 1) else {
        return;
    };
    let (one, _one) = open(&cluster.address());
    let (two, _two) = open(&cluster.address());
    two.load().unwrap();
    let _machines = news(&two);
    let told = listen(&EtcdLeases(two));
    assert!(
        matches!(told.recv().unwrap(), LeaseNews::All { documents, .. } if documents.is_empty())
    );
    let store = EtcdLeases(one);
    let many: Vec<LeaseChange> = (1..=200).map(|last| lease(last, 0)).collect();
    let outcomes = store.commit(&many).unwrap();
    assert_eq!(outcomes.len(), 200);
    let newest = outcomes.into_iter().map(done).max().unwrap();
    let gone = LeaseKey::Address(address(7));
    let revisions = store
        .commit(&[vec![part(gone, newest, LeaseWrite::Delete)]])
        .unwrap();
    assert_eq!(revisions, [LeaseOutcome::Stale], "not its version");
    let mut documents = Vec::new();
    while documents.len() < 200 {
        let LeaseNews::Changes(changes) = told.recv_timeout(WAIT).unwrap() else {
            panic!("everything is told once");
        };
        documents.extend(changes);
    }
    let seventh = documents.iter().find(|document| document.key == gone);
    let expected = seventh.unwrap().revision.0;
    let deleted = store
        .commit(&[vec![part(gone, expected, LeaseWrite::Delete)]])
        .unwrap();
    let LeaseNews::Changes(changes) = told.recv_timeout(WAIT).unwrap() else {
        panic!("everything is told once");
    };
    let end = LeaseDocument {
        key: gone,
        revision: Revision(done(deleted[0])),
        value: None,
    };
    assert_eq!(changes, [end]);
}

#[test]
fn keys_are_read_as_they_are_written() {
    let keys = Keys::new("/rack/7");
    for key in [LeaseKey::Address(address(9)), client()] {
        assert_eq!(keys.parse_lease(&keys.lease(key)), Some(key));
    }
    for other in [
        "/rack/7/leases/x",
        "/rack/7/lease-clients/10.1.0.0/24",
        "/rack/7/format",
    ] {
        assert_eq!(keys.parse_lease(other), None, "{other}");
    }
}
