//! Variants and versions that are taken, and those that are not.

use super::*;
use crate::schema::{TARGETS, version};

#[test]
fn every_target_gives_a_config_of_its_spec() {
    for target in TARGETS {
        let name = target.variant.name();
        let metadata = "metadata: {name: a, labels: {machineconfiguration.openshift.io/role: a}}";
        let metadata = if name == "openshift" { metadata } else { "" };
        let outcome = body(&format!("{name} {}", target.version), metadata, None);
        let expected = serde_json::json!({"ignition": {"version": version(target.minor)}});
        assert_eq!(outcome.clean(), expected, "{name} {}", target.version);
    }
}

#[test]
fn others_are_refused_at_their_place() {
    let cases = [
        ("", "error empty $"),
        ("# only a comment\n", "error empty $"),
        ("[]", "error wrong-type $"),
        ("text", "error wrong-type $"),
        ("version: 1.5.0", "error variant-missing $.variant"),
        ("variant: fcos", "error version-missing $.version"),
        ("variant: fcos\nversion:", "error version-missing $.version"),
        (
            "variant: [fcos]\nversion: 1.5.0",
            "error wrong-type $.variant",
        ),
        ("variant: fcos\nversion: {}", "error wrong-type $.version"),
        (
            "variant: FCOS\nversion: 1.5.0",
            "error variant-unknown $.variant",
        ),
        (
            "variant: rhcos\nversion: 0.1.0",
            "error variant-rhcos $.variant",
        ),
        (
            "variant: fcos\nversion: 1.6",
            "error version-unknown $.version",
        ),
        (
            "variant: fcos\nversion: v1.6.0",
            "error version-unknown $.version",
        ),
        (
            "variant: fcos\nversion: 1.7.0-experimental",
            "error version-unknown $.version",
        ),
        (
            "variant: fiot\nversion: 1.5.0",
            "error version-unknown $.version",
        ),
        (
            "variant: openshift\nversion: 4.7.0",
            "error version-unknown $.version",
        ),
    ];
    for (text, expected) in cases {
        let outcome = run(text, &Options::default());
        assert_eq!(outcome.findings, [expected], "{text}");
    }
}

#[test]
fn experimental_versions_need_the_switch() {
    let text = "variant: fcos\nversion: 1.8.0-experimental";
    let refused = run(text, &Options::default());
    assert_eq!(refused.findings, ["error version-experimental $.version"]);
    let options = Options {
        experimental: true,
        ..Options::default()
    };
    let config = run(text, &options).clean();
    assert_eq!(config["ignition"]["version"], "3.7.0-experimental");
}

#[test]
fn a_version_without_its_last_part_is_recognized() {
    let mut sources = Sources::new();
    let text = "variant: fcos\nversion: 1.6";
    let converted = convert(&mut sources, "test", text, &Options::default());
    let findings = converted.findings.into_sorted();
    assert_eq!(
        findings[0].hint.as_deref(),
        Some("versions have three parts: `1.6.0`")
    );
}

#[test]
fn quoted_and_json_configs_are_the_same() {
    let expected = body("fcos 1.5.0", "", None).clean();
    for text in [
        "{\"variant\": \"fcos\", \"version\": \"1.5.0\"}",
        "---\nvariant: 'fcos'\nversion: \"1.5.0\"\n---\nvariant: other\n",
    ] {
        assert_eq!(run(text, &Options::default()).clean(), expected, "{text}");
    }
}

#[test]
fn unknown_fields_warn_and_wrong_types_end_it() {
    let outcome = body("fcos 1.5.0", "storage: {file: []}\nboot: 1", None);
    let expected = [
        "warning unused-key $.storage.file",
        "warning unused-key $.boot",
    ];
    assert_eq!(outcome.findings, expected);
    let outcome = body(
        "fcos 1.5.0",
        "storage: {files: [{path: /a, mode: rw, contents: {local: x}}]}",
        None,
    );
    let expected = ["error wrong-type $.storage.files.0.mode"];
    assert_eq!(outcome.findings, expected);
}
