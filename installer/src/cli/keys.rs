//! `keys list`: whose signatures count, and until when.

use std::fmt::Write as _;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::access::KeyringArgs;
use super::files;
use crate::verify::{ADMIN_DIR, Key, SYSTEM_DIR, list_keys};

/// Subcommands of `keys`.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the OpenPGP keys whose signatures count
    #[command(after_help = format!(
        "Without options these are the built-in keys and those in the files of\n\
         {SYSTEM_DIR} (the distribution's) and\n\
         {ADMIN_DIR} (the administrator's). There, a file with the name\n\
         of a built-in key stands in for it, and an empty one takes it away."
    ))]
    List(ListArgs),
}

/// Options of `keys list`.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    #[command(flatten)]
    keyring: KeyringArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl KeysCommand {
    pub(super) fn run(self) -> Result<()> {
        let Self::List(args) = self;
        let keys = list_keys(&args.keyring.into_keyring())?;
        if args.json {
            files::report_json(&keys)
        } else {
            files::report(table(&keys).as_bytes())
        }
    }
}

fn table(keys: &[Key]) -> String {
    let mut text = String::new();
    for key in keys {
        let state = match &key.expires {
            _ if key.revoked => "revoked".to_owned(),
            Some(date) if key.expired => format!("expired {date}"),
            Some(date) => format!("until {date}"),
            None => "no end".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {state}", key.fingerprint);
        for user in &key.users {
            let _ = writeln!(text, "    {user}");
        }
        let _ = writeln!(text, "    {}", key.origin);
    }
    text
}
