//! Makes leases durable, and only then lets their acknowledgements go: a thread that writes what
//! has gathered as one transaction, so that a storm costs one fsync for many. A change whose ground
//! another server has taken away is not written, and its client gets no answer.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::basis::Change;
use crate::dhcp::Reply;
use crate::net::Arrival;
use crate::store::{LeaseChange, LeaseOutcome, LeaseStore};

/// Changes that may wait to be written.
const QUEUE: usize = 4096;
/// Most changes in one transaction.
const BATCH: usize = 1024;

/// An answer that may go now, and the way of its request.
#[derive(Debug)]
pub struct Outgoing {
    /// The answer.
    pub reply: Reply,
    /// The request's way.
    pub arrival: Arrival,
}

#[derive(Debug)]
struct Entry {
    change: Change,
    then: Option<Outgoing>,
}

/// The way to the thread, which ends when this is finished or dropped and everything is written.
#[derive(Debug)]
pub(super) struct Keeper {
    running: Mutex<Option<Running>>,
    store: Arc<dyn LeaseStore>,
}

#[derive(Debug)]
struct Running {
    queue: SyncSender<Entry>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. Answers come out at `done` once their leases are durable.
    pub(super) fn start(store: Arc<dyn LeaseStore>, done: mpsc::Sender<Outgoing>) -> Self {
        let (queue, entries) = sync_channel(QUEUE);
        let kept = store.clone();
        let writer = Writer {
            store: kept,
            done,
            fails: false,
        };
        let thread = std::thread::spawn(move || writer.run(&entries));
        Self {
            running: Mutex::new(Some(Running { queue, thread })),
            store,
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a change, and lets `then` go after that. False if too much waits already.
    pub(super) fn keep(&self, change: Change, then: Option<Outgoing>) -> bool {
        let running = self.running();
        let entry = Entry { change, then };
        running
            .as_ref()
            .is_some_and(|running| running.queue.try_send(entry).is_ok())
    }

    /// Writes what is queued, and lets another process have the store. Blocks until then.
    pub(super) fn finish(&self) {
        let running = self.running().take();
        if let Some(Running { queue, thread }) = running {
            drop(queue);
            if thread.join().is_err() {
                tracing::error!("the thread that writes leases has panicked");
            }
        }
        self.store.close();
    }
}

/// The thread's side.
struct Writer {
    store: Arc<dyn LeaseStore>,
    done: mpsc::Sender<Outgoing>,
    /// Whether the last transaction failed: a long fault is told once.
    fails: bool,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(first) = entries.recv() {
            let more = entries.try_iter().take(BATCH - 1);
            let mut waiting: Vec<Entry> = std::iter::once(first).chain(more).collect();
            while !waiting.is_empty() {
                let (now, later) = without_twins(waiting);
                self.write(now);
                waiting = later;
            }
        }
    }

    fn write(&mut self, entries: Vec<Entry>) {
        let decided = entries.into_iter().filter_map(|entry| {
            let written = entry.change.to_write()?;
            Some((entry, written))
        });
        let (entries, changes): (Vec<Entry>, Vec<LeaseChange>) = decided.unzip();
        if changes.is_empty() {
            return;
        }
        let outcomes = self.store.commit(&changes);
        let fails = match &outcomes {
            Ok(outcomes) => outcomes.contains(&LeaseOutcome::Unknown),
            Err(_) => true,
        };
        if fails && !self.fails {
            let error = outcomes.as_ref().err();
            let error = error.map(|error| error as &dyn std::error::Error);
            tracing::error!(
                error,
                "no lease is acknowledged: the state cannot be written"
            );
        }
        self.fails = fails;
        for (entry, outcome) in entries.into_iter().zip(outcomes.unwrap_or_default()) {
            match outcome {
                LeaseOutcome::Done(revision) => {
                    entry.change.done(revision);
                    if let Some(answer) = entry.then {
                        // Nobody sends answers any more when the server goes down; what is queued
                        // is written.
                        let _ = self.done.blocking_send(answer);
                    }
                }
                LeaseOutcome::Stale => {
                    tracing::debug!("a lease is not written: another server was faster");
                }
                LeaseOutcome::Unknown => {}
            }
        }
    }
}

/// Those that no earlier one shares a document with, and the others, both in their order.
fn without_twins(entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let mut seen = HashSet::new();
    entries.into_iter().partition(|entry| {
        let fresh = entry.change.keys().all(|key| !seen.contains(&key));
        seen.extend(entry.change.keys());
        fresh
    })
}
