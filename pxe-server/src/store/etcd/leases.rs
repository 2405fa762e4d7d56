//! Leases of several servers, beside the machines: `leases/ADDRESS` (JSON [`LeaseRecord`]) and
//! `lease-clients/NETWORK/MAC` (JSON, the client's address). A change is a transaction within one
//! that has many: each of them is done or not by itself, and etcd flushes once for all.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{KeyValue, Kind, Txn, WatchEvent};
use super::documents::{Keys, encoded, put, unchanged};
use super::error::EtcdError;
use super::{Etcd, Room};
use crate::dhcp::LeaseRecord;
use crate::net::Net;
use crate::store::{
    LeaseChange, LeaseDocument, LeaseKey, LeaseListener, LeaseNews, LeaseOutcome, LeaseStore,
    LeaseValue, LeaseWrite, MachineStore as _, Revision, StoreError,
};

const LEASES: &str = "leases";
const CLIENTS: &str = "lease-clients";
/// Changes in one transaction: etcd takes 128 operations in one, those within others counted along
/// the deepest way.
const CHANGES: usize = 64;
/// What others' leases are taken to last longer, seconds: their servers' clocks are not quite ours.
const SKEW: u64 = 30;

/// The leases in etcd.
#[derive(Debug)]
pub(super) struct EtcdLeases(pub(super) Arc<Etcd>);

/// Who is told of leases, and whether everything was told.
#[derive(Default)]
pub(super) struct Listening {
    listener: Option<LeaseListener>,
    complete: bool,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening")
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl LeaseStore for EtcdLeases {
    fn follow(&self, listener: LeaseListener) -> Result<(), StoreError> {
        let room = self.0.room.clone();
        let told = self.0.wait(async move {
            room.leases.lock().await.listener = Some(listener);
            room.tell_all_leases().await
        });
        match told {
            // Everything is told as soon as a quorum is reached.
            Err(StoreError::Etcd(error)) if error.is_passing() => Ok(()),
            told => told,
        }
    }

    fn commit(&self, changes: &[LeaseChange]) -> Result<Vec<LeaseOutcome>, StoreError> {
        if !self.is_reachable() {
            return Err(StoreError::Etcd(EtcdError::Away));
        }
        self.0.wait(self.0.room.commit_leases(changes))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn is_reachable(&self) -> bool {
        self.0.is_reachable()
    }
}

impl Room {
    async fn commit_leases(
        &self,
        changes: &[LeaseChange],
    ) -> Result<Vec<LeaseOutcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for some in changes.chunks(CHANGES) {
            let body = self.keys.change_leases(some)?;
            match self.client.call::<Txn>("kv/txn", &body).await {
                Ok(txn) => outcomes.extend(outcomes_of(txn, some.len())),
                Err(error) => {
                    self.lose_if_passing(&error);
                    outcomes.extend(some.iter().map(|_| LeaseOutcome::Unknown));
                }
            }
        }
        Ok(outcomes)
    }

    /// Everything is told again.
    pub(super) async fn forget_leases(&self) {
        self.leases.lock().await.complete = false;
    }

    /// Tells everything, if somebody wants to know and it is not told. Nothing else is told meanwhile.
    pub(super) async fn tell_all_leases(&self) -> Result<(), StoreError> {
        let mut listening = self.leases.lock().await;
        if listening.complete {
            return Ok(());
        }
        let Some(listener) = &listening.listener else {
            return Ok(());
        };
        let (mut documents, mut revision) = (Vec::new(), 0);
        for folder in [LEASES, CLIENTS] {
            for kv in self.pages(folder, &mut revision).await? {
                documents.push(self.keys.lease_document(&kv, true)?);
            }
        }
        listener(LeaseNews::All {
            documents,
            revision: Revision(revision),
        });
        listening.complete = true;
        Ok(())
    }

    /// Tells what was watched. A document that cannot be read is left out.
    pub(super) async fn tell_leases(&self, events: &[WatchEvent]) {
        let listening = self.leases.lock().await;
        let Some(listener) = listening.listener.as_ref().filter(|_| listening.complete) else {
            return;
        };
        let mut documents = Vec::new();
        for event in events.iter().filter(|event| self.keys.is_lease(&event.kv)) {
            match self.keys.lease_document(&event.kv, event.kind == Kind::Put) {
                Ok(document) => documents.push(document),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "a document in etcd is damaged");
                }
            }
        }
        if !documents.is_empty() {
            listener(LeaseNews::Changes(documents));
        }
    }
}

/// What became of each change of a transaction.
fn outcomes_of(txn: Txn, changes: usize) -> Vec<LeaseOutcome> {
    let revision = Revision(txn.header.revision.0);
    let mut parts = txn.responses.into_iter();
    let outcome = |_| match parts.next().and_then(|part| part.response_txn) {
        Some(txn) if txn.succeeded => LeaseOutcome::Done(revision),
        Some(_) => LeaseOutcome::Stale,
        None => LeaseOutcome::Unknown,
    };
    (0..changes).map(outcome).collect()
}

impl Keys {
    fn lease(&self, key: LeaseKey) -> String {
        match key {
            LeaseKey::Address(address) => self.in_folder(LEASES, &address.to_string()),
            LeaseKey::Client(network, mac) => {
                self.in_folder(CLIENTS, &format!("{network}/{}", mac.dashed()))
            }
        }
    }

    fn parse_lease(&self, key: &str) -> Option<LeaseKey> {
        let (folder, rest) = self.folder_of(key)?;
        match folder {
            LEASES => rest.parse().ok().map(LeaseKey::Address),
            CLIENTS => {
                let (network, mac) = rest.rsplit_once('/')?;
                let network = Net::parse(network).ok()?;
                Some(LeaseKey::Client(network, mac.parse().ok()?))
            }
            _ => None,
        }
    }

    fn is_lease(&self, kv: &KeyValue) -> bool {
        let key = std::str::from_utf8(&kv.key.0).ok();
        let folder = key.and_then(|key| self.folder_of(key));
        folder.is_some_and(|(folder, _)| [LEASES, CLIENTS].contains(&folder))
    }

    fn change_leases(&self, changes: &[LeaseChange]) -> Result<Value, StoreError> {
        let each = changes.iter().map(|change| self.change_lease(change));
        let each = each.collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"success": each}))
    }

    fn change_lease(&self, change: &LeaseChange) -> Result<Value, StoreError> {
        let (mut compare, mut success) = (Vec::new(), Vec::new());
        for part in change {
            let key = encoded(self.lease(part.key));
            compare.push(unchanged(&key, part.expected));
            match &part.write {
                // Something must be asked for, or a member that has lost the others would answer.
                LeaseWrite::Leave => success.push(json!({"request_range": {"key": key}})),
                LeaseWrite::Put(value) => success.push(put(&key, written(value)?)),
                LeaseWrite::Delete => success.push(json!({"request_delete_range": {"key": key}})),
            }
        }
        Ok(json!({"request_txn": {"compare": compare, "success": success}}))
    }

    fn lease_document(&self, kv: &KeyValue, is_there: bool) -> Result<LeaseDocument, StoreError> {
        let text = String::from_utf8_lossy(&kv.key.0);
        let foreign = || StoreError::Etcd(EtcdError::Foreign(text.clone().into_owned()));
        let key = self.parse_lease(&text).ok_or_else(foreign)?;
        let value = match key {
            _ if !is_there => None,
            LeaseKey::Address(address) => {
                let record = read(address, &kv.value.0)?;
                Some(LeaseValue::Record(record))
            }
            LeaseKey::Client(..) => {
                let address = serde_json::from_slice(&kv.value.0).map_err(|_| foreign())?;
                Some(LeaseValue::Address(address))
            }
        };
        Ok(LeaseDocument {
            key,
            revision: Revision(kv.mod_revision.0),
            value,
        })
    }
}

fn written(value: &LeaseValue) -> Result<Vec<u8>, StoreError> {
    let (address, json) = match value {
        LeaseValue::Record(record) => (record.address, serde_json::to_vec(record)),
        LeaseValue::Address(address) => (*address, serde_json::to_vec(address)),
    };
    json.map_err(|source| StoreError::DamagedLease { address, source })
}

/// A lease that is not over lasts a little longer for us; one that was given up does not.
fn read(address: Ipv4Addr, json: &[u8]) -> Result<LeaseRecord, StoreError> {
    let parsed = serde_json::from_slice::<LeaseRecord>(json);
    let mut record = parsed.map_err(|source| StoreError::DamagedLease { address, source })?;
    // The key says which address it is.
    record.address = address;
    if record.until > record.since {
        record.until.0 = record.until.0.saturating_add(SKEW);
    }
    Ok(record)
}

#[cfg(test)]
mod tests;
