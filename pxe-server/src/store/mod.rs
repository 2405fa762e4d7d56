//! Where machines and their events are kept.
//!
//! [`MachineStore`] is the whole surface: what a commit took is durable when it returns, or the
//! commit failed as a whole. `embedded` is one file in the state directory. [`LeaseStore`] is the same
//! for leases, in a file of its own.

mod database;
mod embedded;
mod leases;

use std::path::PathBuf;

use crate::mac::MacAddr;
use crate::machine::{Machine, Record};

pub use embedded::Embedded;
pub use leases::{LeaseStore, Leases};

/// How many events are kept for each machine; older ones go.
pub const TIMELINE_EVENTS: u64 = 1000;

/// A machine as it is now, and the events that made it so.
#[derive(Clone, Debug)]
pub struct Change {
    /// The machine after the events.
    pub machine: Machine,
    /// New events, oldest first.
    pub records: Vec<Record>,
}

/// Durable state of all machines.
pub trait MachineStore: Send + Sync + std::fmt::Debug {
    /// All machines.
    fn machines(&self) -> Result<Vec<Machine>, StoreError>;

    /// The kept events of one machine, oldest first.
    fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError>;

    /// Makes all changes durable, or none.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The state directory cannot be made or entered.
    #[error("state directory {} is not usable", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The database file cannot be opened.
    #[error("cannot open the state in {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Box<redb::Error>,
    },
    /// A transaction failed.
    #[error("cannot read or write the state")]
    Transaction(#[source] Box<redb::Error>),
    /// A stored document does not have the expected form.
    #[error("the stored record of machine {mac:012x} is damaged")]
    Damaged {
        /// The machine's address as a number.
        mac: u64,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// A stored lease does not have the expected form.
    #[error("the stored lease of {address} is damaged")]
    DamagedLease {
        /// The address.
        address: std::net::Ipv4Addr,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// Written by a newer program.
    #[error("the state has format {0}; this program knows up to {max}", max = database::FORMAT)]
    Newer(u64),
}
