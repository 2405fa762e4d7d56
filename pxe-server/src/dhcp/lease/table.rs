//! Who has what in all subnets, pure: the time is told. Rebuilt from what was kept, and again when
//! the site's subnets change; no binding is forgotten before its end.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;

use super::room::Room;
use super::{Binding, Holder, LeaseRecord, Moment, Subnets};

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
    elsewhere: Vec<(u32, Binding)>,
}

impl Table {
    /// The bindings that `records` tell of.
    pub(super) fn new(subnets: Arc<Subnets>, mut records: Vec<LeaseRecord>) -> Self {
        // A client's newest binding is put last: it is the one that it gets again.
        records.sort_by_key(|record| (record.since, record.until));
        let bindings = records.into_iter();
        let bindings = bindings.map(|record| (record.address.into(), record.binding()));
        Self::filled(subnets, bindings.collect())
    }

    fn filled(subnets: Arc<Subnets>, bindings: Vec<(u32, Binding)>) -> Self {
        let rooms = subnets.iter().cloned().map(Room::new).collect();
        let mut table = Self {
            subnets,
            rooms,
            elsewhere: Vec::new(),
        };
        for (address, binding) in bindings {
            match table.room_of(address.into()) {
                Some(room) => room.put(address, binding),
                None => table.elsewhere.push((address, binding)),
            }
        }
        table
    }

    /// Serves `subnets` from now on.
    pub(super) fn serve(&mut self, subnets: &Arc<Subnets>, now: Moment) {
        if Arc::ptr_eq(&self.subnets, subnets) {
            return;
        }
        if self.subnets == *subnets {
            self.subnets = subnets.clone();
            return;
        }
        let rooms = self.rooms.iter().flat_map(Room::bindings);
        let served = rooms.map(|(address, binding)| (address, binding.clone()));
        let elsewhere = std::mem::take(&mut self.elsewhere);
        let elsewhere = elsewhere.into_iter();
        let mut all: Vec<(u32, Binding)> = served.collect();
        all.extend(elsewhere.filter(|(_, binding)| !binding.is_over(now)));
        all.sort_by_key(|(_, binding)| (binding.since, binding.until));
        *self = Self::filled(subnets.clone(), all);
    }

    /// The subnet that an address is in.
    pub(super) fn room_of(&mut self, address: Ipv4Addr) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.contains(address))
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

#[cfg(test)]
mod tests;
