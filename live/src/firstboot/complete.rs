//! Completes a first boot: computes the identity, prints it, removes stamp and config from the
//! boot partition, and later reports. The stamp goes even when the identity cannot be computed:
//! a machine that provisions itself twice is worse than one that does not report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use embed::contract::{boot, karg, run};
use embed::digest::{DigestError, Sha256Digest, Sha512Digest};
use embed::kargs::Kargs;
use embed::report::{Event, Identity};

use super::merged::MergedConfig;
use super::result::describe;
use crate::console::Consoles;
use crate::mount::{self, Access, MountError};
use crate::report::{Outcome, Policy, Reporter};

/// The [`Identity`] of this first boot, for the report.
pub const PROVISIONED: &str = "/run/coreos-provisioned.json";
const MERGED: &str = "/run/ignition.json";
const BOOT: &str = "/boot";
const REPORT_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// What went wrong at the end of a first boot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// A file could not be read, written or removed.
    #[error("cannot access {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Reason.
        #[source]
        source: io::Error,
    },
    /// The boot partition could not be made writable.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// Ignition's merged config is not as expected.
    #[error("cannot read Ignition's result in {MERGED}")]
    Merged(#[source] serde_json::Error),
    /// The noted digest is none.
    #[error("bad digest in {}", run::CONFIG_SHA512)]
    Digest(#[source] DigestError),
    /// The HTTP client could not be set up.
    #[error("cannot set up reporting")]
    Reporter(#[source] reqwest::Error),
    /// Nobody answered.
    #[error("no answer to the report from {url} in {} minutes", REPORT_PATIENCE.as_secs() / 60)]
    NotReported {
        /// Where it was posted.
        url: String,
    },
}

/// Completes this first boot.
pub fn complete(consoles: &Consoles) -> Result<(), CompleteError> {
    let identity = identity(
        Path::new(run::CONFIG_SHA512),
        Path::new(MERGED),
        Path::new("/"),
    );
    let announced = match &identity {
        Ok(Some(identity)) => announce(identity, consoles),
        Ok(None) => {
            consoles.line("provisioned (config by URL: its digest is not known)");
            Ok(())
        }
        Err(_) => Ok(()),
    };
    forget_first_boot()?;
    identity?;
    announced
}

fn announce(identity: &Identity, consoles: &Consoles) -> Result<(), CompleteError> {
    let json = serde_json::to_string(identity).map_err(CompleteError::Merged)?;
    consoles.line(&format!("provisioned {json}"));
    fs::write(PROVISIONED, json).map_err(|source| CompleteError::Io {
        path: PROVISIONED.into(),
        source,
    })
}

/// Reads what the machine was given and describes what became of it. `None` when the config's
/// bytes were never seen here.
fn identity(digest: &Path, merged: &Path, root: &Path) -> Result<Option<Identity>, CompleteError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| CompleteError::Io { path, source }
    };
    let digest = match fs::read_to_string(digest) {
        Ok(text) => text
            .trim()
            .parse::<Sha512Digest>()
            .map_err(CompleteError::Digest)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(digest)(error)),
    };
    let json = fs::read(merged).map_err(io_error(merged))?;
    let merged: MergedConfig = serde_json::from_slice(&json).map_err(CompleteError::Merged)?;
    let text = describe(&merged, root).map_err(io_error(root))?;
    Ok(Some(Identity {
        config_sha512: digest,
        result_sha256: Sha256Digest::of(text.as_bytes()),
    }))
}

/// Removes stamp and config in one mount namespace, so that nobody else ever sees the boot
/// partition writable.
fn forget_first_boot() -> Result<(), CompleteError> {
    let boot = Path::new(BOOT);
    mount::private_namespace()?;
    mount::remount(boot, Access::ReadWrite)?;
    let removed = remove_traces(boot);
    nix::unistd::sync();
    removed?;
    Ok(mount::remount(boot, Access::ReadOnly)?)
}

/// The stamp first: a machine that loses power in between must not run Ignition without the config
/// that it was applied from.
fn remove_traces(boot: &Path) -> Result<(), CompleteError> {
    let check = |result: io::Result<()>, path: &Path| match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CompleteError::Io {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    };
    let stamp = boot.join(boot::FIRSTBOOT);
    check(fs::remove_file(&stamp), &stamp)?;
    match boot.join(boot::CONFIG).parent() {
        Some(dir) => check(fs::remove_dir_all(dir), dir),
        None => Ok(()),
    }
}

/// Reports [`PROVISIONED`] to the URL in `kargs`; does nothing when either is missing.
pub fn report(kargs: &Kargs) -> Result<(), CompleteError> {
    let receivers = kargs.tried(karg::REPORT_URL);
    if receivers.is_empty() {
        return Ok(());
    }
    let json = match fs::read(PROVISIONED) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(CompleteError::Io {
                path: PROVISIONED.into(),
                source,
            });
        }
    };
    let identity = serde_json::from_slice(&json).map_err(CompleteError::Merged)?;
    let reporter =
        Reporter::start(&receivers, Policy::default()).map_err(CompleteError::Reporter)?;
    reporter.send(Event::Provisioned(identity));
    match reporter.finish(REPORT_PATIENCE) {
        Outcome::TimedOut => Err(CompleteError::NotReported {
            url: receivers.join(", "),
        }),
        Outcome::Delivered | Outcome::Unwanted => Ok(()),
    }
}

#[cfg(test)]
mod tests;
