//! The store against real members of etcd: what is durable, what is refused, and what others see.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::cluster::Cluster;
use crate::machine::{Event, Machine, Orders};
use crate::store::Turn;

fn settings(address: &str) -> EtcdSettings {
    EtcdSettings {
        address: address.parse().unwrap(),
        ca: None,
        identity: None,
        credentials: None,
        patience: WAIT,
    }
}

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

fn change(number: u8, seqs: std::ops::RangeInclusive<u64>, expected: Revision) -> Change {
    let mut machine = Machine::new(mac(number), Timestamp::UNIX_EPOCH);
    machine.events = *seqs.end();
    let record = |seq| Record {
        seq,
        time: Timestamp::UNIX_EPOCH,
        event: Event::ReinstallRequested,
    };
    Change {
        machine,
        records: seqs.map(record).collect(),
        expected,
        turn: None,
    }
}

fn turn(profile: &str, revision: Revision) -> Option<Turn> {
    let orders = Orders::default();
    Some(Turn {
        profile: profile.to_owned(),
        rollout: Rollout { orders, revision },
    })
}

/// Opened with a state directory of its own.
pub(super) fn open(address: &str) -> (Arc<Etcd>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (
        Arc::new(Etcd::open(&settings(address), dir.path()).unwrap()),
        dir,
    )
}

fn done(outcome: &Outcome) -> Revision {
    match outcome {
        Outcome::Done(revision) => *revision,
        other => panic!("{other:?}"),
    }
}

/// What the store tells, but that nothing has happened.
pub(super) fn news(store: &Arc<Etcd>) -> Receiver<News> {
    let (sender, receiver) = channel();
    let store = store.clone();
    std::thread::spawn(move || {
        store.follow(&mut |news| {
            let quiet = matches!(news, News::Nothing);
            quiet || sender.send(news).is_ok()
        });
    });
    receiver
}

pub(super) const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_document_changes_only_as_it_is_expected_and_what_is_there_is_told() {
    let Some(cluster) = Cluster::start("etcd store", 1) else {
        return;
    };
    let (one, _one) = open(&cluster.address());
    let (two, _two) = open(&cluster.address());
    let first = change(1, 1..=2, Revision::default());
    let revision = done(&one.commit(std::slice::from_ref(&first)).unwrap()[0]);

    let found = Some(Box::new(Stored {
        machine: first.machine.clone(),
        revision,
    }));
    let other = change(1, 1..=1, Revision::default());
    let check = Change {
        records: vec![],
        ..other.clone()
    };
    let fine = change(2, 1..=1, Revision::default());
    let outcomes = two.commit(&[other, fine]).unwrap();
    let stale = Outcome::Stale {
        machine: found,
        rollout: Revision::default(),
    };
    assert_eq!(outcomes[0], stale);
    assert_eq!(two.commit(&[check]).unwrap(), std::slice::from_ref(&stale));
    let right = change(1, 3..=3, revision);
    let check = Change {
        records: vec![],
        ..right.clone()
    };
    assert_eq!(two.commit(&[check]).unwrap(), [Outcome::Done(revision)]);
    assert!(done(&two.commit(&[right]).unwrap()[0]) > revision);

    let snapshot = one.load().unwrap();
    let known = snapshot
        .machines
        .iter()
        .map(|s| (s.machine.mac, s.machine.events));
    assert_eq!(known.collect::<Vec<_>>(), [(mac(1), 3), (mac(2), 1)]);
    let timeline = one.timeline(mac(1)).unwrap();
    let seqs: Vec<u64> = timeline.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
}

#[test]
fn a_turn_in_a_rollout_is_taken_by_one_only_and_several_of_one_server_follow() {
    let Some(cluster) = Cluster::start("turns in etcd", 1) else {
        return;
    };
    let (one, _one) = open(&cluster.address());
    let none = Revision::default();
    let with_turn = |number, revision| Change {
        turn: turn("web", revision),
        ..change(number, 1..=1, none)
    };
    let outcomes = one
        .commit(&[with_turn(1, none), with_turn(2, none)])
        .unwrap();
    let newest = done(&outcomes[1]);
    assert!(done(&outcomes[0]) < newest);
    let late = one.commit(&[with_turn(3, done(&outcomes[0]))]).unwrap();
    let stale = Outcome::Stale {
        machine: None,
        rollout: newest,
    };
    assert_eq!(late, std::slice::from_ref(&stale));
    assert_eq!(
        one.load().unwrap().machines.len(),
        2,
        "nothing of it is there"
    );
    let rollout = |revision| Rollout {
        orders: Orders {
            halted: true,
            ..Orders::default()
        },
        revision,
    };
    assert_eq!(one.give_orders("web", &rollout(none)).unwrap(), stale);
    let given = done(&one.give_orders("web", &rollout(newest)).unwrap());
    assert_eq!(one.load().unwrap().rollouts["web"], rollout(given));
    let late = one.commit(&[with_turn(3, newest)]).unwrap();
    assert!(matches!(late[0], Outcome::Stale { .. }), "halted since");
}

#[test]
fn a_timeline_keeps_its_newest_events_and_pages_are_joined() {
    let Some(cluster) = Cluster::start("timelines in etcd", 1) else {
        return;
    };
    let (store, _dir) = open(&cluster.address());
    let mut revision = Revision::default();
    for begin in [1, 101, 201] {
        let change = change(1, begin..=begin + 99, revision);
        revision = done(&store.commit(&[change]).unwrap()[0]);
    }
    let timeline = store.timeline(mac(1)).unwrap();
    let ends = timeline.first().zip(timeline.last());
    assert_eq!(ends.map(|(a, b)| (a.seq, b.seq)), Some((101, 300)));
    let all = cluster.ctl(&["get", "--prefix", "--keys-only", "/coreos-metal/events/"]);
    let keys = String::from_utf8(all.stdout).unwrap();
    assert_eq!(
        keys.split_whitespace().count(),
        2,
        "older ones are gone: {keys}"
    );

    let many: Vec<Change> = (0..u64::from(PAGE) + 7)
        .map(|number| {
            let mut change = change(0, 1..=1, Revision::default());
            let [.., a, b] = number.to_be_bytes();
            change.machine.mac = MacAddr([6, 0, 0, 0, a, b]);
            change
        })
        .collect();
    store.commit(&many).unwrap().iter().for_each(|outcome| {
        done(outcome);
    });
    assert_eq!(store.load().unwrap().machines.len(), many.len() + 1);
}

#[test]
fn others_are_followed_also_over_a_compaction_and_a_member_that_was_away() {
    let Some(mut cluster) = Cluster::start("watches of etcd", 1) else {
        return;
    };
    let (one, _one) = open(&cluster.address());
    let (two, _two) = open(&cluster.address());
    two.load().unwrap();
    let told = news(&two);
    let revision = done(
        &one.commit(&[change(1, 1..=2, Revision::default())])
            .unwrap()[0],
    );
    let News::Changes(changes) = told.recv_timeout(WAIT).unwrap() else {
        panic!("changes");
    };
    let expected = change(1, 1..=2, Revision::default());
    assert_eq!(
        changes.machines,
        [(mac(1), revision, Some(expected.machine))]
    );
    assert_eq!(changes.records.len(), 2);

    cluster.kill(0);
    cluster.restart(0);
    cluster.wait_healthy();
    assert!(
        cluster
            .ctl(&["put", "/coreos-metal/other", "x"])
            .status
            .success()
    );
    assert!(
        cluster
            .ctl(&["del", "/coreos-metal/machines/02-00-00-00-00-01"])
            .status
            .success()
    );
    let newest = cluster.ctl(&["put", "/elsewhere", "x", "-w", "json"]);
    let newest: Value = serde_json::from_slice(&newest.stdout).unwrap();
    let newest = newest["header"]["revision"].to_string();
    assert!(cluster.ctl(&["compact", &newest]).status.success());
    // The watch is taken up where it ended, or everything is read anew.
    let mut gone = false;
    while !gone {
        gone = match told.recv_timeout(WAIT).unwrap() {
            News::All(snapshot) => snapshot.machines.is_empty(),
            News::Changes(changes) => {
                let mut machines = changes.machines.iter();
                machines.any(|(found, _, machine)| *found == mac(1) && machine.is_none())
            }
            News::Nothing => false,
        };
    }
    assert!(two.is_reachable());
}

#[test]
fn a_member_that_hangs_is_given_up_and_found_again() {
    let Some(cluster) = Cluster::start("etcd that hangs", 1) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let settings = EtcdSettings {
        patience: Duration::from_secs(8),
        ..settings(&cluster.address())
    };
    let store = Arc::new(Etcd::open(&settings, dir.path()).unwrap());
    let fine = change(1, 1..=1, Revision::default());
    let revision = done(&store.commit(&[fine]).unwrap()[0]);
    cluster.freeze(0);
    let late = store.commit(&[change(1, 2..=2, revision)]).unwrap();
    assert_eq!(late, [Outcome::Unknown], "it may come through yet");
    assert!(!store.is_reachable());
    let refused = store.commit(&[change(1, 2..=2, revision)]).unwrap_err();
    assert!(
        matches!(refused, StoreError::Etcd(EtcdError::Away)),
        "{refused:?}"
    );
    let told = news(&store);
    cluster.thaw(0);
    let News::All(snapshot) = told.recv_timeout(WAIT).unwrap() else {
        panic!("everything");
    };
    assert!(store.is_reachable());
    assert!(snapshot.machines[0].machine.events <= 2);
}

#[test]
fn a_start_without_a_member_knows_the_machines_as_last_seen() {
    let Some(mut cluster) = Cluster::start("starts without etcd", 1) else {
        return;
    };
    let (store, dir) = open(&cluster.address());
    let change = change(1, 1..=1, Revision::default());
    store.commit(std::slice::from_ref(&change)).unwrap();
    store.load().unwrap();
    drop(store);
    cluster.kill(0);
    let store = Arc::new(Etcd::open(&settings(&cluster.address()), dir.path()).unwrap());
    assert!(!store.is_reachable());
    let known = store.load().unwrap().machines;
    let last_seen = Stored {
        machine: change.machine,
        revision: Revision::default(),
    };
    assert_eq!(known, [last_seen]);
    let told = news(&store);
    cluster.restart(0);
    let News::All(snapshot) = told.recv_timeout(WAIT).unwrap() else {
        panic!("everything");
    };
    assert!(snapshot.machines[0].revision > Revision::default());
    assert!(store.is_reachable());
}

#[test]
fn what_is_not_ours_or_newer_is_refused() {
    let Some(cluster) = Cluster::start("formats in etcd", 1) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(&format!("{}/site", cluster.address()));
    assert!(cluster.ctl(&["put", "/site/format", "2"]).status.success());
    let error = Etcd::open(&settings, dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer(2)), "{error:?}");
    assert!(
        cluster
            .ctl(&["put", "/site/format", "yaml"])
            .status
            .success()
    );
    let error = Etcd::open(&settings, dir.path()).unwrap_err();
    let StoreError::Etcd(EtcdError::Foreign(key)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(key, "/site/format");
}

#[test]
fn who_is_not_let_in_is_told_and_a_token_is_renewed() {
    let Some(mut cluster) = Cluster::start("users of etcd", 1) else {
        return;
    };
    for words in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["auth", "enable"],
    ] {
        let done = cluster.ctl(words);
        assert!(done.status.success(), "{words:?}: {done:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let open = |credentials: Option<&str>| {
        if let Some(text) = credentials {
            std::fs::write(&file, text).unwrap();
        }
        let settings = EtcdSettings {
            credentials: credentials.map(|_| file.clone()),
            ..settings(&cluster.address())
        };
        Etcd::open(&settings, dir.path())
    };
    for wrong in [None, Some("root:wrong"), Some("nobody:secret")] {
        let error = open(wrong).unwrap_err();
        let StoreError::Etcd(EtcdError::Forbidden { .. }) = error else {
            panic!("{wrong:?}: {error:?}");
        };
    }
    let error = open(Some("root")).unwrap_err();
    assert!(
        matches!(error, StoreError::Etcd(EtcdError::Credentials(_))),
        "{error:?}"
    );
    let store = open(Some("root:secret\n")).unwrap();
    let commit = |number| store.commit(&[change(number, 1..=1, Revision::default())]);
    done(&commit(1).unwrap()[0]);
    // A member forgets its tokens when it ends.
    cluster.kill(0);
    cluster.restart(0);
    let store = Arc::new(store);
    let _told = news(&store);
    let end = std::time::Instant::now() + WAIT;
    let mut number = 2;
    loop {
        let again = store.commit(&[change(number, 1..=1, Revision::default())]);
        match again.as_deref() {
            Ok([Outcome::Done(_)]) => break,
            _ => assert!(std::time::Instant::now() < end, "{again:?}"),
        }
        number += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
}
