//! The verdicts of the corpus against those of Ignition's own validator, where it is installed.
//! The one that distributions ship may be old: specs that it does not know are left out, and so
//! are the rules that came later.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Case, cases, found, versioned};
use crate::ignition::rules::codes;
use crate::schema::{Minor, version};

const VALIDATOR: &str = "/usr/bin/ignition-validate";

/// Younger than the oldest validator that is compared with.
const LATER_RULES: [&str; 1] = [codes::PATH_IS_UNIT];
/// Fields that the draft of 3.4.0 did not have yet, which some know instead.
const LATER_FIELDS: [&str; 2] = ["openOptions", "advertisement"];

fn accepts(text: &str) -> bool {
    let mut child = Command::new(VALIDATOR)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    child.wait().unwrap().success()
}

/// The version as the validator knows it; none if it does not.
fn known(minor: Minor) -> Option<String> {
    let stable = version(minor).to_owned();
    let names = [format!("{stable}-experimental"), stable];
    let mut names = names.into_iter().rev();
    names.find(|name| accepts(&versioned(r#"{"passwd":{}}"#, name)))
}

fn is_younger(case: &Case) -> bool {
    let mut codes = case
        .wanted
        .iter()
        .filter_map(|wanted| wanted.split(' ').nth(1));
    let mut fields = LATER_FIELDS.iter();
    codes.any(|code| LATER_RULES.contains(&code)) || fields.any(|field| case.config.contains(field))
}

#[test]
fn verdicts_are_those_of_the_original_validator() {
    if !Path::new(VALIDATOR).exists() {
        println!("SKIP: {VALIDATOR} is not installed");
        return;
    }
    let mut compared = 0;
    for minor in 0..=crate::schema::NEWEST {
        let Some(name) = known(minor) else {
            continue;
        };
        for case in cases().filter(|case| case.minors.contains(&minor) && !is_younger(case)) {
            let ours = found(&versioned(case.config, version(minor)), minor);
            let ours = !ours.iter().any(|finding| finding.starts_with("error"));
            let theirs = accepts(&versioned(case.config, &name));
            assert_eq!(ours, theirs, "{name} {}", case.config);
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} compared");
}
