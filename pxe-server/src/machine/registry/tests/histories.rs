//! Random histories of machines that ask and report at two servers at once, with answers that nobody
//! waits for and servers that end without a word: no second install, no acknowledged report lost,
//! never more installs at once than the rollout lets begin.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use embed::report::{Event as Reported, Report};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::shared::{One, terms};
use crate::cluster::Cluster;
use crate::mac::MacAddr;
use crate::machine::*;
use crate::store::MachineStore;

const MACHINES: u8 = 4;
const AT_ONCE: u32 = 1;

#[derive(Clone, Debug)]
enum Step {
    Asks(u8),
    Starts(u8),
    /// Its server has so many milliseconds to answer.
    StartsInHaste(u8, u64),
    Installed(u8),
    Reinstall(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let machine = 0..MACHINES;
    let step = prop_oneof![
        6 => machine.clone().prop_map(Step::Asks),
        4 => machine.clone().prop_map(Step::Starts),
        2 => (machine.clone(), 0u64..20).prop_map(|(machine, ms)| Step::StartsInHaste(machine, ms)),
        3 => machine.clone().prop_map(Step::Installed),
        2 => machine.prop_map(Step::Reinstall),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..25)
}

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 2, number])
}

/// What the machines know, at whichever server they are.
#[derive(Default)]
struct World {
    tickets: Mutex<[Option<Ticket>; MACHINES as usize]>,
    /// The machine and the name of each install that was acknowledged to have begun.
    begun: Mutex<Vec<(u8, u64)>>,
    names: AtomicU64,
    ready: AtomicU64,
    over: AtomicBool,
}

impl World {
    fn ticket(&self, number: u8) -> Option<Ticket> {
        self.tickets.lock().unwrap()[usize::from(number)]
    }

    fn start(&self) -> (u64, Report) {
        let name = self.names.fetch_add(1, Ordering::SeqCst);
        let device = "/dev/vda".to_owned();
        (name, Report::new(Reported::InstallStarted { device }, name))
    }

    /// One server's part of the history, which begins with a machine that asks at the same moment as
    /// one at the other server.
    fn play(&self, address: &str, first: u8, steps: &[Step]) {
        let mut one = One::start(address);
        self.ready.fetch_add(1, Ordering::SeqCst);
        let end = Instant::now() + Duration::from_secs(60);
        while self.ready.load(Ordering::SeqCst) < 2 && Instant::now() < end {
            std::thread::yield_now();
        }
        for step in std::iter::once(&Step::Asks(first)).chain(steps) {
            match *step {
                Step::Asks(number) => {
                    if let Ok(Answer::Install(ticket)) = one.asks(mac(number), terms(AT_ONCE)) {
                        self.tickets.lock().unwrap()[usize::from(number)] = Some(ticket);
                    }
                }
                Step::Starts(number) => {
                    let (name, report) = self.start();
                    if let Some(ticket) = self.ticket(number)
                        && one.reports(mac(number), ticket, report).is_ok()
                    {
                        self.begun.lock().unwrap().push((number, name));
                    }
                }
                Step::StartsInHaste(number, ms) => {
                    let (name, report) = self.start();
                    if let Some(ticket) = self.ticket(number) {
                        let told = one.registry.report(mac(number), ticket, report);
                        let patience = Duration::from_millis(ms);
                        let told = one.wait(async { tokio::time::timeout(patience, told).await });
                        if told == Ok(Ok(())) {
                            self.begun.lock().unwrap().push((number, name));
                        }
                    }
                }
                Step::Installed(number) => {
                    if let Some(ticket) = self.ticket(number) {
                        let report = Report::new(Reported::Installed, 1);
                        let _ = one.reports(mac(number), ticket, report);
                    }
                }
                Step::Reinstall(number) => {
                    let request = OperatorRequest {
                        mac: mac(number),
                        id: Ticket::random().to_string(),
                        wish: Wish::Reinstall,
                    };
                    let _ = one.wait(one.registry.carry_out(request));
                }
                Step::Crash => one = One::start(address),
            }
        }
    }

    /// Looks again and again how many are being installed.
    fn watch(&self, address: &str) {
        let one = One::start(address);
        let intent = terms(AT_ONCE).unwrap().intent;
        while !self.over.load(Ordering::SeqCst) {
            let machines = one.store.load().unwrap().machines;
            let machines = machines.iter().map(|stored| &stored.machine);
            let count = Count::of(machines, &intent, &Orders::default());
            assert!(count.installing <= AT_ONCE, "{count:?}");
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn check(&self, address: &str) {
        let one = One::start(address);
        let begun = self.begun.lock().unwrap();
        for number in 0..MACHINES {
            let timeline = loop {
                if let Ok(timeline) = one.registry.timeline(mac(number)) {
                    break timeline;
                }
            };
            let mut permitted = 1;
            let mut starts = Vec::new();
            for (at, record) in timeline.iter().enumerate() {
                assert_eq!(record.seq, at as u64 + 1, "no gap and none twice");
                match record.event {
                    Event::ReinstallRequested => permitted = 1,
                    Event::InstallStarted { uptime_ms, .. } => {
                        assert_eq!(permitted, 1, "a second install: {timeline:?}");
                        permitted = 0;
                        starts.push(uptime_ms);
                    }
                    _ => {}
                }
            }
            let acknowledged = begun.iter().filter(|(machine, _)| *machine == number);
            for (_, name) in acknowledged {
                assert!(starts.contains(name), "{name} is lost: {timeline:?}");
            }
        }
    }
}

#[test]
fn two_servers_never_install_twice_nor_lose_what_they_acknowledged() {
    let Some(cluster) = Cluster::start("histories of two servers", 1) else {
        return;
    };
    let mut runner = TestRunner::new(Config {
        // Threads that race are not the same again.
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::with_cases(8)
    });
    let case = AtomicU64::new(0);
    let histories = runner.run(&(steps(), steps()), |(left, right)| {
        let number = case.fetch_add(1, Ordering::SeqCst);
        let address = format!("{}/case/{number}", cluster.address());
        let world = World::default();
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| world.watch(&address));
            let players = [(0, &left), (1, &right)].map(|(first, steps)| {
                let (world, address) = (&world, &address);
                scope.spawn(move || world.play(address, first, steps))
            });
            let played = players.map(|player| player.join().is_ok());
            world.over.store(true, Ordering::SeqCst);
            assert_eq!(played, [true, true]);
            watcher.join().unwrap();
        });
        world.check(&address);
        Ok(())
    });
    histories.unwrap();
}
