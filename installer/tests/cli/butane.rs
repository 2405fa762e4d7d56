//! `butane [convert|check|schema]`: results, findings in each form, variables, secrets, exit status.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::command::{Ran, run};

const GOOD: &str =
    "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /a\n      mode: 0644\n";
const WARNS: &str = "variant: fcos\nversion: 1.5.0\nstorag: {}\n";
const BAD: &str =
    "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /a\n      mode: rw\n";

/// Runs `butane ARGS` on `stdin`.
fn butane(args: &[&str], stdin: &str) -> Ran {
    run(&[&["butane"], args].concat(), stdin.as_bytes())
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn standard_input_and_files_are_converted_with_and_without_the_word() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("a.bu");
    fs::write(&config, GOOD).unwrap();
    let want = json!({
        "ignition": {"version": "3.4.0"},
        "storage": {"files": [{"path": "/a", "mode": 0o644}]},
    });
    let made = butane(&[], GOOD).quiet();
    assert_eq!(json_of(&made), want);
    assert_eq!(made.iter().filter(|byte| **byte == b'\n').count(), 1);
    for args in [&["-"][..], &["convert"], &["convert", "--strict"]] {
        assert_eq!(butane(args, GOOD).quiet(), made, "{args:?}");
    }
    assert_eq!(butane(&[text(&config)], "").quiet(), made);
    let pretty = butane(&["--pretty", text(&config)], "").quiet();
    assert_eq!(json_of(&pretty), want);
    assert!(pretty.starts_with(b"{\n  \"ignition\": {\n"));
}

#[test]
fn checking_writes_nothing() {
    for args in [&["check"][..], &["--check"], &["-c"]] {
        assert_eq!(butane(args, GOOD).quiet(), b"");
        assert_eq!(butane(args, BAD).status, 1);
    }
    assert_eq!(butane(&["--check", "--output", "x"], GOOD).status, 2);
}

#[test]
fn warnings_fail_only_when_strict() {
    let shown = "warning: unknown key `storag` is not used\n --> -:3:1\n  |\n3 | storag: {}\n  | ^^^^^^ $.storag\n  |\n  \
        = help: did you mean `storage`?\n\n";
    let ran = butane(&[], WARNS);
    assert_eq!((ran.status, ran.err.as_str()), (0, shown));
    assert_eq!(json_of(&ran.out), json!({"ignition": {"version": "3.4.0"}}));
    butane(&["--strict"], WARNS).fails(
        1,
        &format!(
            "{shown}error: the config is refused: 1 warning\nhint:  without `--strict` warnings are fine\n"
        ),
    );
    butane(&["check", "-s", "--raw-errors"], WARNS).fails(
        1,
        "warning at $.storag, line 3 col 1: unknown key `storag` is not used\n",
    );
}

#[test]
fn an_output_file_is_whole_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a.ign");
    assert_eq!(butane(&["-o", text(&out)], BAD).status, 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    fs::write(&out, "old").unwrap();
    assert_eq!(butane(&["-o", text(&out)], BAD).status, 1);
    assert_eq!(fs::read(&out).unwrap(), b"old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(butane(&["-o", text(&out)], GOOD).quiet(), b"");
    let mode = fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(fs::read(&out).unwrap(), butane(&[], GOOD).quiet());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // A link stays one, a device is written to.
    let link = dir.path().join("link");
    symlink(&out, &link).unwrap();
    fs::write(&out, "old").unwrap();
    butane(&["-o", text(&link)], GOOD).quiet();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&out).unwrap(), butane(&[], GOOD).quiet());
    butane(&["-o", "/dev/null"], GOOD).quiet();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(
        butane(&["-o", "-"], GOOD).quiet(),
        butane(&[], GOOD).quiet()
    );
}

#[test]
fn programs_get_json_where_the_result_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("a.ign");
    let ran = butane(&["--json"], WARNS);
    assert_eq!(json_of(ran.err.as_bytes())["warnings"], 1);
    assert_eq!(json_of(&ran.out)["ignition"]["version"], "3.4.0");
    for args in [&["check", "--json"][..], &["--json", "-o", text(&out)]] {
        let report = json_of(&butane(args, WARNS).quiet());
        let finding = &report["findings"][0];
        assert_eq!(finding["code"], "unused-key", "{report}");
        assert_eq!(finding["path"], "$.storag");
        assert_eq!(
            (&finding["line"], &finding["column"]),
            (&json!(3), &json!(1))
        );
        assert_eq!(finding["source"], "-");
    }
    let ran = butane(&["check", "--json"], BAD);
    assert_eq!((ran.status, ran.err.as_str()), (1, ""));
    assert_eq!(json_of(&ran.out)["errors"], 1);
    let none = json!({"version": 1, "findings": [], "errors": 0, "warnings": 0});
    assert_eq!(json_of(&butane(&["check", "--json"], GOOD).quiet()), none);
}

#[test]
fn variables_come_from_where_they_are_named_and_the_nearest_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        text(&path).to_owned()
    };
    let config = path(
        "a.bu",
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /p${{ a }}${{ b.c }}${{ HOME }}\n      mode: ${{ mode }}\n",
    );
    let (vars, token) = (
        path("v.yaml", "a: x\nb: {c: y}\nmode: 0600\n"),
        path("t", "s\n"),
    );
    let made = |args: &[&str]| {
        let args = [&["--vars", &vars, "--set", "HOME=h"], args, &[&config]].concat();
        let made = json_of(&butane(&args, "").quiet());
        let file = &made["storage"]["files"][0];
        assert_eq!(file["mode"], 0o600);
        file["path"].as_str().unwrap().to_owned()
    };
    assert_eq!(made(&[]), "/pxyh");
    let secret = format!("a={token}");
    assert_eq!(made(&["--secret", &secret]), "/psyh");
    assert_eq!(made(&["--set", "a=z", "--secret", &secret]), "/pzyh");
    let ran = butane(&["--vars", &vars, "--raw-errors", &config], "");
    assert_eq!(ran.status, 1, "the environment is not looked at unasked");
    let want = format!("{config}: error at $.storage.files.0.path, line 5 col 13: ");
    assert!(ran.err.starts_with(&want), "{}", ran.err);
    let args = [
        "--vars", &vars, "--env", "HOME", "--set", "a=", "--set", "b.c=",
    ];
    let home = butane(&[&args[..], &[&config]].concat(), "").quiet();
    let want = format!("/p{}", std::env::var("HOME").unwrap());
    assert_eq!(json_of(&home)["storage"]["files"][0]["path"], want.as_str());
    assert_eq!(butane(&["--set", "a"], GOOD).status, 2);
    butane(&["--env", "SURELY_NOT_SET"], GOOD).fails(
        1,
        "error: environment variable `SURELY_NOT_SET` is not set to a text\n",
    );
}

#[test]
fn secrets_are_shown_nowhere_but_in_the_config() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pw");
    fs::write(&file, "hunter2hunter2\n").unwrap();
    let secret = format!("pw={}", text(&file));
    let config = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /a\n      mode: ${{ pw }} # hunter2hunter2\n";
    for form in [&[][..], &["--raw-errors"], &["--json"]] {
        let ran = butane(&[&["--secret", &secret], form].concat(), config);
        assert_eq!(ran.status, 1);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
        assert!(ran.err.contains("[secret pw]"), "{}", ran.err);
    }
    let good = config.replace("mode: ${{ pw }} #", "contents: {inline: '${{ pw }}'} #");
    let made = butane(&["--secret", &secret], &good).quiet();
    assert!(
        String::from_utf8(made)
            .unwrap()
            .contains("data:,hunter2hunter2")
    );
}

#[test]
fn several_configs_are_merged_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: &str| {
        let path = dir.path().join(name);
        fs::write(&path, GOOD.replace("0644", mode)).unwrap();
        text(&path).to_owned()
    };
    let (first, second) = (file("a.bu", "0600"), file("b.bu", "0640"));
    let made = json_of(&butane(&[&first, &second], "").quiet());
    assert_eq!(
        made["storage"]["files"],
        json!([{"path": "/a", "mode": 0o640}])
    );
    let made = json_of(&butane(&[&second, &first], "").quiet());
    assert_eq!(made["storage"]["files"][0]["mode"], 0o600);
}

#[test]
fn openshift_is_wrapped_unless_raw_is_asked_for() {
    let config = "variant: openshift\nversion: 4.14.0\nmetadata:\n  name: a\n  labels:\n    machineconfiguration.openshift.io/role: worker\n";
    let wrapped = String::from_utf8(butane(&[], config).quiet()).unwrap();
    assert!(wrapped.contains("kind: MachineConfig\n"), "{wrapped}");
    let raw = butane(&["--raw"], config);
    assert_eq!(raw.status, 0);
    assert_eq!(json_of(&raw.out)["ignition"]["version"], "3.4.0");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bu");
    fs::write(&path, config).unwrap();
    butane(&[text(&path), text(&path)], "").fails(
        1,
        "error: several configs cannot be merged into one MachineConfig\n\
         hint:  `--raw` merges them as plain Ignition\n",
    );
}

#[test]
fn schemas_are_printed_or_all_written() {
    let newest = json_of(&butane(&["schema"], "").quiet());
    assert_eq!(newest["title"], "Butane fcos 1.7.0");
    let one = butane(
        &["schema", "--variant", "flatcar", "--version", "1.0.0"],
        "",
    )
    .quiet();
    assert_eq!(json_of(&one)["title"], "Butane flatcar 1.0.0");
    let ignition = butane(&["schema", "--ignition", "3.4.0"], "").quiet();
    assert_eq!(json_of(&ignition)["title"], "Ignition 3.4.0");
    butane(&["schema", "--variant", "fiot", "--version", "1.0"], "").fails(
        2,
        "error: there is no schema of fiot 1.0; versions are 1.0.0, 1.1.0-experimental\n",
    );
    let dir = tempfile::tempdir().unwrap();
    let all = dir.path().join("all");
    butane(&["schema", "--all", text(&all)], "").quiet();
    let written = fs::read(all.join("flatcar-1.0.0.json")).unwrap();
    assert_eq!(written, one);
    assert!(all.join("butane.json").exists() && all.join("ignition.json").exists());
    assert!(!all.join("ignition-3.7.0-experimental.json").exists());
}
