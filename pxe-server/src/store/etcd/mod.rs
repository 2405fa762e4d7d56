//! The store of several servers: etcd, where a machine's document changes only if nobody else has
//! changed it since it was read.
//!
//! Calls block their thread; a runtime of its own does the network's part. While no member with a
//! quorum can be reached nothing is written and commits fail at once; `follow` finds out when that is
//! over. The machines as last seen are kept in the state directory for a start without a quorum.

mod address;
mod answer;
mod client;
mod documents;
mod error;
mod follow;
mod leases;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::answer::{KeyValue, Range, Txn};
use self::client::Client;
use self::documents::{FORMAT, KEPT_EVENTS, Keys};
use self::leases::{EtcdLeases, Listening};
use crate::mac::MacAddr;
use crate::machine::Record;
use crate::store::{
    Change, Embedded, LeaseStore, MachineStore, News, Outcome, Revision, Rollout, Snapshot,
    StoreError, Stored,
};

pub use self::address::{AddressError, EtcdAddress, EtcdSettings};
pub use self::error::EtcdError;

/// Changes that are on their way at once: etcd makes as many durable with one flush.
const AT_ONCE: usize = 32;
/// Documents that are read at once.
const PAGE: u32 = 500;

/// A store in etcd.
#[derive(Debug)]
pub struct Etcd {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    room: Arc<Room>,
}

/// What the calls share.
#[derive(Debug)]
struct Room {
    client: Client,
    keys: Keys,
    /// Whether a quorum was reached a moment ago.
    reachable: AtomicBool,
    /// The revision up to which [`MachineStore::load`] knows everything; 0: nothing is known of etcd.
    loaded: AtomicU64,
    /// The machines as last seen.
    last_known: Embedded,
    /// Who leases addresses.
    leases: tokio::sync::Mutex<Listening>,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // May happen where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Etcd {
    /// Opens the store, with the machines as last seen in `state`. A fault that passes is none: the
    /// store is not reachable until it has passed.
    pub fn open(settings: &EtcdSettings, state: &Path) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("etcd")
            .enable_all()
            .build()
            .map_err(|source| StoreError::Etcd(EtcdError::Thread(source)))?;
        let room = Room {
            client: Client::new(settings).map_err(StoreError::Etcd)?,
            keys: Keys::new(&settings.address.prefix),
            reachable: AtomicBool::new(false),
            loaded: AtomicU64::new(0),
            last_known: Embedded::open(&state.join("last-known"))?,
            leases: tokio::sync::Mutex::default(),
        };
        match runtime.block_on(room.begin()) {
            Ok(()) => room.reachable.store(true, Ordering::Relaxed),
            Err(StoreError::Etcd(error)) if error.is_passing() => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the state in etcd cannot be reached: known machines boot their disks, nobody is installed"
            ),
            Err(error) => return Err(error),
        }
        Ok(Self {
            runtime: Some(runtime),
            room: Arc::new(room),
        })
    }

    fn wait<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let runtime = self
            .runtime
            .as_ref()
            .ok_or(StoreError::Etcd(EtcdError::Away))?;
        runtime.block_on(call)
    }
}

impl MachineStore for Etcd {
    fn close(&self) {
        self.room.last_known.close();
    }

    fn load(&self) -> Result<Snapshot, StoreError> {
        if self.is_reachable() {
            match self.wait(self.room.snapshot()) {
                Ok((snapshot, revision)) => {
                    self.room.loaded.store(revision, Ordering::Relaxed);
                    self.room.keep(&snapshot.machines);
                    return Ok(snapshot);
                }
                Err(StoreError::Etcd(error)) if error.is_passing() => self.room.lose(&error),
                Err(error) => return Err(error),
            }
        }
        let machines = self.room.last_known.machines()?.into_iter();
        // Nothing can be changed on the ground of a version that is not known.
        let stored = |machine| Stored {
            machine,
            revision: Revision::default(),
        };
        Ok(Snapshot {
            machines: machines.map(stored).collect(),
            rollouts: BTreeMap::new(),
        })
    }

    fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError> {
        let body = self.room.keys.timeline(mac);
        let range: Range = self.wait(self.room.call("kv/range", &body))?;
        let mut records: Vec<Record> = Vec::new();
        for kv in range.kvs {
            let mac = mac.to_u64();
            let block: Vec<Record> = serde_json::from_slice(&kv.value.0)
                .map_err(|source| StoreError::Damaged { mac, source })?;
            records.extend(block);
        }
        let newest = records.last().map_or(0, |record| record.seq);
        records.retain(|record| record.seq.saturating_add(KEPT_EVENTS) > newest);
        Ok(records)
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
        if !self.is_reachable() {
            return Err(StoreError::Etcd(EtcdError::Away));
        }
        self.wait(self.room.commit(changes))
    }

    fn give_orders(&self, profile: &str, rollout: &Rollout) -> Result<Outcome, StoreError> {
        let body = self.room.keys.orders(profile, rollout);
        let txn: Txn = self.wait(self.room.call("kv/txn", &body))?;
        Ok(self.room.keys.outcome(txn, true, rollout.revision))
    }

    fn follow(&self, news: &mut dyn FnMut(News) -> bool) {
        let room = self.room.clone();
        let followed = self.wait(async move {
            room.follow(news).await;
            Ok(())
        });
        drop(followed);
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn LeaseStore>> {
        Some(Arc::new(EtcdLeases(self)))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn is_reachable(&self) -> bool {
        self.room.reachable.load(Ordering::Relaxed)
    }
}

impl Room {
    async fn call<A: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<A, StoreError> {
        self.client.call(path, body).await.map_err(StoreError::Etcd)
    }

    /// Reads what form the documents have, and writes ours if there are none.
    async fn begin(&self) -> Result<(), StoreError> {
        let txn: Txn = self.call("kv/txn", &self.keys.begin()).await?;
        let ranges = txn
            .responses
            .into_iter()
            .filter_map(|part| part.response_range);
        let found = ranges.flat_map(|range| range.kvs).next();
        let text = found.and_then(|kv| String::from_utf8(kv.value.0).ok());
        match text.and_then(|text| text.trim().parse::<u64>().ok()) {
            Some(format) if format > FORMAT => Err(StoreError::Newer(format)),
            Some(_) => Ok(()),
            None => Err(StoreError::Etcd(EtcdError::Foreign(self.keys.format()))),
        }
    }

    /// Everything at one revision, and which.
    async fn snapshot(&self) -> Result<(Snapshot, u64), StoreError> {
        let (mut snapshot, mut revision) = (Snapshot::default(), 0);
        for kv in self.pages("machines", &mut revision).await? {
            snapshot.machines.push(self.keys.stored(&kv)?);
        }
        for kv in self.pages("rollouts", &mut revision).await? {
            snapshot.rollouts.extend([self.keys.stored_rollout(&kv)?]);
        }
        Ok((snapshot, revision))
    }

    /// All documents of a folder at this revision; 0: at the newest, which it is then.
    async fn pages(&self, folder: &str, revision: &mut u64) -> Result<Vec<KeyValue>, StoreError> {
        let (mut all, mut first) = (Vec::new(), None);
        loop {
            let body = self.keys.page(folder, first.as_deref(), *revision, PAGE);
            let page: Range = self.call("kv/range", &body).await?;
            if *revision == 0 {
                *revision = page.header.revision.0;
            }
            first = page.kvs.last().filter(|_| page.more).map(Keys::next_page);
            all.extend(page.kvs);
            if first.is_none() {
                return Ok(all);
            }
        }
    }

    /// Writes changes: many at once, and those that take a turn in a rollout one after the other.
    async fn commit(self: &Arc<Self>, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = vec![Outcome::Unknown; changes.len()];
        let mut tasks = JoinSet::new();
        let free = changes.iter().enumerate();
        for (index, change) in free.filter(|(_, change)| change.turn.is_none()) {
            if tasks.len() >= AT_ONCE {
                settle(&mut outcomes, tasks.join_next().await);
            }
            let (room, body) = (self.clone(), self.keys.commit(change)?);
            let (written, expected) = (!change.records.is_empty(), change.expected);
            tasks.spawn(async move { (index, room.write(&body, written, expected).await) });
        }
        while let Some(done) = tasks.join_next().await {
            settle(&mut outcomes, Some(done));
        }
        let mut taken: HashMap<&str, Revision> = HashMap::new();
        for (change, outcome) in changes.iter().zip(&mut outcomes) {
            let Some(turn) = &change.turn else {
                continue;
            };
            let mut change = change.clone();
            if let (Some(revision), Some(turn)) =
                (taken.get(turn.profile.as_str()), &mut change.turn)
            {
                // The place before was decided on by the same count.
                turn.rollout.revision = *revision;
            }
            *outcome = self
                .write(&self.keys.commit(&change)?, true, change.expected)
                .await;
            if let Outcome::Done(revision) = outcome {
                taken.insert(&turn.profile, *revision);
            }
        }
        Ok(outcomes)
    }

    async fn write(&self, body: &Value, written: bool, expected: Revision) -> Outcome {
        // The first that fails says it for all that wait.
        if !self.reachable.load(Ordering::Relaxed) {
            return Outcome::Unknown;
        }
        match self.client.call::<Txn>("kv/txn", body).await {
            Ok(txn) => self.keys.outcome(txn, written, expected),
            Err(error) => {
                self.lose_if_passing(&error);
                Outcome::Unknown
            }
        }
    }

    /// A write has failed.
    fn lose_if_passing(&self, error: &EtcdError) {
        if error.is_passing() {
            self.lose(error);
        } else {
            let cause = error as &dyn std::error::Error;
            tracing::error!(error = cause, "something is lost: etcd does not take it");
        }
    }

    /// Nothing more is tried until `follow` has reached a quorum again.
    fn lose(&self, error: &EtcdError) {
        if self.reachable.swap(false, Ordering::Relaxed) {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the state in etcd cannot be reached: known machines boot their disks, nobody is installed"
            );
        }
    }

    /// Keeps machines for a start without a quorum.
    fn keep(&self, machines: &[Stored]) {
        let machines: Vec<_> = machines
            .iter()
            .map(|stored| stored.machine.clone())
            .collect();
        if let Err(error) = self.last_known.keep(&machines) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "machines as last seen are not kept"
            );
        }
    }
}

fn settle(
    outcomes: &mut [Outcome],
    done: Option<Result<(usize, Outcome), tokio::task::JoinError>>,
) {
    if let Some(Ok((index, outcome))) = done
        && let Some(place) = outcomes.get_mut(index)
    {
        *place = outcome;
    }
}

#[cfg(test)]
mod tests;
