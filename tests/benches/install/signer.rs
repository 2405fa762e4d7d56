//! A throw-away OpenPGP key and what it signs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::contender::Make;
use super::image::run;

/// A key in a directory of its own.
pub(crate) struct Signer {
    home: PathBuf,
    key: PathBuf,
}

impl Signer {
    /// Makes a key below `scratch`.
    pub(crate) fn new(scratch: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let home = scratch.join("gnupg");
        std::fs::DirBuilder::new().mode(0o700).create(&home)?;
        let key = scratch.join("key.gpg");
        let signer = Self { home, key };
        run(signer
            .gpg()
            .args(["--passphrase", "", "--quick-generate-key", "bench"]))?;
        run(signer.gpg().args(["--export", "--output"]).arg(&signer.key))?;
        Ok(signer)
    }

    fn gpg(&self) -> Command {
        let mut command = Command::new("gpg");
        command
            .args(["--batch", "--quiet", "--homedir"])
            .arg(&self.home);
        command
    }

    /// The public key.
    pub(crate) fn key(&self) -> &Path {
        &self.key
    }

    /// Puts a detached signature beside `file`.
    pub(crate) fn sign(&self, file: &Path) -> Result<()> {
        let signature = format!("{}.sig", file.display());
        let mut gpg = self.gpg();
        run(gpg
            .args(["--detach-sign", "--output", &signature])
            .arg(file))
    }

    /// Verifies and does nothing else.
    pub(crate) fn verify(&self, file: &Path) -> Make {
        let (home, file) = (self.home.clone(), file.to_owned());
        let signature = format!("{}.sig", file.display());
        Box::new(move || {
            let mut command = Command::new("gpg");
            command.args(["--batch", "--quiet", "--homedir"]);
            command.arg(&home).args(["--verify", &signature]).arg(&file);
            command
        })
    }
}
