//! The one owner of all machines: takes requests from the network sides, decides by
//! [`Machine`]'s rules, makes the outcome durable, and only then publishes and answers.
//!
//! A thread of its own serves a queue and commits whatever has gathered as one transaction, so a
//! storm of events costs one fsync for many. Readers see committed state only. Observations are
//! sent without waiting and are dropped when the queue is full: DHCP never waits for a disk.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use embed::report::Report;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::mac::MacAddr;
use crate::machine::{Answer, Event, Machine, Record, Refusal, Ticket};
use crate::store::{Change, MachineStore, StoreError};

/// Requests that may wait for the registry's thread.
const QUEUE: usize = 4096;
/// Most requests in one transaction.
const BATCH: usize = 512;
/// Machines that are kept; addresses seen on the network beyond that are not recorded.
const MAX_MACHINES: usize = 100_000;

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
}

/// An operator's request for one more install of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReinstallRequest {
    /// The machine.
    pub mac: MacAddr,
    /// Unique name of the request; one name is carried out once.
    pub id: String,
}

type Reply<T> = oneshot::Sender<Result<T, RegistryError>>;

enum Command {
    Observe {
        mac: MacAddr,
        event: Event,
        time: Timestamp,
    },
    Script {
        mac: MacAddr,
        assigned: bool,
        uuid: Option<String>,
        serial: Option<String>,
        reply: Reply<Answer>,
    },
    Report {
        mac: MacAddr,
        ticket: Ticket,
        report: Box<Report>,
        reply: Reply<()>,
    },
    Reinstall {
        request: ReinstallRequest,
        reply: Reply<()>,
    },
}

type View = Arc<RwLock<HashMap<MacAddr, Machine>>>;

/// Handle to the registry; cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    queue: mpsc::Sender<Command>,
    view: View,
    store: Arc<dyn MachineStore>,
    dropped: Arc<AtomicU64>,
}

/// Handle that can only note events, for the sides that must not wait.
#[derive(Clone, Debug)]
pub struct Observer(Registry);

/// The registry's thread; it ends when the last [`Registry`] is dropped.
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
        let machines = store
            .machines()?
            .into_iter()
            .map(|machine| (machine.mac, machine))
            .collect();
        let view: View = Arc::new(RwLock::new(machines));
        let (queue, requests) = mpsc::channel(QUEUE);
        let worker = Committer {
            view: view.clone(),
            store: store.clone(),
        };
        let thread = std::thread::spawn(move || worker.run(requests));
        Ok((
            Self {
                queue,
                view,
                store,
                dropped: Arc::default(),
            },
            Worker(thread),
        ))
    }

    /// A handle for observations.
    pub fn observer(&self) -> Observer {
        Observer(self.clone())
    }

    /// All machines, by address.
    pub fn machines(&self) -> Vec<Machine> {
        let mut machines: Vec<Machine> = self
            .view
            .read()
            .map(|view| view.values().cloned().collect())
            .unwrap_or_default();
        machines.sort_by_key(|machine| machine.mac);
        machines
    }

    /// One machine.
    pub fn machine(&self, mac: MacAddr) -> Option<Machine> {
        self.view.read().ok()?.get(&mac).cloned()
    }

    /// The events of one machine, oldest first. Blocks on the store.
    pub fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError> {
        self.store.timeline(mac)
    }

    /// What `mac` shall do; when that is an install, its ticket is durable.
    pub async fn script(
        &self,
        mac: MacAddr,
        assigned: bool,
        uuid: Option<String>,
        serial: Option<String>,
    ) -> Result<Answer, RegistryError> {
        self.ask(|reply| Command::Script {
            mac,
            assigned,
            uuid,
            serial,
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
    pub async fn reinstall(&self, request: ReinstallRequest) -> Result<(), RegistryError> {
        self.ask(|reply| Command::Reinstall { request, reply })
            .await
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
    /// Notes an event, without waiting.
    pub fn note(&self, mac: MacAddr, event: Event) {
        let time = now();
        if self
            .0
            .queue
            .try_send(Command::Observe { mac, event, time })
            .is_err()
        {
            let dropped = self.0.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(%mac, dropped, "event not recorded: the queue is full");
        }
    }
}

/// The wall clock to the millisecond.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// An answer that waits for the commit; told whether the commit succeeded.
type Pending = Box<dyn FnOnce(bool)>;

struct Committer {
    view: View,
    store: Arc<dyn MachineStore>,
}

impl Committer {
    fn run(self, mut requests: mpsc::Receiver<Command>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Batch {
                view: &self.view,
                changes: HashMap::new(),
                pending: Vec::new(),
            };
            batch.apply(first);
            for _ in 1..BATCH {
                match requests.try_recv() {
                    Ok(next) => batch.apply(next),
                    Err(_) => break,
                }
            }
            let changes: Vec<Change> = batch
                .changes
                .into_values()
                .filter(|change| !change.records.is_empty())
                .collect();
            let pending = batch.pending;
            let done = changes.is_empty() || self.commit(changes);
            for answer in pending {
                answer(done);
            }
        }
    }

    fn commit(&self, changes: Vec<Change>) -> bool {
        if let Err(error) = self.store.commit(&changes) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "events lost: the state cannot be written"
            );
            return false;
        }
        if let Ok(mut view) = self.view.write() {
            view.extend(
                changes
                    .into_iter()
                    .map(|change| (change.machine.mac, change.machine)),
            );
        }
        true
    }
}

struct Batch<'a> {
    view: &'a View,
    changes: HashMap<MacAddr, Change>,
    pending: Vec<Pending>,
}

impl Batch<'_> {
    /// The machine as this batch has left it.
    fn change(&mut self, mac: MacAddr, time: Timestamp) -> Option<&mut Change> {
        if !self.changes.contains_key(&mac) {
            let view = self.view.read().ok()?;
            let machine = match view.get(&mac) {
                Some(machine) => machine.clone(),
                None if view.len() + self.changes.len() < MAX_MACHINES => Machine::new(mac, time),
                None => return None,
            };
            drop(view);
            self.changes.insert(
                mac,
                Change {
                    machine,
                    records: Vec::new(),
                },
            );
        }
        self.changes.get_mut(&mac)
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Observe { mac, event, time } => {
                if let Some(change) = self.change(mac, time) {
                    change.machine.observe(&event);
                    record(change, event, time);
                }
            }
            Command::Script {
                mac,
                assigned,
                uuid,
                serial,
                reply,
            } => self.script(mac, assigned, uuid, serial, reply),
            Command::Report {
                mac,
                ticket,
                report,
                reply,
            } => self.report(mac, ticket, &report, reply),
            Command::Reinstall { request, reply } => {
                let time = now();
                let Some(change) = self.change(request.mac, time) else {
                    return;
                };
                if change.machine.reinstall(&request.id) {
                    record(change, Event::ReinstallRequested, time);
                }
                self.when_durable(reply, ());
            }
        }
    }

    fn script(
        &mut self,
        mac: MacAddr,
        assigned: bool,
        uuid: Option<String>,
        serial: Option<String>,
        reply: Reply<Answer>,
    ) {
        let time = now();
        let Some(change) = self.change(mac, time) else {
            return;
        };
        let (answer, issued) = change.machine.answer(assigned, Ticket::random());
        if issued {
            record(change, Event::TicketIssued, time);
        }
        let event = Event::ScriptServed {
            script: answer.script(),
            uuid,
            serial,
        };
        change.machine.observe(&event);
        record(change, event, time);
        if matches!(answer, Answer::Install(_)) {
            self.when_durable(reply, answer);
        } else {
            // An installed machine boots its disk even while the state cannot be written.
            self.pending.push(Box::new(move |_| {
                let _ = reply.send(Ok(answer));
            }));
        }
    }

    fn report(&mut self, mac: MacAddr, ticket: Ticket, report: &Report, reply: Reply<()>) {
        let time = now();
        let known = self.changes.contains_key(&mac)
            || self.view.read().is_ok_and(|view| view.contains_key(&mac));
        let change = if known { self.change(mac, time) } else { None };
        let Some(change) = change else {
            let _ = reply.send(Err(RegistryError::Unknown));
            return;
        };
        match change.machine.report(ticket, report) {
            Ok(new) => {
                if new {
                    record(change, Event::from_report(report), time);
                }
                self.when_durable(reply, ());
            }
            Err(refusal) => {
                let _ = reply.send(Err(RegistryError::Refused(refusal)));
            }
        }
    }

    fn when_durable<T: 'static>(&mut self, reply: Reply<T>, value: T) {
        self.pending.push(Box::new(move |done| {
            let _ = reply.send(if done {
                Ok(value)
            } else {
                Err(RegistryError::Unavailable)
            });
        }));
    }
}

/// Appends an event; a clock that was set back does not turn the timeline around.
fn record(change: &mut Change, event: Event, time: Timestamp) {
    let time = time.max(change.machine.last_seen);
    change.machine.events += 1;
    change.machine.last_seen = time;
    change.records.push(Record {
        seq: change.machine.events,
        time,
        event,
    });
}

#[cfg(test)]
mod tests;
