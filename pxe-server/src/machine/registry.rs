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
use crate::store::{MachineStore, StoreError};

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
}

/// An operator's request for one more install of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReinstallRequest {
    /// The machine.
    pub mac: MacAddr,
    /// Unique name of the request; one name is carried out once.
    pub id: String,
}

mod committer;

use committer::Committer;

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
    Stop,
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

#[cfg(test)]
mod tests;
