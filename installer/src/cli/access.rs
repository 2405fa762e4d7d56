//! Options on how servers are talked to and whose signatures count, for the commands that fetch,
//! of this program and of others. `install` has the same ones in [`crate::plan::Options`].

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::plan::{identity, parse_retries};
use crate::source::{Access, Header, Retries};
use crate::verify::Keyring;

/// How servers are talked to.
#[derive(Args, Debug)]
pub struct AccessArgs {
    /// Try a failed fetch N more times, or `infinite`
    ///
    /// Counted from the last byte that came; a transfer goes on where it broke off.
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_retries)]
    fetch_retries: Retries,
    /// Send `Name: value` to the servers named here [repeatable]
    ///
    /// Not to servers that they redirect to. The value is never shown.
    #[arg(long, value_name = "HEADER")]
    http_header: Vec<Header>,
    /// Trust the certificate authorities in this PEM file too [repeatable]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca_cert: Vec<PathBuf>,
    /// Client certificate (PEM) for servers that ask for one
    #[arg(long, value_name = "FILE", requires = "client_key", value_hint = ValueHint::FilePath)]
    client_cert: Option<PathBuf>,
    /// Key (PEM, PKCS #8) of the client certificate
    #[arg(long, value_name = "FILE", requires = "client_cert", value_hint = ValueHint::FilePath)]
    client_key: Option<PathBuf>,
}

impl AccessArgs {
    /// What the options say.
    pub fn into_access(self) -> Access {
        Access {
            retries: self.fetch_retries,
            headers: self.http_header,
            ca_certs: self.ca_cert,
            identity: identity(self.client_cert, self.client_key).unwrap_or_default(),
            ..Access::default()
        }
    }
}

/// Whose signatures count, beside those of the system's keys.
#[derive(Args, Debug)]
pub struct KeyringArgs {
    /// Trust the OpenPGP keys in this file too [repeatable]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    keyring: Vec<PathBuf>,
    /// Trust the OpenPGP keys in this directory's files too [repeatable]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    keyring_dir: Vec<PathBuf>,
}

impl KeyringArgs {
    /// The system's keys and those of the options.
    pub fn into_keyring(self) -> Keyring {
        super::keyring(self.keyring, self.keyring_dir)
    }
}
