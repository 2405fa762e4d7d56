//! A machine's config as the site directory holds it, Ignition or Butane, made into the bytes that
//! are served. Everything that is wrong with it is known before a machine asks.
//!
//! Local files of Butane configs are looked for beside the config, and nowhere else.

use std::fmt;
use std::path::Path;

use embed::butane::{self, FilesDir};
use embed::config::{self, Written};
use embed::finding::{Renderer, Severity};
use embed::ignition::Config;
use embed::tree::Sources;

/// So many errors are told of; the rest is counted.
const TOLD: usize = 10;

/// What is wrong with a config.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<&str> = self.0.iter().map(String::as_str).take(TOLD).collect();
        f.write_str(&told.join("; "))?;
        match self.0.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The config that consists of `bytes` and lies in `dir`, and what is odd about it.
pub(super) fn read(dir: &Path, bytes: Vec<u8>) -> Result<(Config, Vec<String>), ConfigErrors> {
    let files = FilesDir::open(dir).map_err(|error| ConfigErrors(vec![error.to_string()]))?;
    let options = butane::Options {
        files: Some(&files),
        raw: true,
        ..butane::Options::default()
    };
    let mut sources = Sources::new();
    let (loaded, findings) =
        config::read(&mut sources, "config", bytes, Written::Ignition, &options);
    let renderer = Renderer::new(&sources);
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for finding in findings.into_sorted() {
        let text = format!("{}: {}", renderer.place(finding.at), finding.message);
        match finding.severity {
            Severity::Error => errors.push(text),
            Severity::Warning => warnings.push(text),
        }
    }
    match loaded {
        Some(loaded) => Ok((loaded.config, warnings)),
        None => Err(ConfigErrors(errors)),
    }
}
