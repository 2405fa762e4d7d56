//! Everything on a medium that would elsewhere be random (GUIDs, volume numbers, names of marker
//! files), derived from the image's digest: the same image gives the same medium, another image
//! another one.

use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// Source of identifiers.
#[derive(Clone, Copy, Debug)]
pub struct Identity(Sha256Digest);

impl Identity {
    /// Identifiers of media made from the image with this digest.
    pub fn of_image(image: Sha256Digest) -> Self {
        Self(image)
    }

    /// A custom (version 8, RFC 9562 section 5.8) UUID for `purpose`.
    pub fn uuid(&self, purpose: &str) -> Uuid {
        let mut bytes = [0u8; 16];
        bytes
            .iter_mut()
            .zip(self.derive(purpose))
            .for_each(|(to, from)| *to = from);
        Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// A 32-bit number for `purpose`.
    pub fn number(&self, purpose: &str) -> u32 {
        self.derive(purpose)
            .iter()
            .take(4)
            .fold(0, |number, &byte| number << 8 | u32::from(byte))
    }

    /// The first `digits` hex digits of the image's digest.
    pub fn prefix(&self, digits: usize) -> String {
        self.0.to_string().chars().take(digits).collect()
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.0.0)
            .chain_update(purpose)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_depend_on_image_and_purpose_only() {
        let of = |image: &[u8]| Identity::of_image(Sha256Digest::of(image));
        assert_eq!(of(b"a").uuid("disk"), of(b"a").uuid("disk"));
        assert_ne!(of(b"a").uuid("disk"), of(b"b").uuid("disk"));
        assert_ne!(of(b"a").uuid("disk"), of(b"a").uuid("esp"));
        assert_eq!(of(b"a").uuid("disk").get_version_num(), 8);
        assert_ne!(of(b"a").number("fat"), of(b"b").number("fat"));
        assert_eq!(of(b"a").prefix(12), "ca978112ca1b");
    }
}
