//! Ignition configs: is this one, of which version, and which bytes will the machine get.
//!
//! Checks JSON and the version only; rules of the single sections are not checked here. A stable
//! spec newer than we know passes with a warning, since the bytes are handed on untouched.

mod keys;
pub mod merge;
#[cfg(test)]
mod sample;
pub mod syntax;

use serde::Deserialize;

use crate::digest::Sha512Digest;

/// Stable specs that are known, oldest first.
pub const KNOWN_SPECS: [&str; 7] = [
    "3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0",
];

/// Why a config was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnitionError {
    /// No bytes, or only white space.
    #[error("config is empty")]
    Empty,
    /// Not JSON.
    #[error("config is not valid JSON: {reason} (line {line}, column {column})")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the reader met.
        reason: String,
    },
    /// Butane where Ignition is wanted.
    #[error("config is Butane YAML, not Ignition JSON")]
    Butane,
    /// `ignition.version` is missing or no string.
    #[error("config has no `ignition.version`")]
    NoVersion,
    /// A version that no Ignition of the 3.x family takes.
    #[error("config has version `{0}`, which is not supported; 3.0.0 to 3.6.0 are")]
    Version(String),
}

/// A config whose form was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    bytes: Vec<u8>,
    version: String,
}

impl Config {
    /// Checks `bytes` and keeps them as they are.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, IgnitionError> {
        let bytes = bytes.into();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(IgnitionError::Empty);
        }
        let document: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| {
            if is_butane(&bytes) {
                return IgnitionError::Butane;
            }
            let text = error.to_string();
            let reason = text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(reason, _)| reason);
            IgnitionError::Json {
                line: error.line(),
                column: error.column(),
                reason: reason.to_owned(),
            }
        })?;
        let version = document
            .get("ignition")
            .and_then(|ignition| ignition.get("version"))
            .and_then(|version| version.as_str())
            .ok_or(IgnitionError::NoVersion)?
            .to_owned();
        if !KNOWN_SPECS.contains(&version.as_str()) && !is_newer_stable(&version) {
            return Err(IgnitionError::Version(version));
        }
        Ok(Self { bytes, version })
    }

    /// The bytes, as they were given.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The declared version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the spec is newer than this program knows.
    pub fn is_newer_than_known(&self) -> bool {
        !KNOWN_SPECS.contains(&self.version.as_str())
    }

    /// What identifies the config wherever it is delivered: the digest of its bytes.
    pub fn identity(&self) -> Sha512Digest {
        Sha512Digest::of(&self.bytes)
    }
}

/// Whether `bytes` are Butane YAML: a top-level `variant` key.
pub fn is_butane(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct JsonForm {
        #[serde(rename = "variant")]
        _variant: String,
    }
    let yaml = std::str::from_utf8(bytes).is_ok_and(|text| {
        text.lines().any(|line| {
            let key = line.trim_start_matches('\u{feff}');
            key.strip_prefix("variant")
                .is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    });
    yaml || serde_json::from_slice::<JsonForm>(bytes).is_ok()
}

fn is_newer_stable(version: &str) -> bool {
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    let canonical = numbers
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(".")
        == version;
    canonical && matches!(numbers.as_slice(), [3, minor, 0] if *minor > 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_newer_stable_specs_pass_with_their_bytes() {
        let text = "{ \"ignition\": {\"version\": \"3.4.0\"} }\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(
            (config.bytes(), config.version()),
            (text.as_bytes(), "3.4.0")
        );
        assert!(!config.is_newer_than_known());
        assert_eq!(config.identity(), Sha512Digest::of(text.as_bytes()));
        assert!(
            Config::parse(r#"{"ignition":{"version":"3.9.0"}}"#)
                .unwrap()
                .is_newer_than_known()
        );
    }

    #[test]
    fn refusals_name_the_reason() {
        let version = |v: &str| IgnitionError::Version(v.into());
        for (text, want) in [
            (" \n", IgnitionError::Empty),
            ("{}", IgnitionError::NoVersion),
            (r#"{"ignition":{"version":3}}"#, IgnitionError::NoVersion),
            (r#"{"ignition":{"version":"2.2.0"}}"#, version("2.2.0")),
            (r#"{"ignition":{"version":"3.4"}}"#, version("3.4")),
            (r#"{"ignition":{"version":"3.07.0"}}"#, version("3.07.0")),
            (
                r#"{"ignition":{"version":"3.7.0-experimental"}}"#,
                version("3.7.0-experimental"),
            ),
            (
                "# comment\nvariant: fcos\nversion: 1.5.0\n",
                IgnitionError::Butane,
            ),
        ] {
            assert_eq!(Config::parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn bad_json_has_its_place() {
        let error = Config::parse("{\n  \"ignition\": nope\n}").unwrap_err();
        let want = IgnitionError::Json {
            line: 2,
            column: 16,
            reason: "expected ident".into(),
        };
        assert_eq!(error, want);
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        let text = "[".repeat(200_000);
        assert!(matches!(
            Config::parse(text),
            Err(IgnitionError::Json { .. })
        ));
    }
}
