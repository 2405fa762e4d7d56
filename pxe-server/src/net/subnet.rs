//! An IPv4 subnet as documents write it, `10.1.0.0/16`, and the addresses in it as numbers.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net {
    /// First address.
    pub(crate) first: u32,
    /// Bits that addresses have in common, 0 to 32.
    pub(crate) bits: u8,
}

impl Net {
    /// The first address of the subnet of so many bits that `address` is in.
    pub(crate) fn first_of(address: u32, bits: u8) -> u32 {
        address & Self::mask_of(bits)
    }

    fn mask_of(bits: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
    }

    /// Whether `address` is one of it.
    pub(crate) fn contains(self, address: u32) -> bool {
        Self::first_of(address, self.bits) == self.first
    }

    /// The last address: where there are more than two, everybody's.
    pub(crate) fn last(self) -> u32 {
        self.first | !Self::mask_of(self.bits)
    }

    /// The mask, as hosts are told it.
    pub fn mask(self) -> Ipv4Addr {
        Self::mask_of(self.bits).into()
    }

    /// Reads `ADDRESS/BITS`, or one address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let address: Option<Ipv4Addr> = address.parse().ok();
        let bits: Option<u8> = bits.parse().ok().filter(|bits| *bits <= 32);
        let (Some(address), Some(bits)) = (address, bits) else {
            return Err(format!(
                "`{text}` is not a subnet; one is written 10.1.0.0/16"
            ));
        };
        let first = Self::first_of(address.into(), bits);
        if first != u32::from(address) {
            let meant = Ipv4Addr::from(first);
            return Err(format!(
                "`{text}` is within a subnet; the subnet is {meant}/{bits}"
            ));
        }
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.bits)
    }
}

impl<'de> serde::Deserialize<'de> for Net {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_knows_its_ends_and_its_mask() {
        let net = Net::parse("10.1.0.0/22").unwrap();
        assert_eq!(Ipv4Addr::from(net.last()), Ipv4Addr::new(10, 1, 3, 255));
        assert_eq!(net.mask(), Ipv4Addr::new(255, 255, 252, 0));
        assert!(net.contains(net.last()) && !net.contains(net.last() + 1));
        let all = Net::parse("0.0.0.0/0").unwrap();
        assert_eq!((all.last(), all.mask()), (u32::MAX, Ipv4Addr::UNSPECIFIED));
        assert_eq!(Net::parse("10.1.0.9").unwrap().to_string(), "10.1.0.9/32");
        for wrong in ["10.1.0.1/22", "10.1.0.0/33", "10.1.0/22", ""] {
            assert!(Net::parse(wrong).is_err(), "{wrong}");
        }
    }
}
