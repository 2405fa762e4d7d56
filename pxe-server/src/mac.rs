//! The Ethernet address that names a machine everywhere in this crate.
//!
//! Written with colons in documents and with dashes in URLs and file names (iPXE's `:hexhyp`).
//! No other hardware type is known: a boot client without a 6-byte address is not answered.

use std::fmt;
use std::str::FromStr;

/// A 48-bit Ethernet address; shown in lower case with colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

/// The text is no Ethernet address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a MAC address; one is written 52:54:00:12:34:56 or 52-54-00-12-34-56")]
pub struct MacError(pub String);

impl MacAddr {
    /// With dashes, as URLs and TFTP names carry it.
    pub fn dashed(self) -> String {
        self.to_string().replace(':', "-")
    }

    /// The number that stores sort by.
    pub fn to_u64(self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let bad = || MacError(text.chars().take(40).collect());
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut bytes = [0u8; 6];
        let mut parts = text.split(separator);
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(bad)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() {
            return Err(bad());
        }
        Ok(Self(bytes))
    }
}

impl serde::Serialize for MacAddr {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MacAddr {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_dashes_and_capitals_are_one_address() {
        let mac: MacAddr = "52:54:00:AB:cd:ef".parse().unwrap();
        assert_eq!("52-54-00-ab-CD-EF".parse(), Ok(mac));
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:ef");
        assert_eq!(mac.dashed(), "52-54-00-ab-cd-ef");
        assert_eq!(mac.to_u64(), 0x5254_00ab_cdef);
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        for bad in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:ef:00",
            "52:54-00:ab:cd:ef",
            "+1:54:00:ab:cd:ef",
            "52540012",
        ] {
            assert_eq!(bad.parse::<MacAddr>(), Err(MacError(bad.into())), "{bad}");
        }
    }
}
