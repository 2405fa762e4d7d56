//! Merging by table, by property, and with lists that would show a quadratic walk.

use proptest::prelude::*;
use serde_json::json;

use super::super::sample::{any_config, config, json};
use super::*;

fn merged(parent: serde_json::Value, child: serde_json::Value) -> serde_json::Value {
    json(&merge(config(parent), config(child)))
}

#[test]
fn the_childs_values_win_even_when_they_are_false_zero_or_empty() {
    let parent = json!({"ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 9, "httpResponseHeaders": 3}},
        "passwd": {"users": [{"name": "core", "shell": "/bin/sh", "uid": 9, "system": true, "gecos": "x"}]}});
    let child = json!({"ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 0}},
        "passwd": {"users": [{"name": "core", "shell": "", "uid": 0, "system": false}]}});
    let want = json!({"ignition": {"version": "3.4.0", "timeouts": {"httpTotal": 0, "httpResponseHeaders": 3}},
        "passwd": {"users": [{"name": "core", "shell": "", "uid": 0, "system": false, "gecos": "x"}]}});
    assert_eq!(merged(parent, child), want);
}

#[test]
fn keyed_lists_keep_the_parents_order_and_append_what_is_new() {
    let parent = json!({"systemd": {"units": [{"name": "b"}, {"name": "a", "mask": true, "contents": "old"}]}});
    let child = json!({"systemd": {"units": [{"name": "d"}, {"name": "a", "contents": "new"}, {"name": "c"}]}});
    let want = json!({"systemd": {"units":
        [{"name": "b"}, {"name": "a", "mask": true, "contents": "new"}, {"name": "d"}, {"name": "c"}]}});
    assert_eq!(merged(parent, child), want);
}

#[test]
fn strings_are_united_and_lists_without_keys_joined() {
    let parent = json!({"storage": {
        "raid": [{"name": "r", "devices": ["/a", "/b"], "options": ["x", "y"]}],
        "files": [{"path": "/f", "append": [{"source": "data:,a"}]}]}});
    let child = json!({"storage": {
        "raid": [{"name": "r", "devices": ["/c", "/b"], "options": ["y"]}],
        "files": [{"path": "/f", "append": [{"source": "data:,a"}]}]}});
    let want = json!({"storage": {
        "raid": [{"name": "r", "devices": ["/a", "/b", "/c"], "options": ["x", "y", "y"]}],
        "files": [{"path": "/f", "append": [{"source": "data:,a"}, {"source": "data:,a"}]}]}});
    assert_eq!(merged(parent, child), want);
}

#[test]
fn a_node_that_changes_its_type_leaves_the_parents_list() {
    let parent = json!({"storage": {"files": [{"path": "/a", "mode": 1}, {"path": "/b"}], "links": [{"path": "/c"}]}});
    let child = json!({"storage": {"links": [{"path": "/a"}], "directories": [{"path": "/c"}]}});
    let want = json!({"storage": {"files": [{"path": "/b"}], "links": [{"path": "/a"}], "directories": [{"path": "/c"}]}});
    assert_eq!(merged(parent, child), want);
    let parent = json!({"kernelArguments": {"shouldExist": ["a", "b"], "shouldNotExist": ["c"]}});
    let child = json!({"kernelArguments": {"shouldExist": ["c"], "shouldNotExist": ["b", "d"]}});
    let want =
        json!({"kernelArguments": {"shouldExist": ["a", "c"], "shouldNotExist": ["b", "d"]}});
    assert_eq!(merged(parent, child), want);
}

#[test]
fn a_header_without_value_removes_its_like_once() {
    let config = |headers: serde_json::Value| json!({"ignition": {"config": {"replace": {"source": "http://h/", "httpHeaders": headers}}}});
    let parent = config(
        json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}]),
    );
    let child = config(json!([{"name": "A"}, {"name": "B", "value": "9"}, {"name": "a"}]));
    let want =
        config(json!([{"name": "B", "value": "9"}, {"name": "C", "value": "3"}, {"name": "a"}]));
    assert_eq!(
        merged(parent, child),
        want,
        "names differ by case, and one without its like stays"
    );
}

#[test]
fn partitions_match_by_number_or_else_by_label_never_across() {
    let disk = |partitions: serde_json::Value| json!({"storage": {"disks": [{"device": "/dev/a", "partitions": partitions}]}});
    let parent =
        disk(json!([{"number": 1, "label": "x"}, {"label": "y", "sizeMiB": 1}, {"label": "1"}]));
    let child = disk(
        json!([{"number": 0, "label": "x"}, {"label": "y", "startMiB": 2}, {"number": 1, "resize": true}]),
    );
    let want = disk(
        json!([{"number": 1, "label": "x", "resize": true}, {"label": "y", "sizeMiB": 1, "startMiB": 2},
        {"label": "1"}, {"number": 0, "label": "x"}]),
    );
    assert_eq!(merged(parent, child), want);
}

#[test]
fn a_new_source_keeps_the_parents_compression_and_hash() {
    let file = |contents: serde_json::Value| json!({"storage": {"files": [{"path": "/f", "contents": contents}]}});
    let parent = file(
        json!({"source": "data:,a", "compression": "gzip", "verification": {"hash": "sha256-a"}}),
    );
    let child = file(json!({"source": "data:,b", "verification": {}}));
    let want = file(
        json!({"source": "data:,b", "compression": "gzip", "verification": {"hash": "sha256-a"}}),
    );
    assert_eq!(merged(parent, child), want);
}

#[test]
fn what_repeats_within_one_config_is_kept_for_the_duplicate_check() {
    let units = |units: serde_json::Value| json!({"systemd": {"units": units}});
    let parent = units(json!([{"name": "a", "mask": true}, {"name": "a", "mask": false}]));
    let child = units(json!([{"name": "a", "enabled": true}, {"name": "b"}, {"name": "b"}]));
    let want = units(
        json!([{"name": "a", "mask": true, "enabled": true}, {"name": "a", "mask": false},
        {"name": "b"}, {"name": "b"}]),
    );
    assert_eq!(merged(parent, child), want);
}

#[test]
fn twenty_thousand_items_on_both_sides_are_merged_in_one_walk() {
    let nodes = |list: &str, from: usize| {
        let items: Vec<_> = (from..from + 20_000)
            .map(|n| json!({"path": format!("/n{n}"), "mode": n}))
            .collect();
        json!({"storage": {list: items}})
    };
    let count = |merged: &serde_json::Value, list: &str| {
        merged["storage"][list].as_array().map_or(0, Vec::len)
    };
    let same = merged(nodes("files", 0), nodes("files", 10_000));
    assert_eq!(count(&same, "files"), 30_000);
    let moved = merged(nodes("files", 0), nodes("directories", 10_000));
    assert_eq!(
        (count(&moved, "files"), count(&moved, "directories")),
        (10_000, 20_000)
    );
}

/// The config without what keeps merging from being associative: headers that remove, items that
/// repeat, and nodes or kernel arguments that change their list.
fn plain(mut config: Node) -> Node {
    prune(Kind::Object(&ROOT), &mut config);
    config
}

fn prune(kind: Kind, node: &mut Node) {
    match (kind, &mut node.value) {
        (Kind::Object(of), Value::Object(object)) => {
            for field in of.fields {
                let moves =
                    shared(field).is_some() && !["files", "shouldExist"].contains(&field.name);
                if moves || field.name == HEADERS {
                    object.take(field.name);
                } else if let Some(node) = object.get_mut(field.name) {
                    prune(field.kind, node);
                }
            }
        }
        (Kind::List(of), Value::List(items)) => {
            let mut unique: Vec<Node> = Vec::new();
            for item in items.drain(..) {
                let key = keys::of(&item, of.key);
                if key.is_none() || unique.iter().all(|other| keys::of(other, of.key) != key) {
                    unique.push(item);
                }
            }
            unique.iter_mut().for_each(|item| prune(of.item, item));
            *items = unique;
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_is_associative(a in any_config(), b in any_config(), c in any_config()) {
        let (a, b, c) = (plain(a), plain(b), plain(c));
        let left = merge(merge(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(left, merge(a, merge(b, c)));
    }

    #[test]
    fn the_empty_config_changes_nothing_on_either_side(a in any_config()) {
        let empty = || config(json!({}));
        prop_assert_eq!(merge(a.clone(), empty()), a.clone());
        prop_assert_eq!(merge(empty(), a.clone()), a);
    }

    #[test]
    fn a_config_merged_over_itself_is_the_same_but_for_joined_lists(a in any_config()) {
        let twice = plain(merge(plain(a.clone()), plain(a.clone())));
        prop_assert_eq!(without_joined(twice), without_joined(plain(a)));
    }

    #[test]
    fn any_two_trees_merge_and_nothing_of_the_childs_objects_is_lost(a in any_config(), b in any_config()) {
        let merged = merge(a, b.clone());
        let names = |node: &Node| node.as_object().map(|o| o.members().map(|(n, _)| n).collect::<Vec<_>>());
        let (all, of_child) = (names(&merged).unwrap(), names(&b).unwrap());
        prop_assert!(of_child.iter().all(|name| all.contains(name)));
    }
}

fn without_joined(mut config: Node) -> Node {
    fn empty(kind: Kind, node: &mut Node) {
        match (kind, &mut node.value) {
            (Kind::Object(of), Value::Object(object)) => {
                for field in of.fields {
                    if let Some(node) = object.get_mut(field.name) {
                        empty(field.kind, node);
                    }
                }
            }
            (Kind::List(of), Value::List(items)) if of.key == ListKey::Exempt => items.clear(),
            (Kind::List(of), Value::List(items)) => {
                items.iter_mut().for_each(|item| empty(of.item, item))
            }
            _ => {}
        }
    }
    empty(Kind::Object(&ROOT), &mut config);
    config
}
