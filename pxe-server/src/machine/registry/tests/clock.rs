//! A wall clock that is set back: between a machine's events, and between two runs of the server.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::machine::{Gate, Intent, OperatorRequest, Policy, Resumed, Wish};

const YEAR: i64 = 365 * 86_400_000;
/// Some day, in milliseconds.
const TODAY: i64 = 1_700_000_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn report(event: Reported) -> Report {
    Report::new(event, 1)
}

fn install(answer: Answer) -> Ticket {
    match answer {
        Answer::Install(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

/// Asserts that the timeline of `MAC` goes forward only, and gives its events' names and times.
fn forward(registry: &Registry) -> Vec<(&'static str, i64)> {
    let records = registry.timeline(MAC).unwrap();
    for pair in records.windows(2) {
        let [before, after] = pair else { continue };
        assert!(before.time <= after.time, "{before:?} {after:?}");
        assert_eq!(before.seq + 1, after.seq);
    }
    let machine = registry.machine(MAC).unwrap();
    assert!(machine.first_seen <= machine.last_seen, "{machine:?}");
    let told = records.iter();
    told.map(|record| (record.event.name(), record.time.as_millisecond()))
        .collect()
}

async fn stop(registry: Registry, worker: Worker) {
    registry.stop().await;
    drop(registry);
    tokio::task::spawn_blocking(move || worker.finish())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_timeline_goes_forward_and_no_ticket_is_issued_again() {
    static WALL: AtomicI64 = AtomicI64::new(TODAY);
    let wall = || at(WALL.load(Ordering::SeqCst));
    let set = |ms| WALL.store(ms, Ordering::SeqCst);
    let dir = tempfile::tempdir().unwrap();
    let start = || Registry::start_by(Arc::new(Embedded::open(dir.path()).unwrap()), wall).unwrap();
    let (registry, worker) = start();
    let ask = async |registry: &Registry| {
        let facts = Facts::default();
        registry.script(MAC, matched(), None, facts).await.unwrap()
    };
    let ticket = install(ask(&registry).await);
    set(TODAY + 5000);
    registry
        .observer()
        .note(MAC, Event::RootfsServed { bytes: 1 });
    set(TODAY - YEAR);
    assert_eq!(install(ask(&registry).await), ticket, "not a second one");
    registry.report(MAC, ticket, started()).await.unwrap();
    stop(registry, worker).await;

    // The clock is wrong when the server comes back, too.
    let (registry, worker) = start();
    assert_eq!(ask(&registry).await, Answer::Held(State::Installing));
    set(TODAY - YEAR + 1000);
    let installed = report(Reported::Installed);
    registry.report(MAC, ticket, installed).await.unwrap();
    assert_eq!(ask(&registry).await, Answer::Disk);
    let times: Vec<i64> = forward(&registry).iter().map(|(_, time)| *time).collect();
    assert_eq!(times.first(), Some(&TODAY));
    assert_eq!(
        times.last(),
        Some(&(TODAY + 5000)),
        "it waits for the clock"
    );

    // One more install is allowed once, and by a new ticket; a clock that is right again goes on.
    let request = OperatorRequest {
        mac: MAC,
        id: "one".into(),
        wish: Wish::Reinstall,
    };
    registry.carry_out(request.clone()).await.unwrap();
    let second = install(ask(&registry).await);
    assert_ne!(second, ticket);
    registry.carry_out(request).await.unwrap();
    assert_eq!(install(ask(&registry).await), second);
    let late = registry
        .report(MAC, ticket, report(Reported::Installed))
        .await;
    assert!(matches!(late, Err(RegistryError::Refused(_))), "{late:?}");
    set(TODAY + 60_000);
    registry.report(MAC, second, started()).await.unwrap();
    let told = forward(&registry);
    assert_eq!(told.last(), Some(&("install-started", TODAY + 60_000)));
    stop(registry, worker).await;
}

#[tokio::test]
async fn a_failure_after_an_order_to_go_on_counts_though_the_clock_says_before() {
    static WALL: AtomicI64 = AtomicI64::new(TODAY - YEAR);
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(dir.path()).unwrap());
    let wall = || at(WALL.load(Ordering::SeqCst));
    let (registry, worker) = Registry::start_by(store, wall).unwrap();
    let intent = Intent {
        profile: "worker".into(),
        version: "1".into(),
    };
    // Given while the clock was right.
    let orders = Orders {
        resumed: Some(Resumed {
            version: intent.version.clone(),
            time: at(TODAY),
        }),
        ..Orders::default()
    };
    registry.take_orders([(intent.profile.clone(), orders)].into());
    let policy: Policy = serde_saphyr::from_str("{at-once: 1}").unwrap();
    let ask = async |last: u8| {
        let terms = Terms {
            intent: intent.clone(),
            policy: Some(policy.clone()),
        };
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        let asked = registry.script(mac, matched(), Some(terms), Facts::default());
        asked.await.unwrap()
    };
    let ticket = install(ask(1).await);
    let reason = "bad image".to_owned();
    let failed = report(Reported::InstallFailed { reason });
    registry.report(MAC, ticket, started()).await.unwrap();
    registry.report(MAC, ticket, failed).await.unwrap();
    assert_eq!(ask(2).await, Answer::Waits(Gate::Halted));
    stop(registry, worker).await;
}
