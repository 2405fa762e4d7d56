//! Trees as wholes: the newer spec wins, and what is written is what is read again.

use proptest::prelude::*;
use serde_json::json;

use super::super::sample::{any_config, config, json};
use super::super::{ReadOptions, read};
use super::*;
use crate::schema::{EXPERIMENTAL, NEWEST};
use crate::tree::Sources;

fn tree(minor: Minor, json: serde_json::Value) -> Tree {
    Tree::new(config(json), minor)
}

#[test]
fn merging_brings_both_to_the_newer_spec() {
    let file = |version: &str, mode: i64| json!({"ignition": {"version": version}, "storage": {"files": [{"path": "/f", "mode": mode}]}});
    let mask = |merged: Tree| {
        let json = json(merged.root());
        (
            merged.minor(),
            json["ignition"]["version"].clone(),
            json["storage"]["files"][0]["mode"].clone(),
        )
    };
    let (old, new) = (
        tree(2, file("3.2.0", 0o4755)),
        tree(6, json!({"ignition": {"version": "3.6.0"}})),
    );
    let want = (6, json!("3.6.0"), json!(0o755));
    assert_eq!(mask(old.clone().merged(new.clone())), want);
    assert_eq!(mask(new.merged(old.clone())), want);
    assert_eq!(
        mask(old.clone().merged(old)),
        (2, json!("3.2.0"), json!(0o4755))
    );
}

#[test]
fn the_config_of_a_tree_is_its_json_in_one_line() {
    let tree = tree(
        3,
        json!({"ignition": {"version": "3.3.0"}, "storage": {"files": []}}),
    );
    let config = tree.to_config();
    assert_eq!(config.bytes(), b"{\"ignition\":{\"version\":\"3.3.0\"}}\n");
    assert_eq!(Config::parse(config.bytes()), Ok(config));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_upgraded_config_reads_at_its_new_spec_without_findings(a in any_config(), to in NEWEST..=EXPERIMENTAL) {
        let tree = Tree::new(a, 0).upgraded(to);
        let mut sources = Sources::new();
        let options = ReadOptions { experimental: true };
        let (read, findings) = read(&mut sources, "c", tree.to_json(true), &options);
        prop_assert!(findings.iter().all(|finding| finding.code != "unused-key" && finding.code != "wrong-type"));
        if let Some(read) = read {
            prop_assert_eq!(read.tree.unwrap().to_json(false), tree.to_json(false));
        }
    }
}
