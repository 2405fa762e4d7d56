//! `install`: what is refused before the target is touched. The target is a regular file full of
//! known bytes, which every test reads back.

use std::fs;
use std::path::Path;

use crate::command::run;

const HASH: &str = "sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

/// Runs `install ARGS TARGET`, which must fail with `err` (where TARGET and DIR stand for the
/// paths) and leave the target as it was.
fn refused(files: &[(&str, &str)], args: &[&str], status: i32, err: &str) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("disk");
    let before = b"old".repeat(1024);
    fs::write(&target, &before).unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let place = |text: &str| {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        text.replace("TARGET", &path(&target))
            .replace("DIR", &path(dir.path()))
    };
    let args: Vec<String> = ["install", "--progress", "none"]
        .iter()
        .chain(args)
        .map(|a| place(a))
        .collect();
    run(&args, b"").fails(status, &place(err));
    assert_eq!(fs::read(&target).unwrap(), before);
}

#[test]
fn configs_are_checked_before_the_disk() {
    for (content, cause) in [
        (
            "{}",
            "config has no `ignition.version`\nhint:  an Ignition config has `\"ignition\": {\"version\": \"3.4.0\"}`",
        ),
        ("", "config is empty"),
        (
            "{\n  nope}",
            "config is not valid JSON: expected a key in double quotes, found `n` (line 2, column 3)",
        ),
        (
            "{\"ignition\": {\"version\": \"2.3.0\"}}",
            "config has version `2.3.0`, which is not supported; 3.0.0 to 3.6.0 are",
        ),
        (
            "variant: fcos\nversion: 1.5.0\n",
            "config is Butane YAML, not Ignition JSON\n\
             hint:  convert it first: `butane --strict CONFIG.bu > CONFIG.ign`",
        ),
    ] {
        refused(
            &[("c.ign", content)],
            &["-i", "DIR/c.ign", "-f", "DIR/i.raw", "TARGET"],
            1,
            &format!("error: parsing Ignition config DIR/c.ign\ncause: {cause}\n"),
        );
    }
}

#[test]
fn a_config_with_another_digest_is_refused() {
    refused(
        &[("c.ign", "{\"ignition\": {\"version\": \"3.3.0\"}}")],
        &[
            "-i",
            "DIR/c.ign",
            "--ignition-hash",
            HASH,
            "-f",
            "DIR/i.raw",
            "TARGET",
        ],
        1,
        &format!(
            "error: Ignition config DIR/c.ign does not have the digest {HASH}\n\
             hint:  if the config was changed on purpose, give its new digest with `--ignition-hash`\n"
        ),
    );
}

#[test]
fn a_config_by_plain_http_needs_a_digest() {
    refused(
        &[],
        &[
            "-I",
            "http://127.0.0.1:1/c.ign",
            "-f",
            "DIR/i.raw",
            "TARGET",
        ],
        1,
        "error: refusing to fetch the Ignition config by plain http from http://127.0.0.1:1/c.ign: \
         nothing would check it\n\
         hint:  give its digest with `--ignition-hash`, use https, or allow it with \
         `--insecure-ignition`\n",
    );
}

#[test]
fn contradictions_are_wrong_usage_also_from_config_files() {
    refused(
        &[("a.yaml", "image-url: http://127.0.0.1:1/i\n")],
        &["-c", "DIR/a.yaml", "-f", "DIR/i.raw", "TARGET"],
        2,
        "error: --image-file cannot be used with --image-url\n",
    );
    refused(
        &[("a.yaml", "dest-device: /dev/null\n")],
        &["-c", "DIR/a.yaml", "-f", "DIR/i.raw", "TARGET"],
        2,
        "error: destination device is given twice: /dev/null and TARGET\n\
         hint:  name it once, in one config file or on the command line\n",
    );
}

#[test]
fn a_config_file_with_an_unknown_key_is_refused_with_its_place() {
    refused(
        &[("a.yaml", "insecure: true\nimage-ulr: x\n")],
        &["-c", "DIR/a.yaml", "TARGET"],
        1,
        "error: parsing installer config DIR/a.yaml:2:1: unknown field `image-ulr`\n\
         hint:  keys are the long option names of `coreos-installer install --help`\n",
    );
}

#[test]
fn a_missing_image_or_signature_leaves_the_target_alone() {
    refused(
        &[],
        &["-f", "DIR/i.raw", "TARGET"],
        1,
        "error: cannot install to TARGET: the disk was not touched\n\
         cause: cannot read DIR/i.raw: No such file or directory (os error 2)\n",
    );
    refused(
        &[("i.raw", "x")],
        &["-f", "DIR/i.raw", "TARGET"],
        1,
        "error: cannot install to TARGET: the disk was not touched\n\
         cause: DIR/i.raw has no signature at DIR/i.raw.sig\n\
         hint:  put the signature there, or install without one with `--insecure`\n",
    );
}

#[test]
fn a_target_that_is_no_disk_is_refused() {
    refused(
        &[("i.raw", "x")],
        &["-f", "DIR/i.raw", "--insecure", "TARGET"],
        1,
        "error: cannot install to TARGET: the disk was not touched\n\
         cause: TARGET is not a block device\n\
         hint:  `lsblk` lists the disks of this machine\n",
    );
}
