//! A machine's config as the site directory holds it, Ignition or Butane, made into the bytes that
//! are served. Everything that is wrong with it is known before a machine asks.
//!
//! Local files of Butane configs are looked for beside the config, and nowhere else.

use std::fmt;
use std::path::Path;

use embed::butane::{self, FilesDir};
use embed::config::{self, Written};
use embed::digest::Sha512Digest;
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

/// A config that machines get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyConfig {
    /// The config.
    pub config: Config,
    /// Digest of its bytes, which is its identity.
    pub sha512: Sha512Digest,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// The config that consists of `bytes`, with local files from `dir`. `origin` tells where the
/// byte at an offset comes from, if not from there.
pub(super) fn read(
    dir: &Path,
    bytes: Vec<u8>,
    origin: impl Fn(usize) -> Option<String>,
) -> Result<ReadyConfig, ConfigErrors> {
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
        let place = renderer.place(finding.at);
        let place = match origin(finding.at.span.start as usize) {
            Some(origin) => format!("{origin}, as rendered {place}"),
            None => place,
        };
        let text = format!("{place}: {}", finding.message);
        match finding.severity {
            Severity::Error => errors.push(text),
            Severity::Warning => warnings.push(text),
        }
    }
    match loaded {
        Some(loaded) => Ok(ReadyConfig {
            sha512: loaded.config.identity(),
            config: loaded.config,
            warnings,
        }),
        None => Err(ConfigErrors(errors)),
    }
}
