//! What most installs of these tests ask for, and how a test says that it was skipped.

use installer::cancel::Cancel;
use installer::install::{InstallError, Installed, OnError, Request, install};
use installer::observe::Silent;
use installer::pipeline::MemoryBudget;
use installer::source::{Location, ManifestPlace};
use installer::verify::{Keyring, SignaturePolicy};

use crate::disk::LoopDisk;
use crate::image::Published;

/// Gives the value, or ends the test with the reason why there is none.
macro_rules! or_skip {
    ($name:literal, $value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => {
                eprintln!("SKIP: {}: {reason}", $name);
                return;
            }
        }
    };
}
pub(crate) use or_skip;

/// A request that keeps nothing and edits nothing.
pub(crate) fn request<'a>(published: &Published, disk: &LoopDisk) -> Request<'a> {
    Request {
        source: Location::File(published.image.clone()),
        manifest: ManifestPlace::Beside,
        digest: None,
        policy: SignaturePolicy::Require,
        keyring: Keyring::empty().with_file(&published.key),
        device: disk.node.clone(),
        save: Vec::new(),
        boot: None,
        on_error: OnError::Clear,
        memory: MemoryBudget::of_this_machine(),
    }
}

pub(crate) fn run(request: Request<'_>) -> Result<Installed, Box<InstallError>> {
    install(request, &Silent, &Cancel::new()).map_err(Box::new)
}
