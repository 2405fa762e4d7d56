//! Makes leases durable, and only then lets their acknowledgements go: a thread that writes what
//! has gathered as one transaction, so that a storm costs one fsync for many.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::LeaseRecord;
use crate::dhcp::Reply;
use crate::net::Arrival;
use crate::store::LeaseStore;

/// Records that may wait to be written.
const QUEUE: usize = 4096;
/// Most records in one transaction.
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
    record: LeaseRecord,
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
        let thread = std::thread::spawn(move || run(&entries, kept.as_ref(), &done));
        Self {
            running: Mutex::new(Some(Running { queue, thread })),
            store,
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a record, and lets `then` go after that. False if too much waits already.
    pub(super) fn keep(&self, record: LeaseRecord, then: Option<Outgoing>) -> bool {
        let running = self.running();
        let entry = Entry { record, then };
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

fn run(entries: &Receiver<Entry>, store: &dyn LeaseStore, done: &mpsc::Sender<Outgoing>) {
    while let Ok(first) = entries.recv() {
        let more = entries.try_iter().take(BATCH - 1);
        let (mut records, mut answers) = (Vec::new(), Vec::new());
        for entry in std::iter::once(first).chain(more) {
            records.push(entry.record);
            answers.extend(entry.then);
        }
        if let Err(error) = store.commit(&records) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "no lease is acknowledged: the state cannot be written"
            );
            continue;
        }
        for answer in answers {
            // Nobody sends answers any more when the server goes down; what is queued is written.
            let _ = done.blocking_send(answer);
        }
    }
}
