//! Random histories of clients at two servers at once: whoever was told that an address is its, it
//! is its alone until it gives it up, and every server finds it so afterwards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

const CLIENTS: u8 = 6;
/// Addresses are fewer than clients.
const LAST: u8 = 14;

#[derive(Clone, Copy, Debug)]
enum Step {
    Discover,
    Select,
    /// A REQUEST whose answer is lost on its way.
    SelectUnheard,
    Renew,
    Reboot,
    Release,
    Decline,
}

fn steps() -> impl Strategy<Value = Vec<(u8, Step)>> {
    let step = prop_oneof![
        6 => Just(Step::Discover),
        6 => Just(Step::Select),
        2 => Just(Step::SelectUnheard),
        3 => Just(Step::Renew),
        2 => Just(Step::Reboot),
        2 => Just(Step::Release),
    ];
    let step = prop_oneof![60 => step, 1 => Just(Step::Decline)];
    proptest::collection::vec((0..CLIENTS, step), 150)
}

/// What a client knows; it does one thing at a time, at either server.
#[derive(Debug, Default)]
struct Client {
    offer: Option<(Ipv4Addr, Ipv4Addr)>,
    has: Option<Ipv4Addr>,
    had: Option<Ipv4Addr>,
}

struct World {
    clients: Vec<Mutex<Client>>,
    held: Mutex<BTreeMap<Ipv4Addr, u8>>,
}

impl World {
    fn forget(&self, client: &mut Client) -> Option<Ipv4Addr> {
        let had = client.has.take()?;
        self.held.lock().unwrap().remove(&had);
        client.had = Some(had);
        Some(had)
    }

    fn believe(&self, number: u8, client: &mut Client, address: Ipv4Addr) {
        let other = self.held.lock().unwrap().insert(address, number);
        assert_eq!(other, None, "{address} is told to {number}, too");
        client.has = Some(address);
    }

    fn step(&self, peer: &mut Peer, number: u8, step: Step) {
        let mut guard = self.clients[usize::from(number)].lock().unwrap();
        let client = &mut *guard;
        let us = peer.bench.us;
        match step {
            Step::Discover => {
                self.forget(client);
                let offer = peer.offer(number);
                client.offer = offer.map(|address| (us, address)).or(client.offer);
            }
            Step::Select => {
                if let Some((server, address)) = client.offer.take() {
                    self.forget(client);
                    if peer.acknowledged(&selecting_at(server, number, address)) {
                        self.believe(number, client, address);
                    }
                }
            }
            Step::SelectUnheard => {
                if let Some((server, address)) = client.offer {
                    self.forget(client);
                    let request = numbered(&selecting_at(server, number, address));
                    drop(peer.bench.try_handle(&request, true));
                }
            }
            Step::Renew => {
                if let Some(address) = client.has
                    && peer.refused(&holding(REQUEST, number, address))
                {
                    panic!("{number} loses {address}");
                }
            }
            Step::Reboot => {
                self.forget(client);
                if let Some(address) = client.had
                    && peer.acknowledged(&rebooting(number, address))
                {
                    self.believe(number, client, address);
                }
            }
            Step::Release => {
                if let Some(address) = self.forget(client) {
                    peer.answer(&holding(RELEASE, number, address));
                }
            }
            Step::Decline => {
                if let Some(address) = self.forget(client) {
                    let options: [(u8, &[u8]); 2] = [(53, &[DECLINE]), (50, &address.octets())];
                    peer.answer(&from(number, packet(&options)));
                }
            }
        }
    }
}

#[test]
fn never_two_clients_are_told_one_address_by_two_servers() {
    let Some(cluster) = Cluster::start("random histories of leases", 1) else {
        return;
    };
    let world = World {
        clients: (0..CLIENTS).map(|_| Mutex::default()).collect(),
        held: Mutex::default(),
    };
    let mut runner = TestRunner::default();
    std::thread::scope(|scope| {
        for us in [US, OTHER] {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let (world, cluster) = (&world, &cluster);
            scope.spawn(move || {
                let mut peer = Peer::start(us, cluster, LAST, true);
                for (client, step) in steps {
                    world.step(&mut peer, client, step);
                }
                peer.fence();
                while peer.bench.answers.blocking_recv().unwrap().reply.mac.0 != [0; 6] {}
            });
        }
    });
    let late = Peer::start(US, &cluster, LAST, false);
    let mut leases = late.leases();
    for (address, client) in world.held.into_inner().unwrap() {
        assert!(
            leases.contains(&(client, address)),
            "{client} has {address}: {leases:?}"
        );
    }
    leases.sort_unstable();
    let clients = leases.len();
    leases.dedup_by_key(|(client, _)| *client);
    assert_eq!(leases.len(), clients, "one address for each client");
}
