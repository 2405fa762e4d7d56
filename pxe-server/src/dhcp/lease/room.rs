//! Who has what in one subnet. One rule above all: as long as a binding is not over, its address is
//! given to nobody else.
//!
//! A machine is one client whoever speaks: firmware, iPXE, live system and installed system have
//! the same Ethernet address and get the same lease, whatever client identifier each sends.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Binding, Holder, LeaseRecord, Moment, Subnet};
use crate::mac::MacAddr;

/// How long an address stays offered (RFC 2131 section 3.1 leaves it open).
const OFFER: Duration = Duration::from_secs(60);
/// How long an address stays set aside for its probe.
const PROBE: Duration = Duration::from_secs(10);
/// How long an address is left alone that somebody uses without a lease.
const QUARANTINE: Duration = Duration::from_secs(600);

/// What there is for a client that looks for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// This one, which it had before or which is probed.
    Ready(Ipv4Addr),
    /// This one, if nobody answers from it.
    Probe(Ipv4Addr),
    /// Wait: its address is being probed.
    Waits,
    /// Nothing. `first` is true once, until there is an address again.
    Exhausted {
        /// Whether this is news.
        first: bool,
    },
}

/// Why a client may not have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is in no pool, or another's by reservation.
    NotGiven,
    /// Another has it, or it is in quarantine.
    Taken,
}

/// The bindings of one subnet.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) subnet: Subnet,
    bindings: HashMap<u32, Binding>,
    /// The newest binding of each client.
    of_client: HashMap<MacAddr, u32>,
    /// Who had a lease of an address before its binding.
    before: HashMap<u32, MacAddr>,
    /// Addresses of pools that never had a binding.
    free: BTreeSet<u32>,
    /// Ends of all bindings.
    ends: BTreeSet<(Moment, u32)>,
    exhausted: Option<Moment>,
}

impl Room {
    pub(super) fn new(subnet: Subnet) -> Self {
        Self {
            free: subnet.open(),
            subnet,
            bindings: HashMap::new(),
            of_client: HashMap::new(),
            before: HashMap::new(),
            ends: BTreeSet::new(),
            exhausted: None,
        }
    }

    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.subnet.parts().network.contains(address.into())
    }

    /// Puts a binding in place of the one that the address had.
    pub(super) fn put(&mut self, address: u32, binding: Binding) {
        let (until, mac) = (binding.until, binding.holder.mac());
        if let Some(old) = self.bindings.insert(address, binding) {
            self.ends.remove(&(old.until, address));
            if let Holder::Leased { mac } = old.holder {
                self.before.insert(address, mac);
            }
            if let Some(mac) = old.holder.mac()
                && self.of_client.get(&mac) == Some(&address)
            {
                self.of_client.remove(&mac);
            }
        }
        self.free.remove(&address);
        self.ends.insert((until, address));
        if let Some(mac) = mac {
            self.of_client.insert(mac, address);
        }
    }

    /// As if the address never had a binding.
    pub(super) fn forget(&mut self, address: u32) {
        let Some(old) = self.bindings.remove(&address) else {
            return;
        };
        self.ends.remove(&(old.until, address));
        if let Some(mac) = old.holder.mac()
            && self.of_client.get(&mac) == Some(&address)
        {
            self.of_client.remove(&mac);
        }
        if self.subnet.is_open(address) {
            self.free.insert(address);
        }
    }

    /// Who had a lease of an address that is probed now.
    pub(super) fn holder_before(&self, address: Ipv4Addr) -> Option<MacAddr> {
        self.before.get(&address.into()).copied()
    }

    /// All bindings.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (u32, &Binding)> {
        self.bindings
            .iter()
            .map(|(address, binding)| (*address, binding))
    }

    /// Since when there has been nothing for new clients.
    pub(super) fn exhausted(&self) -> Option<Moment> {
        self.exhausted
    }

    pub(super) fn never_given(&self) -> usize {
        self.free.len()
    }

    /// Whether nobody but `mac` has it.
    fn is_free(&self, mac: MacAddr, address: u32, now: Moment) -> bool {
        self.bindings
            .get(&address)
            .is_none_or(|binding| binding.is_over(now) || binding.holder.mac() == Some(mac))
    }

    /// Its reservation; what it had; what it asks for; any that never had a binding, beginning at a
    /// place that depends on the client only; the one whose binding has been over for longest.
    fn candidate(&self, mac: MacAddr, asked: Option<Ipv4Addr>, now: Moment) -> Option<u32> {
        let reserved = self.subnet.reservation_of(mac).map(|r| r.address.into());
        let usual = self.of_client.get(&mac).copied();
        let own = [reserved, usual].into_iter().flatten();
        let mut own = own.filter(|address| self.subnet.may_have(mac, *address));
        if let Some(address) = own.find(|address| self.is_free(mac, *address, now)) {
            return Some(address);
        }
        if let Some(asked) = asked
            .map(u32::from)
            .filter(|asked| self.free.contains(asked))
        {
            return Some(asked);
        }
        let start = self.start_for(mac);
        let mut free = self.free.range(start..).chain(self.free.iter());
        if let Some(free) = free.next() {
            return Some(*free);
        }
        let over = self.ends.iter().take_while(|(until, _)| *until <= now);
        over.map(|(_, address)| *address)
            .find(|address| self.subnet.may_have(mac, *address))
    }

    /// Clients spread over the subnet, so that the same one gets the same address even from a server
    /// that has lost its state.
    fn start_for(&self, mac: MacAddr) -> u32 {
        let mut hasher = DefaultHasher::new();
        mac.hash(&mut hasher);
        let network = self.subnet.parts().network;
        let span = u64::from(network.last() - network.first) + 1;
        let step = u32::try_from(hasher.finish() % span).unwrap_or_default();
        network.first + step
    }

    /// What there is for a client that asks for any address, and perhaps for a certain one.
    pub(super) fn offer(&mut self, mac: MacAddr, asked: Option<Ipv4Addr>, now: Moment) -> Offer {
        let Some(address) = self.candidate(mac, asked, now) else {
            let first = self.exhausted.is_none();
            self.exhausted.get_or_insert(now);
            return Offer::Exhausted { first };
        };
        let known = self.bindings.get(&address);
        match known.map(|binding| (binding.holder, binding.is_over(now))) {
            Some((Holder::Probing { mac: of }, false)) if of == mac => return Offer::Waits,
            Some((Holder::Leased { mac: of }, false)) if of == mac => {}
            Some((Holder::Leased { mac: of } | Holder::Offered { mac: of }, _)) if of == mac => {
                self.hold(address, Holder::Offered { mac }, now, OFFER);
            }
            _ => {
                self.exhausted = None;
                self.hold(address, Holder::Probing { mac }, now, PROBE);
                return Offer::Probe(address.into());
            }
        }
        Offer::Ready(address.into())
    }

    fn hold(&mut self, address: u32, holder: Holder, now: Moment, span: Duration) {
        let old = self.bindings.get(&address);
        let host_name = old
            .filter(|old| old.holder.mac() == holder.mac())
            .and_then(|old| old.host_name.clone());
        let binding = Binding {
            holder,
            since: now,
            until: now.after(span),
            host_name,
        };
        self.put(address, binding);
    }

    /// The outcome of a probe. What is to be written down, if somebody answered.
    pub(super) fn probed(
        &mut self,
        mac: MacAddr,
        address: Ipv4Addr,
        in_use: bool,
        now: Moment,
    ) -> Option<LeaseRecord> {
        let number = u32::from(address);
        let held = self.bindings.get(&number)?.holder;
        if held != (Holder::Probing { mac }) {
            return None;
        }
        if !in_use {
            self.hold(number, Holder::Offered { mac }, now, OFFER);
            return None;
        }
        Some(self.quarantine(number, now))
    }

    fn quarantine(&mut self, address: u32, now: Moment) -> LeaseRecord {
        self.hold(address, Holder::Quarantined, now, QUARANTINE);
        self.record(address, now)
    }

    fn record(&self, address: u32, now: Moment) -> LeaseRecord {
        let nobodys = Binding {
            holder: Holder::Quarantined,
            since: now,
            until: now,
            host_name: None,
        };
        LeaseRecord::of(address, self.bindings.get(&address).unwrap_or(&nobodys))
    }

    /// Gives a client the address that it wants, from now on for the time of a lease.
    pub(super) fn grant(
        &mut self,
        mac: MacAddr,
        address: Ipv4Addr,
        host_name: Option<String>,
        now: Moment,
    ) -> Result<LeaseRecord, Refused> {
        let number = u32::from(address);
        if !self.subnet.may_have(mac, number) {
            return Err(Refused::NotGiven);
        }
        if !self.is_free(mac, number, now) {
            return Err(Refused::Taken);
        }
        let binding = Binding {
            holder: Holder::Leased { mac },
            since: now,
            until: now.after(self.subnet.parts().lease),
            host_name,
        };
        self.put(number, binding);
        Ok(self.record(number, now))
    }

    /// Whether the address is or was last this client's.
    pub(super) fn is_known(&self, mac: MacAddr, address: Ipv4Addr) -> bool {
        let binding = self.bindings.get(&address.into());
        binding.is_some_and(|binding| binding.holder == Holder::Leased { mac })
    }

    /// Ends a client's lease.
    pub(super) fn release(
        &mut self,
        mac: MacAddr,
        address: Ipv4Addr,
        now: Moment,
    ) -> Option<LeaseRecord> {
        let number = u32::from(address);
        let binding = self.bindings.get(&number)?;
        if binding.holder != (Holder::Leased { mac }) || binding.is_over(now) {
            return None;
        }
        self.hold(number, Holder::Leased { mac }, now, Duration::ZERO);
        Some(self.record(number, now))
    }

    /// Ends a client's lease of the address that it `had`, since another is its now.
    pub(super) fn leave(
        &mut self,
        mac: MacAddr,
        had: Ipv4Addr,
        has: Ipv4Addr,
        now: Moment,
    ) -> Option<LeaseRecord> {
        let ended = self.release(mac, had, now)?;
        self.of_client.insert(mac, has.into());
        Some(ended)
    }

    /// A client found its address in use.
    pub(super) fn decline(
        &mut self,
        mac: MacAddr,
        address: Ipv4Addr,
        now: Moment,
    ) -> Option<LeaseRecord> {
        let number = u32::from(address);
        let binding = self.bindings.get(&number)?;
        let its = [Holder::Leased { mac }, Holder::Offered { mac }].contains(&binding.holder);
        (its && !binding.is_over(now)).then(|| self.quarantine(number, now))
    }

    /// A client has chosen another server.
    pub(super) fn withdraw(&mut self, mac: MacAddr, now: Moment) {
        let offered = self.of_client.get(&mac).copied().filter(|address| {
            let binding = self.bindings.get(address);
            binding.is_some_and(|binding| binding.holder == Holder::Offered { mac })
        });
        if let Some(address) = offered {
            self.hold(address, Holder::Offered { mac }, now, Duration::ZERO);
        }
    }
}
