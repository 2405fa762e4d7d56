//! What tests of sugar share: YAML of one variant and version in, values and findings out.
//!
//! Only the translation is run, not the rules of Ignition: a case here shows one module's findings.

mod sound;

use serde_json::Value as Json;

use crate::butane::{Options, convert_tree};
use crate::finding::Severity;
use crate::schema::{Language, Target};
use crate::tree::node::Node;
use crate::tree::{Sources, typed, write, yaml};

/// What became of a config.
pub(in crate::butane) struct Outcome {
    pub(in crate::butane) tree: Option<Node>,
    /// `warning mode-decimal $.storage.files.0.mode`, in the order of the text.
    pub(in crate::butane) findings: Vec<String>,
    pub(in crate::butane) machine: Option<String>,
    sources: Sources,
}

impl Outcome {
    /// The Ignition config; the test fails if there is none.
    pub(in crate::butane) fn config(&self) -> Json {
        let Some(tree) = &self.tree else {
            panic!("no config: {:?}", self.findings);
        };
        serde_json::from_str(&write::json(tree, false)).unwrap()
    }

    /// Where in the text the value at `path` of the Ignition config comes from.
    pub(in crate::butane) fn origin(&self, path: &str) -> String {
        let mut node = self.tree.as_ref().unwrap();
        for step in path.split('.') {
            node = match step.parse::<usize>() {
                Ok(index) => &node.items()[index],
                Err(_) => node.as_object().unwrap().get(step).unwrap(),
            };
        }
        self.sources.path(node.span)
    }
}

/// Converts `body` as `target`, which is a variant and a version: `fcos 1.6.0`.
pub(in crate::butane) fn convert(target: &str, body: &str) -> Outcome {
    convert_with(target, body, &Options::default())
}

/// The same, asking for a plain Ignition config.
pub(in crate::butane) fn convert_raw(target: &str, body: &str) -> Outcome {
    let options = Options {
        raw: true,
        ..Options::default()
    };
    convert_with(target, body, &options)
}

pub(in crate::butane) fn convert_with(target: &str, body: &str, options: &Options<'_>) -> Outcome {
    let (variant, version) = target.split_once(' ').unwrap();
    let text = format!("variant: {variant}\nversion: {version}\n{body}\n");
    let target = Target::find(variant, version).unwrap();
    let mut sources = Sources::new();
    let source = sources.add("test", text.as_str()).unwrap();
    let raw = yaml::read(source, &text).unwrap();
    let mut findings = crate::finding::Findings::new();
    let tree = typed::read(&raw, Language::Butane(target), &mut findings);
    sources.set_tree(source, raw);
    let (converted, _) = convert_tree(tree, target, options);
    findings.append(converted.findings);
    let findings = findings.into_sorted().into_iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let path = sources.path(finding.at.span);
        let absent = finding.at.absent.map(|field| format!(".{field}"));
        let absent = absent.unwrap_or_default();
        format!("{severity} {} {path}{absent}", finding.code)
    });
    let machine = converted.machine_config;
    let machine = converted.config.as_ref().zip(machine);
    Outcome {
        findings: findings.collect(),
        machine: machine.map(|(config, machine)| machine.to_yaml(config)),
        tree: converted.config,
        sources,
    }
}

/// One case a row: target, body, findings.
pub(in crate::butane) fn check_findings(cases: &[(&str, &str, &[&str])]) {
    for (target, body, expected) in cases {
        let outcome = convert(target, body);
        assert_eq!(outcome.findings, *expected, "{target}\n{body}");
    }
}
