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
    let place = |text: &str| {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        text.replace("TARGET", &path(&target))
            .replace("DIR", &path(dir.path()))
    };
    for (name, content) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, place(content)).unwrap();
    }
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
    for (content, shown) in [
        (
            "{}",
            "config has no `ignition.version`\n --> DIR/c.ign:1:1\n  |\n1 | {}\n  | ^^ $.ignition\n  |\n  \
             = help: an Ignition config has `\"ignition\": {\"version\": \"3.4.0\"}`\n",
        ),
        (
            "{\n  nope}",
            "expected a key in double quotes, found `n`\n --> DIR/c.ign:2:3\n  |\n2 |   nope}\n  |   ^\n",
        ),
        (
            "variant: fcos\nversion: 1.5\n",
            "there is no version `1.5` of variant `fcos`\n --> DIR/c.ign:2:10\n  |\n2 | version: 1.5\n  \
             |          ^^^ $.version\n  |\n  = help: versions have three parts: `1.5.0`\n",
        ),
        (
            "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: x\n      contents: {local: y}\n",
            "`y` is a local file, but there is no files directory\n --> DIR/c.ign:6:25\n  |\n\
             6 |       contents: {local: y}\n  |                         ^ $.storage.files.0.contents.local\n  \
             |\n  = help: name the directory with `--files-dir`; local paths are relative to it\n",
        ),
    ] {
        refused(
            &[("c.ign", content)],
            &["-i", "DIR/c.ign", "-f", "DIR/i.raw", "TARGET"],
            1,
            &format!(
                "error: {shown}\nerror: parsing Ignition config DIR/c.ign\ncause: the config has 1 error\n\
                 hint:  `coreos-installer ignition validate` checks it; `--no-validate` takes it as it is\n"
            ),
        );
    }
}

/// What comes after the config is refused shows that the config was taken.
#[test]
fn butane_is_taken_and_what_is_not_to_be_validated() {
    let butane = "variant: fcos\nversion: 1.5.0\nstorage: {trees: [{local: t}]}\n";
    for (content, options) in [
        (butane, &["--files-dir", "DIR"][..]),
        ("no config at all", &["--no-validate"]),
    ] {
        let files = [("c.bu", content), ("t/motd", "hello\n")];
        let config = ["-i", "DIR/c.bu", "-f", "DIR/i.raw", "TARGET"];
        refused(
            &files,
            &[options, &config].concat(),
            1,
            "error: cannot install to TARGET: the disk was not touched\n\
             cause: cannot read DIR/i.raw: No such file or directory (os error 2)\n",
        );
    }
    refused(
        &[("a.yaml", "no-validate: true\nignition-file: DIR/none\n")],
        &["-c", "DIR/a.yaml", "-f", "DIR/i.raw", "TARGET"],
        1,
        "error: reading DIR/none\ncause: No such file or directory (os error 2)\n",
    );
}

#[test]
fn several_configs_are_checked_each_and_together() {
    let plain = "{\"ignition\": {\"version\": \"3.3.0\"}}";
    let files = [("a.ign", plain), ("b.ign", "{}"), ("c.ign", plain)];
    refused(
        &files,
        &[
            "-i",
            "DIR/a.ign",
            "-i",
            "DIR/b.ign",
            "-f",
            "DIR/i.raw",
            "TARGET",
        ],
        1,
        "error: config has no `ignition.version`\n --> DIR/b.ign:1:1\n  |\n1 | {}\n  | ^^ $.ignition\n  |\n  \
         = help: an Ignition config has `\"ignition\": {\"version\": \"3.4.0\"}`\n\n\
         error: parsing Ignition configs DIR/a.ign, DIR/b.ign\ncause: the config has 1 error\n\
         hint:  `coreos-installer ignition validate` checks it; `--no-validate` takes it as it is\n",
    );
    refused(
        &files,
        &[
            "-i",
            "DIR/a.ign",
            "-i",
            "DIR/c.ign",
            "-f",
            "DIR/i.raw",
            "TARGET",
        ],
        1,
        "error: cannot install to TARGET: the disk was not touched\n\
         cause: cannot read DIR/i.raw: No such file or directory (os error 2)\n",
    );
    refused(
        &files,
        &[
            "-i",
            "DIR/a.ign",
            "-i",
            "DIR/c.ign",
            "--ignition-hash",
            HASH,
            "TARGET",
        ],
        2,
        "error: 2 Ignition configs cannot be checked by 1 of `--ignition-hash`\n",
    );
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
         hint:  put the signature there, give the image's `--image-digest`, or trust it with `--insecure`\n",
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
         hint:  `coreos-installer disks` lists the disks of this machine\n",
    );
}

#[test]
fn a_boot_entry_without_uefi_firmware_is_refused_before_the_disk() {
    if Path::new("/sys/firmware/efi").exists() {
        eprintln!("SKIP: boot_entry_refused: this machine has UEFI firmware");
        return;
    }
    refused(
        &[("i.raw", "x"), ("a.yaml", "boot-entry: true\n")],
        &[
            "-c",
            "DIR/a.yaml",
            "-f",
            "DIR/i.raw",
            "--insecure",
            "TARGET",
        ],
        1,
        "error: this machine was not started by UEFI firmware; only that has boot entries\n\
         hint:  leave out `--boot-entry`; BIOS boots disks by their order\n",
    );
}
