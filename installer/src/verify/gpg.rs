//! gpg through gpgme, with a home of its own that holds the keyring's keys and nothing else and
//! is removed afterwards. No agent and no dirmngr is started from it.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::SystemTime;

use gpgme::{Context, Data, Error, Protocol, VerificationResult};
use tempfile::TempDir;

use super::{KeyOrigin, Keyring, VerifyError};

/// Only what is in this home counts: no trust database, no key fetching, no daemons.
const CONFIG: &str =
    "trust-model always\nno-auto-check-trustdb\nno-auto-key-retrieve\nno-autostart\n";

/// Bytes that gpgme takes from us and writes into gpg's pipe at a time. Its own 512 would cost a
/// system call each; of more than the pipe takes at once it moves the rest about, which costs more
/// than gpg itself.
const BUFFER: &str = "16384";

/// gpg with the keys of a [`Keyring`].
#[derive(Debug)]
pub(super) struct Gpg {
    home: TempDir,
    keys: usize,
}

/// Who made a good signature, and when.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) key: String,
    pub(super) user: Option<String>,
    pub(super) time: Option<SystemTime>,
}

/// A verdict that does not know the image's name yet.
#[derive(Debug)]
pub(super) enum Refusal {
    Bad { key: String },
    Unknown { key: String, known: usize },
    ExpiredKey { key: String },
    ExpiredSignature { key: String },
    Revoked { key: String },
    NotASignature,
    Engine(Error),
}

impl Refusal {
    /// The error for an image of this name and size.
    pub(super) fn name(self, name: &str, bytes: u64) -> VerifyError {
        let name = name.to_owned();
        match self {
            Self::Bad { key } => VerifyError::BadSignature { name, key, bytes },
            Self::Unknown { key, known } => VerifyError::UnknownKey { name, key, known },
            Self::ExpiredKey { key } => VerifyError::ExpiredKey { name, key },
            Self::ExpiredSignature { key } => VerifyError::ExpiredSignature { name, key },
            Self::Revoked { key } => VerifyError::RevokedKey { name, key },
            Self::NotASignature => VerifyError::NotASignature { name },
            Self::Engine(error) => VerifyError::Engine(error),
        }
    }
}

impl Gpg {
    /// Makes the home and imports the keys.
    pub(super) fn new(keyring: &Keyring) -> Result<Self, VerifyError> {
        Self::with_keys(keyring.read()?)
    }

    /// Makes the home and imports these keys.
    pub(super) fn with_keys(keys: Vec<(KeyOrigin, Vec<u8>)>) -> Result<Self, VerifyError> {
        let home = tempfile::Builder::new()
            .prefix("coreos-installer-gpg-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(VerifyError::Home)?;
        fs::write(home.path().join("gpg.conf"), CONFIG).map_err(VerifyError::Home)?;
        let mut gpg = Self { home, keys: 0 };
        let mut context = gpg.context().map_err(VerifyError::Engine)?;
        for (origin, bytes) in join_built_in(keys) {
            let imported = context.import(&bytes).map_err(VerifyError::Engine)?;
            let count = imported.imports().count();
            if count == 0 {
                return Err(VerifyError::NoKey { origin });
            }
            gpg.keys += count;
        }
        Ok(gpg)
    }

    /// The keys in the home.
    pub(super) fn keys(&self) -> Result<Vec<gpgme::Key>, Error> {
        self.context()?.keys()?.collect()
    }

    fn context(&self) -> Result<Context, Error> {
        let mut context = Context::from_protocol(Protocol::OpenPgp)?;
        context.set_engine_home_dir(self.home.path().as_os_str().as_bytes())?;
        context.set_offline(true);
        Ok(context)
    }

    /// Refuses a signature that could be good over no bytes whatever, so that nothing is written
    /// for its sake: one by an unknown key, or none at all.
    pub(super) fn check_signer(&self, signature: &[u8]) -> Result<(), Refusal> {
        let nothing = Data::from_bytes([]).map_err(Refusal::Engine)?;
        match self.run(signature, nothing) {
            // Over no bytes, the signature by a known key is a bad one.
            Ok(_) | Err(Refusal::Bad { .. }) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Checks `signature` over everything that `signed` gives.
    pub(super) fn verify(
        &self,
        signature: &[u8],
        signed: impl Read + Send,
    ) -> Result<Signer, Refusal> {
        let mut signed = Data::from_reader(signed).map_err(|e| Refusal::Engine(e.error()))?;
        // Older gpgme does not know the flag and is only slower.
        let _ = signed.set_flag("io-buffer-size", BUFFER);
        self.run(signature, signed)
    }

    /// Checks `signature` over `bytes`; who signed it.
    pub(super) fn verify_bytes(&self, signature: &[u8], bytes: &[u8]) -> Result<Signer, Refusal> {
        self.run(signature, Data::from_bytes(bytes).map_err(Refusal::Engine)?)
    }

    fn run(&self, signature: &[u8], mut signed: Data<'_>) -> Result<Signer, Refusal> {
        let mut context = self.context().map_err(Refusal::Engine)?;
        match context.verify_detached(signature, &mut signed) {
            Ok(result) => {
                let mut signer = self.judge(&result)?;
                // A name is for people; the verdict stands without one.
                signer.user = context
                    .get_key(signer.key.as_str())
                    .ok()
                    .and_then(|key| key.user_ids().next()?.id().ok().map(str::to_owned));
                Ok(signer)
            }
            Err(error) if is(error, Error::NO_DATA) => Err(Refusal::NotASignature),
            Err(error) => Err(Refusal::Engine(error)),
        }
    }

    /// One good signature by a known key is enough, and one bad signature is too much.
    fn judge(&self, result: &VerificationResult) -> Result<Signer, Refusal> {
        let mut good = None;
        let mut refusal = None;
        for signature in result.signatures() {
            let key = signature.fingerprint().unwrap_or("unknown").to_owned();
            let error = match signature.status() {
                Ok(()) => {
                    good.get_or_insert(Signer {
                        key,
                        user: None,
                        time: signature.creation_time(),
                    });
                    continue;
                }
                Err(error) => error,
            };
            if is(error, Error::BAD_SIGNATURE) {
                return Err(Refusal::Bad { key });
            }
            refusal.get_or_insert(self.refuse(error, key));
        }
        match (good, refusal) {
            (Some(signer), _) => Ok(signer),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => Err(Refusal::NotASignature),
        }
    }

    fn refuse(&self, error: Error, key: String) -> Refusal {
        if is(error, Error::NO_PUBKEY) {
            Refusal::Unknown {
                key,
                known: self.keys,
            }
        } else if is(error, Error::KEY_EXPIRED) {
            Refusal::ExpiredKey { key }
        } else if is(error, Error::SIG_EXPIRED) {
            Refusal::ExpiredSignature { key }
        } else if is(error, Error::CERT_REVOKED) {
            Refusal::Revoked { key }
        } else {
            Refusal::Engine(error)
        }
    }
}

/// The built-in keys as one: they are armored and known to be good, and each import is a process.
fn join_built_in(keys: Vec<(KeyOrigin, Vec<u8>)>) -> Vec<(KeyOrigin, Vec<u8>)> {
    let (built_in, mut others): (Vec<_>, Vec<_>) = keys
        .into_iter()
        .partition(|(origin, _)| matches!(origin, KeyOrigin::BuiltIn(_)));
    let joined = built_in.into_iter().reduce(|mut all, (_, bytes)| {
        all.1.push(b'\n');
        all.1.extend(bytes);
        all
    });
    others.splice(0..0, joined);
    others
}

fn is(error: Error, kind: Error) -> bool {
    error.code() == kind.code()
}
