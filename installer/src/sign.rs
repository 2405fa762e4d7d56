//! Detached signatures by a secret key of whoever runs this, through their own GnuPG home and
//! agent; or by a key out of a file (`key_file`). Whether a signature is good is `verify`'s to say.

mod key_file;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use gpgme::{Context, Data, Protocol};

pub use key_file::{Form, KeyFile};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// gpg is missing or does not work.
    #[error("gpg does not work")]
    Engine(#[source] gpgme::Error),
    /// There is no such key.
    #[error("there is no secret key `{key}` that can sign")]
    NoKey {
        /// What was asked for.
        key: String,
    },
    /// There are several.
    #[error("`{key}` could be any of {count} secret keys")]
    Ambiguous {
        /// What was asked for.
        key: String,
        /// How many it could be.
        count: usize,
    },
    /// A file has no secret key.
    #[error("there is no secret key in {} that can sign", path.display())]
    NoSecretKey {
        /// The file.
        path: PathBuf,
    },
    /// A file has several.
    #[error("there are {count} secret keys in {}", path.display())]
    SeveralKeys {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// There is no room for a GnuPG home.
    #[error("cannot make a directory for the key in {}", path.display())]
    Home {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is to be signed, or the key, cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// gpg refused.
    #[error("gpg does not sign with key {key}")]
    Refused {
        /// Fingerprint.
        key: String,
        /// Why.
        #[source]
        source: gpgme::Error,
    },
}

/// gpg, ready to sign with one key.
#[derive(Debug)]
pub struct Signer {
    context: Context,
    fingerprint: String,
}

impl Signer {
    /// Looks for the one secret key that `key` names.
    pub fn find(key: &str) -> Result<Self, SignError> {
        let context = Context::from_protocol(Protocol::OpenPgp).map_err(SignError::Engine)?;
        Self::choose(context, Some(key))
    }

    /// The one secret key of `context` that `key` names, or the only one there is.
    fn choose(mut context: Context, key: Option<&str>) -> Result<Self, SignError> {
        let found: Vec<gpgme::Key> = context
            .find_secret_keys(key)
            .and_then(Iterator::collect)
            .map_err(SignError::Engine)?;
        let key = key.unwrap_or_default();
        let usable: Vec<&gpgme::Key> = found.iter().filter(|key| key.can_sign()).collect();
        let key = match usable.as_slice() {
            [one] => one,
            [] => {
                return Err(SignError::NoKey {
                    key: key.to_owned(),
                });
            }
            several => {
                return Err(SignError::Ambiguous {
                    key: key.to_owned(),
                    count: several.len(),
                });
            }
        };
        context.add_signer(key).map_err(SignError::Engine)?;
        let fingerprint = key.fingerprint().unwrap_or("unknown").to_owned();
        Ok(Self {
            context,
            fingerprint,
        })
    }

    /// The key's fingerprint.
    pub fn into_fingerprint(self) -> String {
        self.fingerprint
    }

    /// A detached signature over the file at `path`, in binary form.
    pub fn sign(&mut self, path: &Path) -> Result<Vec<u8>, SignError> {
        let refused = |source| SignError::Refused {
            key: self.fingerprint.clone(),
            source,
        };
        let file = File::open(path).map_err(|source| SignError::Read {
            path: path.to_owned(),
            source,
        })?;
        let data = Data::from_reader(file).map_err(|error| refused(error.error()))?;
        let mut signature = Vec::new();
        self.context
            .sign_detached(data, &mut signature)
            .map_err(refused)?;
        Ok(signature)
    }
}
