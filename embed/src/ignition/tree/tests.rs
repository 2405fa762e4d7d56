//! Trees as wholes: the newer spec wins, and what is written is what is read again.

use proptest::prelude::*;
use serde_json::json;

use super::super::sample::{any_config, config, json};
use super::super::{ReadOptions, read};
use super::*;
use crate::digest::Sha512Digest;
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

/// Valid configs of all sections, each as far as its spec has them.
fn valid(minor: Minor) -> serde_json::Value {
    let clevis =
        json!({"tang": [{"url": "http://t/", "thumbprint": "x"}], "tpm2": true, "threshold": 2});
    let hash = format!("sha512-{}", Sha512Digest::of(b"hi"));
    let mut config = json!({
        "ignition": {"version": version(minor), "timeouts": {"httpTotal": 0},
            "security": {"tls": {"certificateAuthorities": [{"source": "data:,ca"}]}}},
        "passwd": {"users": [{"name": "core", "sshAuthorizedKeys": ["k"], "uid": 0}], "groups": [{"name": "g"}]},
        "storage": {
            "disks": [{"device": "/dev/a", "wipeTable": true, "partitions": [{"number": 1, "label": "x", "sizeMiB": 0}]}],
            "raid": [{"name": "r", "level": "raid1", "devices": ["/dev/b", "/dev/c"]}],
            "filesystems": [{"device": "/dev/d", "format": "ext4", "path": "/var", "label": ""}],
            "files": [{"path": "/f", "mode": 0o1777, "overwrite": false, "user": {"id": 0},
                "contents": {"source": "data:,hi", "verification": {"hash": hash}}}],
            "directories": [{"path": "/d", "mode": 0o755}],
            "links": [{"path": "/l", "target": "/f", "hard": false}]},
        "systemd": {"units": [{"name": "a.service", "enabled": true, "contents": "[Install]\nWantedBy=x",
            "dropins": [{"name": "d.conf", "contents": ""}]}]}});
    if minor >= 2 {
        config["storage"]["luks"] = json!([{"name": "l", "device": "/dev/e", "clevis": clevis}]);
    }
    if minor >= 3 {
        config["kernelArguments"] = json!({"shouldExist": ["a"], "shouldNotExist": ["b"]});
    }
    if minor >= 4 {
        config["storage"]["luks"][0]["clevis"]["tang"][0]["advertisement"] = json!("{}");
    }
    config
}

#[test]
fn valid_configs_of_every_spec_stay_valid_when_they_are_upgraded() {
    let options = ReadOptions { experimental: true };
    for from in 0..=NEWEST {
        let name = version(from);
        let mut sources = Sources::new();
        let (config, findings) = read(&mut sources, name, valid(from).to_string(), &options);
        let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        let special: &[_] = if from < 6 {
            &["mode-special-bits"]
        } else {
            &[]
        };
        assert_eq!(codes, special, "{name}");
        for to in from + 1..=EXPERIMENTAL {
            let tree = config.clone().unwrap().tree.unwrap().upgraded(to);
            let (again, findings) = read(&mut sources, name, tree.to_json(false), &options);
            let again = again
                .unwrap_or_else(|| panic!("{name} to {to}: {findings:?}"))
                .tree
                .unwrap();
            assert_eq!((again.minor(), json(again.root())), (to, json(tree.root())));
        }
    }
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
