//! OpenPGP signatures of what is given out, made when they are asked for and kept for who asks
//! again. One is made at a time: gpg is a process, and machines may ask in crowds.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use embed::digest::Sha256Digest;
use installer::sign::{Form, KeyFile, SignError};

use crate::http::Problem;

/// Signatures that are kept.
const KEPT: usize = 1024;

/// Who signs, if anybody does; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Signatures(Option<Arc<Signing>>);

#[derive(Debug)]
struct Signing {
    key: KeyFile,
    made: Mutex<HashMap<(Sha256Digest, Form), Vec<u8>>>,
}

/// A secret OpenPGP key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The file that holds it and no other.
    pub path: PathBuf,
    /// What unlocks it.
    pub passphrase: Option<String>,
}

/// Does not show the passphrase.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.path.display())
    }
}

impl Signatures {
    /// Signatures by `key`, which is tried first; without one, there are none.
    pub fn by(key: Option<&SigningKey>) -> Result<Self, SignError> {
        let Some(SigningKey { path, passphrase }) = key else {
            return Ok(Self::default());
        };
        let key = KeyFile::open(path, passphrase.clone())?;
        tracing::info!(key = key.fingerprint(), "signing");
        let made = Mutex::default();
        Ok(Self(Some(Arc::new(Signing { key, made }))))
    }

    /// The signature over `bytes`. Blocks.
    pub(super) fn over(&self, bytes: &[u8], form: Form) -> Result<Vec<u8>, Problem> {
        let Some(signing) = &self.0 else {
            return Err(Problem::NotFound(
                "this server was given no key to sign with".to_owned(),
            ));
        };
        let name = (Sha256Digest::of(bytes), form);
        let mut made = signing.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signature) = made.get(&name) {
            return Ok(signature.clone());
        }
        let signature = signing.key.sign(bytes, form).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "signing");
            Problem::Unavailable("this cannot be signed now".to_owned())
        })?;
        if made.len() >= KEPT {
            made.clear();
        }
        made.insert(name, signature.clone());
        Ok(signature)
    }
}
