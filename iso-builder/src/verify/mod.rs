//! Whether a live ISO is what it says of itself: its rootfs is the one that its initramfs waits
//! for, the OS image in that has the size and digest that the initramfs names, and the manifest
//! beside the ISO, with its signature, describes these very parts.
//!
//! Every check is made, so that one run tells all that differs.

mod medium;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use embed::iso::IsoError;
use embed::manifest::{Manifest, ManifestError};
use installer::verify::{Keyring, Trust, VerifyError, verify_detached};
use serde::Serialize;

use crate::inspect::{InspectError, stamps};
use crate::tools::{ToolError, ToolPath};

use medium::Medium;

/// Largest manifest or signature that is read, bytes.
const MAX_SMALL: u64 = 1 << 20;

/// Why nothing can be said about an ISO.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyIsoError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The ISO, or what lies beside it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no live ISO.
    #[error("{path} is no live ISO")]
    NotLive {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: IsoError,
    },
    /// What it says of itself cannot be read.
    #[error("cannot read what {path} says of itself")]
    Inspect {
        /// The ISO.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<InspectError>,
    },
    /// The manifest is none.
    #[error("cannot use the manifest {path}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A program of the host.
    #[error("cannot look into the rootfs")]
    Tool(#[source] ToolError),
    /// Some of the checks failed.
    #[error("{path} is not what it says: {}", .failed.join(", "))]
    Differs {
        /// The ISO.
        path: PathBuf,
        /// Names of the checks.
        failed: Vec<&'static str>,
    },
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "detail", rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be; what it is.
    Good(String),
    /// Not as it should be; how.
    Bad(String),
    /// Nothing to check; why.
    Absent(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What to verify.
#[derive(Clone, Debug)]
pub struct Request {
    /// The ISO.
    pub iso: PathBuf,
    /// Its manifest; `manifest.json` beside it when absent.
    pub manifest: Option<PathBuf>,
    /// Whose signature the manifest must have; with none it needs none.
    pub keyring: Option<Keyring>,
}

/// The error that some of `checks` amount to.
pub fn judge(iso: &Path, checks: &[Check]) -> Result<(), VerifyIsoError> {
    let bad = |check: &&Check| matches!(check.verdict, Verdict::Bad(_));
    let failed: Vec<&'static str> = checks.iter().filter(bad).map(|check| check.what).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(VerifyIsoError::Differs {
        path: iso.to_owned(),
        failed,
    })
}

/// Makes every check.
pub fn verify(request: &Request) -> Result<Vec<Check>, VerifyIsoError> {
    let unsquashfs = ToolPath::unsquashfs().map_err(VerifyIsoError::Tool)?;
    let mut medium = Medium::open(&request.iso)?;
    let inspect = |source| VerifyIsoError::Inspect {
        path: request.iso.clone(),
        source: Box::new(source),
    };
    let stamps = stamps(medium.iso.files()).map_err(inspect)?;
    let mut checks = Vec::new();
    let mut add = |what, verdict| checks.push(Check { what, verdict });
    add("rootfs", medium.rootfs(stamps.rootfs.as_ref())?);
    add("rootfs version", medium.version(&stamps)?);
    add("image", medium.image(&unsquashfs, stamps.image.as_ref())?);
    let beside = || request.iso.with_file_name("manifest.json");
    let path = request.manifest.clone().unwrap_or_else(beside);
    let bytes = match read_small(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other.map_err(|source| VerifyIsoError::Read {
            path: path.clone(),
            source,
        })?),
    };
    add(
        "signature",
        signature(&path, bytes.as_deref(), request.keyring.as_ref())?,
    );
    let Some(bytes) = bytes else {
        let missing = format!("there is no {}", path.display());
        let wanted = request.manifest.is_some() || request.keyring.is_some();
        let verdict = if wanted {
            Verdict::Bad
        } else {
            Verdict::Absent
        };
        add("manifest", verdict(missing));
        return Ok(checks);
    };
    let manifest =
        Manifest::parse(&bytes).map_err(|source| VerifyIsoError::Manifest { path, source })?;
    for (what, verdict) in medium.listed(&manifest, &stamps)? {
        add(what, verdict);
    }
    Ok(checks)
}

/// Whether one of the wanted keys signed the manifest.
fn signature(
    path: &Path,
    manifest: Option<&[u8]>,
    keyring: Option<&Keyring>,
) -> Result<Verdict, VerifyIsoError> {
    let Some(keyring) = keyring else {
        return Ok(Verdict::Absent("not asked for: no keyring".to_owned()));
    };
    let Some(manifest) = manifest else {
        return Ok(Verdict::Bad(
            "there is no manifest that could be signed".to_owned(),
        ));
    };
    let mut beside = OsString::from(path);
    beside.push(".sig");
    let beside = PathBuf::from(beside);
    let signature = match read_small(&beside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Verdict::Bad(format!("there is no {}", beside.display())));
        }
        other => other.map_err(|source| VerifyIsoError::Read {
            path: beside,
            source,
        })?,
    };
    let name = path.display().to_string();
    let size = manifest.len() as u64;
    Ok(
        match verify_detached(&name, manifest, size, &signature, keyring) {
            Ok(Trust::Signature { key, user, .. }) => {
                Verdict::Good(format!("by key {key} {}", user.unwrap_or_default()))
            }
            Ok(_) => Verdict::Bad("there is none".to_owned()),
            Err(error @ VerifyError::Engine(_)) => Verdict::Bad(chain(&error)),
            Err(error) => Verdict::Bad(error.to_string()),
        },
    )
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_SMALL {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
