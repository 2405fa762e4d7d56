//! YAML config files of `install`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Options, PlanError};

/// Largest config file, bytes.
const MAX_BYTES: u64 = 1024 * 1024;

impl Options {
    /// The config files that these options name, merged, with these options over them.
    pub fn with_config_files(self) -> Result<Self, PlanError> {
        let mut merged = Self::default();
        for path in &self.config_file {
            merged = merged.merge(read(path)?)?;
        }
        merged.merge(self)
    }

    /// The options in the text of a config file; `path` is for messages.
    pub fn from_config(text: &[u8], path: &Path) -> Result<Self, PlanError> {
        let text = std::str::from_utf8(text).map_err(|error| PlanError::ReadConfigFile {
            path: path.to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
        })?;
        parse(text, path)
    }
}

fn read(path: &Path) -> Result<Options, PlanError> {
    let io = |source| PlanError::ReadConfigFile {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    File::open(path)
        .map_err(io)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(io)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io(std::io::Error::other("larger than 1 MiB")));
    }
    parse(&text, path)
}

/// Reads the options in `text`; `path` is for messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Options, PlanError> {
    // A file of nothing but comments is an empty set of options.
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Options::default());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location();
        PlanError::ConfigFile {
            path: path.to_owned(),
            line: location.map_or(0, |l| l.line()),
            column: location.map_or(0, |l| l.column()),
            reason: reason(&error),
        }
    })
}

/// The error's text without the place that the message names already.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let reason = line
        .rsplit_once(" at line ")
        .map_or(line, |(reason, _)| reason);
    // The list of all keys would drown the one that is wrong.
    reason
        .split_once(", expected one of ")
        .map_or(reason, |(reason, _)| reason)
        .to_owned()
}
