//! The one owner of all machines in this process: takes requests from the network sides, decides by
//! [`Machine`]'s rules, makes the outcome durable, and only then publishes and answers.
//!
//! A thread of its own serves a queue and commits whatever has gathered at once, so that a storm of
//! events costs one fsync for many; another follows what other servers do to a shared store. Readers
//! see committed state only. Observations are sent without waiting and are dropped when the queue is
//! full: DHCP never waits for a disk.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock, Weak};

use embed::hardware::Hardware;
use embed::report::Report;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::mac::MacAddr;
use crate::machine::{
    Answer, Event, Facts, Feed, Machine, Matched, OperatorRequest, Orders, Record, Refusal, State,
    Subject, Terms, Ticket,
};
use crate::store::{MachineStore, News, StoreError};

/// Machines that are kept; addresses seen on the network beyond that are not recorded.
const MAX_MACHINES: usize = 100_000;
/// Requests that may wait for the registry's thread.
const QUEUE: usize = 4096;

/// Why a request to the registry had no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The report does not belong to the machine's install.
    #[error("report refused")]
    Refused(#[source] Refusal),
    /// No such machine.
    #[error("no such machine")]
    Unknown,
    /// The state could not be made durable, or the server is going down.
    #[error("the state could not be written")]
    Unavailable,
    /// No room is left for what machines consist of.
    #[error("what machines consist of is kept of too many already")]
    Full,
}

mod batch;
mod committer;
mod hardware;
mod known;
mod status;
mod succession;

use committer::{Committer, Tally};
use known::{Known, View};

pub use status::StoreStatus;

type Reply<T> = oneshot::Sender<Result<T, RegistryError>>;

enum Command {
    Observe {
        mac: MacAddr,
        event: Event,
        time: Timestamp,
        reply: Option<Reply<()>>,
    },
    Script {
        mac: MacAddr,
        matched: Option<Matched>,
        terms: Option<Box<Terms>>,
        facts: Box<Facts>,
        reply: Reply<Answer>,
    },
    Report {
        mac: MacAddr,
        ticket: Ticket,
        report: Box<Report>,
        reply: Reply<()>,
    },
    Hardware {
        mac: MacAddr,
        hardware: Box<Hardware>,
        uptime_ms: u64,
        reply: Reply<()>,
    },
    Operator {
        request: OperatorRequest,
        reply: Reply<()>,
    },
    Orders {
        profile: String,
        before: Orders,
        given: Orders,
        reply: Reply<()>,
    },
    Stop,
}

/// What tells the time of events.
type Clock = fn() -> Timestamp;

/// Facts that the network sides were told and that may not be durable yet.
type Heard = Arc<RwLock<HashMap<MacAddr, Facts>>>;

/// Handle to the registry; cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    queue: mpsc::Sender<Command>,
    view: View,
    heard: Heard,
    store: Arc<dyn MachineStore>,
    dropped: Arc<AtomicU64>,
    feed: Feed,
    tally: Arc<Tally>,
    clock: Clock,
    heir: Arc<OnceLock<PathBuf>>,
}

/// Handle that can only note events, for the sides that must not wait.
#[derive(Clone, Debug)]
pub struct Observer(Registry);

/// The registry's thread; it ends after [`Registry::stop`], or when the last handle is dropped.
#[derive(Debug)]
pub struct Worker(std::thread::JoinHandle<()>);

impl Worker {
    /// Waits until everything queued is durable.
    pub fn finish(self) {
        if self.0.join().is_err() {
            tracing::error!("the registry's thread has panicked");
        }
    }
}

impl Registry {
    /// Loads all machines and starts the thread.
    pub fn start(store: Arc<dyn MachineStore>) -> Result<(Self, Worker), StoreError> {
        Self::start_by(store, now)
    }

    /// The same by another clock.
    fn start_by(store: Arc<dyn MachineStore>, clock: Clock) -> Result<(Self, Worker), StoreError> {
        let view: View = Arc::new(RwLock::new(Known::new(store.load()?)));
        let (queue, requests) = mpsc::channel(QUEUE);
        let (feed, tally) = (Feed::new(), Arc::<Tally>::default());
        let worker = Committer {
            view: view.clone(),
            store: store.clone(),
            feed: feed.clone(),
            tally: tally.clone(),
            clock,
            fails: false,
        };
        let thread = std::thread::spawn(move || worker.run(requests));
        if store.is_shared() {
            let (store, view, feed) = (store.clone(), Arc::downgrade(&view), feed.clone());
            std::thread::spawn(move || follow(store.as_ref(), &view, &feed));
        }
        Ok((
            Self {
                queue,
                view,
                heard: Heard::default(),
                store,
                dropped: Arc::default(),
                feed,
                tally,
                clock,
                heir: Arc::default(),
            },
            Worker(thread),
        ))
    }

    /// A handle for observations.
    pub fn observer(&self) -> Observer {
        Observer(self.clone())
    }

    /// What happens, as it happens.
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// How many observations were not recorded since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// All machines, by address.
    pub fn machines(&self) -> Vec<Machine> {
        let mut machines: Vec<Machine> = self
            .view
            .read()
            .map(|view| view.machines().cloned().collect())
            .unwrap_or_default();
        machines.sort_by_key(|machine| machine.mac);
        machines
    }

    /// One machine.
    pub fn machine(&self, mac: MacAddr) -> Option<Machine> {
        self.view.read().ok()?.machine(mac).cloned()
    }

    /// Takes up what the operator said of rollouts, when the store is this server's own.
    pub fn take_orders(&self, orders: BTreeMap<String, Orders>) {
        if let Ok(mut view) = self.view.write() {
            view.take_orders(orders);
        }
    }

    /// Makes known to all servers what the operator said of a profile's rollout, who had said
    /// `before`; it is durable when this returns `Ok`.
    pub async fn share_orders(
        &self,
        profile: String,
        before: Orders,
        given: Orders,
    ) -> Result<(), RegistryError> {
        self.ask(|reply| Command::Orders {
            profile,
            before,
            given,
            reply,
        })
        .await
    }

    /// What the operator said of a profile's rollout.
    pub fn orders(&self, profile: &str) -> Orders {
        let view = self.view.read();
        view.map(|view| view.rollout(profile).orders)
            .unwrap_or_default()
    }

    /// Whether other servers write the same store.
    pub fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Where one machine is in its life.
    pub fn state(&self, mac: MacAddr) -> Option<State> {
        Some(self.view.read().ok()?.machine(mac)?.state)
    }

    /// What is known of `mac`, with what was heard a moment ago and is not durable yet: a machine
    /// must not get into another group because the store is slow.
    pub fn subject(&self, mac: MacAddr) -> Subject {
        let mut subject = Subject::new(mac);
        if let Some(machine) = self.machine(mac) {
            subject.facts = machine.facts;
            subject.claim = machine.claim;
        }
        if let Some(facts) = self
            .heard
            .read()
            .ok()
            .and_then(|heard| heard.get(&mac).cloned())
        {
            subject.facts.update(&facts);
        }
        subject
    }

    /// Keeps what was heard of `mac` until it is durable.
    fn hear(&self, mac: MacAddr, facts: &Facts) {
        if let Ok(mut heard) = self.heard.write()
            && (heard.len() < MAX_MACHINES || heard.contains_key(&mac))
        {
            heard.entry(mac).or_default().update(facts);
        }
    }

    /// The events of one machine, oldest first. Blocks on the store.
    pub fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError> {
        self.store.timeline(mac)
    }

    /// What `mac` shall do, given the group and profile that it `matched`, and the terms on which it
    /// is installed; when that is an install, its ticket is durable.
    pub async fn script(
        &self,
        mac: MacAddr,
        matched: Option<Matched>,
        terms: Option<Terms>,
        facts: Facts,
    ) -> Result<Answer, RegistryError> {
        self.hear(mac, &facts);
        self.ask(|reply| Command::Script {
            mac,
            matched,
            terms: terms.map(Box::new),
            facts: Box::new(facts),
            reply,
        })
        .await
    }

    /// Takes a machine's report; it is durable when this returns `Ok`.
    pub async fn report(
        &self,
        mac: MacAddr,
        ticket: Ticket,
        report: Report,
    ) -> Result<(), RegistryError> {
        self.ask(|reply| Command::Report {
            mac,
            ticket,
            report: Box::new(report),
            reply,
        })
        .await
    }

    /// Carries out an operator's request; it is durable when this returns `Ok`.
    pub async fn carry_out(&self, request: OperatorRequest) -> Result<(), RegistryError> {
        self.ask(|reply| Command::Operator { request, reply }).await
    }

    /// Ends the thread after everything queued before; later requests get
    /// [`RegistryError::Unavailable`]. Handles may outlive it: a connection can hold one for long.
    pub async fn stop(&self) {
        let _ = self.queue.send(Command::Stop).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, RegistryError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(command(reply))
            .await
            .map_err(|_| RegistryError::Unavailable)?;
        answer.await.map_err(|_| RegistryError::Unavailable)?
    }
}

impl Observer {
    /// What is known of `mac`.
    pub fn subject(&self, mac: MacAddr) -> Subject {
        self.0.subject(mac)
    }

    /// Notes an event, without waiting.
    pub fn note(&self, mac: MacAddr, event: Event) {
        let time = (self.0.clock)();
        if let Event::DhcpDiscover { facts, .. } = &event {
            self.0.hear(mac, facts);
        }
        let command = Command::Observe {
            mac,
            event,
            time,
            reply: None,
        };
        if !self.0.note(command) {
            let dropped = self.0.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(%mac, dropped, "event not recorded: the queue is full");
        }
    }
}

/// Keeps the view up to date with what others do, for as long as somebody reads it.
fn follow(store: &dyn MachineStore, view: &Weak<RwLock<Known>>, feed: &Feed) {
    store.follow(&mut |news| {
        let Some(view) = view.upgrade() else {
            return false;
        };
        let Ok(mut known) = view.write() else {
            return false;
        };
        match news {
            News::All(snapshot) => known.replace(snapshot),
            News::Changes(mut changes) => {
                let records = std::mem::take(&mut changes.records);
                known.apply(changes);
                drop(known);
                feed.publish(records);
            }
            News::Nothing => {}
        }
        true
    });
}

/// The wall clock to the millisecond.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
