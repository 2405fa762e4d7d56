//! Answers any client of the site's subnets: reads, decides, and gives back an answer that may go
//! at once, or sees to it that one goes when its lease is durable or its address probed. The table
//! is locked for the time of a decision only; known clients never wait for a probe.
//!
//! Where several servers lease together, nobody is told anything while the store cannot be written:
//! a client asks the others, and keeps what it has until its end.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dhcproto::v4::MessageType;
use tokio::sync::{Semaphore, mpsc};

use super::answer::{Leased, Terms, accept, refuse};
use super::basis::Change;
use super::clock::LeaseClock;
use super::decide::{NoLease, Refusal, Verdict, decide, offer};
use super::keeper::{Keeper, Outgoing};
use super::ledger::Servers;
use super::probe::{EchoSocket, Probe};
use super::request::LeaseRequest;
use super::table::{SubnetState, Table};
use super::{LeaseRecord, Moment, Subnets};
use crate::dhcp::answer::BootInfo;
use crate::dhcp::decide::{Ignored, Reply, sighting};
use crate::dhcp::request::BootRequest;
use crate::mac::MacAddr;
use crate::net::Arrival;
use crate::store::{LeaseNews, LeaseStore, LeaseValue, StoreError};

/// Addresses that are probed at once.
const PROBES: usize = 1024;
/// Addresses that are tried for one client before it has to ask again.
const TRIES: usize = 3;
/// Answers that may wait to be sent.
const ANSWERS: usize = 4096;

/// Where a packet came in, and what its client knows this server by.
#[derive(Clone, Copy, Debug)]
pub(in crate::dhcp) struct Place {
    /// The packet's way.
    pub(in crate::dhcp) arrival: Arrival,
    /// Our address as clients are told.
    pub(in crate::dhcp) server: Ipv4Addr,
}

/// What has become of a packet.
#[derive(Debug)]
pub(in crate::dhcp) enum Handled {
    /// Send this.
    Send(Box<Reply>),
    /// An answer comes later, or there is none and everything is done.
    Done,
}

/// Leases addresses.
#[derive(Debug)]
pub struct LeaseServer {
    table: Mutex<Table>,
    clock: LeaseClock,
    store: Arc<dyn LeaseStore>,
    keeper: Keeper,
    probe: Option<Probe>,
    probing: Arc<Semaphore>,
    later: mpsc::Sender<Outgoing>,
}

impl LeaseServer {
    /// Takes up the leases that `store` keeps. Answers that could not go at once come out of the
    /// channel. Addresses are probed through `echo`, in the runtime that this is called from.
    pub fn start(
        store: Arc<dyn LeaseStore>,
        subnets: Arc<Subnets>,
        echo: io::Result<EchoSocket>,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Outgoing>), StoreError> {
        let probe = echo
            .and_then(Probe::new)
            .inspect_err(|error: &io::Error| {
                tracing::warn!(%error, "addresses are offered without a look whether they are in use");
            })
            .ok();
        Self::with_probe(store, subnets, probe)
    }

    fn with_probe(
        store: Arc<dyn LeaseStore>,
        subnets: Arc<Subnets>,
        probe: Option<Probe>,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Outgoing>), StoreError> {
        let servers = match store.is_shared() {
            true => Servers::Several,
            false => Servers::One,
        };
        let (later, answers) = mpsc::channel(ANSWERS);
        let server = Arc::new(Self {
            table: Mutex::new(Table::new(subnets, servers)),
            clock: LeaseClock::start(),
            keeper: Keeper::start(store.clone(), later.clone()),
            store: store.clone(),
            probe,
            probing: Arc::new(Semaphore::new(PROBES)),
            later,
        });
        let told = Arc::downgrade(&server);
        store.follow(Box::new(move |news| {
            if let Some(server) = told.upgrade() {
                server.learn(news);
            }
        }))?;
        Ok((server, answers))
    }

    fn learn(&self, news: LeaseNews) {
        if let LeaseNews::All { documents, .. } = &news {
            let since = documents
                .iter()
                .filter_map(|document| match &document.value {
                    Some(LeaseValue::Record(record)) => Some(record.since),
                    _ => None,
                });
            self.clock.not_before(since.max().unwrap_or_default());
        }
        self.table().learn(news);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acknowledges nothing any more, writes what is queued, and lets another process have the
    /// leases. Blocks until then.
    pub fn finish(&self) {
        self.keeper.finish();
    }

    /// How each subnet is filled.
    pub fn states(&self) -> Vec<SubnetState> {
        self.table().states(self.clock.now())
    }

    /// All leases that are not over, by address, and the clock that they go by.
    pub fn leases(&self) -> (Vec<LeaseRecord>, Moment) {
        let now = self.clock.now();
        (self.table().leases(now), now)
    }

    /// Handles a packet. `boot` chooses what a boot client is told to boot.
    pub(in crate::dhcp) fn handle(
        self: &Arc<Self>,
        packet: &[u8],
        ipxe_classes: &[String],
        subnets: &Arc<Subnets>,
        place: Place,
        boot: impl FnOnce(&BootRequest) -> Option<BootInfo>,
    ) -> Result<Handled, Ignored> {
        let request = LeaseRequest::parse(packet, ipxe_classes).map_err(Ignored::Parse)?;
        let boot = request.boot.as_ref().and_then(boot);
        let turn = Turn {
            server: self.clone(),
            request,
            place,
            boot,
        };
        self.table().serve(subnets, self.clock.now());
        turn.take()
    }
}

/// One packet on its way to an answer.
struct Turn {
    server: Arc<LeaseServer>,
    request: LeaseRequest,
    place: Place,
    boot: Option<BootInfo>,
}

impl Turn {
    fn take(self) -> Result<Handled, Ignored> {
        let Place {
            arrival,
            server: us,
        } = self.place;
        let now = self.server.clock.now();
        let address = self
            .request
            .subnet_address(arrival.local, arrival.broadcast);
        let mac = self.request.envelope.mac;
        let kind = self.request.envelope.message_type;
        let mut table = self.server.table();
        let writable = table.is_complete() && self.server.store.is_reachable();
        if !writable && kind != MessageType::Inform {
            return Err(Ignored::NoLease(NoLease::Away));
        }
        let room = table.room_of(address);
        let room = room.ok_or(Ignored::NoLease(NoLease::Subnet))?;
        let verdict = decide(room, &self.request, us, now);
        let network = room.subnet.parts().network;
        let change = match &verdict {
            Verdict::Ack(record) | Verdict::Keep(record) => table.change(record, now),
            Verdict::Nak(Refusal::Taken) => self.request.wanted().map(|wanted| table.check(wanted)),
            _ => None,
        };
        drop(table);
        match verdict {
            Verdict::Offer(address) => self.offered(address),
            Verdict::Inform => self.reply(MessageType::Ack, None),
            Verdict::Ack(record) => {
                let reply = self.accepted(MessageType::Ack, Some(record.address))?;
                tracing::info!(%mac, address = %record.address, "leased");
                self.keep(change, Some(Outgoing { reply, arrival }))
            }
            Verdict::Keep(record) => {
                if kind == MessageType::Decline {
                    tracing::warn!(%mac, address = %record.address, "the client found its address in use");
                }
                self.keep(change, None)
            }
            Verdict::Nak(why) => self.refused(why, change),
            Verdict::Probe(address) => self.probe(address),
            Verdict::Silent { why, news } => {
                if news {
                    tracing::warn!(%network, "no address is left; new clients get none");
                }
                Err(Ignored::NoLease(why))
            }
        }
    }

    fn keep(&self, change: Option<Change>, then: Option<Outgoing>) -> Result<Handled, Ignored> {
        let kept = change.is_some_and(|change| self.server.keeper.keep(change, then));
        match kept {
            true => Ok(Handled::Done),
            false => Err(Ignored::NoLease(NoLease::Busy)),
        }
    }

    /// What this server has not heard of another may have granted: then it answers.
    fn refused(&self, why: Refusal, check: Option<Change>) -> Result<Handled, Ignored> {
        let Place {
            arrival,
            server: us,
        } = self.place;
        let shared = self.server.store.is_shared();
        if shared && why == Refusal::NotKnown {
            return Err(Ignored::NoLease(NoLease::Unheard));
        }
        let mac = self.request.envelope.mac;
        tracing::info!(%mac, %why, "lease refused");
        let reply = refuse(&self.request, us, &why.to_string())?;
        if shared && why == Refusal::Taken {
            return self.keep(check, Some(Outgoing { reply, arrival }));
        }
        Ok(Handled::Send(Box::new(reply)))
    }

    fn reply(&self, kind: MessageType, address: Option<Ipv4Addr>) -> Result<Handled, Ignored> {
        let reply = self.accepted(kind, address)?;
        Ok(Handled::Send(Box::new(reply)))
    }

    fn offered(&self, address: Ipv4Addr) -> Result<Handled, Ignored> {
        self.reply(MessageType::Offer, Some(address))
    }

    fn accepted(&self, kind: MessageType, address: Option<Ipv4Addr>) -> Result<Reply, Ignored> {
        let arrival = self.place.arrival;
        let of = self
            .request
            .subnet_address(arrival.local, arrival.broadcast);
        let mut table = self.server.table();
        let room = table.room_of(of);
        let subnet = &room.ok_or(Ignored::NoLease(NoLease::Subnet))?.subnet;
        let terms = Terms {
            server: self.place.server,
            subnet: subnet.parts(),
            reservation: subnet.reservation_of(self.request.envelope.mac),
            boot: self.boot.clone(),
        };
        let time = subnet.parts().lease;
        let leased = address.map(|address| Leased { address, time });
        let mut reply = accept(&self.request, kind, leased, &terms)?;
        if kind == MessageType::Offer {
            let client = self.request.boot.as_ref().filter(|_| self.boot.is_some());
            reply.event = client.map(|client| sighting(client, arrival.local));
        }
        Ok(reply)
    }

    /// Asks whether the address is in use, apart from all other clients, and offers it or another.
    fn probe(self, address: Ipv4Addr) -> Result<Handled, Ignored> {
        if self.server.probe.is_none() {
            return match self.settle(address, false) {
                Verdict::Offer(address) => self.offered(address),
                _ => Err(Ignored::NoLease(NoLease::Waits)),
            };
        }
        let permit = self.server.probing.clone().try_acquire_owned();
        let permit = permit.map_err(|_| Ignored::NoLease(NoLease::Busy))?;
        tokio::spawn(async move {
            self.probe_and_offer(address).await;
            drop(permit);
        });
        Ok(Handled::Done)
    }

    async fn probe_and_offer(self, mut address: Ipv4Addr) {
        let Some(probe) = &self.server.probe else {
            return;
        };
        for _ in 0..TRIES {
            let in_use = probe.is_in_use(address, &self.may_be_at(address)).await;
            match self.settle(address, in_use) {
                Verdict::Offer(address) => return self.send_later(address).await,
                Verdict::Probe(another) => address = another,
                _ => return,
            }
        }
    }

    /// The client itself, and whoever had a lease of the address before.
    fn may_be_at(&self, address: Ipv4Addr) -> Vec<MacAddr> {
        let mut table = self.server.table();
        let room = table.room_of(address);
        let before = room.and_then(|room| room.holder_before(address));
        before
            .into_iter()
            .chain([self.request.envelope.mac])
            .collect()
    }

    /// Writes down what a probe found; what is to be done next.
    fn settle(&self, address: Ipv4Addr, in_use: bool) -> Verdict {
        let now = self.server.clock.now();
        let mac = self.request.envelope.mac;
        let mut table = self.server.table();
        let nowhere = Verdict::Silent {
            why: NoLease::Subnet,
            news: false,
        };
        let Some(room) = table.room_of(address) else {
            return nowhere;
        };
        let found = room.probed(mac, address, in_use, now);
        let next = offer(room, &self.request, now);
        let change = found.map(|record| table.change(&record, now));
        drop(table);
        if let Some(change) = change {
            tracing::warn!(%address, "an address without a lease is in use");
            // If it cannot be written now, the next probe finds it again.
            let _ = self.keep(change, None);
        }
        next
    }

    async fn send_later(&self, address: Ipv4Addr) {
        let offer = self.accepted(MessageType::Offer, Some(address));
        let Ok(reply) = offer else {
            return;
        };
        let arrival = self.place.arrival;
        // Nobody listens any more only when the server is going down.
        let _ = self.server.later.send(Outgoing { reply, arrival }).await;
    }
}

#[cfg(test)]
mod tests;
