//! Random histories of clients, crashes, failing writes, clocks set back and changed sites: never
//! two clients believe to have one address. Time that runs ahead while no server runs is left out:
//! against that there is the probe only (see `clock`).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Discover {
        client: u8,
        in_use: bool,
    },
    Select {
        client: u8,
    },
    Renew {
        client: u8,
    },
    Reboot {
        client: u8,
        last: u8,
    },
    Release {
        client: u8,
    },
    Decline {
        client: u8,
    },
    OtherServer {
        client: u8,
    },
    /// So many records become durable, and their answers arrive.
    Write {
        records: usize,
    },
    WriteFails,
    Crash {
        set_back: u64,
    },
    Wait {
        seconds: u64,
    },
    Site {
        which: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0u8..6;
    let step = prop_oneof![
        6 => (client.clone(), proptest::bool::weighted(0.1))
            .prop_map(|(client, in_use)| Step::Discover { client, in_use }),
        6 => client.clone().prop_map(|client| Step::Select { client }),
        3 => client.clone().prop_map(|client| Step::Renew { client }),
        2 => (client.clone(), 9u8..16).prop_map(|(client, last)| Step::Reboot { client, last }),
        1 => client.clone().prop_map(|client| Step::Release { client }),
        1 => client.clone().prop_map(|client| Step::Decline { client }),
        1 => client.prop_map(|client| Step::OtherServer { client }),
        6 => (1usize..4).prop_map(|records| Step::Write { records }),
        1 => Just(Step::WriteFails),
        1 => (0u64..2000).prop_map(|set_back| Step::Crash { set_back }),
        3 => (1u64..700).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0usize..3).prop_map(|which| Step::Site { which }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What the clients believe, what is durable, and the server between them.
struct World {
    sites: [Arc<Subnets>; 3],
    site: usize,
    table: Table,
    durable: BTreeMap<Ipv4Addr, LeaseRecord>,
    /// Records on their way to the disk, with the client whose answer waits for it, and the time of
    /// its request.
    writing: Vec<(LeaseRecord, Option<(u8, u64)>)>,
    offers: BTreeMap<u8, Ipv4Addr>,
    /// By client: its address, and when it gives it up by itself.
    beliefs: BTreeMap<u8, (Ipv4Addr, u64)>,
    real: u64,
    /// What the server's clock is ahead of `real`; less than nothing if it was set back.
    ahead: i64,
}

impl World {
    fn new() -> Self {
        let sites = [
            subnets("10.1.0.10-10.1.0.14", &[]),
            subnets("10.1.0.12-10.1.0.15", &[(1, 13), (2, 9)]),
            Arc::default(),
        ];
        Self {
            table: table_of(sites[0].clone(), Vec::new()),
            sites,
            site: 0,
            durable: BTreeMap::new(),
            writing: Vec::new(),
            offers: BTreeMap::new(),
            beliefs: BTreeMap::new(),
            real: 10_000,
            ahead: 0,
        }
    }

    fn now(&self) -> Moment {
        Moment(self.real.saturating_add_signed(self.ahead))
    }

    fn send(&mut self, client: u8, request: &LeaseRequest) -> Option<Verdict> {
        let now = self.now();
        let verdict = decide(self.table.room_of(US)?, request, US, now);
        match &verdict {
            Verdict::Ack(record) => {
                let waiting = Some((client, self.real));
                self.writing.push((record.clone(), waiting));
            }
            Verdict::Keep(record) => self.writing.push((record.clone(), None)),
            Verdict::Nak(_) => drop(self.forget(client)),
            _ => {}
        }
        Some(verdict)
    }

    /// The client gives up what it has, and takes no answer to what it sent before.
    fn forget(&mut self, client: u8) -> Option<Ipv4Addr> {
        for (_, waiting) in &mut self.writing {
            *waiting = waiting.filter(|(of, _)| *of != client);
        }
        self.beliefs.remove(&client).map(|held| held.0)
    }

    fn discover(&mut self, client: u8, in_use: bool) {
        self.forget(client);
        let discover = request(MessageType::Discover, client);
        let mut verdict = self.send(client, &discover);
        let now = self.now();
        for in_use in [in_use, false] {
            let Some(Verdict::Probe(address)) = verdict else {
                break;
            };
            let room = self.table.room_of(US).unwrap();
            let found = room.probed(mac(client), address, in_use, now);
            self.writing.extend(found.map(|record| (record, None)));
            verdict = Some(offer(room, &discover, now));
        }
        if let Some(Verdict::Offer(address)) = verdict {
            self.offers.insert(client, address);
        }
    }

    fn write(&mut self, records: usize) {
        let records = records.min(self.writing.len());
        for (record, waiting) in self.writing.drain(..records) {
            if let Some((client, asked)) = waiting {
                self.beliefs.insert(client, (record.address, asked + LEASE));
            }
            self.durable.insert(record.address, record);
        }
    }

    fn crash(&mut self, set_back: u64) {
        self.writing.clear();
        let wall = self.now().0.saturating_sub(set_back);
        let newest = self.durable.values().map(|record| record.since.0).max();
        let base = wall.max(newest.unwrap_or_default());
        self.ahead = i64::try_from(base).unwrap() - i64::try_from(self.real).unwrap();
        let records = self.durable.values().cloned().collect();
        self.table = table_of(self.sites[self.site].clone(), records);
    }

    fn step(&mut self, step: &Step) {
        let believed = |world: &Self, client| world.beliefs.get(&client).map(|held| held.0);
        match *step {
            Step::Discover { client, in_use } => self.discover(client, in_use),
            Step::Select { client } => {
                if let Some(address) = self.offers.remove(&client) {
                    self.send(client, &selecting(client, address));
                }
            }
            Step::Renew { client } => {
                if let Some(address) = believed(self, client) {
                    let renew = with_address(MessageType::Request, client, address);
                    self.send(client, &renew);
                }
            }
            Step::Reboot { client, last } => {
                self.forget(client);
                let address = Ipv4Addr::new(10, 1, 0, last);
                self.send(client, &rebooting(client, address));
            }
            Step::Release { client } => {
                if let Some(address) = self.forget(client) {
                    let release = with_address(MessageType::Release, client, address);
                    self.send(client, &release);
                }
            }
            Step::Decline { client } => {
                if let Some(address) = self.forget(client) {
                    let mut decline = selecting(client, address);
                    decline.envelope.message_type = MessageType::Decline;
                    self.send(client, &decline);
                }
            }
            Step::OtherServer { client } => {
                let mut other = selecting(client, Ipv4Addr::new(10, 1, 0, 10));
                other.envelope.server_id = Some(Ipv4Addr::new(10, 1, 0, 2));
                self.send(client, &other);
            }
            Step::Write { records } => self.write(records),
            Step::WriteFails => self.writing.clear(),
            Step::Crash { set_back } => self.crash(set_back),
            Step::Wait { seconds } => self.real += seconds,
            Step::Site { which } => {
                self.site = which;
                let now = self.now();
                self.table.serve(&self.sites[which], now);
            }
        }
    }

    /// Two clients that both believe to have an address.
    fn twice(&self) -> Option<Ipv4Addr> {
        let mut seen = std::collections::BTreeSet::new();
        let held = self.beliefs.values().filter(|held| held.1 > self.real);
        held.map(|held| held.0)
            .find(|address| !seen.insert(*address))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_two_clients_have_one_address(steps in steps()) {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            world.step(step);
            prop_assert_eq!(world.twice(), None, "after step {}: {:?}", at, step);
        }
    }
}
