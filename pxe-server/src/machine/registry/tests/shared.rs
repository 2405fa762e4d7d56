//! Two registries on one etcd: what one does the other knows, decides by, and never does twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use embed::report::{Event as Reported, Report};
use tokio::runtime::Runtime;

use super::{MAC, matched, started};
use crate::cluster::Cluster;
use crate::mac::MacAddr;
use crate::machine::*;
use crate::store::{Etcd, EtcdSettings};

/// How long a machine that is busy with other things may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server's part: its registry, and the threads that serve it.
pub(super) struct One {
    pub(super) registry: Registry,
    pub(super) store: Arc<Etcd>,
    runtime: Runtime,
    _state: tempfile::TempDir,
}

impl One {
    pub(super) fn start(address: &str) -> Self {
        let settings = EtcdSettings {
            address: address.parse().unwrap(),
            ca: None,
            identity: None,
            credentials: None,
            patience: Duration::from_secs(20),
        };
        let state = tempfile::tempdir().unwrap();
        let store = Arc::new(Etcd::open(&settings, state.path()).unwrap());
        let (registry, _worker) = Registry::start(store.clone()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        Self {
            registry,
            store,
            runtime: runtime.enable_time().build().unwrap(),
            _state: state,
        }
    }

    pub(super) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    pub(super) fn asks(&self, mac: MacAddr, terms: Option<Terms>) -> Result<Answer, RegistryError> {
        let script = self
            .registry
            .script(mac, matched(), terms, Facts::default());
        self.wait(script)
    }

    /// As a machine that asks again when it is told to wait or that nothing can be done now.
    fn asks_until(
        &self,
        mac: MacAddr,
        terms: &Option<Terms>,
        wanted: fn(&Answer) -> bool,
    ) -> Answer {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.asks(mac, terms.clone());
            match answer {
                Ok(answer) if wanted(&answer) => return answer,
                Ok(Answer::Waits(_)) | Err(RegistryError::Unavailable) => {}
                other => panic!("{other:?}"),
            }
            assert!(Instant::now() < end, "{answer:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn gets_ticket(&self, mac: MacAddr, terms: Option<Terms>) -> Ticket {
        match self.asks_until(mac, &terms, |answer| matches!(answer, Answer::Install(_))) {
            Answer::Install(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn waits_until_full(&self, mac: MacAddr, terms: Option<Terms>) {
        self.asks_until(mac, &terms, |answer| *answer == Answer::Waits(Gate::Full));
    }

    fn waits_until_halted(&self, mac: MacAddr, terms: Option<Terms>) {
        self.asks_until(mac, &terms, |answer| *answer == Answer::Waits(Gate::Halted));
    }

    pub(super) fn reports(
        &self,
        mac: MacAddr,
        ticket: Ticket,
        report: Report,
    ) -> Result<(), RegistryError> {
        self.wait(self.registry.report(mac, ticket, report))
    }

    /// As a machine that sends a report again until somebody takes it or refuses it.
    fn reports_until_told(
        &self,
        mac: MacAddr,
        ticket: Ticket,
        report: Report,
    ) -> Result<(), RegistryError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.reports(mac, ticket, report.clone()) {
                Err(RegistryError::Unavailable) => assert!(Instant::now() < end),
                told => return told,
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn shares_orders(&self, before: &Orders, given: &Orders) {
        let share = || {
            let orders = (before.clone(), given.clone());
            let registry = &self.registry;
            self.wait(registry.share_orders("worker".into(), orders.0, orders.1))
        };
        let end = Instant::now() + PATIENCE;
        while share().is_err() {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for(&self, what: &str, done: impl Fn(&Registry) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.registry) {
            assert!(Instant::now() < end, "waiting for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What profile `worker` lets begin.
pub(super) fn terms(at_once: u32) -> Option<Terms> {
    Some(Terms {
        intent: Intent {
            profile: "worker".into(),
            version: "1".into(),
        },
        policy: Some(
            serde_saphyr::from_str(&format!("{{at-once: {at_once}, halt-on-failures: 2}}"))
                .unwrap(),
        ),
    })
}

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, number])
}

fn two(test: &str) -> Option<(Cluster, One, One)> {
    let cluster = Cluster::start(test, 1)?;
    let address = cluster.address();
    Some((cluster, One::start(&address), One::start(&address)))
}

#[test]
fn a_ticket_is_one_for_all_servers_and_starts_one_install() {
    let Some((_cluster, a, b)) = two("a ticket of two servers") else {
        return;
    };
    let ticket = a.gets_ticket(MAC, None);
    // At once, whether or not the other has heard of it.
    assert_eq!(b.gets_ticket(MAC, None), ticket);
    assert_eq!(b.reports_until_told(MAC, ticket, started()), Ok(()));
    assert_eq!(
        a.reports_until_told(MAC, ticket, started()),
        Ok(()),
        "sent again"
    );
    let other = Reported::InstallStarted {
        device: "/dev/vdb".into(),
    };
    assert_eq!(
        a.reports_until_told(MAC, ticket, Report::new(other, 2)),
        Err(RegistryError::Refused(Refusal::Used))
    );
    assert_eq!(a.asks(MAC, None), Ok(Answer::Held(State::Installing)));
    assert_eq!(
        b.reports_until_told(MAC, ticket, Report::new(Reported::Installed, 3)),
        Ok(())
    );
    assert_eq!(a.asks(MAC, None), Ok(Answer::Disk));
    assert_eq!(
        a.reports_until_told(mac(9), ticket, started()),
        Err(RegistryError::Unknown)
    );
    let seqs: Vec<u64> = b
        .registry
        .timeline(MAC)
        .unwrap()
        .iter()
        .map(|r| r.seq)
        .collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

#[test]
fn what_one_does_the_other_knows_and_tells() {
    let Some((_cluster, a, b)) = two("two servers know the same") else {
        return;
    };
    let facts = Facts {
        uuid: Some("u".into()),
        ..Facts::default()
    };
    let event = Event::DhcpDiscover {
        client: BootClient::Firmware,
        facts,
    };
    a.registry.observer().note(MAC, event);
    b.wait_for("the machine", |registry| {
        registry.subject(MAC).facts.uuid.as_deref() == Some("u")
    });
    let counted = |registry: &Registry| registry.feed().counts().get("dhcp-discover").copied();
    for one in [&a, &b] {
        one.wait_for("the event", |registry| counted(registry) == Some(1));
    }
    let claim = OperatorRequest {
        mac: MAC,
        id: "1".into(),
        wish: Wish::Claim(Some("web".into())),
    };
    b.wait(b.registry.carry_out(claim.clone())).unwrap();
    a.wait_for("the claim", |registry| {
        registry.subject(MAC).claim.as_deref() == Some("web")
    });
    a.wait(a.registry.carry_out(claim)).unwrap();
    let timeline = a.registry.timeline(MAC).unwrap();
    let claims = timeline
        .iter()
        .filter(|record| record.event.name() == "claimed");
    assert_eq!(claims.count(), 1, "one request is carried out once");
}

#[test]
fn a_rollouts_wave_and_its_halt_hold_for_all_servers() {
    let Some((_cluster, a, b)) = two("a rollout of two servers") else {
        return;
    };
    let first = a.gets_ticket(mac(1), terms(2));
    let second = b.gets_ticket(mac(2), terms(2));
    a.waits_until_full(mac(3), terms(2));
    b.waits_until_full(mac(4), terms(2));
    let failed = |reason: &str| {
        let reason = reason.to_owned();
        Report::new(Reported::InstallFailed { reason }, 1)
    };
    assert_eq!(b.reports_until_told(mac(1), first, failed("one")), Ok(()));
    a.gets_ticket(mac(3), terms(2));
    assert_eq!(a.reports_until_told(mac(2), second, failed("two")), Ok(()));
    b.waits_until_halted(mac(4), terms(2));

    let resumed = Orders {
        resumed: Some(Resumed {
            version: "1".into(),
            time: jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1),
        }),
        ..Orders::default()
    };
    let none = Orders::default();
    b.shares_orders(&none, &resumed);
    b.gets_ticket(mac(4), terms(2));
    let halted = Orders {
        halted: true,
        ..none.clone()
    };
    a.shares_orders(&none, &halted);
    b.wait_for("the order", |registry| registry.orders("worker").halted);
    assert_eq!(
        b.registry.orders("worker").resumed,
        resumed.resumed,
        "both hold"
    );
    b.waits_until_halted(mac(5), terms(9));
}

#[test]
fn without_a_quorum_disks_boot_nobody_is_installed_and_nothing_is_acknowledged() {
    let Some(mut cluster) = Cluster::start("the quorum of etcd", 3) else {
        return;
    };
    let a = One::start(&cluster.address());
    let (installed, waits) = (mac(1), mac(2));
    let ticket = a.gets_ticket(installed, None);
    a.reports_until_told(installed, ticket, started()).unwrap();
    a.reports_until_told(installed, ticket, Report::new(Reported::Installed, 2))
        .unwrap();
    let issued = a.gets_ticket(waits, None);

    cluster.kill(0);
    // One of three is gone: all goes on, though perhaps not in the moment in which a leader is chosen.
    let late = mac(3);
    let end = Instant::now() + PATIENCE;
    while !matches!(a.asks(late, None), Ok(Answer::Install(_))) {
        assert!(Instant::now() < end, "one member lost is none of ours");
        std::thread::sleep(Duration::from_millis(50));
    }
    cluster.kill(1);
    assert_eq!(
        a.asks(waits, None),
        Err(RegistryError::Unavailable),
        "issued, not used"
    );
    assert_eq!(a.asks(mac(4), None), Err(RegistryError::Unavailable));
    assert_eq!(
        a.reports(waits, issued, started()),
        Err(RegistryError::Unavailable)
    );
    let begin = Instant::now();
    assert_eq!(a.asks(installed, None), Ok(Answer::Disk));
    assert!(begin.elapsed() < Duration::from_secs(60));
    assert!(!a.registry.store_status().reachable);
    assert_eq!(a.registry.state(waits), Some(State::Booting));

    cluster.restart(1);
    let end = Instant::now() + PATIENCE;
    while a.reports(waits, issued, started()).is_err() {
        assert!(Instant::now() < end, "the quorum is back");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(a.registry.state(waits), Some(State::Installing));
    let timeline = a.registry.timeline(waits).unwrap();
    let starts = timeline
        .iter()
        .filter(|record| record.event.name() == "install-started");
    assert_eq!(starts.count(), 1);
}
