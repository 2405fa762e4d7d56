//! Which group of several a machine gets, found through the index and compared with asking each.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::mac::MacAddr;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

fn index(groups: &[(&str, &str)]) -> Index {
    let groups: BTreeMap<String, Selector> = groups
        .iter()
        .map(|(name, text)| ((*name).to_owned(), serde_saphyr::from_str(text).unwrap()))
        .collect();
    Index::new(groups.iter())
}

fn machine(facts: &[(&str, &str)]) -> Subject {
    let mut subject = Subject::new(MAC);
    for (name, value) in facts {
        subject.facts.say(name, value).unwrap();
    }
    subject
}

#[test]
fn each_kind_of_condition_chooses_its_machines() {
    for (selector, fits, fits_not) in [
        ("{mac: '52:54:00:12:34:56'}", &[][..], None),
        ("{mac: ['52-54-00-*']}", &[], None),
        ("{uuid: AB-1}", &[("uuid", "ab-1")], Some(("uuid", "ab-2"))),
        (
            "{serial: [X1, 'Y*']}",
            &[("serial", "Y7")],
            Some(("serial", "X2")),
        ),
        ("{asset: 'a 1'}", &[("asset", "a 1")], Some(("asset", "a1"))),
        (
            "{hostname: 'WEB*'}",
            &[("hostname", "Web1")],
            Some(("hostname", "db1")),
        ),
        (
            "{arch: arm64}",
            &[("arch", "aarch64")],
            Some(("arch", "x86_64")),
        ),
        (
            "{subnet: [10.1.0.0/16, 10.3.0.1]}",
            &[("address", "10.1.9.9")],
            Some(("address", "10.2.0.1")),
        ),
        (
            "{circuit-id: 'Gi1/0/*'}",
            &[("circuit-id", "Gi1/0/7")],
            Some(("circuit-id", "Gi1/1/7")),
        ),
        (
            "{labels: {rack: [r1, r2], row: '*'}}",
            &[("rack", "r2"), ("row", "x")],
            Some(("rack", "r3")),
        ),
        (
            "{not: {serial: X1, labels: {rack: r1}}}",
            &[("serial", "X2")],
            Some(("rack", "r1")),
        ),
    ] {
        let index = index(&[("g", selector)]);
        assert_eq!(index.best(&machine(fits)), Some("g"), "{selector}");
        let Some(other) = fits_not else { continue };
        assert_eq!(index.best(&machine(&[other])), None, "{selector}");
        // What was never said fits no wish, and no exclusion.
        let want = selector.starts_with("{not").then_some("g");
        assert_eq!(index.best(&machine(&[])), want, "{selector}");
    }
}

#[test]
fn the_closer_description_wins_whatever_the_names() {
    let facts = [
        ("serial", "S1"),
        ("arch", "x86_64"),
        ("rack", "r1"),
        ("address", "10.1.2.3"),
    ];
    // Each beats all before it.
    let order = [
        "{}",
        "{subnet: 10.0.0.0/8}",
        "{subnet: 10.1.0.0/16}",
        "{arch: x86_64}",
        "{subnet: 10.0.0.0/8, serial: 'S*'}",
        "{arch: x86_64, labels: {rack: 'r*'}}",
        "{arch: x86_64, labels: {rack: r1}}",
        "{arch: x86_64, labels: {rack: r1}, not: {serial: S2}}",
        "{serial: S1}",
        "{mac: '52:54:00:12:34:56', arch: x86_64}",
    ];
    for (at, better) in order.iter().enumerate() {
        for worse in &order[..at] {
            for names in [("a", "b"), ("b", "a")] {
                let index = index(&[(names.0, better), (names.1, worse)]);
                assert_eq!(
                    index.best(&machine(&facts)),
                    Some(names.0),
                    "{better} over {worse}"
                );
                assert_eq!(index.ties(), [], "{better} {worse}");
            }
        }
    }
}

#[test]
fn groups_that_only_their_names_tell_apart_are_known_and_the_first_name_wins() {
    for (a, b, tied) in [
        ("{arch: x86_64}", "{labels: {rack: r1}}", true),
        ("{serial: 'A*'}", "{hostname: 'web*'}", true),
        ("{serial: [A, B]}", "{serial: [B, C]}", true),
        ("{serial: 'A*'}", "{serial: 'AB*'}", false),
        ("{serial: 'A*'}", "{serial: 'B*'}", false),
        ("{subnet: 10.1.0.0/16}", "{subnet: 10.2.0.0/16}", false),
        ("{arch: x86_64}", "{arch: aarch64}", false),
        (
            "{arch: x86_64, labels: {a: b}}",
            "{arch: aarch64, serial: 'x*'}",
            false,
        ),
        ("{not: {arch: x86_64}}", "{not: {arch: aarch64}}", true),
        (
            "{labels: {rack: r1}, not: {arch: x86_64}}",
            "{hostname: 'a*', arch: x86_64}",
            false,
        ),
    ] {
        for (x, y) in [(a, b), (b, a)] {
            let index = index(&[("one", x), ("two", y)]);
            let want: &[(&str, &str)] = if tied { &[("one", "two")] } else { &[] };
            assert_eq!(index.ties(), want, "{x} {y}");
        }
    }
    let index = index(&[("z", "{arch: x86_64}"), ("y", "{labels: {rack: rack-1}}")]);
    assert_eq!(
        index.best(&machine(&[("arch", "amd64"), ("rack", "rack-1")])),
        Some("y")
    );
}

#[test]
fn selectors_that_are_not_meant_so_are_refused() {
    for (text, want) in [
        ("{mac: []}", "an empty list"),
        ("{serial: 7}", "quote numbers"),
        ("{labels: {Rack: x}}", "name of a label"),
        ("{not: {not: {serial: x}}}", "`not` within `not`"),
        ("{arch: vax}", "not an architecture"),
        ("{subnet: 10.0.0.1/8}", "the subnet is 10.0.0.0/8"),
        ("{racks: x}", "racks"),
    ] {
        let told = serde_saphyr::from_str::<Selector>(text)
            .unwrap_err()
            .to_string();
        assert!(told.contains(want), "{text}: {told}");
    }
}

#[test]
fn a_selector_makes_samples_of_the_machines_that_it_names() {
    let text = "{serial: [S1, S2], arch: aarch64, subnet: 10.1.0.0/16, labels: {rack: 'r*'}}";
    let selector: Selector = serde_saphyr::from_str(text).unwrap();
    let samples = selector.samples();
    assert_eq!(samples.len(), 2);
    for (sample, serial) in samples.iter().zip(["S1", "S2"]) {
        assert_eq!(sample.facts.serial.as_deref(), Some(serial));
        let mac = sample.mac.to_string();
        let known = Known {
            mac: &mac,
            subject: sample,
        };
        assert_eq!(selector.first_failing(&known), None);
    }
    let class: Selector = serde_saphyr::from_str("{arch: aarch64, mac: '52:54:00:*'}").unwrap();
    assert_eq!(class.samples(), []);
}

fn any_selector() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec!["a", "ab", "'a*'", "'*'", "[a, 'b*']", "b"]);
    let field = prop::sample::select(vec!["serial", "asset", "circuit-id"]);
    let condition = (field, value).prop_map(|(field, value)| format!("{field}: {value}"));
    let unique = |all: Vec<String>| {
        let mut by_field: BTreeMap<String, String> = BTreeMap::new();
        for condition in all {
            by_field.insert(condition.split(':').next().unwrap().to_owned(), condition);
        }
        by_field.into_values().collect::<Vec<_>>().join(", ")
    };
    let all = prop::collection::vec(condition, 0..3).prop_map(unique);
    let net = prop::sample::select(vec!["", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.1"]);
    (all.clone(), all, net).prop_map(|(want, not, net)| {
        let not = if not.is_empty() {
            String::new()
        } else {
            format!("not: {{{not}}}")
        };
        let net = if net.is_empty() {
            String::new()
        } else {
            format!("subnet: {net}")
        };
        let parts: Vec<String> = [want, not, net]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        format!("{{{}}}", parts.join(", "))
    })
}

proptest! {
    #[test]
    fn the_index_finds_what_asking_every_group_finds(
        selectors in prop::collection::vec(any_selector(), 1..12),
        serial in "[ab]{0,2}", asset in "[ab]{0,2}", circuit in "[ab]{0,2}",
        address in prop::sample::select(vec!["", "10.1.1.1", "10.1.2.2", "10.9.9.9", "1.1.1.1"]),
    ) {
        let names: Vec<String> = (0..selectors.len()).map(|n| format!("g{n:02}")).collect();
        let groups: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(selectors.iter().map(String::as_str)).collect();
        let index = index(&groups);
        let subject = machine(&[
            ("serial", &serial), ("asset", &asset), ("circuit-id", &circuit), ("address", address),
        ]);
        let mac = subject.mac.to_string();
        let known = Known { mac: &mac, subject: &subject };
        let matching = index.groups.iter().filter(|(_, selector)| {
            selector.conditions.iter().all(|condition| condition.holds(&known))
        });
        let mut asked: Vec<(Specificity, &str)> =
            matching.map(|(name, selector)| (selector.specificity(&known), name.as_str())).collect();
        asked.sort_by(|(a, x), (b, y)| b.cmp(a).then(x.cmp(y)));
        prop_assert_eq!(index.best(&subject), asked.first().map(|(_, name)| *name));
        // No tie at run time that was not foretold.
        if let [(a, x), (b, y), ..] = asked.as_slice() && a == b {
            prop_assert!(index.ties().contains(&(*x, *y)), "{} {}", x, y);
        }
    }
}
