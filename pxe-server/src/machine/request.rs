//! Operators' requests as files in the state directory, so that a command works whether a server
//! runs or not: `requests/MAC.reinstall` and `MAC.claim` hold the request's unique name, and the
//! profile that is claimed.
//!
//! A request is carried out, made durable, and only then deleted; its name keeps one that is read
//! again after a crash from counting twice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::mac::MacAddr;
use crate::machine::Ticket;
use crate::store::{Readers, replace};

/// Where requests are in the state directory.
const DIRECTORY: &str = "requests";

/// What operators ask for, and how the files of such requests end.
const SUFFIXES: [&str; 2] = [".reinstall", ".claim"];

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// One more install.
    Reinstall,
    /// This profile, whatever groups say; none takes the claim back.
    Claim(Option<String>),
}

/// An operator's request about a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRequest {
    /// The machine.
    pub mac: MacAddr,
    /// Unique name of the request; one name is carried out once.
    pub id: String,
    /// What is asked for.
    pub wish: Wish,
}

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

/// Leaves a request about `mac`; an older one of the same kind that still waits is replaced.
pub fn leave_request(state: &Path, mac: MacAddr, wish: &Wish) -> Result<(), RequestError> {
    let (suffix, what) = match wish {
        Wish::Reinstall => (".reinstall", ""),
        Wish::Claim(profile) => (".claim", profile.as_deref().unwrap_or_default()),
    };
    let name = format!("{DIRECTORY}/{}{suffix}", mac.dashed());
    // A ticket's randomness serves as the request's name; it permits nothing.
    let text = format!("{}\n{what}\n", Ticket::random());
    let left = replace(state, name.as_ref(), text.as_bytes(), Readers::All);
    left.map_err(|source| RequestError {
        directory: state.join(DIRECTORY),
        source,
    })
}

/// The requests that wait, with their files.
pub fn waiting_requests(state: &Path) -> Result<Vec<(PathBuf, OperatorRequest)>, RequestError> {
    let directory = state.join(DIRECTORY);
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
        let ending = |suffix| Some((name.strip_suffix(suffix)?.parse().ok()?, suffix));
        let Some((mac, suffix)) = SUFFIXES.into_iter().find_map(ending) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(failed)?;
        let mut lines = text.lines();
        let id = lines.next().unwrap_or_default().to_owned();
        let what = lines.next().filter(|what| !what.is_empty());
        let wish = match suffix {
            ".claim" => Wish::Claim(what.map(str::to_owned)),
            _ => Wish::Reinstall,
        };
        requests.push((path, OperatorRequest { mac, id, wish }));
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
        leave_request(state.path(), mac, &Wish::Reinstall).unwrap();
        let first = waiting_requests(state.path()).unwrap();
        leave_request(state.path(), mac, &Wish::Reinstall).unwrap();
        let second = waiting_requests(state.path()).unwrap();
        assert_eq!((first.len(), second.len(), first[0].1.mac), (1, 1, mac));
        assert_ne!(first[0].1.id, second[0].1.id);
        assert_eq!(second[0].1.wish, Wish::Reinstall);
        for wish in [Wish::Claim(None), Wish::Claim(Some("web".into()))] {
            leave_request(state.path(), mac, &wish).unwrap();
            let waiting = waiting_requests(state.path()).unwrap();
            assert_eq!(waiting.len(), 2);
            assert!(waiting.iter().any(|(_, request)| request.wish == wish));
        }
    }
}
