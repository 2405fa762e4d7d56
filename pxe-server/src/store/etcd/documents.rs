//! Our documents in etcd: their keys, and the transactions that write them.
//!
//! Below the prefix: `format` (a number), `machines/MAC` (JSON, the machine), `events/MAC/NEWEST` (JSON
//! list of the events of one commit, oldest first), `rollouts/PROFILE` (JSON, its orders). MACs have
//! dashes; NEWEST is the last event's number with 20 digits. `leases` has the rest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{KeyValue, Kind, Txn, WatchEvent};
use super::error::EtcdError;
use crate::mac::MacAddr;
use crate::machine::{Orders, Record};
use crate::store::{Change, Changes, Outcome, Revision, Rollout, StoreError, Stored};

/// Version of the documents' form.
pub(super) const FORMAT: u64 = 1;
/// How many events are kept for each machine; older ones go. etcd keeps everything in memory.
pub(super) const KEPT_EVENTS: u64 = 200;

/// Where our keys are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// A key of ours.
#[derive(Debug, PartialEq, Eq)]
enum Key<'a> {
    Machine(MacAddr),
    Events(MacAddr),
    Rollout(&'a str),
}

pub(super) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The key after all that begin with `prefix`, which ends with a slash.
fn after(prefix: &str) -> String {
    format!("{}0", prefix.strip_suffix('/').unwrap_or(prefix))
}

fn damaged(mac: MacAddr) -> impl Fn(serde_json::Error) -> StoreError {
    move |source| StoreError::Damaged {
        mac: mac.to_u64(),
        source,
    }
}

impl Keys {
    /// Keys that begin with `prefix` and a slash.
    pub(super) fn new(prefix: &str) -> Self {
        let prefix = prefix.to_owned();
        Self { prefix }
    }

    /// The key of the format's number.
    pub(super) fn format(&self) -> String {
        format!("{}/format", self.prefix)
    }

    /// A key in a folder.
    pub(super) fn in_folder(&self, folder: &str, name: &str) -> String {
        format!("{}/{folder}/{name}", self.prefix)
    }

    /// The folder that a key is in, and the rest.
    pub(super) fn folder_of<'a>(&self, key: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        rest.split_once('/')
    }

    fn machine(&self, mac: MacAddr) -> String {
        self.in_folder("machines", &mac.dashed())
    }

    fn events(&self, mac: MacAddr, newest: u64) -> String {
        format!("{}/events/{}/{newest:020}", self.prefix, mac.dashed())
    }

    fn rollout(&self, profile: &str) -> String {
        self.in_folder("rollouts", profile)
    }

    fn parse<'a>(&self, key: &'a str) -> Option<Key<'a>> {
        match self.folder_of(key)? {
            ("machines", mac) => mac.parse().ok().map(Key::Machine),
            ("rollouts", profile) => Some(Key::Rollout(profile)),
            ("events", rest) => rest.split_once('/')?.0.parse().ok().map(Key::Events),
            _ => None,
        }
    }

    /// Reads the format, and writes ours if there is none.
    pub(super) fn begin(&self) -> Value {
        let key = encoded(self.format());
        json!({
            "compare": [{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": "0"}],
            "success": [
                {"request_put": {"key": key, "value": encoded(FORMAT.to_string())}},
                {"request_range": {"key": key}},
            ],
            "failure": [{"request_range": {"key": key}}],
        })
    }

    /// Reads the format's key: the least that needs a quorum.
    pub(super) fn ping(&self) -> Value {
        json!({"key": encoded(self.format())})
    }

    /// Reads `limit` documents of a `folder` from `first` on, which comes
    /// from [`Self::next_page`]; all pages of one revision, the first of the newest.
    pub(super) fn page(
        &self,
        folder: &str,
        first: Option<&[u8]>,
        revision: u64,
        limit: u32,
    ) -> Value {
        let begin = format!("{}/{folder}/", self.prefix);
        json!({
            "key": first.map_or_else(|| encoded(&begin), encoded),
            "range_end": encoded(after(&begin)),
            "limit": limit.to_string(),
            "revision": revision.to_string(),
        })
    }

    /// Where the page after the one that ends with `last` begins.
    pub(super) fn next_page(last: &KeyValue) -> Vec<u8> {
        let mut next = last.key.0.clone();
        next.push(0);
        next
    }

    /// Reads all kept events of a machine.
    pub(super) fn timeline(&self, mac: MacAddr) -> Value {
        let begin = format!("{}/events/{}/", self.prefix, mac.dashed());
        json!({"key": encoded(&begin), "range_end": encoded(after(&begin))})
    }

    /// Follows all changes from `revision` on.
    pub(super) fn watch(&self, revision: u64) -> Value {
        let begin = format!("{}/", self.prefix);
        json!({"create_request": {
            "key": encoded(&begin),
            "range_end": encoded(after(&begin)),
            "start_revision": revision.to_string(),
        }})
    }

    /// Writes a change if machine and rollout still are as expected, and tells otherwise how they are.
    pub(super) fn commit(&self, change: &Change) -> Result<Value, StoreError> {
        let Change {
            machine,
            records,
            expected,
            turn,
        } = change;
        let (mac, key) = (machine.mac, encoded(self.machine(machine.mac)));
        let damaged = damaged(mac);
        let mut compare = vec![unchanged(&key, *expected)];
        let mut success = Vec::new();
        let mut failure = vec![json!({"request_range": {"key": key}})];
        if let Some(newest) = records.last() {
            let document = serde_json::to_vec(machine).map_err(&damaged)?;
            let events = serde_json::to_vec(records).map_err(&damaged)?;
            success.push(put(&key, document));
            success.push(put(&encoded(self.events(mac, newest.seq)), events));
            if let Some(old) = newest.seq.checked_sub(KEPT_EVENTS) {
                let gone = json!({
                    "key": encoded(self.events(mac, 0)),
                    "range_end": encoded(self.events(mac, old.saturating_add(1))),
                });
                success.push(json!({"request_delete_range": gone}));
            }
        } else {
            // A transaction without a read or write of its own would be answered by a member that
            // has lost the others.
            success.push(json!({"request_range": {"key": key}}));
        }
        if let Some(turn) = turn {
            let key = encoded(self.rollout(&turn.profile));
            let document = serde_json::to_vec(&turn.rollout.orders).map_err(&damaged)?;
            compare.push(unchanged(&key, turn.rollout.revision));
            success.push(put(&key, document));
            failure.push(json!({"request_range": {"key": key}}));
        }
        Ok(json!({"compare": compare, "success": success, "failure": failure}))
    }

    /// Writes orders if the rollout still is as expected.
    pub(super) fn orders(&self, profile: &str, rollout: &Rollout) -> Value {
        let key = encoded(self.rollout(profile));
        let document = serde_json::to_vec(&rollout.orders).unwrap_or_default();
        json!({
            "compare": [unchanged(&key, rollout.revision)],
            "success": [put(&key, document)],
            "failure": [{"request_range": {"key": key}}],
        })
    }

    /// What came of a transaction.
    pub(super) fn outcome(&self, txn: Txn, written: bool, expected: Revision) -> Outcome {
        let now = Revision(txn.header.revision.0);
        if txn.succeeded {
            return Outcome::Done(if written { now } else { expected });
        }
        let (mut machine, mut rollout) = (None, Revision::default());
        let ranges = txn
            .responses
            .into_iter()
            .filter_map(|part| part.response_range);
        for kv in ranges.flat_map(|range| range.kvs) {
            let revision = Revision(kv.mod_revision.0);
            match std::str::from_utf8(&kv.key.0)
                .ok()
                .and_then(|key| self.parse(key))
            {
                Some(Key::Machine(mac)) => match serde_json::from_slice(&kv.value.0) {
                    Ok(found) => {
                        let machine_now = Stored {
                            machine: found,
                            revision,
                        };
                        machine = Some(Box::new(machine_now));
                    }
                    Err(error) => {
                        tracing::error!(%mac, %error, "a machine's document in etcd is damaged");
                        return Outcome::Unknown;
                    }
                },
                Some(Key::Rollout(_)) => rollout = revision,
                Some(Key::Events(_)) | None => {}
            }
        }
        Outcome::Stale { machine, rollout }
    }

    /// Reads one page's machine.
    pub(super) fn stored(&self, kv: &KeyValue) -> Result<Stored, StoreError> {
        let text = String::from_utf8_lossy(&kv.key.0);
        let Some(Key::Machine(mac)) = self.parse(&text) else {
            return Err(StoreError::Etcd(EtcdError::Foreign(text.into_owned())));
        };
        Ok(Stored {
            machine: serde_json::from_slice(&kv.value.0).map_err(damaged(mac))?,
            revision: Revision(kv.mod_revision.0),
        })
    }

    /// Reads one page's rollout.
    pub(super) fn stored_rollout(&self, kv: &KeyValue) -> Result<(String, Rollout), StoreError> {
        let text = String::from_utf8_lossy(&kv.key.0);
        let foreign = || StoreError::Etcd(EtcdError::Foreign(text.clone().into_owned()));
        let Some(Key::Rollout(profile)) = self.parse(&text) else {
            return Err(foreign());
        };
        let orders = serde_json::from_slice(&kv.value.0).map_err(|_| foreign())?;
        let revision = Revision(kv.mod_revision.0);
        Ok((profile.to_owned(), Rollout { orders, revision }))
    }

    /// Reads what was watched. A document that cannot be read is told of and left out.
    pub(super) fn changes(&self, events: Vec<WatchEvent>) -> Changes {
        let mut changes = Changes::default();
        for WatchEvent { kind, kv } in events {
            let text = String::from_utf8_lossy(&kv.key.0);
            let revision = Revision(kv.mod_revision.0);
            let read = match (self.parse(&text), kind) {
                (Some(Key::Machine(mac)), Kind::Put) => serde_json::from_slice(&kv.value.0)
                    .map(|machine| changes.machines.push((mac, revision, Some(machine)))),
                (Some(Key::Machine(mac)), Kind::Delete) => {
                    changes.machines.push((mac, revision, None));
                    Ok(())
                }
                (Some(Key::Events(mac)), Kind::Put) => {
                    serde_json::from_slice::<Vec<Record>>(&kv.value.0).map(|records| {
                        let told = records.into_iter().map(|record| (mac, record));
                        changes.records.extend(told);
                    })
                }
                (Some(Key::Rollout(profile)), kind) => {
                    let orders = match kind {
                        Kind::Put => serde_json::from_slice(&kv.value.0),
                        Kind::Delete => Ok(Orders::default()),
                    };
                    orders.map(|orders| {
                        let rollout = Rollout { orders, revision };
                        changes.rollouts.push((profile.to_owned(), rollout));
                    })
                }
                (Some(Key::Events(_)), Kind::Delete) | (None, _) => Ok(()),
            };
            if let Err(error) = read {
                tracing::error!(key = %text, %error, "a document in etcd is damaged");
            }
        }
        changes
    }
}

pub(super) fn unchanged(key: &str, revision: Revision) -> Value {
    let revision = revision.0.to_string();
    json!({"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision})
}

pub(super) fn put(key: &str, document: Vec<u8>) -> Value {
    json!({"request_put": {"key": key, "value": encoded(document)}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_others_are_not_ours() {
        let keys = Keys::new("/rack/7");
        let mac = MacAddr([2, 0, 0, 0, 0, 10]);
        assert_eq!(keys.parse(&keys.machine(mac)), Some(Key::Machine(mac)));
        assert_eq!(keys.parse(&keys.events(mac, 7)), Some(Key::Events(mac)));
        assert_eq!(keys.parse(&keys.rollout("web")), Some(Key::Rollout("web")));
        for other in [
            "/rack/71/machines/02-00-00-00-00-0a",
            "/rack/7/machines/02",
            "/rack/7/format",
            "/rack/7",
            "machines/02-00-00-00-00-0a",
        ] {
            assert_eq!(keys.parse(other), None, "{other}");
        }
        assert!(keys.events(mac, 9) < keys.events(mac, 10), "in their order");
        assert_eq!(after("/rack/7/machines/"), "/rack/7/machines0");
    }
}
