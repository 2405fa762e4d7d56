//! Watching an installer: what is printed and kept, with programs in the installer's place.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

/// A program in the installer's place that does what `script` says.
fn program(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("installer");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

struct Ran {
    result: Result<(), InstallError>,
    printed: String,
    configs_left: bool,
    _dir: tempfile::TempDir,
}

fn run_with(script: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let (console, configs) = (dir.path().join("console"), dir.path().join("installer.d"));
    fs::write(&console, "").unwrap();
    fs::create_dir(&configs).unwrap();
    fs::write(configs.join("0000-x.yaml"), "").unwrap();
    let result = install(
        &Kargs::parse("coreos.inst.install_dev=/dev/null"),
        &program(dir.path(), script),
        &configs,
        &Consoles::of([console.clone()]),
        &Reporter::start(&[], Policy::default()).unwrap(),
    );
    let printed = fs::read_to_string(console).unwrap();
    Ran {
        result,
        printed,
        configs_left: configs.exists(),
        _dir: dir,
    }
}

#[test]
fn progress_is_printed_in_steps_and_configs_are_removed() {
    let ran = run_with(
        r#"echo '{"stage":"started","target":"/dev/vda"}'
        for n in 0 5 9 10 11 55 100; do echo "{\"stage\":\"copying\",\"bytes\":$n,\"total\":100}"; done
        echo 'not progress'; echo '{"stage":"sealing"}'; echo '{"stage":"done"}'"#,
    );
    ran.result.unwrap();
    assert!(!ran.configs_left);
    let lines: Vec<_> = ran
        .printed
        .lines()
        .map(|line| line.strip_prefix("coreos-metal: install: ").unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "to /dev/vda",
            "0%",
            "10%",
            "55%",
            "100%",
            "image verified, completing the disk"
        ]
    );
}

#[test]
fn failure_keeps_the_end_of_the_log_and_the_configs() {
    let ran = run_with(
        "for n in $(seq 60); do echo line $n >&2; done; echo error: no such disk >&2; exit 1",
    );
    assert!(ran.configs_left);
    match ran.result {
        Err(InstallError::Failed { status, log }) => {
            assert_eq!(status.code(), Some(1));
            assert_eq!(log.lines().count(), LOG_LINES);
            assert!(
                log.starts_with("line 22\n") && log.ends_with("error: no such disk"),
                "{log}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_line_does_not_make_a_long_reason() {
    let ran = run_with("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1");
    assert!(
        matches!(ran.result, Err(InstallError::Failed { log, .. }) if log.len() == LOG_LINE_MAX)
    );
}

#[test]
fn a_missing_installer_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("absent");
    let result = install(
        &Kargs::parse("coreos.inst.install_dev=/dev/null"),
        &missing,
        dir.path(),
        &Consoles::of([]),
        &Reporter::start(&[], Policy::default()).unwrap(),
    );
    assert!(matches!(result, Err(InstallError::Start { program, .. }) if program == missing));
}

#[test]
fn the_installer_gets_the_arguments() {
    let ran = run_with(r#"echo "$@" >&2; exit 3"#);
    let Err(InstallError::Failed { log, .. }) = ran.result else {
        panic!("{:?}", ran.result)
    };
    assert!(
        log.starts_with("install --progress json --config-file "),
        "{log}"
    );
    assert!(log.ends_with("/dev/null --fetch-retries infinite"), "{log}");
}
