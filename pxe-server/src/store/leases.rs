//! Where leases are kept: [`LeaseStore`], and its form for one server: a redb database `leases.redb`
//! in the state directory, beside that of the machines and apart from it, so that neither waits for
//! the other.
//!
//! Tables: `meta` (name to number), `leases` (address to JSON [`LeaseRecord`]).

use std::net::Ipv4Addr;
use std::path::Path;

use redb::{ReadableTable, TableDefinition};

use super::{Revision, StoreError, database};
use crate::dhcp::LeaseRecord;
use crate::mac::MacAddr;
use crate::net::Net;

const LEASES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("leases");

/// A document about leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseKey {
    /// Who has an address.
    Address(Ipv4Addr),
    /// Which address a client of a subnet has; kept where several servers lease.
    Client(Net, MacAddr),
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseValue {
    /// Of an address.
    Record(LeaseRecord),
    /// Of a client.
    Address(Ipv4Addr),
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseDocument {
    /// Which.
    pub key: LeaseKey,
    /// Its version, or that of its end.
    pub revision: Revision,
    /// What it says; none if it is gone.
    pub value: Option<LeaseValue>,
}

/// What is to be done with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseWrite {
    /// Nothing: it is only found out whether it still is as expected.
    Leave,
    /// It shall say this.
    Put(LeaseValue),
    /// It shall be gone.
    Delete,
}

/// A document of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasePart {
    /// Which.
    pub key: LeaseKey,
    /// Its version that the change was decided on.
    pub expected: Revision,
    /// What is to be done with it.
    pub write: LeaseWrite,
}

/// Documents that change together, if all are as expected, or not at all.
pub type LeaseChange = Vec<LeasePart>;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is durable, and this is the version of what it wrote.
    Done(Revision),
    /// Somebody else has changed one of the documents; nothing was written.
    Stale,
    /// It may or may not have become durable.
    Unknown,
}

/// What is in the store.
#[derive(Clone, Debug)]
pub enum LeaseNews {
    /// Everything.
    All {
        /// All documents.
        documents: Vec<LeaseDocument>,
        /// What was written up to here is among them.
        revision: Revision,
    },
    /// These documents have changed.
    Changes(Vec<LeaseDocument>),
}

/// One who is told what is in the store.
pub type LeaseListener = Box<dyn Fn(LeaseNews) + Send + Sync>;

/// Durable leases. All calls block.
pub trait LeaseStore: Send + Sync + std::fmt::Debug {
    /// Tells `listener` everything, and then what has changed, in order, whoever did it. Everything
    /// is told before this returns, or, where the store cannot be reached, once it can.
    fn follow(&self, listener: LeaseListener) -> Result<(), StoreError>;

    /// Makes changes durable, each by itself or all together; what became of each. No document is
    /// in two of them. On an error none is known to be durable.
    fn commit(&self, changes: &[LeaseChange]) -> Result<Vec<LeaseOutcome>, StoreError>;

    /// Whether others can write, too.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it could be written a moment ago.
    fn is_reachable(&self) -> bool {
        true
    }

    /// Lets another process have it, if only one can; whatever is asked for later fails.
    fn close(&self) {}
}

/// A store in the state directory.
#[derive(Debug)]
pub struct Leases {
    database: database::Closable,
}

impl Leases {
    /// Opens the store in `directory`, which is there, and makes it when it is not. Only one process
    /// can have it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = database::open(directory.join("leases.redb"), |transaction| {
            transaction.open_table(LEASES)?;
            Ok(())
        })?;
        Ok(Self { database })
    }

    fn read(&self) -> Result<Vec<(u32, Vec<u8>)>, redb::Error> {
        let database = self.database.in_use();
        let table = database.begin_read()?.open_table(LEASES)?;
        let mut documents = Vec::new();
        for entry in table.iter()? {
            let (address, json) = entry?;
            documents.push((address.value(), json.value().to_vec()));
        }
        Ok(documents)
    }

    fn write(&self, documents: &[(u32, Vec<u8>)]) -> Result<(), redb::Error> {
        let database = self.database.in_use();
        let transaction = database.begin_write()?;
        {
            let mut leases = transaction.open_table(LEASES)?;
            for (address, json) in documents {
                leases.insert(address, json.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn failed(error: redb::Error) -> StoreError {
    StoreError::Transaction(Box::new(error))
}

impl Leases {
    fn all(&self) -> Result<Vec<LeaseDocument>, StoreError> {
        let documents = self.read().map_err(failed)?;
        let parse = |(address, json): (u32, Vec<u8>)| {
            let address = Ipv4Addr::from(address);
            let parsed = serde_json::from_slice(&json);
            let record = parsed.map_err(|source| StoreError::DamagedLease { address, source })?;
            Ok(LeaseDocument {
                key: LeaseKey::Address(address),
                revision: Revision::default(),
                value: Some(LeaseValue::Record(record)),
            })
        };
        documents.into_iter().map(parse).collect()
    }
}

impl LeaseStore for Leases {
    /// Nobody else writes: everything is told, and nothing after that.
    fn follow(&self, listener: LeaseListener) -> Result<(), StoreError> {
        listener(LeaseNews::All {
            documents: self.all()?,
            revision: Revision::default(),
        });
        Ok(())
    }

    fn commit(&self, changes: &[LeaseChange]) -> Result<Vec<LeaseOutcome>, StoreError> {
        let mut documents = Vec::new();
        for part in changes.iter().flatten() {
            if let LeaseWrite::Put(LeaseValue::Record(record)) = &part.write {
                let address = record.address;
                let json = serde_json::to_vec(record);
                let json = json.map_err(|source| StoreError::DamagedLease { address, source })?;
                documents.push((address.into(), json));
            }
        }
        let written = self.write(&documents);
        written
            .inspect_err(|_| self.database.has_failed())
            .map_err(failed)?;
        Ok(vec![LeaseOutcome::Done(Revision::default()); changes.len()])
    }

    fn close(&self) {
        self.database.close();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::dhcp::{Holder, Moment};
    use crate::mac::MacAddr;

    fn record(last: u8, holder: Holder, since: u64) -> LeaseRecord {
        LeaseRecord {
            address: Ipv4Addr::new(10, 1, 0, last),
            holder,
            since: Moment(since),
            until: Moment(since + 60),
            host_name: Some("a".into()),
        }
    }

    fn change(record: LeaseRecord) -> LeaseChange {
        vec![LeasePart {
            key: LeaseKey::Address(record.address),
            expected: Revision::default(),
            write: LeaseWrite::Put(LeaseValue::Record(record)),
        }]
    }

    fn records(store: &Leases) -> Vec<LeaseRecord> {
        let values = store.all().unwrap().into_iter();
        let record = |document: LeaseDocument| match document.value {
            Some(LeaseValue::Record(record)) => record,
            other => panic!("{other:?}"),
        };
        values.map(record).collect()
    }

    #[test]
    fn leases_are_there_after_opening_again_the_newest_of_each_address() {
        let dir = tempfile::tempdir().unwrap();
        let leased = Holder::Leased {
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
        };
        let (old, new) = (record(9, leased, 5), record(9, Holder::Quarantined, 6));
        let other = record(10, leased, 7);
        let store = Leases::open(dir.path()).unwrap();
        store.commit(&[change(old), change(new.clone())]).unwrap();
        store.commit(&[change(other.clone())]).unwrap();
        let busy = Leases::open(dir.path()).unwrap_err();
        assert!(
            matches!(&busy, StoreError::Open { source, .. } if matches!(**source, redb::Error::DatabaseAlreadyOpen)),
            "{busy:?}"
        );
        drop(store);
        let store = Leases::open(dir.path()).unwrap();
        assert_eq!(records(&store), [new, other]);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Leases::open(dir.path()).unwrap();
        let number = u32::from(Ipv4Addr::new(10, 1, 0, 9));
        store.write(&[(number, b"{}".to_vec())]).unwrap();
        let error = store.all().unwrap_err();
        assert_eq!(error.to_string(), "the stored lease of 10.1.0.9 is damaged");
    }
}
