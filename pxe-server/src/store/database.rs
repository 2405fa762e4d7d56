//! What the stores' files have in common: a table `meta` with the version of the tables' form, and
//! how a file is opened or refused, and given back before the process ends. Knows no other table.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    WriteTransaction,
};

use crate::store::StoreError;

/// Version of the tables' form.
pub(super) const FORMAT: u64 = 1;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// A database until it is closed. One whose disk has failed, by being full perhaps, refuses everything
/// from then on, and is opened again.
#[derive(Debug)]
pub(super) struct Closable {
    path: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug)]
enum State {
    Open(Database),
    /// A write has failed.
    Failed,
    Closed,
}

/// Keeps a database from being closed.
pub(super) struct InUse<'a>(RwLockReadGuard<'a, State>);

impl Closable {
    fn now(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps it open for as long as the result lives.
    pub(super) fn in_use(&self) -> InUse<'_> {
        if matches!(*self.now(), State::Failed) {
            self.open_again();
        }
        InUse(self.now())
    }

    fn open_again(&self) {
        let mut state = self.change();
        if !matches!(*state, State::Failed) {
            return;
        }
        match Database::create(&self.path) {
            Ok(database) => *state = State::Open(database),
            Err(error) => tracing::warn!(%error, "opening the state again"),
        }
    }

    /// A write has failed: what is to be read or written next begins with what is on the disk.
    pub(super) fn has_failed(&self) {
        let mut state = self.change();
        if matches!(*state, State::Open(_)) {
            *state = State::Failed;
        }
    }

    /// Closes the file once nobody uses it; another process can open it then.
    pub(super) fn close(&self) {
        *self.change() = State::Closed;
    }
}

impl InUse<'_> {
    fn database(&self) -> Result<&Database, redb::Error> {
        match &*self.0 {
            State::Open(database) => Ok(database),
            State::Failed => Err(redb::Error::PreviousIo),
            State::Closed => Err(redb::Error::DatabaseClosed),
        }
    }

    /// Begins to read.
    pub(super) fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        Ok(self.database()?.begin_read()?)
    }

    /// Begins to write, once nobody else does.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        Ok(self.database()?.begin_write()?)
    }
}

/// Opens the file at `path`, and makes it, and with `tables` its tables, when they are not there.
/// Only one process can have it open.
pub(super) fn open(
    path: PathBuf,
    tables: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<Closable, StoreError> {
    let prepared = Database::create(&path)
        .map_err(redb::Error::from)
        .and_then(|database| Ok((prepare(&database, tables)?, database)));
    match prepared {
        Ok((format, _)) if format > FORMAT => Err(StoreError::Newer(format)),
        Ok((_, database)) => Ok(Closable {
            path,
            state: RwLock::new(State::Open(database)),
        }),
        Err(source) => Err(StoreError::Open {
            path,
            source: Box::new(source),
        }),
    }
}

/// Makes missing tables and gives the format of those that are there.
fn prepare(
    database: &Database,
    tables: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get("format")?.map(|value| value.value());
        if found.is_none() {
            meta.insert("format", FORMAT)?;
        }
        found.unwrap_or(FORMAT)
    };
    tables(&transaction)?;
    transaction.commit()?;
    Ok(format)
}
