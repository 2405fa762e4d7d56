//! Configs that are made to be slow: every rule that compares items with each other must not
//! compare all with all. A quadratic one would run for minutes here.

use std::fmt::Write;

use super::{findings, versioned};

/// So many items.
const MANY: usize = 50_000;

fn list(item: impl Fn(usize) -> String) -> String {
    let mut list = String::new();
    for index in 0..MANY {
        let comma = if index == 0 { "" } else { "," };
        write!(list, "{comma}{}", item(index)).unwrap();
    }
    list
}

fn count(config: &str) -> usize {
    let (_, findings) = findings(&versioned(config, "3.6.0"), 6);
    findings.iter().count()
}

#[test]
fn many_partitions_side_by_side_are_compared_with_their_neighbours_only() {
    let partitions = list(|index| {
        let (number, start) = (index + 1, MANY - index);
        format!(r#"{{"number":{number},"startMiB":{start},"sizeMiB":1}}"#)
    });
    let disk =
        format!(r#"{{"storage":{{"disks":[{{"device":"/d","partitions":[{partitions}]}}]}}}}"#);
    assert_eq!(count(&disk), 0);
}

#[test]
fn many_nodes_and_links_are_sorted_not_paired() {
    let links = list(|index| format!(r#"{{"path":"/l{index}","target":"x"}}"#));
    let files = list(|index| format!(r#"{{"path":"/l{index}/f"}}"#));
    let config = format!(r#"{{"storage":{{"links":[{links}],"files":[{files}]}}}}"#);
    assert_eq!(count(&config), MANY);
}

#[test]
fn a_path_of_a_megabyte_under_many_links_is_walked_once() {
    let links = list(|index| format!(r#"{{"path":"/{}","target":"x"}}"#, index % 10));
    let path = "/1".repeat(1 << 19);
    let config = format!(r#"{{"storage":{{"links":[{links}],"files":[{{"path":"{path}"}}]}}}}"#);
    // All links but ten are duplicates; the file is beneath one of the ten.
    assert_eq!(count(&config), MANY - 10 + 1);
}

#[test]
fn many_instances_of_one_template_read_it_once() {
    let template = r#"{"name":"a@.service","contents":"[Unit]\nA=b"}"#;
    let units = list(|index| format!(r#"{{"name":"a@{index}.service","enabled":true}}"#));
    let config = format!(r#"{{"systemd":{{"units":[{template},{units}]}}}}"#);
    assert_eq!(count(&config), MANY);
}
