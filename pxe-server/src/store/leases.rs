//! Leases in one file: a redb database `leases.redb` in the state directory, beside that of the
//! machines and apart from it, so that neither waits for the other.
//!
//! Tables: `meta` (name to number), `leases` (address to JSON [`LeaseRecord`]).

use std::path::Path;

use redb::{ReadableTable, TableDefinition};

use super::{StoreError, database};
use crate::dhcp::LeaseRecord;

const LEASES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("leases");

/// Durable leases.
pub trait LeaseStore: Send + Sync + std::fmt::Debug {
    /// The newest record of each address.
    fn leases(&self) -> Result<Vec<LeaseRecord>, StoreError>;

    /// Makes all records durable, or none; of two about one address the later one stays.
    fn commit(&self, records: &[LeaseRecord]) -> Result<(), StoreError>;

    /// Lets another process have it; whatever is asked for later fails.
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

impl LeaseStore for Leases {
    fn leases(&self) -> Result<Vec<LeaseRecord>, StoreError> {
        let documents = self.read().map_err(failed)?;
        let parse = |(address, json): (u32, Vec<u8>)| {
            serde_json::from_slice(&json).map_err(|source| StoreError::DamagedLease {
                address: address.into(),
                source,
            })
        };
        documents.into_iter().map(parse).collect()
    }

    fn commit(&self, records: &[LeaseRecord]) -> Result<(), StoreError> {
        let write = |record: &LeaseRecord| match serde_json::to_vec(record) {
            Ok(json) => Ok((record.address.into(), json)),
            Err(source) => Err(StoreError::DamagedLease {
                address: record.address,
                source,
            }),
        };
        let documents = records.iter().map(write).collect::<Result<Vec<_>, _>>()?;
        let written = self.write(&documents);
        written
            .inspect_err(|_| self.database.has_failed())
            .map_err(failed)
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

    #[test]
    fn leases_are_there_after_opening_again_the_newest_of_each_address() {
        let dir = tempfile::tempdir().unwrap();
        let leased = Holder::Leased {
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
        };
        let (old, new) = (record(9, leased, 5), record(9, Holder::Quarantined, 6));
        let other = record(10, leased, 7);
        let store = Leases::open(dir.path()).unwrap();
        store.commit(&[old, new.clone()]).unwrap();
        store.commit(std::slice::from_ref(&other)).unwrap();
        let busy = Leases::open(dir.path()).unwrap_err();
        assert!(
            matches!(&busy, StoreError::Open { source, .. } if matches!(**source, redb::Error::DatabaseAlreadyOpen)),
            "{busy:?}"
        );
        drop(store);
        let store = Leases::open(dir.path()).unwrap();
        assert_eq!(store.leases().unwrap(), [new, other]);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Leases::open(dir.path()).unwrap();
        let number = u32::from(Ipv4Addr::new(10, 1, 0, 9));
        store.write(&[(number, b"{}".to_vec())]).unwrap();
        let error = store.leases().unwrap_err();
        assert_eq!(error.to_string(), "the stored lease of 10.1.0.9 is damaged");
    }
}
