//! Rendering by table: order, what stays in its URL, bounds, and places within children.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::*;
use crate::digest::Sha512Digest;
use crate::ignition::sample::json;
use crate::tree::SourceId;

fn data(bytes: &[u8]) -> String {
    format!("data:;base64,{}", STANDARD.encode(bytes))
}

/// A reference to `config`.
fn to(config: &Json) -> Json {
    json!({"source": data(config.to_string().as_bytes())})
}

/// A config of `version` that has unit `name` and refers to others.
fn unit(version: &str, name: &str, references: Json) -> Json {
    json!({"ignition": {"version": version, "config": references},
        "systemd": {"units": [{"name": format!("{name}.service"), "mask": true}]}})
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

struct Ran {
    rendered: Option<Rendered>,
    findings: Vec<(&'static str, String)>,
    sources: Sources,
}

fn run(config: &Json) -> Ran {
    let mut sources = Sources::new();
    let options = ReadOptions::default();
    let (config, findings) = read::read(&mut sources, "c.ign", config.to_string(), &options);
    let tree = config
        .unwrap_or_else(|| panic!("{findings:?}"))
        .tree
        .unwrap();
    let (rendered, findings) = within(1 << 20, &mut sources, "c.ign", tree, &options);
    let name = |id: SourceId| sources.get(id).unwrap().name.clone();
    let findings = findings
        .iter()
        .map(|f| (f.code, name(f.at.span.source)))
        .collect();
    Ran {
        rendered,
        findings,
        sources,
    }
}

/// The config rendered without findings.
fn rendered(config: &Json) -> (Json, Vec<Need>) {
    let ran = run(config);
    assert_eq!(ran.findings, []);
    let Rendered { tree, needs } = ran.rendered.unwrap();
    (json(&tree.root().clone()), needs)
}

fn units(config: &Json) -> Vec<&str> {
    let units = config["systemd"]["units"].as_array().unwrap();
    units
        .iter()
        .map(|unit| unit["name"].as_str().unwrap().trim_end_matches(".service"))
        .collect()
}

/// How many references are left.
fn left(config: &Json) -> usize {
    config["ignition"]["config"]["merge"]
        .as_array()
        .map_or(0, Vec::len)
}

#[test]
fn children_are_merged_from_left_to_right_each_after_its_own() {
    let deepest = unit("3.1.0", "deepest", json!({}));
    let first = unit("3.0.0", "first", json!({"merge": [to(&deepest)]}));
    let second = unit("3.4.0", "second", json!({}));
    let (config, needs) = rendered(&unit(
        "3.2.0",
        "parent",
        json!({"merge": [to(&first), to(&second)]}),
    ));
    assert_eq!(units(&config), ["parent", "first", "deepest", "second"]);
    assert_eq!((left(&config), needs.len()), (0, 0));
    assert_eq!(config["ignition"]["version"], "3.4.0");
}

#[test]
fn a_replacement_is_all_that_is_left_and_its_children_count() {
    let child = unit("3.3.0", "child", json!({}));
    let other = unit("3.3.0", "other", json!({"merge": [to(&child)]}));
    let references =
        json!({"replace": to(&other), "merge": [to(&unit("3.6.0", "never", json!({})))]});
    let (config, _) = rendered(&unit("3.6.0", "parent", references));
    assert_eq!(units(&config), ["other", "child"]);
    assert_eq!(config["ignition"]["version"], "3.3.0");
}

#[test]
fn what_follows_an_unreachable_child_stays_with_it() {
    let (a, b) = (unit("3.4.0", "a", json!({})), unit("3.4.0", "b", json!({})));
    let remote = json!({"source": "https://h/c.ign"});
    let (config, needs) = rendered(&unit(
        "3.4.0",
        "parent",
        json!({"merge": [to(&a), remote, to(&b)]}),
    ));
    assert_eq!(units(&config), ["parent", "a"]);
    assert_eq!(
        config["ignition"]["config"]["merge"],
        json!([remote, to(&b)])
    );
    assert_eq!(needs.len(), 1);
}

#[test]
fn a_child_that_refers_to_an_unreachable_one_stays_and_its_needs_are_told() {
    let remote = json!({"source": "https://h/c.ign"});
    let outer = unit("3.4.0", "outer", json!({"merge": [remote]}));
    let (config, needs) = rendered(&unit("3.4.0", "parent", json!({"merge": [to(&outer)]})));
    assert_eq!((units(&config), left(&config)), (vec!["parent"], 1));
    assert_eq!(needs.len(), 1);
    let (config, needs) = rendered(&unit("3.4.0", "parent", json!({"replace": to(&outer)})));
    assert_eq!(
        (units(&config), left(&config)),
        (vec!["outer"], 1),
        "a replacement is rendered as far as it goes"
    );
    assert_eq!(needs.len(), 1);
    let (config, needs) = rendered(&unit("3.4.0", "parent", json!({"replace": remote})));
    assert_eq!((units(&config), needs.len()), (vec!["parent"], 1));
}

#[test]
fn compressed_and_verified_children_are_unpacked_first() {
    let child = unit("3.4.0", "child", json!({})).to_string();
    let (head, tail) = child.as_bytes().split_at(20);
    let hash = format!("sha512-{}", Sha512Digest::of(child.as_bytes()));
    for packed in [
        gzipped(child.as_bytes()),
        [gzipped(head), gzipped(tail)].concat(),
    ] {
        let reference = json!({"source": data(&packed), "compression": "gzip", "verification": {"hash": hash.to_uppercase().replace("SHA", "sha")}});
        let (config, _) = rendered(&unit("3.4.0", "parent", json!({"merge": [reference]})));
        assert_eq!(units(&config), ["parent", "child"]);
    }
}

#[test]
fn bad_contents_are_reported_where_they_are_referred_to() {
    let child = unit("3.4.0", "child", json!({})).to_string();
    let bomb = gzipped(&vec![b' '; (1 << 20) + 1]);
    for (reference, code) in [
        (
            json!({"source": data(child.as_bytes()), "compression": "gzip"}),
            "not-gzip",
        ),
        (
            json!({"source": data(&bomb), "compression": "gzip"}),
            "too-much",
        ),
        (
            json!({"source": data(child.as_bytes()), "verification": {"hash": format!("sha256-{}", "0".repeat(64))}}),
            "hash-mismatch",
        ),
        (
            json!({"source": data(child.as_bytes()), "verification": {"hash": format!("sha256-{}", "g".repeat(64))}}),
            "hash-mismatch",
        ),
    ] {
        let ran = run(&unit("3.4.0", "parent", json!({"merge": [reference]})));
        assert_eq!(ran.findings, [(code, "c.ign".into())]);
        assert!(ran.rendered.is_none());
    }
}

#[test]
fn all_bad_children_are_found_in_their_own_texts() {
    let nested = unit("3.4.0", "n", json!({"merge": [{"source": data(b"{")}]}));
    let references = json!({"merge": [{"source": "data:,"}, to(&nested), to(&json!({"ignition": {"version": "2.0.0"}})),
        {"source": "https://h/"}, to(&unit("3.7.0-experimental", "x", json!({})))]});
    let ran = run(&unit("3.4.0", "parent", references));
    let want = [
        ("empty", "merge[0] of c.ign"),
        ("json-syntax", "merge[0] of merge[1] of c.ign"),
        ("version-unsupported", "merge[2] of c.ign"),
        ("version-experimental", "merge[4] of c.ign"),
    ];
    assert_eq!(
        ran.findings,
        want.map(|(code, name)| (code, name.to_owned()))
    );
    assert!(ran.rendered.is_none() && ran.sources.get(SourceId::default()).is_some());
}

#[test]
fn a_result_that_is_invalid_though_its_parts_are_not_is_found() {
    let storage = |storage: Json, references: Json| json!({"ignition": {"version": "3.4.0", "config": references}, "storage": storage});
    let child = storage(
        json!({"links": [{"path": "/a", "target": "/b"}]}),
        json!({}),
    );
    let parent = storage(
        json!({"files": [{"path": "/a/f"}]}),
        json!({"merge": [to(&child)]}),
    );
    let ran = run(&parent);
    let codes: Vec<_> = ran.findings.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["path-beneath-link"]);
    assert!(ran.rendered.is_none());
}

#[test]
fn a_child_of_a_newer_spec_stays_with_a_warning() {
    let newer = json!({"ignition": {"version": "3.9.0"}});
    let ran = run(&unit("3.4.0", "parent", json!({"merge": [to(&newer)]})));
    assert_eq!(
        ran.findings,
        [("version-newer", "merge[0] of c.ign".into())]
    );
    assert_eq!(left(&json(ran.rendered.unwrap().tree.root())), 1);
}

#[test]
fn depth_and_number_are_bounded() {
    let chain = |depth: usize| {
        let chain = |child: Json, _| unit("3.4.0", "u", json!({"merge": [to(&child)]}));
        (0..depth).fold(unit("3.4.0", "u", json!({})), chain)
    };
    assert!(run(&chain(DEPTH)).rendered.is_some());
    let ran = run(&chain(DEPTH + 1));
    let codes: Vec<_> = ran.findings.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["too-much"]);
    let many = |count: usize| {
        let child = |n: usize| to(&unit("3.4.0", &format!("u{n}"), json!({})));
        unit(
            "3.4.0",
            "p",
            json!({"merge": (0..count).map(child).collect::<Json>()}),
        )
    };
    let all = run(&many(CHILDREN)).rendered.unwrap();
    assert_eq!(units(&json(all.tree.root())).len(), CHILDREN + 1);
    assert_eq!(
        run(&many(CHILDREN + 5)).findings,
        [("too-much", "c.ign".into())]
    );
}
