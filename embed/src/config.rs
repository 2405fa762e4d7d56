//! Configs of either language, from their bytes to those that a machine gets: the one way for
//! every command and for the server.
//!
//! What is wrong with a config is found by [`crate::ignition`] and [`crate::butane`].

use std::string::FromUtf8Error;

use crate::butane::{self, MachineConfig};
use crate::finding::Findings;
use crate::ignition::{self, Config, ReadOptions, Tree};
use crate::tree::{Sources, Span};

/// What a config is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Ignition's JSON.
    Ignition,
    /// Butane's YAML (or JSON).
    Butane,
}

impl Written {
    /// What `bytes` are written in, and `default` if they do not say themselves.
    pub fn of(bytes: &[u8], default: Self) -> Self {
        if ignition::is_butane(bytes) {
            Self::Butane
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            Self::Ignition
        } else {
            default
        }
    }
}

/// A config without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What a machine will get. Ignition is left as it was, byte for byte.
    pub config: Config,
    /// The same as values; none if its spec is newer than this program knows.
    pub tree: Option<Tree>,
    /// What is around the config, for openshift and unless a plain config was asked for.
    pub machine_config: Option<MachineConfig>,
}

impl Loaded {
    /// Of values that were made here.
    pub fn of_tree(tree: Tree) -> Self {
        Self {
            config: tree.to_config(),
            tree: Some(tree),
            machine_config: None,
        }
    }
}

/// Reads the config `bytes`, which the user calls `name`, and keeps its text in `sources`.
/// Gives it unless there are errors among the findings.
pub fn read(
    sources: &mut Sources,
    name: &str,
    bytes: Vec<u8>,
    default: Written,
    options: &butane::Options<'_>,
) -> (Option<Loaded>, Findings) {
    match Written::of(&bytes, default) {
        Written::Ignition => {
            let experimental = options.experimental;
            let options = ReadOptions { experimental };
            let (checked, findings) = ignition::read(sources, name, bytes, &options);
            let loaded = checked.map(|checked| Loaded {
                config: checked.config,
                tree: checked.tree,
                machine_config: None,
            });
            (loaded, findings)
        }
        Written::Butane => match String::from_utf8(bytes) {
            Ok(text) => convert(sources, name, &text, options),
            Err(error) => (None, not_utf8(sources, name, &error)),
        },
    }
}

fn convert(
    sources: &mut Sources,
    name: &str,
    text: &str,
    options: &butane::Options<'_>,
) -> (Option<Loaded>, Findings) {
    let converted = butane::convert(sources, name, text, options);
    let made = converted.config.zip(converted.target);
    let loaded = made.map(|(root, target)| Loaded {
        machine_config: converted.machine_config,
        ..Loaded::of_tree(Tree::new(root, target.minor))
    });
    (loaded, converted.findings)
}

/// Says where a text stops being one.
fn not_utf8(sources: &mut Sources, name: &str, error: &FromUtf8Error) -> Findings {
    let mut findings = Findings::new();
    let text = String::from_utf8_lossy(error.as_bytes());
    match sources.add(name, text.as_ref()) {
        Ok(source) => {
            let valid = error.utf8_error().valid_up_to();
            let start = u32::try_from(valid).unwrap_or(u32::MAX);
            let end = start;
            let at = Span { source, start, end };
            findings.error("not-utf8", at, "the config is not UTF-8 text");
        }
        Err(error) => findings.error("too-much", Span::default(), error.to_string()),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &[u8], default: Written) -> Result<String, Vec<&'static str>> {
        let options = butane::Options::default();
        let mut sources = Sources::new();
        let (loaded, findings) = read(&mut sources, "a", text.to_vec(), default, &options);
        let config =
            loaded.map(|loaded| String::from_utf8(loaded.config.bytes().to_vec()).unwrap());
        config.ok_or_else(|| findings.iter().map(|finding| finding.code).collect())
    }

    #[test]
    fn ignition_stays_as_it_is_and_butane_becomes_ignition() {
        let ignition = "{ \"ignition\": {\"version\": \"3.4.0\"} }";
        for default in [Written::Ignition, Written::Butane] {
            assert_eq!(loaded(ignition.as_bytes(), default).unwrap(), ignition);
            let made = loaded(b"variant: fcos\nversion: 1.5.0\n", default).unwrap();
            assert_eq!(made, "{\"ignition\":{\"version\":\"3.4.0\"}}\n");
        }
    }

    #[test]
    fn what_is_neither_is_refused_as_the_language_that_was_expected() {
        let refused = |text: &[u8], default| loaded(text, default).unwrap_err();
        assert_eq!(refused(b"a: b", Written::Ignition), ["json-syntax"]);
        assert_eq!(refused(b"a: b", Written::Butane), ["variant-missing"]);
        let latin = b"variant: fcos\nversion: 1.5.0\n# caf\xe9\n";
        assert_eq!(refused(latin, Written::Butane), ["not-utf8"]);
        assert_eq!(refused(b"{\xff}", Written::Butane), ["not-utf8"]);
    }
}
