//! `iso-builder verify`: a line for each check; exit status 1 if one failed.

use std::path::PathBuf;

use clap::Args;
use installer::verify::Keyring;

use super::output::say;
use crate::verify::{Check, Request, Verdict, judge, verify};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The ISO
    #[arg(value_name = "ISO")]
    iso: PathBuf,
    /// Its manifest [default: manifest.json beside the ISO, if there is one]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// OpenPGP keys one of which must have signed the manifest
    ///
    /// The signature is at the manifest's name with `.sig`.
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let keyring = self
            .keyring
            .into_iter()
            .fold(None, |keyring: Option<Keyring>, file| {
                Some(keyring.unwrap_or_else(Keyring::empty).with_file(file))
            });
        let request = Request {
            iso: self.iso,
            manifest: self.manifest,
            keyring,
        };
        let checks = verify(&request)?;
        if self.json {
            say(&format!("{}\n", serde_json::to_string_pretty(&checks)?))?;
        } else {
            say(&checks.iter().map(line).collect::<String>())?;
        }
        Ok(judge(&request.iso, &checks)?)
    }
}

fn line(check: &Check) -> String {
    let (word, detail) = match &check.verdict {
        Verdict::Good(detail) => ("good", detail),
        Verdict::Bad(detail) => ("BAD", detail),
        Verdict::Absent(detail) => ("-", detail),
    };
    format!("{word:4}  {}: {detail}\n", check.what)
}
