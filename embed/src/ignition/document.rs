//! Whether a text is an Ignition config that we take at all: JSON, an object, of a known version
//! or of a newer stable one.
//!
//! Types of fields and rules come after this, at the version that is found here.

use crate::finding::{At, Finding, quote};
use crate::schema::{EXPERIMENTAL, Minor, NEWEST, version};
use crate::tree::raw::{RawEntry, RawNode, RawValue, Scalar};
use crate::tree::typed::alike;
use crate::tree::{SourceId, Span, json};

use super::config::is_butane;

/// What a config that is taken declares.
#[derive(Debug)]
pub(super) struct Declared {
    /// The version.
    pub(super) version: String,
    /// Where it stands.
    pub(super) span: Span,
    /// The spec of it; none of a stable one that is newer than we know.
    pub(super) minor: Option<Minor>,
}

/// A text that is not taken: the finding for it, and its kind for callers who want an error.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) finding: Finding,
    pub(super) kind: RefusalKind,
}

#[derive(Debug)]
pub(super) enum RefusalKind {
    /// No JSON.
    Syntax,
    /// Butane, by its `variant`.
    Butane,
    /// An object or a string was wanted.
    WrongType,
    /// No version is declared.
    NoVersion,
    /// What is declared has not the form of a version.
    NotAVersion(String),
    /// A version that nobody takes.
    Unsupported(String),
    /// The experimental one, which was not asked for.
    Experimental(String),
}

/// Reads `text`, which may be anything.
pub(super) fn open(source: SourceId, text: &str) -> Result<RawNode, Box<Refusal>> {
    json::read(source, text).map_err(|finding| syntax(finding, text))
}

/// Takes or refuses what was read; the experimental spec is taken if `experimental`.
pub(super) fn accept(raw: &RawNode, experimental: bool) -> Result<Declared, Box<Refusal>> {
    let (version, span) = declared(raw)?;
    let version = version.to_owned();
    let refuse = |code, message, kind| Err(refusal(code, span, message, kind));
    let minor = match spec(&version) {
        Spec::Known(EXPERIMENTAL) if !experimental => {
            let message = format!("version `{version}` is experimental, and was not asked for");
            let kind = RefusalKind::Experimental(version);
            return refuse("version-experimental", message, kind);
        }
        Spec::Known(minor) => Some(minor),
        Spec::Newer => None,
        Spec::Unsupported => {
            let message = format!("version {} is not supported; {RANGE}", quote(&version));
            let kind = RefusalKind::Unsupported(version);
            return refuse("version-unsupported", message, kind);
        }
        Spec::NotAVersion => {
            let message = format!("{} is not a version such as `3.4.0`", quote(&version));
            let kind = RefusalKind::NotAVersion(version);
            return refuse("version-malformed", message, kind);
        }
    };
    Ok(Declared {
        version,
        span,
        minor,
    })
}

/// What is supported, for messages.
const RANGE: &str = "3.0.0 to 3.6.0 are";

fn syntax(finding: Finding, text: &str) -> Box<Refusal> {
    if finding.code != "empty" && is_butane(text.as_bytes()) {
        return butane(finding.at.span);
    }
    let kind = RefusalKind::Syntax;
    Box::new(Refusal { finding, kind })
}

fn butane(span: Span) -> Box<Refusal> {
    let message = "this is a Butane config, where an Ignition config is wanted";
    refusal("butane-config", span, message, RefusalKind::Butane)
}

fn refusal(
    code: &'static str,
    at: impl Into<At>,
    message: impl Into<String>,
    kind: RefusalKind,
) -> Box<Refusal> {
    let finding = Finding::error(code, at, message);
    Box::new(Refusal { finding, kind })
}

/// The version that a config declares, read as fields are: names in any case, a later one wins
/// over an earlier one, null is as good as absent.
fn declared(root: &RawNode) -> Result<(&str, Span), Box<Refusal>> {
    let mut found = None;
    for ignition in fields(root, "ignition")? {
        for version in fields(ignition, "version")? {
            match &version.value {
                RawValue::Scalar(Scalar::Text(text)) => found = Some((text.as_str(), version.span)),
                other => return Err(wrong_type(version, "a string", other.kind())),
            }
        }
    }
    if let Some(found) = found {
        return Ok(found);
    }
    if fields(root, "variant")?.next().is_some() {
        return Err(butane(root.span));
    }
    let ignition = fields(root, "ignition")?.last();
    let (at, message) = match ignition {
        Some(ignition) => (
            At::absent(ignition.span, "version"),
            "`ignition` has no `version`",
        ),
        None => (
            At::absent(root.span, "ignition"),
            "config has no `ignition.version`",
        ),
    };
    let mut refusal = refusal("version-missing", at, message, RefusalKind::NoVersion);
    refusal.finding.hint =
        Some(r#"an Ignition config has `"ignition": {"version": "3.4.0"}`"#.into());
    Err(refusal)
}

/// The values other than null that `node` has for `name`; `node` must be an object or null.
fn fields<'a>(
    node: &'a RawNode,
    name: &'static str,
) -> Result<impl Iterator<Item = &'a RawNode>, Box<Refusal>> {
    let entries: &[RawEntry] = match &node.value {
        RawValue::Map(entries) => entries,
        RawValue::Scalar(Scalar::Null) => &[],
        other => return Err(wrong_type(node, "a map", other.kind())),
    };
    let named = entries.iter().filter(move |entry| alike(name, &entry.key));
    let values = named.map(|entry| &entry.value);
    Ok(values.filter(|value| !value.is_null()))
}

fn wrong_type(node: &RawNode, wanted: &str, found: &str) -> Box<Refusal> {
    let message = format!("expected {wanted}, found {found}");
    refusal("wrong-type", node.span, message, RefusalKind::WrongType)
}

enum Spec {
    Known(Minor),
    Newer,
    Unsupported,
    NotAVersion,
}

fn spec(text: &str) -> Spec {
    if let Some(minor) = (0..=EXPERIMENTAL).find(|minor| version(*minor) == text) {
        return Spec::Known(minor);
    }
    let middle = text
        .strip_prefix("3.")
        .and_then(|rest| rest.strip_suffix(".0"));
    let minor = middle.and_then(|middle| middle.parse::<u32>().ok());
    match minor {
        Some(minor) if minor > NEWEST.into() && format!("3.{minor}.0") == text => Spec::Newer,
        _ if has_version_form(text) => Spec::Unsupported,
        _ => Spec::NotAVersion,
    }
}

/// Whether `text` is three numbers with dots, maybe with a suffix after `-` or `+`.
fn has_version_form(text: &str) -> bool {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (core, suffix) = text.split_at(end);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_suffix = |byte: u8| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte);
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && suffix.len() != 1
        && suffix.bytes().all(is_suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Declared, Box<Refusal>> {
        accept(&open(SourceId::default(), text)?, false)
    }

    fn refused(text: &str) -> (&'static str, u32, Option<&'static str>) {
        let finding = opened(text).unwrap_err().finding;
        (finding.code, finding.at.span.start, finding.at.absent)
    }

    #[test]
    fn known_and_newer_stable_versions_are_taken() {
        for (version, minor) in [
            ("3.0.0", Some(0)),
            ("3.6.0", Some(6)),
            ("3.7.0", None),
            ("3.4294967295.0", None),
        ] {
            let text = format!(r#"{{"ignition": {{"version": "{version}"}}}}"#);
            let document = opened(&text).unwrap();
            assert_eq!(
                (document.minor, document.version.as_str()),
                (minor, version)
            );
            assert_eq!(document.span.start, 25);
        }
        let text = r#"{"ignition": {"version": "3.7.0-experimental"}}"#;
        let raw = open(SourceId::default(), text).unwrap();
        let document = accept(&raw, true).unwrap();
        assert_eq!(document.minor, Some(EXPERIMENTAL));
        assert_eq!(refused(text).0, "version-experimental");
    }

    #[test]
    fn each_refusal_has_its_code_at_the_declared_version() {
        for (version, code) in [
            ("2.4.0", "version-unsupported"),
            ("1.0.0", "version-unsupported"),
            ("4.0.0", "version-unsupported"),
            ("3.4.1", "version-unsupported"),
            ("3.8.0-experimental", "version-unsupported"),
            ("3.7.1", "version-unsupported"),
            ("3.4.0+build", "version-unsupported"),
            ("3.07.0", "version-unsupported"),
            ("3.99999999999.0", "version-unsupported"),
            ("3.4", "version-malformed"),
            ("3.4.0.", "version-malformed"),
            ("3.4.0-", "version-malformed"),
            ("3..0", "version-malformed"),
            ("3.+7.0", "version-malformed"),
            ("v3.4.0", "version-malformed"),
            (" 3.4.0", "version-malformed"),
            ("", "version-malformed"),
        ] {
            let text = format!(r#"{{"ignition": {{"version": "{version}"}}}}"#);
            assert_eq!(refused(&text), (code, 25, None), "{version}");
        }
    }

    #[test]
    fn what_is_no_config_is_told_apart() {
        for (text, want) in [
            ("", ("empty", 0, None)),
            ("{", ("json-syntax", 1, None)),
            ("{} {}", ("json-syntax", 3, None)),
            (" []", ("wrong-type", 1, None)),
            ("7", ("wrong-type", 0, None)),
            (r#"{"ignition": []}"#, ("wrong-type", 13, None)),
            (r#"{"ignition": {"version": 3}}"#, ("wrong-type", 25, None)),
            ("null", ("version-missing", 0, Some("ignition"))),
            (" {}", ("version-missing", 1, Some("ignition"))),
            (
                r#"{"ignition": null}"#,
                ("version-missing", 0, Some("ignition")),
            ),
            (
                r#"{"ignition": {"version": null}}"#,
                ("version-missing", 13, Some("version")),
            ),
            (
                "variant: fcos\nversion: 1.5.0\n",
                ("butane-config", 0, None),
            ),
            (
                r#"{"variant": "fcos", "version": "1.5.0"}"#,
                ("butane-config", 0, None),
            ),
        ] {
            assert_eq!(refused(text), want, "{text}");
        }
    }

    #[test]
    fn names_match_in_any_case_and_the_last_version_that_is_one_wins() {
        let text = r#"{"Ignition": {"VERSION": "3.0.0"}, "ignition": {"version": "3.1.0", "version": null}}"#;
        assert_eq!(opened(text).unwrap().minor, Some(1));
        let text = r#"{"ignition": {"version": "3.1.0"}, "ignition": {"x": 1}, "ignition": null}"#;
        assert_eq!(opened(text).unwrap().minor, Some(1));
    }
}
