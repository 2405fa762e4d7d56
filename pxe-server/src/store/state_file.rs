//! Small files of the state directory that are replaced whole: tokens, and what commands leave for a
//! server. Root's commands give them to whom the directory belongs, which is whom the server runs as.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

use nix::unistd::geteuid;

/// Who may read a file beside its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Nobody.
    Owner,
    /// Everybody who gets as far as the directory.
    All,
}

/// Puts `bytes` in the place of the file `name`, a relative path, in the directory `state`; both
/// are made where they are not there. It is durable when this returns.
pub(crate) fn replace(state: &Path, name: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    fs::create_dir_all(state)?;
    let owner = fs::metadata(state)?;
    let path = state.join(name);
    let directory = path.parent().unwrap_or(state);
    if !directory.is_dir() {
        fs::create_dir(directory)?;
        give(&File::open(directory)?, &owner)?;
    }
    let mut unfinished = path.clone().into_os_string();
    unfinished.push(".unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    // Made by this process: never a link that somebody else has put there.
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    give(&file, &owner)?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(directory)?.sync_all()
}

fn give(file: &File, owner: &fs::Metadata) -> io::Result<()> {
    if !geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_links_in_its_way_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (state, other) = (dir.path().join("state"), dir.path().join("other"));
        fs::write(&other, "mine").unwrap();
        let name = Path::new("below/file.json");
        replace(&state, name, b"one", Readers::All).unwrap();
        symlink(&other, state.join("below/file.json.unfinished")).unwrap();
        replace(&state, name, b"two", Readers::Owner).unwrap();
        assert_eq!(fs::read(state.join(name)).unwrap(), b"two");
        assert_eq!(fs::read(&other).unwrap(), b"mine");
        let found = fs::symlink_metadata(state.join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(state.join("below")).unwrap().count(), 1);
    }

    #[test]
    fn what_root_leaves_belongs_to_the_directory_s_owner() {
        if !geteuid().is_root() {
            eprintln!("SKIP: what_root_leaves_belongs_to_the_directory_s_owner: needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        std::os::unix::fs::chown(&state, Some(65_534), Some(65_534)).unwrap();
        replace(&state, Path::new("below/file"), b"x", Readers::Owner).unwrap();
        for name in ["below", "below/file"] {
            let found = fs::metadata(state.join(name)).unwrap();
            assert_eq!((found.uid(), found.gid()), (65_534, 65_534), "{name}");
        }
    }
}
