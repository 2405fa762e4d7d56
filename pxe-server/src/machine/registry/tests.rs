//! Reports through a store that fails, and what is answered then.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use embed::report::Event as Reported;

use super::*;
use crate::machine::State;
use crate::store::{Change, Embedded, Outcome, Snapshot};

mod clock;
mod histories;
mod shared;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

/// A store whose disk can be full, or slow.
#[derive(Debug)]
struct Failing {
    inner: Embedded,
    full: AtomicBool,
    /// Held by whoever makes it slow.
    slow: Mutex<()>,
}

impl MachineStore for Failing {
    fn load(&self) -> Result<Snapshot, StoreError> {
        self.inner.load()
    }

    fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError> {
        self.inner.timeline(mac)
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
        drop(self.slow.lock().unwrap());
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Transaction(Box::new(redb::Error::Io(
                std::io::ErrorKind::StorageFull.into(),
            ))));
        }
        self.inner.commit(changes)
    }
}

fn matched() -> Option<Matched> {
    Some(Matched {
        group: Some("rack".into()),
        profile: "worker".into(),
    })
}

fn started() -> Report {
    Report::new(
        Reported::InstallStarted {
            device: "/dev/vda".into(),
        },
        1,
    )
}

#[tokio::test]
async fn the_same_again_and_again_does_not_push_a_machines_past_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Failing {
        inner: Embedded::open(dir.path()).unwrap(),
        full: AtomicBool::new(false),
        slow: Mutex::default(),
    });
    let (registry, worker) = Registry::start(store.clone()).unwrap();
    let observer = registry.observer();
    let event = |bytes| Event::RootfsServed { bytes };
    let slow = store.slow.lock().unwrap();
    for bytes in [1, 1, 1, 2].into_iter().chain([3; 2000]) {
        observer.note(MAC, event(bytes));
    }
    drop(slow);
    registry.stop().await;
    tokio::task::spawn_blocking(move || worker.finish())
        .await
        .unwrap();
    let told = registry.timeline(MAC).unwrap();
    let mut told: Vec<Event> = told.into_iter().map(|record| record.event).collect();
    // Each commit tells it once, and takes hundreds.
    assert!(told.len() < 20, "{} events", told.len());
    told.dedup();
    assert_eq!(told, [Event::Discovered, event(1), event(2), event(3)]);
}

#[tokio::test]
async fn nothing_is_acknowledged_or_visible_that_the_disk_did_not_take() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Failing {
        inner: Embedded::open(dir.path()).unwrap(),
        full: AtomicBool::new(false),
        slow: Mutex::default(),
    });
    let (registry, _worker) = Registry::start(store.clone()).unwrap();
    let Answer::Install(ticket) = registry
        .script(MAC, matched(), None, Facts::default())
        .await
        .unwrap()
    else {
        panic!()
    };

    store.full.store(true, Ordering::SeqCst);
    assert_eq!(
        registry.report(MAC, ticket, started()).await,
        Err(RegistryError::Unavailable)
    );
    assert_eq!(registry.machine(MAC).unwrap().state, State::Booting);
    assert_eq!(
        registry
            .script(MAC, matched(), None, Facts::default())
            .await,
        Err(RegistryError::Unavailable)
    );

    store.full.store(false, Ordering::SeqCst);
    assert_eq!(registry.report(MAC, ticket, started()).await, Ok(()));
    assert_eq!(registry.machine(MAC).unwrap().state, State::Installing);
}

#[tokio::test]
async fn an_installed_machine_boots_its_disk_while_the_state_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Failing {
        inner: Embedded::open(dir.path()).unwrap(),
        full: AtomicBool::new(false),
        slow: Mutex::default(),
    });
    let (registry, _worker) = Registry::start(store.clone()).unwrap();
    let Answer::Install(ticket) = registry
        .script(MAC, matched(), None, Facts::default())
        .await
        .unwrap()
    else {
        panic!()
    };
    registry.report(MAC, ticket, started()).await.unwrap();
    registry
        .report(MAC, ticket, Report::new(Reported::Installed, 2))
        .await
        .unwrap();
    store.full.store(true, Ordering::SeqCst);
    assert_eq!(
        registry
            .script(MAC, matched(), None, Facts::default())
            .await,
        Ok(Answer::Disk)
    );
}

#[tokio::test]
async fn the_timeline_is_in_order_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, worker) =
        Registry::start(Arc::new(Embedded::open(dir.path()).unwrap())).unwrap();
    registry.observer().note(
        MAC,
        Event::ConfigServed {
            sha512: embed::digest::Sha512Digest::of(b""),
        },
    );
    let Answer::Install(ticket) = registry
        .script(
            MAC,
            matched(),
            None,
            Facts {
                uuid: Some("u".into()),
                ..Facts::default()
            },
        )
        .await
        .unwrap()
    else {
        panic!()
    };
    registry.report(MAC, ticket, started()).await.unwrap();
    drop(registry);
    worker.finish();

    let (registry, _worker) =
        Registry::start(Arc::new(Embedded::open(dir.path()).unwrap())).unwrap();
    let machine = registry.machine(MAC).unwrap();
    assert_eq!(
        (machine.state, machine.facts.uuid.as_deref()),
        (State::Installing, Some("u"))
    );
    let timeline = registry.timeline(MAC).unwrap();
    let seqs: Vec<u64> = timeline.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    assert!(matches!(
        timeline.last().unwrap().event,
        Event::InstallStarted { .. }
    ));
}

#[tokio::test]
async fn a_report_of_a_machine_never_seen_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let (registry, _worker) =
        Registry::start(Arc::new(Embedded::open(dir.path()).unwrap())).unwrap();
    assert_eq!(
        registry.report(MAC, Ticket([0; 16]), started()).await,
        Err(RegistryError::Unknown)
    );
    assert!(registry.machines().is_empty());
}

#[tokio::test]
async fn what_is_observed_after_the_end_is_left_for_the_next_server() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Registry::start(Arc::new(Embedded::open(dir.path()).unwrap())).unwrap();
    let (registry, worker) = open();
    let observer = registry.observer();
    observer.note(MAC, Event::RootfsServed { bytes: 1 });
    registry.leave_to(dir.path());
    registry.stop().await;
    let store = registry.store.clone();
    let finish = move || {
        worker.finish();
        store.close();
    };
    tokio::task::spawn_blocking(finish).await.unwrap();
    observer.note(MAC, Event::RootfsServed { bytes: 2 });
    assert_eq!(registry.dropped(), 0);
    let left = crate::machine::left_observations(dir.path()).unwrap();
    let (next, _worker) = open();
    for (_, observation) in left {
        let observation = observation.unwrap();
        let time = observation.time;
        next.take_up(observation).await.unwrap();
        assert_eq!(next.timeline(MAC).unwrap().last().unwrap().time, time);
    }
    let told = next.timeline(MAC).unwrap();
    let told: Vec<Event> = told.into_iter().map(|record| record.event).collect();
    let served = |bytes| Event::RootfsServed { bytes };
    assert_eq!(told, [Event::Discovered, served(1), served(2)]);
}
