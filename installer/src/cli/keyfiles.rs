//! Network keyfiles from the file system into an archive and back, for `iso network` and
//! `pxe network`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use embed::initrd::Archive;
use embed::network::{self, NetworkError};

use super::files;
use super::media::MediaError;

/// Adds the files at `paths` to `archive`, each by its own name.
pub(super) fn insert(archive: &mut Archive, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let content = files::read_config(Some(path))?;
        network::insert(archive, name(path)?, content)?;
    }
    Ok(())
}

/// The last part of `path`, which becomes the name of a member.
pub(super) fn name(path: &Path) -> Result<&str, NetworkError> {
    path.file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| NetworkError::Name(path.display().to_string()))
}

/// Prints the keyfiles in `archive`, or makes them in `directory` and prints their paths. `from`
/// is for messages.
pub(super) fn extract(archive: &Archive, directory: Option<&Path>, from: &Path) -> Result<()> {
    if !network::is_configured(archive) {
        return Err(MediaError::NoNetwork {
            path: from.to_owned(),
        }
        .into());
    }
    match directory {
        Some(directory) => extract_to(archive, directory),
        None => {
            let mut text = Vec::new();
            for (name, content) in network::keyfiles(archive) {
                if !text.is_empty() {
                    text.push(b'\n');
                }
                text.extend(format!("########## {name} ##########\n").into_bytes());
                text.extend(content);
            }
            files::report(&text)
        }
    }
}

fn extract_to(archive: &Archive, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    for (name, content) in network::keyfiles(archive) {
        let path = directory.join(name);
        // Keyfiles hold passwords, and NetworkManager ignores those that others can read.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .with_context(|| format!("writing {}", path.display()))?;
        files::report(format!("{}\n", path.display()).as_bytes())?;
    }
    Ok(())
}
