//! The operator's orders about rollouts as files in the state directory, `rollouts/PROFILE.json`: a
//! command works whether a server runs or not, and a running one takes them up within moments. Where
//! several servers share a store, `PROFILE.shared` holds what of them the others have.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::machine::{Intent, Orders, Resumed};
use crate::store::{Readers, replace};

/// Where orders are in the state directory.
const DIRECTORY: &str = "rollouts";

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

/// What an operator can order of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin no more installs for now.
    Pause,
    /// Go on, and forget the failures so far.
    Resume,
    /// Begin no more installs: the version is bad.
    Halt,
}

/// Gives an order about the rollout of `intent`. Running servers take it up within a second.
pub fn order(state: &Path, intent: &Intent, order: Order) -> Result<(), OrdersError> {
    let given = orders_given(state)?.remove(&intent.profile);
    let mut orders = given.unwrap_or_default();
    match order {
        Order::Pause => orders.paused = true,
        Order::Halt => orders.halted = true,
        Order::Resume => {
            let resumed = Resumed {
                version: intent.version.clone(),
                time: Timestamp::now(),
            };
            orders = Orders {
                resumed: Some(resumed),
                ..Orders::default()
            };
        }
    }
    give_orders(state, &intent.profile, &orders)
}

/// Gives orders about a profile's rollout, in place of those before. The profile's name is one of a
/// site, and so a plain file name.
fn give_orders(state: &Path, profile: &str, orders: &Orders) -> Result<(), OrdersError> {
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
    let name = format!("{DIRECTORY}/{profile}{kind}");
    let give = || {
        let text = serde_json::to_vec(orders)?;
        replace(state, name.as_ref(), &text, Readers::All)
    };
    give().map_err(|source| OrdersError {
        directory: state.join(DIRECTORY),
        source,
    })
}

fn read(state: &Path, kind: &str) -> Result<BTreeMap<String, Orders>, OrdersError> {
    let directory = state.join(DIRECTORY);
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
