//! Names, types and what is left out, for both languages.

use super::*;
use crate::finding::Severity;
use crate::schema::Target;
use crate::tree::{json, write};

fn butane(variant: &str, version: &str) -> Language {
    Language::Butane(Target::find(variant, version).unwrap())
}

fn typed(text: &str, language: Language) -> (Node, Vec<(&'static str, String, String)>) {
    let raw = json::read(Default::default(), text).unwrap();
    let mut findings = Findings::new();
    let node = read(&raw, language, &mut findings);
    let told = findings.iter().map(|finding| {
        let span = finding.at.span.start as usize..finding.at.span.end as usize;
        (finding.code, text[span].to_owned(), finding.message.clone())
    });
    (node, told.collect())
}

fn written(text: &str, language: Language) -> String {
    write::json(&typed(text, language).0, false)
        .trim_end()
        .into()
}

fn hint(text: &str, language: Language) -> Option<String> {
    let raw = json::read(Default::default(), text).unwrap();
    let mut findings = Findings::new();
    read(&raw, language, &mut findings);
    let finding = findings.iter().next().unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    finding.hint.clone()
}

const NEWEST: Language = Language::Ignition(6);

#[test]
fn unknown_keys_warn_at_the_key_and_are_left_out() {
    let text = r#"{"storage": {"fils": [1, {"x": 2}], "files": [{"path": "/a", "sise": 1}]}}"#;
    let (node, told) = typed(text, NEWEST);
    let told: Vec<_> = told
        .iter()
        .map(|(code, at, _)| (*code, at.as_str()))
        .collect();
    assert_eq!(
        told,
        [("unused-key", "\"fils\""), ("unused-key", "\"sise\"")]
    );
    let out = r#"{"storage":{"files":[{"path":"/a"}]}}"#;
    assert_eq!(write::json(&node, false).trim_end(), out);
}

#[test]
fn wrong_types_are_errors_at_the_value() {
    let cases = [
        ("[]", "[]", "expected a map, found a list"),
        ("1", "1", "expected a map, found a number"),
        ("null", "null", "expected a map, found null"),
        (r#"{"storage": []}"#, "[]", "expected a map, found a list"),
        (
            r#"{"storage": {"files": {}}}"#,
            "{}",
            "expected a list, found a map",
        ),
        (
            r#"{"passwd": {"users": ["core"]}}"#,
            "\"core\"",
            "expected a map, found a string",
        ),
        (
            r#"{"passwd": {"users": [{"name": 5}]}}"#,
            "5",
            "expected a string, found `5`",
        ),
        (
            r#"{"passwd": {"users": [{"uid": 5.0}]}}"#,
            "5.0",
            "expected a whole number, found `5.0`",
        ),
        (
            r#"{"passwd": {"users": [{"uid": 92233720368547758070}]}}"#,
            "92233720368547758070",
            "`92233720368547758070` does not fit 64 bits",
        ),
        (
            r#"{"passwd": {"users": [{"uid": "5"}]}}"#,
            "\"5\"",
            "expected a whole number, found the string `5`",
        ),
        (
            r#"{"passwd": {"users": [{"system": "yes"}]}}"#,
            "\"yes\"",
            "expected `true` or `false`, found the string `yes`",
        ),
    ];
    for (text, at, message) in cases {
        let (_, told) = typed(text, NEWEST);
        assert_eq!(
            told,
            [("wrong-type", at.to_owned(), message.to_owned())],
            "{text}"
        );
    }
}

#[test]
fn keys_of_json_match_in_any_case_with_a_warning() {
    let (node, told) = typed(
        r#"{"Storage": {"diſKs": [], "FILES": [{"PATH": "/a"}]}}"#,
        NEWEST,
    );
    assert_eq!(told.len(), 4);
    assert!(
        told.iter().all(|(code, ..)| *code == "key-case"),
        "{told:?}"
    );
    assert_eq!(told[1].1, "\"diſKs\"");
    let out = r#"{"storage":{"files":[{"path":"/a"}]}}"#;
    assert_eq!(write::json(&node, false).trim_end(), out);
    let (_, told) = typed(r#"{"Storage": {}}"#, butane("fcos", "1.6.0"));
    assert_eq!(told[0].0, "unused-key");
}

#[test]
fn repeated_keys_merge_objects_and_else_the_last_counts() {
    let cases = [
        (
            r#"{"storage": {"files": [{"path": "/a"}]}, "storage": {"disks": [{}]}}"#,
            r#"{"storage":{"disks":[{}],"files":[{"path":"/a"}]}}"#,
        ),
        (
            r#"{"storage": {"disks": [{}, {}]}, "STORAGE": {"disks": [{"device": "x"}]}}"#,
            r#"{"storage":{"disks":[{"device":"x"}]}}"#,
        ),
        (
            r#"{"passwd": {"users": [{"uid": 1, "uid": 2, "name": "a", "name": null}]}}"#,
            r#"{"passwd":{"users":[{"name":"a","uid":2}]}}"#,
        ),
        (
            r#"{"passwd": {"users": [{"uid": 1, "uid": null}]}, "passwd": null}"#,
            r#"{"passwd":{"users":[{}]}}"#,
        ),
    ];
    for (text, out) in cases {
        assert_eq!(written(text, NEWEST), out, "{text}");
    }
}

#[test]
fn null_is_absent_and_in_lists_of_json_an_empty_item() {
    let text = r#"{"storage": null, "passwd": {"users": [null, {"groups": [null], "uid": null}]}}"#;
    let json = r#"{"passwd":{"users":[{},{"groups":[""]}]}}"#;
    assert_eq!(written(text, NEWEST), json);
    let yaml = r#"{"passwd":{"users":[{}]}}"#;
    assert_eq!(written(text, butane("fcos", "1.6.0")), yaml);
}

#[test]
fn butane_spelling_gives_the_names_of_ignition() {
    let text = r#"{"variant": "fcos", "storage": {"disks": [{"wipe_table": true, "partitions":
        [{"size_mib": 1}]}], "trees": [{"local": "x"}]}, "boot_device": {"layout": "x86_64"}}"#;
    let (node, told) = typed(text, butane("fcos", "1.6.0"));
    assert_eq!(told, []);
    let out = concat!(
        r#"{"boot_device":{"layout":"x86_64"},"storage":{"disks":[{"partitions":"#,
        r#"[{"sizeMiB":1}],"wipeTable":true}],"trees":[{"local":"x"}]},"variant":"fcos"}"#,
    );
    assert_eq!(write::json(&node, false).trim_end(), out);
}

#[test]
fn labels_have_free_keys() {
    let text = r#"{"metadata": {"name": "a", "labels": {"x.io/y": "z", "n": null}}}"#;
    let (node, told) = typed(text, butane("openshift", "4.14.0"));
    assert_eq!(told, []);
    let metadata = node.as_object().unwrap().object("metadata").unwrap();
    let labels = metadata.get("labels").unwrap().as_labels().unwrap();
    assert_eq!(labels["x.io/y"].as_text(), Some("z"));
    assert_eq!(labels["n"].as_text(), Some(""));
    let text = r#"{"metadata": {"labels": {"x": 1}}}"#;
    assert_eq!(
        typed(text, butane("openshift", "4.14.0")).1[0].0,
        "wrong-type"
    );
}

#[test]
fn hints_tell_what_was_meant() {
    let ignition = |text| hint(text, Language::Ignition(2)).unwrap_or_default();
    assert_eq!(
        ignition(r#"{"kernelArguments": {}}"#),
        "`kernelArguments` needs Ignition 3.3.0 or later"
    );
    assert_eq!(ignition(r#"{"storge": {}}"#), "did you mean `storage`?");
    assert_eq!(ignition(r#"{"variant": ""}"#), "only Butane has `variant`");
    assert_eq!(ignition(r#"{"network": ""}"#), "");
    let fcos = |text| hint(text, butane("fcos", "1.4.0")).unwrap_or_default();
    assert_eq!(fcos(r#"{"grub": {}}"#), "`grub` needs fcos 1.5.0 or later");
    assert_eq!(
        fcos(r#"{"metadata": {}}"#),
        "the fcos variant has no `metadata`"
    );
    assert_eq!(
        fcos(r#"{"passwd": {"users": [{"homeDir": "/x"}]}}"#),
        "did you mean `home_dir`?"
    );
}

#[test]
fn a_fraction_is_dropped_with_a_warning() {
    let scalar = Scalar::Plain("420.7".into());
    let mut findings = Findings::new();
    let mut reader = Reader {
        language: butane("fcos", "1.6.0"),
        findings: &mut findings,
    };
    let raw = RawNode {
        span: Default::default(),
        value: RawValue::Scalar(scalar),
    };
    let node = reader.value(&raw, Kind::Integer).unwrap();
    assert_eq!(node.as_integer(), Some(420));
    assert_eq!(findings.iter().next().unwrap().code, "fraction-dropped");
}
