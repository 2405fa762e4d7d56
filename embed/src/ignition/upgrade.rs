//! Configs of an older spec as configs of a newer one, meaning the same.
//!
//! Fields were only ever added, so most steps change the declared version alone. No way leads
//! back to an older spec.

use crate::schema::{Minor, version};
use crate::tree::node::{Node, Object, Value};

/// Bits of a mode that were ignored before they were honoured: setuid, setgid, sticky.
const SPECIAL_BITS: i64 = 0o7000;

type Step = fn(&mut Object);

/// What must change for a config to keep its meaning, by the spec that is stepped to.
const STEPS: &[(Minor, Step)] = &[(6, drop_special_bits)];

/// The config of spec `from` as one of spec `to`. One that is as new already stays as it is.
pub fn upgrade(mut config: Node, from: Minor, to: Minor) -> Node {
    let span = config.span;
    let Some(root) = config.as_object_mut().filter(|_| from < to) else {
        return config;
    };
    for (_, step) in STEPS.iter().filter(|(at, _)| from < *at && *at <= to) {
        step(root);
    }
    let ignition = root.object_mut("ignition", span);
    match ignition.get_mut("version") {
        Some(declared) => declared.value = Value::Text(version(to).to_owned()),
        None => {
            ignition.set("version", Node::text(span, version(to)));
        }
    }
    config
}

/// Until 3.5.0 the special bits were accepted and had no effect.
fn drop_special_bits(root: &mut Object) {
    let Some(storage) = root.get_mut("storage").and_then(Node::as_object_mut) else {
        return;
    };
    for list in ["files", "directories"] {
        let Some(Value::List(nodes)) = storage.get_mut(list).map(|list| &mut list.value) else {
            continue;
        };
        for node in nodes.iter_mut().filter_map(Node::as_object_mut) {
            if let Some(Value::Integer(mode)) = node.get_mut("mode").map(|mode| &mut mode.value) {
                *mode &= !SPECIAL_BITS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::merge::merge;
    use super::super::sample::{any_config, config, json};
    use super::*;
    use crate::schema::{EXPERIMENTAL, NEWEST};

    #[test]
    fn every_step_declares_the_version_and_only_the_sixth_drops_special_bits() {
        let at = |version: &str, mode: i64| {
            json!({"ignition": {"version": version}, "storage": {
                "files": [{"path": "/f", "mode": mode}, {"path": "/g"}],
                "directories": [{"path": "/d", "mode": mode}]}})
        };
        for (from, to, mode) in [
            (0, 5, 0o6755),
            (4, 4, 0o6755),
            (5, 6, 0o755),
            (0, 6, 0o755),
            (2, 7, 0o755),
            (6, 7, 0o6755),
        ] {
            let upgraded = upgrade(config(at(version(from), 0o6755)), from, to);
            assert_eq!(json(&upgraded), at(version(to), mode), "{from} to {to}");
        }
    }

    #[test]
    fn nothing_is_lost_not_even_tang_advertisements() {
        let luks = |version: &str| {
            json!({"ignition": {"version": version}, "storage": {"luks": [{"name": "n",
                "clevis": {"tang": [{"url": "http://t/", "thumbprint": "t", "advertisement": "{}"}]}}]}})
        };
        let upgraded = upgrade(config(luks("3.4.0")), 4, NEWEST);
        assert_eq!(json(&upgraded), luks("3.6.0"));
    }

    #[test]
    fn an_older_spec_and_a_bare_config_are_no_obstacle() {
        let newer = config(json!({"ignition": {"version": "3.6.0"}}));
        assert_eq!(upgrade(newer.clone(), 6, 2), newer);
        assert_eq!(upgrade(config(json!({})), 0, 6), newer);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn step_by_step_is_the_same_as_at_once(a in any_config(), from in 0..=NEWEST, by in 0..=EXPERIMENTAL) {
            let halfway = upgrade(a.clone(), from, by);
            let late = upgrade(halfway, from.max(by), EXPERIMENTAL);
            prop_assert_eq!(late, upgrade(a, from, EXPERIMENTAL));
        }

        #[test]
        fn upgrading_before_or_after_merging_is_the_same(a in any_config(), b in any_config()) {
            let late = upgrade(merge(a.clone(), b.clone()), 0, NEWEST);
            let early = merge(upgrade(a, 0, NEWEST), upgrade(b, 0, NEWEST));
            prop_assert_eq!(json(&late), json(&early));
        }
    }
}
