//! Help, man pages and completions: they exist for every command, fit a terminal of 80 columns,
//! and wrong usage is told apart by its exit status.

use std::fs;

use crate::command::run;

/// Every command that help shows, with its parents.
fn commands() -> Vec<Vec<String>> {
    let mut found = vec![vec![]];
    let mut next = 0;
    while let Some(parents) = found.get(next).cloned() {
        next += 1;
        let args: Vec<&str> = parents
            .iter()
            .map(String::as_str)
            .chain(["--help"])
            .collect();
        let text = String::from_utf8(run(&args, b"").quiet()).unwrap();
        let Some((_, list)) = text.split_once("\nCommands:\n") else {
            continue;
        };
        for line in list.lines().take_while(|line| !line.is_empty()) {
            // Descriptions that do not fit go on in deeper lines.
            let Some(name) = line
                .strip_prefix("  ")
                .filter(|rest| !rest.starts_with(' '))
            else {
                continue;
            };
            let name = name.split(' ').next().unwrap().to_owned();
            found.push([parents.clone(), vec![name]].concat());
        }
    }
    found
}

#[test]
fn all_help_fits_80_columns() {
    let commands = commands();
    assert!(commands.len() > 12, "{commands:?}");
    for command in &commands {
        for flag in ["--help", "-h"] {
            let args: Vec<&str> = command.iter().map(String::as_str).chain([flag]).collect();
            let text = String::from_utf8(run(&args, b"").quiet()).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{args:?}: {line}");
            }
        }
    }
}

#[test]
fn hidden_commands_and_options_are_not_in_the_help() {
    let help = |args: &[&str]| String::from_utf8(run(args, b"").quiet()).unwrap();
    assert!(!help(&["--help"]).contains("  dev "));
    assert!(!help(&["pack", "--help"]).contains("minimal-iso"));
    assert!(!help(&["install", "--help"]).contains("--firstboot-args"));
    assert_eq!(run(&["help"], b"").status, 2);
}

#[test]
fn man_pages_and_completions_are_written_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    run(&["pack", "man", path], b"").quiet();
    run(&["pack", "completions", path], b"").quiet();
    for command in commands() {
        let name = [vec!["coreos-installer".to_owned()], command]
            .concat()
            .join("-");
        let page = fs::read_to_string(dir.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(!dir.path().join("coreos-installer-dev.1").exists());
    for file in [
        "coreos-installer.bash",
        "_coreos-installer",
        "coreos-installer.fish",
    ] {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(text.contains("ignition-file"), "{file}");
    }
}

#[test]
fn wrong_usage_has_its_own_exit_status() {
    for args in [
        &["install"][..],
        &["nonsense"],
        &["install", "--nonsense", "/dev/null"],
        &["iso", "ignition"],
    ] {
        let ran = run(args, b"");
        assert_eq!(ran.status, 2, "{args:?}");
        assert_eq!(ran.out, b"");
    }
    let version = run(&["--version"], b"").quiet();
    assert_eq!(
        version,
        format!("coreos-installer {}\n", env!("CARGO_PKG_VERSION")).as_bytes()
    );
}
