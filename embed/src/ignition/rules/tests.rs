//! Every rule at every version that it has a boundary at: a config, and the findings with their
//! codes and places. The cases are data, a file a section; verdicts are also compared with those
//! of Ignition's own validator where that is installed.

/// A config with one item, or several, in one list of its storage or of its units.
macro_rules! of {
    (contents: $text:literal) => {
        concat!(
            r#"{"storage":{"files":[{"path":"/a","contents":{"#,
            $text,
            "}}]}}"
        )
    };
    (partitions: $text:literal) => {
        concat!(
            r#"{"storage":{"disks":[{"device":"/d","partitions":["#,
            $text,
            "]}]}}"
        )
    };
    (luks: $text:literal) => {
        concat!(
            r#"{"storage":{"luks":[{"name":"a","device":"/d","#,
            $text,
            "}]}}"
        )
    };
    (units: $text:literal) => {
        concat!(r#"{"systemd":{"units":["#, $text, "]}}")
    };
    ($list:ident: $text:literal) => {
        concat!(
            r#"{"storage":{""#,
            stringify!($list),
            r#"":["#,
            $text,
            "]}}"
        )
    };
}

mod devices;
mod filesystems;
mod hostile;
mod nodes;
mod original;
mod resources;
mod units;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{check, codes};
use crate::finding::{Findings, Severity};
use crate::schema::{EXPERIMENTAL, Language, Minor, version};
use crate::tree::{Sources, json, typed};

/// A config without its version, the specs that it is checked at, and all findings, each as
/// `SEVERITY CODE PATH`. An absent field ends the path with `?FIELD`.
struct Case {
    minors: RangeInclusive<Minor>,
    config: &'static str,
    wanted: &'static [&'static str],
}

const fn case(
    minors: RangeInclusive<Minor>,
    config: &'static str,
    wanted: &'static [&'static str],
) -> Case {
    Case {
        minors,
        config,
        wanted,
    }
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [
        resources::CASES,
        nodes::CASES,
        devices::CASES,
        filesystems::CASES,
        units::CASES,
    ]
    .into_iter()
    .flatten()
}

/// The config with its version in it.
fn versioned(config: &str, version: &str) -> String {
    let version = format!("\"version\":\"{version}\"");
    match config.strip_prefix(r#"{"ignition":{"#) {
        Some(rest) => format!(r#"{{"ignition":{{{version},{rest}"#),
        None => format!(r#"{{"ignition":{{{version}}},{}"#, &config[1..]),
    }
}

fn findings(text: &str, minor: Minor) -> (Sources, Findings) {
    let mut sources = Sources::new();
    let id = sources.add("test", text).unwrap();
    let raw = json::read(id, text).unwrap();
    let mut findings = Findings::new();
    let node = typed::read(&raw, Language::Ignition(minor), &mut findings);
    sources.set_tree(id, raw);
    check(&node, minor, &mut findings);
    (sources, findings)
}

fn found(text: &str, minor: Minor) -> Vec<String> {
    let (sources, findings) = findings(text, minor);
    let sorted = findings.into_sorted().into_iter();
    sorted
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            let path = sources.path(finding.at.span);
            let absent = finding.at.absent.map(|field| format!("?{field}"));
            let absent = absent.unwrap_or_default();
            format!("{severity} {} {path}{absent}", finding.code)
        })
        .collect()
}

#[test]
fn every_case_has_exactly_its_findings_at_every_version() {
    for case in cases() {
        for minor in case.minors.clone() {
            let text = versioned(case.config, version(minor));
            let mut wanted: Vec<_> = case.wanted.to_vec();
            let mut found = found(&text, minor);
            wanted.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, wanted, "3.{minor}.0 {}", case.config);
        }
    }
}

#[test]
fn every_code_is_in_a_case_and_every_case_has_known_codes() {
    let in_cases: BTreeSet<_> = cases()
        .flat_map(|case| case.wanted)
        .filter_map(|wanted| wanted.split(' ').nth(1))
        .filter(|code| *code != "unused-key")
        .collect();
    let known: BTreeSet<_> = codes::ALL.iter().copied().collect();
    assert_eq!(known.len(), codes::ALL.len(), "a code is used twice");
    assert_eq!(in_cases, known);
}

#[test]
fn messages_are_one_plain_sentence() {
    for case in cases() {
        let minor = *case.minors.start();
        let (_, findings) = findings(&versioned(case.config, version(minor)), minor);
        for finding in findings.iter() {
            let message = &finding.message;
            assert!(
                !message.contains('\n') && !message.ends_with('.'),
                "{message}"
            );
            let first = message.chars().next().unwrap();
            let acronym = message.starts_with("URL") || message.starts_with("LUKS");
            assert!(!first.is_uppercase() || acronym, "{message}");
        }
    }
}

#[test]
fn boundaries_are_at_known_specs() {
    for case in cases() {
        assert!(*case.minors.end() <= EXPERIMENTAL, "{}", case.config);
    }
}
