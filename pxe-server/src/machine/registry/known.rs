//! What is known of all machines and rollouts: durable documents with their versions, as the
//! registry's thread leaves them or others have changed them. A newer version replaces an older one,
//! whoever brings it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use crate::mac::MacAddr;
use crate::machine::{Machine, Orders};
use crate::store::{Changes, Revision, Rollout, Snapshot, Stored};

/// What all sides read.
pub(super) type View = Arc<RwLock<Known>>;

/// The documents.
#[derive(Debug, Default)]
pub(super) struct Known {
    machines: HashMap<MacAddr, Stored>,
    rollouts: BTreeMap<String, Rollout>,
}

impl Known {
    /// Everything in `snapshot`.
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let mut known = Self::default();
        known.replace(snapshot);
        known
    }

    /// How many machines are known.
    pub(super) fn len(&self) -> usize {
        self.machines.len()
    }

    /// One machine with its version.
    pub(super) fn stored(&self, mac: MacAddr) -> Option<&Stored> {
        self.machines.get(&mac)
    }

    /// One machine.
    pub(super) fn machine(&self, mac: MacAddr) -> Option<&Machine> {
        self.machines.get(&mac).map(|stored| &stored.machine)
    }

    /// All machines.
    pub(super) fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().map(|stored| &stored.machine)
    }

    /// A profile's rollout.
    pub(super) fn rollout(&self, profile: &str) -> Rollout {
        self.rollouts.get(profile).cloned().unwrap_or_default()
    }

    /// Takes in a machine, unless a newer version is known.
    pub(super) fn insert(&mut self, stored: Stored) {
        let known = self.machines.get(&stored.machine.mac);
        if known.is_none_or(|known| known.revision < stored.revision) {
            self.machines.insert(stored.machine.mac, stored);
        }
    }

    /// Forgets the version that is known of a machine: there is no such document.
    pub(super) fn forget(&mut self, mac: MacAddr, expected: Revision) {
        let known = self.machines.get(&mac);
        if known.is_some_and(|known| known.revision == expected) {
            self.machines.remove(&mac);
        }
    }

    /// Takes in a rollout, unless a newer version is known.
    pub(super) fn insert_rollout(&mut self, profile: String, rollout: Rollout) {
        let known = self.rollouts.get(&profile);
        if known.is_none_or(|known| known.revision <= rollout.revision) {
            self.rollouts.insert(profile, rollout);
        }
    }

    /// Takes in orders that are no documents of the store.
    pub(super) fn take_orders(&mut self, orders: BTreeMap<String, Orders>) {
        let rollout = |(profile, orders)| {
            let revision = Revision::default();
            (profile, Rollout { orders, revision })
        };
        self.rollouts = orders.into_iter().map(rollout).collect();
    }

    /// Takes in what others have changed. Machines come before the rollouts that they have taken a
    /// turn in: a rollout's version promises that all turns up to it are known.
    pub(super) fn apply(&mut self, changes: Changes) {
        for (mac, revision, machine) in changes.machines {
            match machine {
                Some(machine) => self.insert(Stored { machine, revision }),
                None if self
                    .stored(mac)
                    .is_some_and(|known| known.revision < revision) =>
                {
                    self.machines.remove(&mac);
                }
                None => {}
            }
        }
        for (profile, rollout) in changes.rollouts {
            self.insert_rollout(profile, rollout);
        }
    }

    /// Takes in everything that there is. What is not there is forgotten.
    pub(super) fn replace(&mut self, snapshot: Snapshot) {
        let mut machines = HashMap::with_capacity(snapshot.machines.len());
        for stored in snapshot.machines {
            let mac = stored.machine.mac;
            let newer = self.machines.remove(&mac);
            let newer = newer.filter(|known| known.revision > stored.revision);
            machines.insert(mac, newer.unwrap_or(stored));
        }
        self.machines = machines;
        for (profile, rollout) in snapshot.rollouts {
            self.insert_rollout(profile, rollout);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn stored(revision: u64) -> Stored {
        let mut machine = Machine::new(MacAddr([2, 0, 0, 0, 0, 1]), Timestamp::UNIX_EPOCH);
        machine.events = revision;
        let revision = Revision(revision);
        Stored { machine, revision }
    }

    fn changed(revision: u64, machine: Option<Machine>) -> Changes {
        Changes {
            machines: vec![(stored(0).machine.mac, Revision(revision), machine)],
            ..Changes::default()
        }
    }

    #[test]
    fn what_comes_late_does_not_undo_what_is_newer() {
        let mac = stored(0).machine.mac;
        let mut known = Known::default();
        known.insert(stored(7));
        known.apply(changed(5, Some(stored(5).machine)));
        known.apply(changed(6, None));
        assert_eq!(known.stored(mac), Some(&stored(7)));
        known.replace(Snapshot {
            machines: vec![stored(6)],
            ..Snapshot::default()
        });
        assert_eq!(known.stored(mac), Some(&stored(7)));
        known.apply(changed(8, Some(stored(8).machine)));
        assert_eq!(known.stored(mac), Some(&stored(8)));
        known.apply(changed(9, None));
        assert_eq!(known.stored(mac), None);
        known.insert(stored(10));
        known.replace(Snapshot::default());
        assert_eq!(known.len(), 0, "not there any more");
    }
}
