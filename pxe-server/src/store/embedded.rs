//! The store in one file: a redb database `machines.redb` in the state directory.
//!
//! Tables: `meta` (name to number), `machines` (address to JSON [`Machine`]), `events` (address
//! and sequence number to JSON [`Record`]). One commit is one transaction and one fsync.

use std::path::Path;

use redb::{ReadableTable, TableDefinition};

use crate::mac::MacAddr;
use crate::machine::{Machine, Record};
use crate::store::{
    Change, MachineStore, Outcome, Revision, Snapshot, StoreError, Stored, TIMELINE_EVENTS,
    database,
};

const MACHINES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("machines");
const EVENTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("events");

/// A store in the state directory.
#[derive(Debug)]
pub struct Embedded {
    database: database::Closable,
}

impl Embedded {
    /// Opens the store in `directory`, and makes both when they are not there. Only one process
    /// can have it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(|source| StoreError::Directory {
            path: directory.to_owned(),
            source,
        })?;
        let database = database::open(directory.join("machines.redb"), |transaction| {
            transaction.open_table(MACHINES)?;
            transaction.open_table(EVENTS)?;
            Ok(())
        })?;
        Ok(Self { database })
    }
}

impl MachineStore for Embedded {
    fn load(&self) -> Result<Snapshot, StoreError> {
        let machines = self.machines()?.into_iter().map(|machine| Stored {
            revision: revision(&machine),
            machine,
        });
        Ok(Snapshot {
            machines: machines.collect(),
            ..Snapshot::default()
        })
    }

    fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError> {
        let mac = mac.to_u64();
        let documents = self
            .read_events(mac)
            .map_err(|error| StoreError::Transaction(Box::new(error)))?;
        let parse = |json: Vec<u8>| {
            serde_json::from_slice(&json).map_err(|source| StoreError::Damaged { mac, source })
        };
        documents.into_iter().map(parse).collect()
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
        let mut documents = Vec::with_capacity(changes.len());
        let written = |change: &&Change| !change.records.is_empty();
        for Change {
            machine, records, ..
        } in changes.iter().filter(written)
        {
            let mac = machine.mac.to_u64();
            let damaged = |source| StoreError::Damaged { mac, source };
            let json = serde_json::to_vec(machine).map_err(damaged)?;
            let events = records
                .iter()
                .map(|record| Ok((record.seq, serde_json::to_vec(record)?)));
            documents.push((
                mac,
                json,
                events.collect::<Result<Vec<_>, _>>().map_err(damaged)?,
            ));
        }
        if !documents.is_empty() {
            self.put(&documents)?;
        }
        let done = |change: &Change| Outcome::Done(revision(&change.machine));
        Ok(changes.iter().map(done).collect())
    }

    fn close(&self) {
        self.database.close();
    }
}

/// Only one process writes, so that the number of a machine's newest event tells its versions apart.
fn revision(machine: &Machine) -> Revision {
    Revision(machine.events)
}

/// Address, JSON of the machine, and sequence number with JSON of each new event.
type Document = (u64, Vec<u8>, Vec<(u64, Vec<u8>)>);

impl Embedded {
    /// All machines.
    pub(super) fn machines(&self) -> Result<Vec<Machine>, StoreError> {
        let documents = self
            .read_machines()
            .map_err(|error| StoreError::Transaction(Box::new(error)))?;
        let parse = |(mac, json): (u64, Vec<u8>)| {
            serde_json::from_slice(&json).map_err(|source| StoreError::Damaged { mac, source })
        };
        documents.into_iter().map(parse).collect()
    }

    /// Keeps machines as they are, without events.
    pub(super) fn keep(&self, machines: &[Machine]) -> Result<(), StoreError> {
        let document = |machine: &Machine| {
            let mac = machine.mac.to_u64();
            match serde_json::to_vec(machine) {
                Ok(json) => Ok((mac, json, Vec::new())),
                Err(source) => Err(StoreError::Damaged { mac, source }),
            }
        };
        let documents = machines
            .iter()
            .map(document)
            .collect::<Result<Vec<_>, _>>()?;
        self.put(&documents)
    }

    fn put(&self, documents: &[Document]) -> Result<(), StoreError> {
        self.write(documents)
            .inspect_err(|_| self.database.has_failed())
            .map_err(|error| StoreError::Transaction(Box::new(error)))
    }

    fn write(&self, documents: &[Document]) -> Result<(), redb::Error> {
        let database = self.database.in_use();
        let transaction = database.begin_write()?;
        {
            let mut machines = transaction.open_table(MACHINES)?;
            let mut events = transaction.open_table(EVENTS)?;
            for (mac, machine, records) in documents {
                machines.insert(mac, machine.as_slice())?;
                for (seq, record) in records {
                    events.insert((*mac, *seq), record.as_slice())?;
                    if let Some(old) = seq.checked_sub(TIMELINE_EVENTS) {
                        events.remove((*mac, old))?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn read_machines(&self) -> Result<Vec<(u64, Vec<u8>)>, redb::Error> {
        let database = self.database.in_use();
        let table = database.begin_read()?.open_table(MACHINES)?;
        let mut documents = Vec::new();
        for entry in table.iter()? {
            let (mac, json) = entry?;
            documents.push((mac.value(), json.value().to_vec()));
        }
        Ok(documents)
    }

    fn read_events(&self, mac: u64) -> Result<Vec<Vec<u8>>, redb::Error> {
        let database = self.database.in_use();
        let table = database.begin_read()?.open_table(EVENTS)?;
        let mut documents = Vec::new();
        for entry in table.range((mac, 0)..=(mac, u64::MAX))? {
            documents.push(entry?.1.value().to_vec());
        }
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::machine::Event;

    fn change(mac: u8, seqs: std::ops::RangeInclusive<u64>) -> Change {
        let mut machine = Machine::new(MacAddr([2, 0, 0, 0, 0, mac]), Timestamp::UNIX_EPOCH);
        machine.events = *seqs.end();
        let record = |seq| Record {
            seq,
            time: Timestamp::UNIX_EPOCH,
            event: Event::ReinstallRequested,
        };
        Change {
            machine,
            records: seqs.map(record).collect(),
            expected: Revision::default(),
            turn: None,
        }
    }

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (change(1, 1..=3), change(2, 1..=1));
        let store = Embedded::open(dir.path()).unwrap();
        store.commit(&[one.clone(), two.clone()]).unwrap();
        drop(store);
        let store = Embedded::open(dir.path()).unwrap();
        assert_eq!(
            store.machines().unwrap(),
            [one.machine.clone(), two.machine]
        );
        assert_eq!(store.timeline(one.machine.mac).unwrap(), one.records);
    }

    #[test]
    fn a_closed_store_can_be_opened_again_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let old = Embedded::open(dir.path()).unwrap();
        old.commit(&[change(1, 1..=1)]).unwrap();
        old.close();
        let new = Embedded::open(dir.path()).unwrap();
        assert_eq!(new.machines().unwrap().len(), 1);
        let late = old.commit(&[change(1, 2..=2)]).unwrap_err();
        assert!(
            matches!(&late, StoreError::Transaction(source) if matches!(**source, redb::Error::DatabaseClosed)),
            "{late:?}"
        );
    }

    #[test]
    fn a_timeline_keeps_its_newest_events_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path()).unwrap();
        let change = change(1, 1..=TIMELINE_EVENTS + 5);
        store.commit(std::slice::from_ref(&change)).unwrap();
        let kept = store.timeline(change.machine.mac).unwrap();
        assert_eq!(
            (kept.len() as u64, kept.first().unwrap().seq),
            (TIMELINE_EVENTS, 6)
        );
    }

    #[test]
    fn a_second_process_is_told_that_the_state_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let _store = Embedded::open(dir.path()).unwrap();
        let error = Embedded::open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, StoreError::Open { source, .. } if matches!(**source, redb::Error::DatabaseAlreadyOpen)),
            "{error:?}"
        );
    }
}
