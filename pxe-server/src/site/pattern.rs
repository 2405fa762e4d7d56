//! One value that a condition wants: exactly this, everything that begins so, or a subnet; read
//! from the text that a group writes, into the form in which facts are kept.

use std::marker::PhantomData;
use std::net::Ipv4Addr;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::boot::Arch;
use crate::mac::MacAddr;
use crate::net::Net;

/// What a fact is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Pattern {
    /// This text.
    Exact(String),
    /// Every text that begins so.
    Prefix(String),
    /// Every address in this subnet.
    Net(Net),
}

/// A fact as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// An address.
    Address(u32),
}

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Address(address) => write!(f, "{}", Ipv4Addr::from(*address)),
        }
    }
}

impl Pattern {
    pub(super) fn matches(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Exact(want), Value::Text(text)) => want == text,
            (Self::Prefix(want), Value::Text(text)) => text.starts_with(want.as_str()),
            (Self::Net(net), Value::Address(address)) => net.contains(address),
            _ => false,
        }
    }

    /// Whether one value only fits.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_) | Self::Net(Net { bits: 32, .. }))
    }

    /// How much of the value it settles: characters, or bits of an address.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text.len(),
            Self::Net(net) => net.bits.into(),
        }
    }

    /// Whether some value fits both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(text), pattern) | (pattern, Self::Exact(text)) => {
                pattern.matches(Value::Text(text))
            }
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b) || b.starts_with(a),
            (Self::Net(a), Self::Net(b)) => a.contains(b.first) || b.contains(a.first),
            _ => false,
        }
    }

    /// Whether every value that fits `other` fits this, too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (pattern, Self::Exact(text)) => pattern.matches(Value::Text(text)),
            (Self::Prefix(a), Self::Prefix(b)) => b.starts_with(a),
            (Self::Net(a), Self::Net(b)) => a.bits <= b.bits && a.contains(b.first),
            _ => false,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Net(net) => write!(f, "{net}"),
        }
    }
}

/// How the values of one field are written.
pub(super) trait Kind {
    /// The pattern that `text` is, or what is wrong with it.
    fn pattern(text: &str) -> Result<Pattern, String>;
}

/// `*` at the end makes a prefix.
fn split(text: &str, form: impl Fn(&str) -> String) -> Result<Pattern, String> {
    match text.strip_suffix('*') {
        Some(start) => Ok(Pattern::Prefix(form(start))),
        None if text.is_empty() => Err("an empty text is no value".to_owned()),
        None => Ok(Pattern::Exact(form(text))),
    }
}

/// Serial numbers, asset tags, circuits and labels: as they are.
#[derive(Debug)]
pub(super) struct Plain;
/// UUIDs and host names: in lower case.
#[derive(Debug)]
pub(super) struct Lower;
/// Ethernet addresses, and prefixes of them.
#[derive(Debug)]
pub(super) struct Mac;
/// Architectures.
#[derive(Debug)]
pub(super) struct Architecture;
/// Subnets.
#[derive(Debug)]
pub(super) struct Subnet;

impl Kind for Plain {
    fn pattern(text: &str) -> Result<Pattern, String> {
        split(text, str::to_owned)
    }
}

impl Kind for Lower {
    fn pattern(text: &str) -> Result<Pattern, String> {
        split(text, str::to_ascii_lowercase)
    }
}

impl Kind for Mac {
    fn pattern(text: &str) -> Result<Pattern, String> {
        let Some(start) = text.strip_suffix('*') else {
            let mac: MacAddr = text.parse().map_err(|error| format!("{error}"))?;
            return Ok(Pattern::Exact(mac.to_string()));
        };
        let start = start.to_ascii_lowercase().replace('-', ":");
        // A whole address that begins so.
        let rest = "00:00:00:00:00:00".get(start.len()..).unwrap_or_default();
        if format!("{start}{rest}").parse::<MacAddr>().is_err() {
            return Err(format!(
                "`{text}` is not the beginning of a MAC address; one is 52:54:00:*"
            ));
        }
        Ok(Pattern::Prefix(start))
    }
}

impl Kind for Architecture {
    fn pattern(text: &str) -> Result<Pattern, String> {
        let arch = Arch::from_name(text);
        let arch =
            arch.ok_or_else(|| format!("`{text}` is not an architecture; x86_64 and aarch64 are"))?;
        Ok(Pattern::Exact(arch.name().to_owned()))
    }
}

impl Kind for Subnet {
    fn pattern(text: &str) -> Result<Pattern, String> {
        Net::parse(text).map(Pattern::Net)
    }
}

/// One text, or a list of them: any of these.
#[derive(Debug)]
pub(super) struct AnyOf<K>(pub(super) Vec<Pattern>, PhantomData<K>);

struct One<K>(Pattern, PhantomData<K>);

impl<'de, K: Kind> Deserialize<'de> for One<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pattern = K::pattern(&text).map_err(de::Error::custom)?;
        Ok(Self(pattern, PhantomData))
    }
}

impl<'de, K: Kind> Deserialize<'de> for AnyOf<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<K>(PhantomData<K>);

        impl<'de, K: Kind> Visitor<'de> for Reader<K> {
            type Value = AnyOf<K>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts (quote numbers)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyOf<K>, E> {
                let pattern = K::pattern(text).map_err(E::custom)?;
                Ok(AnyOf(vec![pattern], PhantomData))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AnyOf<K>, A::Error> {
                let mut patterns = Vec::new();
                while let Some(One(pattern, _)) = list.next_element::<One<K>>()? {
                    patterns.push(pattern);
                }
                if patterns.is_empty() {
                    return Err(de::Error::custom("an empty list matches no machine"));
                }
                Ok(AnyOf(patterns, PhantomData))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_in_the_form_in_which_facts_are_kept() {
        let exact = |text: &str| Ok(Pattern::Exact(text.to_owned()));
        let prefix = |text: &str| Ok(Pattern::Prefix(text.to_owned()));
        assert_eq!(
            Mac::pattern("52-54-00-AB-CD-EF"),
            exact("52:54:00:ab:cd:ef")
        );
        assert_eq!(Mac::pattern("52-54-00-*"), prefix("52:54:00:"));
        assert_eq!(Mac::pattern("52:5*"), prefix("52:5"));
        assert_eq!(Lower::pattern("Web*"), prefix("web"));
        assert_eq!(Plain::pattern("S N*"), prefix("S N"));
        assert_eq!(Plain::pattern("*"), prefix(""));
        assert_eq!(Architecture::pattern("arm64"), exact("aarch64"));
        let net = |first: [u8; 4], bits| {
            Ok(Pattern::Net(Net {
                first: u32::from_be_bytes(first),
                bits,
            }))
        };
        assert_eq!(Subnet::pattern("10.1.0.0/16"), net([10, 1, 0, 0], 16));
        assert_eq!(Subnet::pattern("10.1.0.9"), net([10, 1, 0, 9], 32));
        assert_eq!(Subnet::pattern("0.0.0.0/0"), net([0; 4], 0));
    }

    #[test]
    fn values_that_no_fact_can_have_are_refused() {
        for (refused, want) in [
            (Mac::pattern("52:54"), "not a MAC address"),
            (Mac::pattern("5254*"), "beginning of a MAC"),
            (Mac::pattern("52:54:00:12:34:56:*"), "beginning of a MAC"),
            (Plain::pattern(""), "empty text"),
            (Architecture::pattern("vax"), "x86_64 and aarch64"),
            (Subnet::pattern("10.1.2.3/16"), "the subnet is 10.1.0.0/16"),
            (Subnet::pattern("10.1.0.0/33"), "not a subnet"),
        ] {
            let told = refused.unwrap_err();
            assert!(told.contains(want), "{told}");
        }
    }

    #[test]
    fn patterns_know_what_they_share() {
        let text = |text: &str| Plain::pattern(text).unwrap();
        let net = |text: &str| Subnet::pattern(text).unwrap();
        for (a, b, overlaps, covers) in [
            (text("a*"), text("ab*"), true, true),
            (text("ab*"), text("a*"), true, false),
            (text("a*"), text("ab"), true, true),
            (text("ab"), text("a*"), true, false),
            (text("a*"), text("b*"), false, false),
            (net("10.0.0.0/8"), net("10.1.0.0/16"), true, true),
            (net("10.1.0.0/16"), net("10.0.0.0/8"), true, false),
            (net("10.1.0.0/16"), net("10.2.0.0/16"), false, false),
            (net("0.0.0.0/0"), net("10.2.0.0/16"), true, true),
        ] {
            assert_eq!(
                (a.overlaps(&b), a.covers(&b)),
                (overlaps, covers),
                "{a} {b}"
            );
        }
    }
}
