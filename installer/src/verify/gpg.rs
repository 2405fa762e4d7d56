//! gpg through gpgme.
use super::{Keyring, VerifyError};
#[derive(Debug)]
pub(super) struct Gpg;
impl Gpg {
    pub(super) fn new(_keyring: &Keyring) -> Result<Self, VerifyError> {
        todo!()
    }
}
