//! Names of streams, architectures, builds and files, as others tell them: one part of a path and
//! of a URL, and never one that leads elsewhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, bytes; with what is put before it, a file system takes it.
const MAX: usize = 200;

/// Letters, digits, `.`, `_` and `-`, and no `.` at the start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlainName(String);

/// The text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no plain name: letters, digits, `.`, `_` and `-`, and no `.` at the start")]
pub struct NameError(String);

impl PlainName {
    /// The architecture that streams are mirrored for unless another one is named.
    pub fn x86_64() -> Self {
        Self("x86_64".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if text.is_empty() || text.len() > MAX || text.starts_with('.') || !text.bytes().all(fits) {
            return Err(NameError(text.escape_debug().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PlainName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PlainName> for String {
    fn from(name: PlainName) -> Self {
        name.0
    }
}

impl fmt::Display for PlainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        let long = "a".repeat(MAX + 1);
        let bad = [
            "", ".", "..", ".lock", "a/b", "/a", "a\\b", "a b", "ä", "a\0", "a\n", &long,
        ];
        for text in bad {
            let error = text.parse::<PlainName>().unwrap_err();
            assert!(!error.to_string().contains(['\0', '\n']), "{error}");
        }
        let name: PlainName = "44.20261101.3.0".parse().unwrap();
        assert_eq!(name.to_string(), "44.20261101.3.0");
        let read: Result<PlainName, _> = serde_json::from_str("\"../x\"");
        assert!(read.is_err());
    }
}
