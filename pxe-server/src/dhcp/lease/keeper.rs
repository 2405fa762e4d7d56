//! Makes leases durable, and only then lets their acknowledgements go: a thread that writes what
//! has gathered as one transaction, so that a storm costs one fsync for many.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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

/// The way to the thread; it ends when this is dropped and everything is written.
#[derive(Debug)]
pub(super) struct Keeper(SyncSender<Entry>);

impl Keeper {
    /// Starts the thread. Answers come out at `done` once their leases are durable.
    pub(super) fn start(store: Arc<dyn LeaseStore>, done: mpsc::Sender<Outgoing>) -> Self {
        let (sender, entries) = sync_channel(QUEUE);
        std::thread::spawn(move || run(&entries, store.as_ref(), &done));
        Self(sender)
    }

    /// Writes a record, and lets `then` go after that. False if too much waits already.
    pub(super) fn keep(&self, record: LeaseRecord, then: Option<Outgoing>) -> bool {
        self.0.try_send(Entry { record, then }).is_ok()
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
            if done.blocking_send(answer).is_err() {
                return;
            }
        }
    }
}
