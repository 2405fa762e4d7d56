//! Whole configs in, values and findings out; a file for each kind of sugar.

mod acceptance;
mod children;
mod filters;
mod local;
mod mapped;
mod mounts;
mod properties;
mod resources;
mod trees;

use serde_json::Value as Json;

use super::{FilesDir, Options, convert};
use crate::finding::{Finding, Severity};
use crate::ignition::syntax::data_url;
use crate::tree::{Sources, write};

/// What became of a config.
struct Outcome {
    config: Option<Json>,
    /// `error two-sources $.storage.files.0.contents.inline`, in the order of the text.
    findings: Vec<String>,
}

impl Outcome {
    /// The config of a text without findings.
    #[track_caller]
    fn clean(self) -> Json {
        assert_eq!(self.findings, [""; 0]);
        self.config.expect("a config, since there is no error")
    }

    /// The value at a JSON pointer of a config without findings.
    #[track_caller]
    fn value(self, pointer: &str) -> Json {
        let config = self.clean();
        let value = config.pointer(pointer).cloned();
        value.unwrap_or_else(|| panic!("no {pointer} in {config}"))
    }
}

fn run(text: &str, options: &Options<'_>) -> Outcome {
    let mut sources = Sources::new();
    let converted = convert(&mut sources, "test", text, options);
    let config = converted.config.map(|node| write::json(&node, false));
    let findings = converted.findings.into_sorted();
    assert_eq!(
        config.is_none(),
        findings
            .iter()
            .any(|finding| finding.severity == Severity::Error),
        "no config exactly if there are errors: {findings:?}"
    );
    Outcome {
        config: config.map(|json| serde_json::from_str(&json).unwrap()),
        findings: findings
            .iter()
            .map(|finding| shown(finding, &sources))
            .collect(),
    }
}

fn shown(finding: &Finding, sources: &Sources) -> String {
    let severity = match finding.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let span = finding.at.span;
    let path = match finding.at.absent {
        Some(field) => format!("{}.{field}", sources.path(span)),
        None => sources.path(span),
    };
    let source = sources.get(span.source).unwrap();
    let within = match source.name.strip_prefix("test: ") {
        Some(within) => format!(" in {within}"),
        None => String::new(),
    };
    format!("{severity} {} {path}{within}", finding.code)
}

/// Converts `body` as `target`, a variant and a version as in `fcos 1.5.0`.
fn body(target: &str, body: &str, files: Option<&FilesDir>) -> Outcome {
    let (variant, version) = target.split_once(' ').unwrap();
    let text = format!("variant: {variant}\nversion: {version}\n{body}\n");
    let options = Options {
        files,
        experimental: true,
        raw: true,
        ..Options::default()
    };
    run(&text, &options)
}

/// The bytes that a resource of the result stands for.
fn contents(resource: &Json) -> Vec<u8> {
    let url = resource["source"].as_str().unwrap();
    let bytes = data_url::decode(url, usize::MAX).unwrap();
    if resource["compression"] != "gzip" {
        return bytes;
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut out).unwrap();
    out
}
