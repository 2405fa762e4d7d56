//! Reading whole configs: findings with their places, and what is given in spite of them.

use super::*;
use crate::finding::Severity::{Error, Warning};

/// Whether there is a config, and each finding's code with severity, place and path.
fn read_all(bytes: &[u8], experimental: bool) -> (Option<Checked>, Vec<String>) {
    let mut sources = Sources::new();
    let (config, findings) = read(&mut sources, "c.ign", bytes, &ReadOptions { experimental });
    let shown = findings.iter().map(|finding| {
        let kind = match finding.severity {
            Error => "error",
            Warning => "warning",
        };
        let (place, path) = (
            sources.place(finding.at.span),
            sources.path(finding.at.span),
        );
        format!("{kind} {} at {path}, {place}", finding.code)
    });
    (config, shown.collect())
}

#[test]
fn a_good_config_comes_with_bytes_version_and_values() {
    let text = "{\"ignition\": {\"version\": \"3.4.0\"},\n \"passwd\": {\"users\": [{\"name\": \"core\"}]}}\n";
    let (config, findings) = read_all(text.as_bytes(), false);
    let config = config.unwrap();
    assert_eq!(findings, [""; 0]);
    assert_eq!(
        (config.config.bytes(), config.config.version()),
        (text.as_bytes(), "3.4.0")
    );
    let tree = config.tree.unwrap();
    assert_eq!(tree.minor(), 4);
    let users = tree
        .root()
        .as_object()
        .unwrap()
        .object("passwd")
        .unwrap()
        .items("users");
    assert_eq!(users[0].as_object().unwrap().text("name"), Some("core"));
}

#[test]
fn fields_are_those_of_the_declared_spec_and_unknown_ones_only_warn() {
    let text = "{\"ignition\": {\"version\": \"3.2.0\"},\n \"kernelArguments\": {}, \"storage\": {\"x\": 1}}";
    let (config, findings) = read_all(text.as_bytes(), false);
    assert!(config.is_some());
    let want = [
        "warning unused-key at $.kernelArguments, line 2 col 2",
        "warning unused-key at $.storage.x, line 2 col 37",
    ];
    assert_eq!(findings, want);
}

#[test]
fn wrong_types_are_all_found_and_leave_no_config() {
    let text =
        "{\"ignition\": {\"version\": \"3.2.0\", \"timeouts\": 3},\n \"storage\": {\"files\": {}}}";
    let (config, findings) = read_all(text.as_bytes(), false);
    assert!(config.is_none());
    let want = [
        "error wrong-type at $.ignition.timeouts, line 1 col 47",
        "error wrong-type at $.storage.files, line 2 col 23",
    ];
    assert_eq!(findings, want);
}

#[test]
fn what_is_refused_as_a_whole_has_one_finding_with_its_place() {
    for (bytes, want) in [
        (&b""[..], "error empty at $, line 1 col 1"),
        (b"{\n \"a\": \xff}", "error not-utf8 at $, line 2 col 7"),
        (b"{\n \"a\": }", "error json-syntax at $, line 2 col 7"),
        (b"variant: fcos\n", "error butane-config at $, line 1 col 1"),
        (
            b"{\"ignition\": {}}",
            "error version-missing at $.ignition, line 1 col 14",
        ),
        (
            b"{\"ignition\": {\"version\": \"2.1.0\"}}",
            "error version-unsupported at $.ignition.version, line 1 col 26",
        ),
        (
            b"{\"ignition\": {\"version\": \"3.7.0-experimental\"}}",
            "error version-experimental at $.ignition.version, line 1 col 26",
        ),
    ] {
        let (config, findings) = read_all(bytes, false);
        assert!(config.is_none());
        assert_eq!(findings, [want]);
    }
}

#[test]
fn a_newer_stable_spec_warns_and_its_bytes_pass() {
    let text = b"{\"ignition\": {\"version\": \"3.9.0\"}, \"storage\": 7}";
    let (config, findings) = read_all(text, false);
    let config = config.unwrap();
    assert!(config.tree.is_none() && config.config.is_newer_than_known());
    assert_eq!(config.config.bytes(), text);
    assert_eq!(
        findings,
        ["warning version-newer at $.ignition.version, line 1 col 26"]
    );
}

#[test]
fn the_experimental_spec_is_read_when_it_is_asked_for() {
    let text = b"{\"ignition\": {\"version\": \"3.7.0-experimental\"}}";
    let (config, findings) = read_all(text, true);
    assert_eq!(
        (config.unwrap().tree.unwrap().minor(), findings.len()),
        (7, 0)
    );
}
