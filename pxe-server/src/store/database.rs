//! What the stores' files have in common: a table `meta` with the version of the tables' form, and
//! how a file is opened or refused. Knows no other table.

use std::path::PathBuf;

use redb::{Database, ReadableTable as _, TableDefinition, WriteTransaction};

use crate::store::StoreError;

/// Version of the tables' form.
pub(super) const FORMAT: u64 = 1;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Opens the file at `path`, and makes it, and with `tables` its tables, when they are not there.
/// Only one process can have it open.
pub(super) fn open(
    path: PathBuf,
    tables: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<Database, StoreError> {
    let prepared = Database::create(&path)
        .map_err(redb::Error::from)
        .and_then(|database| Ok((prepare(&database, tables)?, database)));
    match prepared {
        Ok((format, _)) if format > FORMAT => Err(StoreError::Newer(format)),
        Ok((_, database)) => Ok(database),
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
