//! A detached signature over something that is no image: a manifest, a medium. Says who signed,
//! and gives no [`Verified`](super::Verified), which only a whole image can.

use std::io::Read;

use super::gpg::{Gpg, Signer};
use super::{Keyring, Trust, VerifyError};

/// Checks `signature` over everything that `signed` gives, which is `bytes` long and called `name`
/// in errors. One of the keys of `keyring` must have made it.
pub fn verify_detached(
    name: &str,
    signed: impl Read + Send,
    bytes: u64,
    signature: &[u8],
    keyring: &Keyring,
) -> Result<Trust, VerifyError> {
    let Signer { key, user, time } = Gpg::new(keyring)?
        .verify(signature, signed)
        .map_err(|refusal| refusal.name(name, bytes))?;
    Ok(Trust::Signature { key, user, time })
}
