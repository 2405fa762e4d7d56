//! Operators' requests as files in the state directory, so that a command works whether a server
//! runs or not: `requests/MAC.reinstall` holds the request's unique name.
//!
//! A request is carried out, made durable, and only then deleted; its name keeps one that is read
//! again after a crash from counting twice.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::mac::MacAddr;
use crate::machine::{ReinstallRequest, Ticket};

const SUFFIX: &str = ".reinstall";

/// Why a request could not be left or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the requests in {}", directory.display())]
pub struct RequestError {
    /// The requests' directory.
    pub directory: PathBuf,
    /// Cause.
    #[source]
    pub source: io::Error,
}

/// Leaves a request to install `mac` once more.
pub fn leave_request(state: &Path, mac: MacAddr) -> Result<(), RequestError> {
    let directory = state.join("requests");
    let leave = || {
        fs::create_dir_all(&directory)?;
        let unfinished = directory.join(format!("{}.unfinished", mac.dashed()));
        let mut file = File::create(&unfinished)?;
        // A ticket's randomness serves as the request's name; it permits nothing.
        writeln!(file, "{}", Ticket::random())?;
        file.sync_all()?;
        fs::rename(
            &unfinished,
            directory.join(format!("{}{SUFFIX}", mac.dashed())),
        )?;
        File::open(&directory)?.sync_all()
    };
    leave().map_err(|source| RequestError {
        directory: directory.clone(),
        source,
    })
}

/// The requests that wait, with their files.
pub fn waiting_requests(state: &Path) -> Result<Vec<(PathBuf, ReinstallRequest)>, RequestError> {
    let directory = state.join("requests");
    let failed = |source| RequestError {
        directory: directory.clone(),
        source,
    };
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut requests = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Some(Ok(mac)) = name.strip_suffix(SUFFIX).map(str::parse) else {
            continue;
        };
        let id = fs::read_to_string(&path).map_err(failed)?.trim().to_owned();
        requests.push((path, ReinstallRequest { mac, id }));
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_once_left_and_each_has_its_own_name() {
        let state = tempfile::tempdir().unwrap();
        assert!(waiting_requests(state.path()).unwrap().is_empty());
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        leave_request(state.path(), mac).unwrap();
        let first = waiting_requests(state.path()).unwrap();
        leave_request(state.path(), mac).unwrap();
        let second = waiting_requests(state.path()).unwrap();
        assert_eq!((first.len(), second.len(), first[0].1.mac), (1, 1, mac));
        assert_ne!(first[0].1.id, second[0].1.id);
    }
}
