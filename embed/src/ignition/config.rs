//! Ignition configs as the bytes that a machine will get: taken or refused by form and version.
//!
//! What the bytes say is checked by [`super::read`]; here they are only kept. A stable spec newer
//! than we know passes, since the bytes are handed on untouched.

use serde::Deserialize;

use super::document::{self, Declared, Refusal, RefusalKind};
use crate::digest::Sha512Digest;
use crate::finding::Finding;
use crate::schema::Minor;
use crate::tree::{Place, SourceId};

/// Why a config was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnitionError {
    /// No bytes, or only white space.
    #[error("config is empty")]
    Empty,
    /// Bytes that are no text.
    #[error("config is not UTF-8 text (line {line}, column {column})")]
    NotUtf8 {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Longer than places can be told of.
    #[error("config of {0} bytes is too long")]
    TooLong(usize),
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
    /// JSON of another form: a list, or a version that is no string.
    #[error("config has a value of the wrong type: {reason} (line {line}, column {column})")]
    WrongType {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What was wanted, and what is there.
        reason: String,
    },
    /// Butane where Ignition is wanted.
    #[error("config is Butane YAML, not Ignition JSON")]
    Butane,
    /// `ignition.version` is missing.
    #[error("config has no `ignition.version`")]
    NoVersion,
    /// `ignition.version` has not the form of a version.
    #[error("config has version `{0}`, which is not a version such as `3.4.0`")]
    NotAVersion(String),
    /// A version that no Ignition of the 3.x family takes.
    #[error("config has version `{0}`, which is not supported; 3.0.0 to 3.6.0 are")]
    Version(String),
    /// The spec under construction, which every Ignition release may drop.
    #[error("config has version `{0}`, which is experimental")]
    Experimental(String),
}

/// A config whose form was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    bytes: Vec<u8>,
    version: String,
    minor: Option<Minor>,
}

impl Config {
    /// Checks `bytes` and keeps them as they are. An experimental spec is refused.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self, IgnitionError> {
        let bytes = bytes.into();
        let text = text(&bytes)?;
        let raw = document::open(SourceId::default(), text);
        let declared = raw.and_then(|raw| document::accept(&raw, false));
        let declared = declared.map_err(|refusal| error(*refusal, text))?;
        Ok(Self::of(bytes, declared))
    }

    /// Keeps `bytes` as they are, whatever they are: for users who know better. Their version is
    /// not known.
    pub fn unchecked(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            version: String::new(),
            minor: None,
        }
    }

    /// The config of `bytes` that was accepted.
    pub(super) fn of(bytes: Vec<u8>, declared: Declared) -> Self {
        let Declared { version, minor, .. } = declared;
        Self {
            bytes,
            version,
            minor,
        }
    }

    /// The bytes, as they were given.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The declared version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The spec of the declared version; none if it is newer than this program knows.
    pub fn minor(&self) -> Option<Minor> {
        self.minor
    }

    /// Whether the spec is newer than this program knows.
    pub fn is_newer_than_known(&self) -> bool {
        self.minor.is_none()
    }

    /// What identifies the config wherever it is delivered: the sha512 of the bytes that the
    /// machine gets, which are these and no normal form of them. Of a Butane config it is the
    /// digest of the Ignition config that was made from it.
    pub fn identity(&self) -> Sha512Digest {
        Sha512Digest::of(&self.bytes)
    }
}

/// The text that `bytes` are.
fn text(bytes: &[u8]) -> Result<&str, IgnitionError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(IgnitionError::TooLong(bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let Place { line, column } = end_of(&String::from_utf8_lossy(valid));
        IgnitionError::NotUtf8 { line, column }
    })
}

fn error(refusal: Refusal, text: &str) -> IgnitionError {
    let Refusal { finding, kind } = refusal;
    let Finding { at, message, .. } = finding;
    let Place { line, column } = end_of(text.get(..at.span.start as usize).unwrap_or_default());
    let reason = message;
    match kind {
        RefusalKind::Syntax if finding.code == "empty" => IgnitionError::Empty,
        RefusalKind::Syntax => IgnitionError::Json {
            line,
            column,
            reason,
        },
        RefusalKind::WrongType => IgnitionError::WrongType {
            line,
            column,
            reason,
        },
        RefusalKind::Butane => IgnitionError::Butane,
        RefusalKind::NoVersion => IgnitionError::NoVersion,
        RefusalKind::NotAVersion(version) => IgnitionError::NotAVersion(version),
        RefusalKind::Unsupported(version) => IgnitionError::Version(version),
        RefusalKind::Experimental(version) => IgnitionError::Experimental(version),
    }
}

/// The place behind `text`.
fn end_of(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let last = text.rsplit('\n').next().unwrap_or_default();
    let column = last.chars().count() + 1;
    Place { line, column }
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
            (r#"{"ignition":{"version":"2.2.0"}}"#, version("2.2.0")),
            (
                r#"{"ignition":{"version":"3.4"}}"#,
                IgnitionError::NotAVersion("3.4".into()),
            ),
            (r#"{"ignition":{"version":"3.07.0"}}"#, version("3.07.0")),
            (
                r#"{"ignition":{"version":"3.7.0-experimental"}}"#,
                IgnitionError::Experimental("3.7.0-experimental".into()),
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
    fn bad_json_types_and_bytes_have_their_place() {
        let error = Config::parse("{\n  \"ignition\": nope\n}").unwrap_err();
        let IgnitionError::Json { line, column, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((line, column), (2, 15));
        let error = Config::parse("{\n\"ignition\": {\"version\": 3}}").unwrap_err();
        let want = IgnitionError::WrongType {
            line: 2,
            column: 25,
            reason: "expected a string, found a number".into(),
        };
        assert_eq!(error, want);
        let error = Config::parse(b"{\n\"\xc3\xa5\xff\": 1}".as_slice()).unwrap_err();
        assert_eq!(error, IgnitionError::NotUtf8 { line: 2, column: 3 });
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
