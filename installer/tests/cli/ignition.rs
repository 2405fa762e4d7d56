//! `ignition validate|merge|upgrade|show|identity`, for both languages.

use std::fs;

use serde_json::{Value, json};

use crate::command::{Ran, run};

const BUTANE: &str = "variant: fcos\nversion: 1.6.0\nstorage: {files: [{path: /b, mode: 0644}]}\n";

fn ignition(args: &[&str], stdin: &str) -> Ran {
    run(&[&["ignition"], args].concat(), stdin.as_bytes())
}

fn config(version: &str, storage: Value) -> String {
    json!({"ignition": {"version": version}, "storage": storage}).to_string()
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// A directory with files of these names and contents.
fn directory(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let write = |(name, content): &(&str, &str)| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let paths = files.iter().map(write).collect();
    (dir, paths)
}

#[test]
fn configs_of_both_languages_are_validated_each_on_its_own() {
    let file = json!({"files": [{"path": "/b", "mode": 0o644}]});
    let good = config("3.4.0", file);
    let bad = config("3.4.0", json!({"files": [{"path": "/b", "mode": "0644"}]}));
    let (_dir, paths) = directory(&[("a.ign", &good), ("b.bu", BUTANE), ("c.ign", &bad)]);
    assert_eq!(ignition(&["validate"], &good).quiet(), b"");
    assert_eq!(ignition(&["validate", "-"], BUTANE).quiet(), b"");
    assert_eq!(
        ignition(&["validate", &paths[0], &paths[1]], "").quiet(),
        b""
    );
    let ran = ignition(
        &["validate", "--raw-errors", &paths[0], &paths[1], &paths[2]],
        "",
    );
    assert_eq!((ran.status, ran.out.as_slice()), (1, b"".as_slice()));
    let want = format!("{}: error at $.storage.files.0.mode, line 1 col ", paths[2]);
    assert!(ran.err.starts_with(&want), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1);
}

#[test]
fn parse_errors_have_no_path() {
    ignition(&["validate", "--raw-errors"], "{\n  nope}").fails(
        1,
        "error at line 2 col 3: expected a key in double quotes, found `n`\n",
    );
    let ran = run(&["ignition", "validate", "--raw-errors"], b"{\n\"\xff\"");
    ran.fails(1, "error at line 2 col 2: the config is not UTF-8 text\n");
    let ran = run(
        &["ignition", "validate", "--raw-errors"],
        b"variant: fcos\nx: \xff",
    );
    ran.fails(1, "error at line 2 col 4: the config is not UTF-8 text\n");
}

#[test]
fn a_spec_newer_than_known_is_a_warning_and_an_experimental_one_an_error() {
    let newer = r#"{"ignition": {"version": "3.9.0"}, "x": 1}"#;
    let ran = ignition(&["validate", "--raw-errors"], newer);
    assert_eq!(ran.status, 0);
    assert!(
        ran.err
            .starts_with("warning at $.ignition.version, line 1 col 26: "),
        "{}",
        ran.err
    );
    assert_eq!(ignition(&["validate", "--strict"], newer).status, 1);
    assert_eq!(ignition(&["merge", "-"], newer).out, newer.as_bytes());
    let (_dir, paths) = directory(&[("a.ign", newer), ("b.bu", BUTANE)]);
    let ran = ignition(&["merge", &paths[0], &paths[1]], "");
    let want = "error: Ignition spec 3.9.0 is newer than this program\n\
        hint:  take a newer release of this program\n";
    assert_eq!((ran.status, ran.err.as_str()), (1, want));
    let experimental = r#"{"ignition": {"version": "3.7.0-experimental"}}"#;
    assert_eq!(ignition(&["validate"], experimental).status, 1);
    ignition(&["validate", "--experimental"], experimental).quiet();
}

#[test]
fn merging_takes_the_newest_spec_and_checks_the_result() {
    let files = json!({"files": [{"path": "/a", "mode": 0o600}]});
    let first = config("3.1.0", files);
    let (_dir, paths) = directory(&[("a.ign", &first), ("b.bu", BUTANE)]);
    let merged = ignition(&["merge", &paths[0], &paths[1]], "").quiet();
    let want = json!({
        "ignition": {"version": "3.5.0"},
        "storage": {"files": [{"path": "/a", "mode": 0o600}, {"path": "/b", "mode": 0o644}]},
    });
    assert_eq!(json_of(&merged), want);
    assert_eq!(ignition(&["merge"], "").status, 2);
}

#[test]
fn upgrades_go_up_only() {
    let old = config("3.2.0", json!({"files": [{"path": "/a"}]}));
    let version = |args: &[&str]| {
        let made = ignition(&[&["upgrade"], args].concat(), &old).quiet();
        json_of(&made)["ignition"]["version"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(version(&[]), "3.6.0");
    assert_eq!(version(&["--to", "3.5.0"]), "3.5.0");
    assert_eq!(version(&["--to", "3.2.0"]), "3.2.0");
    assert_eq!(
        version(&["--to", "3.7.0-experimental", "--experimental"]),
        "3.7.0-experimental"
    );
    ignition(&["upgrade", "--to", "3.1.0"], &old).fails(
        1,
        "error: the config is of Ignition spec 3.2.0 already, newer than 3.1.0\n\
         hint:  configs are only ever brought to newer specs\n",
    );
    ignition(&["upgrade", "--to", "3.7.0-experimental"], &old).fails(
        1,
        "error: Ignition spec 3.7.0-experimental is experimental\n\
         hint:  allow it with `--experimental`\n",
    );
    assert_eq!(ignition(&["upgrade", "--to", "3.4"], &old).status, 2);
}

#[test]
fn showing_merges_what_the_config_holds_and_lists_what_needs_the_network() {
    let child = "data:,%7B%22ignition%22%3A%7B%22version%22%3A%223.4.0%22%7D%2C%22storage%22%3A%7B%22files%22%3A%5B%7B%22path%22%3A%22%2Fa%22%7D%5D%7D%7D";
    let text = json!({
        "ignition": {"version": "3.4.0", "config": {"merge": [{"source": child}]}},
        "storage": {"files": [{"path": "/b", "contents": {"source": "https://example.com/b"}}]},
    })
    .to_string();
    let ran = ignition(&["show", "--pretty"], &text);
    assert_eq!(ran.status, 0);
    let shown = json_of(&ran.out);
    let paths: Vec<&str> = shown["storage"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    assert_eq!(paths, ["/b", "/a"]);
    assert!(!ran.out.windows(5).any(|bytes| bytes == b"merge"));
    let column = text.find("\"https:").unwrap() + 1;
    let want = format!(
        "needs the network: -: $.storage.files.0.contents.source, line 1 col {column}: the URL is fetched\n"
    );
    assert_eq!(ran.err, want);
}

#[test]
fn the_identity_is_that_of_the_bytes_which_are_delivered() {
    let text = "{ \"ignition\": {\"version\": \"3.4.0\"} }\n";
    let digest = embed::digest::Sha512Digest::of(text.as_bytes());
    assert_eq!(
        ignition(&["identity"], text).quiet(),
        format!("{digest}\n").as_bytes()
    );
    let made = run(&["butane"], BUTANE.as_bytes()).quiet();
    let digest = embed::digest::Sha512Digest::of(&made);
    assert_eq!(
        ignition(&["identity"], BUTANE).quiet(),
        format!("{digest}\n").as_bytes()
    );
    let wrapped = run(&["pxe", "ignition", "wrap"], BUTANE.as_bytes()).quiet();
    assert_eq!(run(&["pxe", "ignition", "unwrap"], &wrapped).quiet(), made);
}
