//! Who has what in all subnets, pure: the time is told. Rebuilt from what was kept, and again when
//! the site's subnets change; no binding is forgotten before its end. What other servers have
//! written is taken up as it is told.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;

use super::basis::Change;
use super::ledger::{Ledger, Servers};
use super::room::Room;
use super::{Binding, Holder, LeaseRecord, Moment, Subnets};
use crate::store::{LeaseDocument, LeaseKey, LeaseNews, LeaseValue};

/// How a subnet is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SubnetState {
    /// The subnet.
    pub network: String,
    /// Addresses that are leased now.
    pub leased: usize,
    /// Addresses that are offered or probed now.
    pub offered: usize,
    /// Addresses that somebody uses without a lease.
    pub quarantined: usize,
    /// Addresses of pools that anybody could get now.
    pub available: usize,
    /// Since when new clients find nothing.
    pub exhausted_since: Option<Moment>,
}

/// All subnets' bindings.
#[derive(Debug)]
pub(super) struct Table {
    subnets: Arc<Subnets>,
    rooms: Vec<Room>,
    /// Bindings of subnets that are not served any more.
    elsewhere: HashMap<u32, Binding>,
    ledger: Ledger,
    complete: bool,
}

/// The room that an address is in.
fn room_in(rooms: &mut [Room], address: Ipv4Addr) -> Option<&mut Room> {
    rooms.iter_mut().find(|room| room.contains(address))
}

impl Table {
    /// One that is told everything later.
    pub(super) fn new(subnets: Arc<Subnets>, servers: Servers) -> Self {
        Self {
            rooms: rooms_of(&subnets),
            subnets,
            elsewhere: HashMap::new(),
            ledger: Ledger::new(servers),
            complete: false,
        }
    }

    /// Whether it was told everything.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Puts these bindings in place of all; of a client's, the one that was put last is its usual one.
    fn fill(&mut self, mut bindings: Vec<(u32, Binding)>) {
        bindings.sort_by_key(|(_, binding)| (binding.since, binding.until));
        self.rooms = rooms_of(&self.subnets);
        self.elsewhere.clear();
        for (address, binding) in bindings {
            self.put(address, binding);
        }
    }

    fn put(&mut self, address: u32, binding: Binding) {
        match self.room_of(address.into()) {
            Some(room) => room.put(address, binding),
            None => drop(self.elsewhere.insert(address, binding)),
        }
    }

    /// Takes up what is in the store.
    pub(super) fn learn(&mut self, news: LeaseNews) {
        let changes = match news {
            LeaseNews::All {
                documents,
                revision,
            } => {
                self.ledger.replace(&documents, revision);
                let records = documents
                    .into_iter()
                    .filter_map(|document| record(document.value?));
                let bindings = records.map(|record| (record.address.into(), record.binding()));
                self.fill(bindings.collect());
                self.complete = true;
                return;
            }
            LeaseNews::Changes(changes) => changes,
        };
        for document in changes {
            if !self.ledger.learn(&document) {
                continue;
            }
            let LeaseDocument { key, value, .. } = document;
            match (key, value.and_then(record)) {
                (LeaseKey::Address(address), Some(record)) => {
                    self.put(address.into(), record.binding());
                }
                (LeaseKey::Address(address), None) => {
                    self.elsewhere.remove(&address.into());
                    if let Some(room) = self.room_of(address) {
                        room.forget(address.into());
                    }
                }
                (LeaseKey::Client(..), _) => {}
            }
        }
    }

    /// What is to be made durable of a record that was decided just now. A client that gets an
    /// address loses what else it had in the subnet.
    pub(super) fn change(&mut self, record: &LeaseRecord, now: Moment) -> Option<Change> {
        let address = record.address;
        let room = room_in(&mut self.rooms, address)?;
        let network = room.subnet.parts().network;
        let ended = match record.holder {
            Holder::Leased { mac } if record.until > record.since => {
                let other = self.ledger.other(network, mac, address);
                other.and_then(|other| room.leave(mac, other, address, now))
            }
            _ => None,
        };
        Some(self.ledger.write(network, record, ended))
    }

    /// Finds out whether an address still is as it is known to be.
    pub(super) fn check(&self, address: Ipv4Addr) -> Change {
        self.ledger.check(address)
    }

    /// Serves `subnets` from now on.
    pub(super) fn serve(&mut self, subnets: &Arc<Subnets>, now: Moment) {
        if Arc::ptr_eq(&self.subnets, subnets) {
            return;
        }
        let same = self.subnets == *subnets;
        self.subnets = subnets.clone();
        if same {
            return;
        }
        let rooms = self.rooms.iter().flat_map(Room::bindings);
        let served = rooms.map(|(address, binding)| (address, binding.clone()));
        let mut all: Vec<(u32, Binding)> = served.collect();
        let elsewhere = std::mem::take(&mut self.elsewhere).into_iter();
        all.extend(elsewhere.filter(|(_, binding)| !binding.is_over(now)));
        self.fill(all);
    }

    /// The subnet that an address is in.
    pub(super) fn room_of(&mut self, address: Ipv4Addr) -> Option<&mut Room> {
        room_in(&mut self.rooms, address)
    }

    /// How each subnet is filled.
    pub(super) fn states(&self, now: Moment) -> Vec<SubnetState> {
        let state = |room: &Room| {
            let mut state = SubnetState {
                network: room.subnet.parts().network.to_string(),
                leased: 0,
                offered: 0,
                quarantined: 0,
                available: room.never_given(),
                exhausted_since: room.exhausted(),
            };
            for (_, binding) in room.bindings() {
                let count = match binding.holder {
                    _ if binding.is_over(now) => &mut state.available,
                    Holder::Leased { .. } => &mut state.leased,
                    Holder::Offered { .. } | Holder::Probing { .. } => &mut state.offered,
                    Holder::Quarantined => &mut state.quarantined,
                };
                *count += 1;
            }
            state
        };
        self.rooms.iter().map(state).collect()
    }

    /// All leases that are not over, by address.
    pub(super) fn leases(&self, now: Moment) -> Vec<LeaseRecord> {
        let bindings = self.rooms.iter().flat_map(Room::bindings);
        let leased = bindings.filter(|(_, binding)| {
            matches!(binding.holder, Holder::Leased { .. }) && !binding.is_over(now)
        });
        let mut leases: Vec<LeaseRecord> = leased
            .map(|(address, binding)| LeaseRecord::of(address, binding))
            .collect();
        leases.sort_by_key(|lease| lease.address);
        leases
    }
}

fn rooms_of(subnets: &Subnets) -> Vec<Room> {
    subnets.iter().cloned().map(Room::new).collect()
}

fn record(value: LeaseValue) -> Option<LeaseRecord> {
    match value {
        LeaseValue::Record(record) => Some(record),
        LeaseValue::Address(_) => None,
    }
}

#[cfg(test)]
mod tests;
