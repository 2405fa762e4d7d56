//! Configs within a config: `merge` and `replace` given as text or as a local file.
//!
//! One that declares the spec which the outer config is translated to is checked as that, others
//! only for being configs. Each becomes a text of its own, so that its findings have their lines.
//! What was compressed by the user is not looked into.

use crate::finding::{Findings, quote};
use crate::ignition::{Config, IgnitionError, ReadOptions, read};
use crate::schema::{EXPERIMENTAL, Minor, version};
use crate::tree::{Sources, Span};

/// A config within the config, as it was given, not yet read.
#[derive(Debug)]
pub(super) struct Child {
    /// Where it was given.
    pub(super) span: Span,
    /// Its bytes.
    pub(super) contents: Vec<u8>,
}

/// Checks each child as an Ignition config of spec `minor`.
pub(super) fn check(
    children: Vec<Child>,
    minor: Minor,
    sources: &mut Sources,
    findings: &mut Findings,
) {
    let ours = version(minor);
    let options = ReadOptions {
        experimental: minor == EXPERIMENTAL,
    };
    for Child { span, contents } in children {
        match other_version(&contents, ours) {
            Some(other) => {
                let message = format!(
                    "the config within is of version {}, not `{ours}`, and is not checked",
                    quote(&other)
                );
                findings.warning("child-version-unknown", span, message);
            }
            None => {
                let outer = sources.get(span.source);
                let outer = outer.map_or("", |source| source.name.as_str());
                let name = format!("{outer}: {}", sources.path(span));
                let (_, found) = read(sources, &name, contents, &options);
                findings.append(found);
            }
        }
    }
}

/// The version of a config that is not of version `ours`.
fn other_version(contents: &[u8], ours: &str) -> Option<String> {
    let version = match Config::parse(contents) {
        Ok(config) => config.version().to_owned(),
        Err(IgnitionError::Version(version) | IgnitionError::Experimental(version)) => version,
        Err(_) => return None,
    };
    (version != ours).then_some(version)
}
