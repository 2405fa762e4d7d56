//! What a server observes after it has given its state to another one, such as the end of a download:
//! files in the state directory, `observed/*.json`, which the server that has the state records and
//! then removes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mac::MacAddr;
use crate::machine::Event;
use crate::store::{Readers, replace};

/// Where observations are in the state directory.
const DIRECTORY: &str = "observed";

/// Something that happened to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The machine.
    pub mac: MacAddr,
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Why observations could not be left or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the observations in {}", directory.display())]
pub struct LeftError {
    /// Their directory.
    pub directory: PathBuf,
    /// Cause.
    #[source]
    pub source: io::Error,
}

/// Leaves an observation for the server that has the state.
pub fn leave_observation(state: &Path, observation: &Observation) -> Result<(), LeftError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!(
        "{DIRECTORY}/{:020}-{}-{:06}.json",
        observation.time.as_millisecond(),
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let json = serde_json::to_vec(observation).map_err(io::Error::other);
    let left = json.and_then(|json| replace(state, name.as_ref(), &json, Readers::All));
    left.map_err(|source| LeftError {
        directory: state.join(DIRECTORY),
        source,
    })
}

/// The observations that wait, oldest first, with their files; none for a file that cannot be read.
pub fn left_observations(state: &Path) -> Result<Vec<(PathBuf, Option<Observation>)>, LeftError> {
    let directory = state.join(DIRECTORY);
    let failed = |source| LeftError {
        directory: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let json = fs::read(&path).map_err(failed)?;
        Ok((path, serde_json::from_slice(&json).ok()))
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_found_in_its_order_and_what_cannot_be_read_is_told() {
        let state = tempfile::tempdir().unwrap();
        assert!(left_observations(state.path()).unwrap().is_empty());
        let observation = |millisecond| Observation {
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            time: Timestamp::from_millisecond(millisecond).unwrap(),
            event: Event::RootfsServed { bytes: 7 },
        };
        for millisecond in [11_000, 9_000, 9_000] {
            leave_observation(state.path(), &observation(millisecond)).unwrap();
        }
        let observed = state.path().join(DIRECTORY);
        std::fs::write(observed.join("9.json"), "{").unwrap();
        std::fs::write(observed.join("0.json.unfinished"), "").unwrap();
        let left = left_observations(state.path()).unwrap();
        let left: Vec<_> = left.into_iter().map(|(_, left)| left).collect();
        let want = [9_000, 9_000, 11_000].map(|time| Some(observation(time)));
        assert_eq!(left[..3], want);
        assert_eq!(left[3..], [None]);
    }
}
