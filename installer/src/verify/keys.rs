//! What keys a [`Keyring`] holds, for people who wonder whose signatures count.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::gpg::Gpg;
use super::{KeyOrigin, Keyring, VerifyError};

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Key {
    /// Upper-case hex.
    pub fingerprint: String,
    /// User IDs.
    pub users: Vec<String>,
    /// Last day on which it is good, as `YYYY-MM-DD`.
    pub expires: Option<String>,
    /// Whether that is over.
    pub expired: bool,
    /// Whether its owner withdrew it.
    pub revoked: bool,
    /// Where it comes from.
    pub origin: KeyOrigin,
}

/// The keys of `keyring`, in the order in which they are read.
pub fn list_keys(keyring: &Keyring) -> Result<Vec<Key>, VerifyError> {
    let mut keys = Vec::new();
    for (origin, bytes) in keyring.read()? {
        // A home for each, so that every key is known by its origin.
        let gpg = Gpg::with_keys(vec![(origin.clone(), bytes)])?;
        for key in gpg.keys().map_err(VerifyError::Engine)? {
            keys.push(Key {
                fingerprint: key.fingerprint().unwrap_or("unknown").to_owned(),
                users: key
                    .user_ids()
                    .map(|user| user.id().unwrap_or("unreadable").to_owned())
                    .collect(),
                expires: key
                    .primary_key()
                    .and_then(|key| key.expiration_time())
                    .and_then(day),
                expired: key.is_expired(),
                revoked: key.is_revoked(),
                origin: origin.clone(),
            });
        }
    }
    Ok(keys)
}

fn day(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date().to_string())
}
