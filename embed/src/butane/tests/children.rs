//! Configs given inline or as local files to `merge` and `replace`.

use super::*;

fn inline(target: &str, child: &str) -> Vec<String> {
    let quoted = serde_json::to_string(child).unwrap();
    let text = format!("ignition: {{config: {{merge: [{{inline: {quoted}}}]}}}}");
    body(target, &text, None).findings
}

const HERE: &str = "$.ignition.config.merge.0.inline";

#[test]
fn children_of_the_same_spec_are_checked_in_their_own_text() {
    let good = r#"{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a"}]}}"#;
    assert_eq!(inline("fcos 1.5.0", good), [""; 0]);
    let cases = [
        (
            r#"{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": 1}]}}"#,
            "error wrong-type $.storage.files.0.path",
        ),
        (
            r#"{"ignition": {"version": "3.4.0"}, "x": 1}"#,
            "warning unused-key $.x",
        ),
        (
            r#"{"ignition": {}}"#,
            "error version-missing $.ignition.version",
        ),
        (r#"{"ignition": {"version": "#, "error json-syntax $"),
        ("", "error empty $"),
    ];
    for (child, expected) in cases {
        assert_eq!(
            inline("fcos 1.5.0", child),
            [format!("{expected} in {HERE}")],
            "{child}"
        );
    }
}

#[test]
fn children_of_another_spec_are_only_told_of() {
    for version in [
        "3.0.0",
        "3.5.0",
        "3.6.0",
        "3.9.0",
        "2.2.0",
        "3.7.0-experimental",
    ] {
        let child = format!(r#"{{"ignition": {{"version": "{version}"}}, "unknown": 1}}"#);
        let expected = [format!("warning child-version-unknown {HERE}")];
        assert_eq!(inline("fcos 1.5.0", &child), expected, "{version}");
    }
}

#[test]
fn experimental_children_are_checked_where_they_fit() {
    let child = r#"{"ignition": {"version": "3.7.0-experimental"}, "unknown": 1}"#;
    let expected = [format!("warning unused-key $.unknown in {HERE}")];
    assert_eq!(inline("fcos 1.8.0-experimental", child), expected);
}

#[test]
fn local_children_are_checked_too() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("child.ign");
    std::fs::write(path, r#"{"ignition": {"version": "3.4.0"}, "unknown": 1}"#).unwrap();
    std::fs::write(outer.path().join("binary"), b"\xff").unwrap();
    let files = FilesDir::open(outer.path()).unwrap();
    let run = |local| {
        let text = format!("ignition: {{config: {{replace: {{local: {local}}}}}}}");
        body("fcos 1.5.0", &text, Some(&files)).findings
    };
    let here = "in $.ignition.config.replace.local";
    assert_eq!(
        run("child.ign"),
        [format!("warning unused-key $.unknown {here}")]
    );
    assert_eq!(run("binary"), [format!("error not-utf8 $ {here}")]);
}

#[test]
fn compressed_children_and_other_resources_are_not_looked_into() {
    let text = "
ignition:
  config: {merge: [{inline: not json, compression: gzip}]}
  security: {tls: {certificate_authorities: [{inline: not json}]}}
";
    assert_eq!(body("fcos 1.5.0", text, None).findings, [""; 0]);
}
