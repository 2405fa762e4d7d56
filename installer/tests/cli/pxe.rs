//! `pxe ignition wrap|unwrap`.

use std::fs;

use crate::command::run;

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";

#[test]
fn wrap_and_unwrap_give_the_config_back() {
    let dir = tempfile::tempdir().unwrap();
    let (config, initrd) = (dir.path().join("c.ign"), dir.path().join("c.img"));
    fs::write(&config, CONFIG).unwrap();
    let (config, initrd) = (config.to_str().unwrap(), initrd.to_str().unwrap());

    let piped = run(&["pxe", "ignition", "wrap"], CONFIG).quiet();
    assert_eq!(piped.get(..6), Some(b"\xfd7zXZ\0".as_slice()));
    fs::write(initrd, "left by an earlier run").unwrap();
    run(
        &["pxe", "ignition", "wrap", "-i", config, "-o", initrd],
        b"",
    )
    .quiet();
    assert_eq!(fs::read(initrd).unwrap(), piped);

    assert_eq!(
        run(&["pxe", "ignition", "unwrap", initrd], b"").quiet(),
        CONFIG
    );
    assert_eq!(run(&["pxe", "ignition", "unwrap"], &piped).quiet(), CONFIG);
    assert_eq!(
        run(&["pxe", "ignition", "unwrap", "-"], &piped).quiet(),
        CONFIG
    );
}

#[test]
fn an_initrd_without_a_config_or_none_at_all_is_refused() {
    run(&["pxe", "ignition", "unwrap"], b"").fails(
        1,
        "error: No embedded Ignition config in standard input\n\
         hint:  `iso ignition embed` and `pxe ignition wrap` put a config there\n",
    );
    let ran = run(&["pxe", "ignition", "unwrap"], b"no initrd at all");
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .starts_with("error: reading initrd standard input\ncause: "),
        "{}",
        ran.err
    );
    let mut cut = run(&["pxe", "ignition", "wrap"], CONFIG).quiet();
    cut.truncate(cut.len() / 2);
    let ran = run(&["pxe", "ignition", "unwrap"], &cut);
    assert_eq!(ran.status, 1);
    assert!(
        ran.err
            .starts_with("error: reading initrd standard input\ncause: "),
        "{}",
        ran.err
    );
}

#[test]
fn a_missing_config_makes_no_initrd() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("c.img");
    run(
        &[
            "pxe",
            "ignition",
            "wrap",
            "-i",
            "/nonexistent/c.ign",
            "-o",
            out.to_str().unwrap(),
        ],
        b"",
    )
    .fails(
        1,
        "error: reading /nonexistent/c.ign\ncause: No such file or directory (os error 2)\n",
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn errors_in_ignition_are_shown_in_butane_refused_and_unvalidated_bytes_stay_as_they_are() {
    let bad = b"{\"ignition\": {\"version\": \"3.4.0\"}, \"storage\": 1}";
    let ran = run(&["pxe", "ignition", "wrap"], bad);
    assert_eq!(ran.status, 0);
    assert!(
        ran.err
            .ends_with("warning: the config is embedded as it is, errors included\n"),
        "{}",
        ran.err
    );
    assert_eq!(run(&["pxe", "ignition", "unwrap"], &ran.out).quiet(), bad);
    let butane = b"variant: fcos\nversion: 1.5.0\nstorage: 1\n";
    let ran = run(&["pxe", "ignition", "wrap"], butane);
    assert_eq!((ran.status, ran.out.as_slice()), (1, b"".as_slice()));
    let raw = run(&["pxe", "ignition", "wrap", "--no-validate"], butane).quiet();
    assert_eq!(run(&["pxe", "ignition", "unwrap"], &raw).quiet(), butane);
}
