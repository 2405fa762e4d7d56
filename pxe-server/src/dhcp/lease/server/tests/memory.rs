//! A store of leases in memory, of one server.

use super::super::*;
use crate::store::{
    LeaseChange, LeaseDocument, LeaseKey, LeaseListener, LeaseOutcome, LeaseWrite, Revision,
};

/// A store in memory that can be told to fail.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) records: Mutex<Vec<LeaseRecord>>,
    pub(super) fails: bool,
}

impl LeaseStore for Memory {
    fn follow(&self, listener: LeaseListener) -> Result<(), StoreError> {
        let document = |record: &LeaseRecord| LeaseDocument {
            key: LeaseKey::Address(record.address),
            revision: Revision::default(),
            value: Some(LeaseValue::Record(record.clone())),
        };
        listener(LeaseNews::All {
            documents: self.records.lock().unwrap().iter().map(document).collect(),
            revision: Revision::default(),
        });
        Ok(())
    }

    fn commit(&self, changes: &[LeaseChange]) -> Result<Vec<LeaseOutcome>, StoreError> {
        if self.fails {
            return Err(StoreError::Newer(0));
        }
        let mut kept = self.records.lock().unwrap();
        for part in changes.iter().flatten() {
            if let LeaseWrite::Put(LeaseValue::Record(record)) = &part.write {
                kept.retain(|old| old.address != record.address);
                kept.push(record.clone());
            }
        }
        Ok(vec![LeaseOutcome::Done(Revision::default()); changes.len()])
    }
}
