//! The operator's orders about rollouts as files in the state directory, `rollouts/PROFILE.json`: a
//! command works whether a server runs or not, and a running one takes them up within moments. Where
//! several servers share a store, `PROFILE.shared` holds what of them the others have.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::machine::Orders;

/// How the files end: what was given, and what of it the other servers have.
const GIVEN: &str = ".json";
const SHARED: &str = ".shared";

/// Why orders could not be given or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the orders about rollouts in {}", directory.display())]
pub struct OrdersError {
    /// The orders' directory.
    pub directory: PathBuf,
    /// Cause.
    #[source]
    pub source: io::Error,
}

/// Gives orders about a profile's rollout, in place of those before. The profile's name is one of a
/// site, and so a plain file name.
pub fn give_orders(state: &Path, profile: &str, orders: &Orders) -> Result<(), OrdersError> {
    write(state, profile, GIVEN, orders)
}

/// Notes that the other servers have these orders.
pub fn note_shared(state: &Path, profile: &str, orders: &Orders) -> Result<(), OrdersError> {
    write(state, profile, SHARED, orders)
}

/// The orders that were given, by profile.
pub fn orders_given(state: &Path) -> Result<BTreeMap<String, Orders>, OrdersError> {
    read(state, GIVEN)
}

/// Those of them that the other servers have.
pub fn orders_shared(state: &Path) -> Result<BTreeMap<String, Orders>, OrdersError> {
    read(state, SHARED)
}

fn write(state: &Path, profile: &str, kind: &str, orders: &Orders) -> Result<(), OrdersError> {
    let directory = state.join("rollouts");
    let give = || {
        fs::create_dir_all(&directory)?;
        let unfinished = directory.join(format!("{profile}{kind}.unfinished"));
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(orders)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, directory.join(format!("{profile}{kind}")))?;
        File::open(&directory)?.sync_all()
    };
    give().map_err(|source| OrdersError {
        directory: directory.clone(),
        source,
    })
}

fn read(state: &Path, kind: &str) -> Result<BTreeMap<String, Orders>, OrdersError> {
    let directory = state.join("rollouts");
    let read = || {
        let mut all = BTreeMap::new();
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some(profile) = name.and_then(|name| name.strip_suffix(kind)) else {
                continue;
            };
            let orders = serde_json::from_slice(&fs::read(&path)?)?;
            all.insert(profile.to_owned(), orders);
        }
        Ok(all)
    };
    read().map_err(|source| OrdersError {
        directory: directory.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_orders_of_each_profile_are_found() {
        let state = tempfile::tempdir().unwrap();
        assert!(orders_given(state.path()).unwrap().is_empty());
        let halted = Orders {
            halted: true,
            ..Orders::default()
        };
        give_orders(state.path(), "a", &halted).unwrap();
        give_orders(state.path(), "b", &halted).unwrap();
        give_orders(state.path(), "a", &Orders::default()).unwrap();
        let all = orders_given(state.path()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((&all["a"], &all["b"]), (&Orders::default(), &halted));
        assert!(orders_shared(state.path()).unwrap().is_empty());
        note_shared(state.path(), "b", &halted).unwrap();
        assert_eq!(orders_shared(state.path()).unwrap()["b"], halted);
        assert_eq!(orders_given(state.path()).unwrap(), all);
        fs::write(state.path().join("rollouts/c.json"), "{").unwrap();
        let error = orders_given(state.path()).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
    }
}
