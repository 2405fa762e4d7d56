//! Where machines and their events are kept.
//!
//! [`MachineStore`] is the whole surface: what a commit says is done is durable, and nobody else had
//! changed it in between. `embedded` is one file in the state directory, of one server; `etcd` is
//! shared by several. [`LeaseStore`] keeps leases: in a file of its own, or in the same etcd.

mod database;
mod embedded;
mod etcd;
mod leases;
mod state_file;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::mac::MacAddr;
use crate::machine::{Machine, Orders, Record};

pub use embedded::Embedded;
pub use etcd::{AddressError, Etcd, EtcdAddress, EtcdError, EtcdSettings};
pub use leases::{
    LeaseChange, LeaseDocument, LeaseKey, LeaseListener, LeaseNews, LeaseOutcome, LeasePart,
    LeaseStore, LeaseValue, LeaseWrite, Leases,
};
pub(crate) use state_file::{Readers, replace};

/// How many events are kept for each machine; older ones go.
pub const TIMELINE_EVENTS: u64 = 1000;

/// Version of a document; greater with each write. Zero: there is no such document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// A machine as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The machine.
    pub machine: Machine,
    /// Version of its document.
    pub revision: Revision,
}

/// What is stored of a profile's rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// What the operator said.
    pub orders: Orders,
    /// Version of the document: changes with the orders, and with each [`Turn`].
    pub revision: Revision,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All machines.
    pub machines: Vec<Stored>,
    /// Rollouts by profile.
    pub rollouts: BTreeMap<String, Rollout>,
}

/// A place among those that a rollout lets begin: durable only if nobody took another since.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The profile.
    pub profile: String,
    /// The rollout as it was when this was decided.
    pub rollout: Rollout,
}

/// A machine as it shall be, and the events that make it so. Without events nothing is written, and
/// it is only found out whether the machine still is as expected.
#[derive(Clone, Debug)]
pub struct Change {
    /// The machine after the events.
    pub machine: Machine,
    /// New events, oldest first.
    pub records: Vec<Record>,
    /// Version of its document that this was decided on.
    pub expected: Revision,
    /// Its place in a rollout, if it takes one.
    pub turn: Option<Turn>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable, and this is the document's version now.
    Done(Revision),
    /// Somebody else has changed the machine or the rollout; nothing was written.
    Stale {
        /// The machine as it is now.
        machine: Option<Box<Stored>>,
        /// Version of the rollout that it asked for a turn in, as it is now.
        rollout: Revision,
    },
    /// It may or may not have become durable.
    Unknown,
}

/// What others have done.
#[derive(Clone, Debug)]
pub enum News {
    /// Everything, read anew.
    All(Snapshot),
    /// These documents have changed, all before this is told again.
    Changes(Changes),
    /// Nothing for a while.
    Nothing,
}

/// Documents that have changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Machines with the version of the change; none if it is gone.
    pub machines: Vec<(MacAddr, Revision, Option<Machine>)>,
    /// New events.
    pub records: Vec<(MacAddr, Record)>,
    /// Rollouts by profile.
    pub rollouts: Vec<(String, Rollout)>,
}

/// Durable state of all machines. All calls block.
pub trait MachineStore: Send + Sync + std::fmt::Debug {
    /// All machines and rollouts.
    fn load(&self) -> Result<Snapshot, StoreError>;

    /// The kept events of one machine, oldest first.
    fn timeline(&self, mac: MacAddr) -> Result<Vec<Record>, StoreError>;

    /// Makes changes of different machines durable, each by itself or all together; what became of
    /// each. On an error none is known to be durable.
    fn commit(&self, changes: &[Change]) -> Result<Vec<Outcome>, StoreError>;

    /// Makes what the operator said of a profile durable, if `rollout` has the current revision.
    /// Orders of a store that is not shared are the files that they were given in.
    fn give_orders(&self, profile: &str, rollout: &Rollout) -> Result<Outcome, StoreError> {
        let _ = profile;
        Ok(Outcome::Done(rollout.revision))
    }

    /// Tells `news` what has changed since [`MachineStore::load`], in order, whoever did it; until
    /// `news` returns false. Returns at once if nobody else can write.
    fn follow(&self, news: &mut dyn FnMut(News) -> bool) {
        let _ = news;
    }

    /// Whether others can write, too.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether it could be written a moment ago.
    fn is_reachable(&self) -> bool {
        true
    }

    /// The leases that are kept beside the machines, if they are.
    fn leases(self: Arc<Self>) -> Option<Arc<dyn LeaseStore>> {
        None
    }

    /// Lets another process have it, if only one can; whatever is asked for later may fail.
    fn close(&self) {}
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
    /// The store of several servers cannot be used.
    #[error("the state in etcd cannot be read or written")]
    Etcd(#[source] EtcdError),
    /// Written by a newer program.
    #[error("the state has format {0}; this program knows up to {max}", max = database::FORMAT)]
    Newer(u64),
}

impl StoreError {
    /// Whether another process has the file open.
    pub fn is_open_elsewhere(&self) -> bool {
        matches!(self, Self::Open { source, .. } if matches!(**source, redb::Error::DatabaseAlreadyOpen))
    }
}
