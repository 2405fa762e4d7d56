//! Install tickets: 128 random bits that allow one install of one machine.

use std::fmt;
use std::str::FromStr;

/// A single-use permission to install; 32 hex digits in URLs and documents.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub [u8; 16]);

/// The text is no ticket.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a ticket is 32 hexadecimal digits")]
pub struct TicketError;

impl Ticket {
    /// A new one from a cryptographic generator that the operating system seeds.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Does not show the secret: tickets must not reach logs.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| TicketError)?;
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Ticket {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Ticket {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_debug_keeps_the_secret() {
        let ticket = Ticket([0xab; 16]);
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        assert_eq!("ab".parse::<Ticket>(), Err(TicketError));
        assert!(!format!("{ticket:?}").contains("ab"));
        assert_ne!(Ticket::random(), Ticket::random());
    }
}
