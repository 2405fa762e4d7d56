//! `iso kargs …` and `iso customize`.

use std::fs;
use std::path::Path;

use crate::command::run;
use crate::live_iso::{Iso, KARGS_SIZE};

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";
const OTHER: &[u8] = b"{\"ignition\": {\"version\": \"3.4.0\"}}";

#[test]
fn kernel_arguments_are_modified_shown_and_reset() {
    let Some(iso) = Iso::new("kernel_arguments_are_modified_shown_and_reset") else {
        return;
    };
    let show = |args: &[&str]| {
        let out = run(
            &[&["iso", "kargs", "show"], args, &[iso.arg()]].concat(),
            b"",
        )
        .quiet();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(show(&[]), "quiet console=ttyS0\n");
    let edits = ["-a", "nosmt", "-d", "quiet", "-r", "console=ttyS0=tty0"];
    run(
        &[&["iso", "kargs", "modify"], &edits[..], &[iso.arg()]].concat(),
        b"",
    )
    .quiet();
    assert_eq!(show(&[]), "console=tty0 nosmt\n");
    assert_eq!(show(&["--default"]), "quiet console=ttyS0\n");
    run(&["iso", "kargs", "reset", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn kernel_arguments_that_do_not_fit_or_are_not_there_are_refused() {
    let test = "kernel_arguments_that_do_not_fit_or_are_not_there_are_refused";
    let Some(iso) = Iso::new(test) else { return };
    let long = "x".repeat(KARGS_SIZE);
    for (flag, value, want) in [
        ("-a", long.as_str(), "error: kargs too large for area"),
        (
            "-r",
            "console=ttyS9=tty0",
            "error: no kernel argument `console=ttyS9` to replace",
        ),
        (
            "-r",
            "console",
            "error: replacement `console` is not of the form KEY=OLD=NEW",
        ),
    ] {
        let ran = run(&["iso", "kargs", "modify", flag, value, iso.arg()], b"");
        assert_eq!(ran.status, 1);
        assert!(ran.err.starts_with(want), "{}", ran.err);
        assert_eq!(iso.bytes(), iso.pristine);
    }
    let edit = |tree: &Path| fs::remove_file(tree.join("coreos/kargs.json")).unwrap();
    let Some(iso) = Iso::edited(test, edit) else {
        return;
    };
    let ran = run(&["iso", "kargs", "show", iso.arg()], b"");
    assert!(
        ran.err.starts_with("error: No karg embed areas found\n"),
        "{}",
        ran.err
    );
}

/// Runs `iso WORDS… ISO` and gives its output.
fn ok(iso: &Iso, words: &str) -> Vec<u8> {
    let words = words.split(' ').map(|word| word.replace("DIR", iso.dir()));
    let args: Vec<String> = ["iso".to_owned()]
        .into_iter()
        .chain(words)
        .chain([iso.arg().to_owned()])
        .collect();
    let ran = run(&args, b"");
    assert_eq!(ran.status, 0, "{}", ran.err);
    ran.out
}

#[test]
fn a_customized_image_carries_configs_settings_and_arguments() {
    let Some(iso) = Iso::new("a_customized_image_carries_configs_settings_and_arguments") else {
        return;
    };
    iso.file("dest.ign", CONFIG);
    iso.file("live.ign", OTHER);
    ok(
        &iso,
        "customize --dest-device /dev/vda --dest-ignition DIR/dest.ign --live-ignition DIR/live.ign \
         --live-karg-append nosmt",
    );
    let config: serde_json::Value = serde_json::from_slice(&ok(&iso, "ignition show")).unwrap();
    let files = config["storage"]["files"].as_array().unwrap();
    let paths: Vec<_> = files.iter().map(|file| &file["path"]).collect();
    let settings = "/etc/coreos/installer.d/0000-customize.yaml";
    assert_eq!(paths, ["/etc/coreos/dest.ign", settings]);
    assert_eq!(
        config["ignition"]["config"]["merge"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(ok(&iso, "kargs show"), b"quiet console=ttyS0 nosmt\n");
}

#[test]
fn several_destination_configs_are_wrapped_in_one() {
    let Some(iso) = Iso::new("several_destination_configs_are_wrapped_in_one") else {
        return;
    };
    iso.file("a.ign", CONFIG);
    iso.file("b.ign", OTHER);
    ok(
        &iso,
        "customize --dest-ignition DIR/a.ign --dest-ignition DIR/b.ign",
    );
    let config: serde_json::Value = serde_json::from_slice(&ok(&iso, "ignition show")).unwrap();
    assert_eq!(
        config["storage"]["files"][0]["path"],
        "/etc/coreos/dest.ign"
    );
    assert_eq!(config["ignition"].get("config"), None);
}

#[test]
fn an_image_is_customized_again_only_by_force() {
    let Some(iso) = Iso::new("an_image_is_customized_again_only_by_force") else {
        return;
    };
    ok(
        &iso,
        "customize --dest-device /dev/vda --live-karg-append nosmt",
    );
    let before = iso.bytes();
    run(&["iso", "customize", "--dest-device", "/dev/vdb", iso.arg()], b"").fails(
        1,
        &format!(
            "error: {} is already customized\nhint:  `--force` starts again from the pristine image\n",
            iso.arg()
        ),
    );
    assert_eq!(iso.bytes(), before);
    ok(&iso, "customize -f --live-karg-append a");
    assert_eq!(ok(&iso, "kargs show"), b"quiet console=ttyS0 a\n");
    assert_eq!(run(&["iso", "ignition", "show", iso.arg()], b"").status, 1);
}

#[test]
fn customizing_needs_a_live_system_that_understands_it() {
    let test = "customizing_needs_a_live_system_that_understands_it";
    let edit = |tree: &Path| fs::remove_file(tree.join("coreos/features.json")).unwrap();
    let Some(iso) = Iso::edited(test, edit) else {
        return;
    };
    run(
        &["iso", "customize", "--dest-device", "/dev/vda", iso.arg()],
        b"",
    )
    .fails(
        1,
        "error: this image does not support customizing installer configuration\n\
         hint:  take a newer live image\n",
    );
    let bad = iso.file("bad.bu", b"variant: fcos\nversion: 1.5\n");
    let ran = run(
        &["iso", "customize", "--live-ignition", &bad, iso.arg()],
        b"",
    );
    assert_eq!(ran.status, 1);
    let want = format!(
        "\nerror: parsing Ignition config {bad}\ncause: the config has 1 error\n\
         hint:  `coreos-installer ignition validate` checks it; `--no-validate` takes it as it is\n"
    );
    assert!(ran.err.ends_with(&want), "{}", ran.err);
    assert_eq!(iso.bytes(), iso.pristine);
}
