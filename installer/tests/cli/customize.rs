//! `iso customize` and `pxe customize`: what both embed, and what each refuses.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use embed::initrd::Archive;
use installer::plan::Options;
use serde_json::Value;

use crate::command::{Ran, run};
use crate::live_iso::Iso;

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";
const FEATURES: &str = r#"{"installer-config": true, "live-initrd-network": true,
    "installer-config-directives": {"console": true, "ca-cert": true}}"#;

/// A live initramfs with `files` beside its stamp.
fn initramfs(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.insert("etc/coreos-live-initramfs", "1").unwrap();
    for (path, content) in files {
        archive.insert(path, *content).unwrap();
    }
    // Not at a multiple of four: what is appended must not rely on it.
    [archive.to_cpio().unwrap(), vec![0; 3]].concat()
}

/// A directory with one file of each kind.
fn inputs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("dest.ign", CONFIG),
        ("live.ign", CONFIG),
        ("eth0.nmconnection", b"[connection]\nid=eth0\n".as_slice()),
        ("ca.pem", b"PEM"),
        ("check", b"#!/bin/sh\n"),
        ("install.yaml", b"save-partindex: [5-7]\n"),
        (
            "initrd.img",
            &initramfs(&[("etc/coreos/features.json", FEATURES)]),
        ),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

/// Runs `WORDS`, where DIR stands for the directory.
fn words(dir: &Path, words: &str) -> Ran {
    let dir = dir.to_str().unwrap();
    let args: Vec<String> = words
        .split(' ')
        .map(|word| word.replace("DIR", dir))
        .collect();
    run(&args, b"")
}

const ALL: &str = "--dest-ignition DIR/dest.ign --dest-device /dev/vda --dest-console ttyS0 \
    --dest-karg-append a --dest-karg-delete b --network-keyfile DIR/eth0.nmconnection \
    --ignition-ca DIR/ca.pem --pre-install DIR/check --post-install DIR/check \
    --installer-config DIR/install.yaml --live-ignition DIR/live.ign";

/// What is in a compressed `data:` URL.
fn content(resource: &Value) -> Vec<u8> {
    let source = resource["source"].as_str().unwrap();
    let packed = BASE64_STANDARD
        .decode(source.strip_prefix("data:;base64,").unwrap())
        .unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn paths(config: &Value, section: &str, list: &str, key: &str) -> Vec<String> {
    let items = config[section][list].as_array().unwrap().iter();
    items
        .map(|item| item[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_initramfs_is_kept_and_an_archive_follows() {
    let dir = inputs();
    let ran = words(
        dir.path(),
        &format!("pxe customize {ALL} -o DIR/out.img DIR/initrd.img"),
    );
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (
            0,
            "Boot media will automatically install to /dev/vda without confirmation.\n\
             Boot it with the kernel arguments `ignition.firstboot ignition.platform.id=metal`.\n"
        )
    );
    let before = fs::read(dir.path().join("initrd.img")).unwrap();
    let out = fs::read(dir.path().join("out.img")).unwrap();
    assert!(out.starts_with(&before));
    assert_eq!(
        out.get(before.len()..before.len() + 6),
        Some(b"\xfd7zXZ\0".as_slice())
    );
    let piped = words(
        dir.path(),
        &format!("pxe customize {ALL} -o - DIR/initrd.img"),
    );
    assert!(piped.out == out);

    let config = words(dir.path(), "pxe ignition unwrap DIR/out.img").quiet();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        paths(&config, "storage", "files", "path"),
        [
            "/usr/local/bin/pre-install-check",
            "/usr/local/bin/post-install-check",
            "/etc/coreos/dest.ign",
            "/etc/coreos/ignition-ca/0000.pem",
            "/etc/coreos/installer.d/0000-install.yaml",
            "/etc/coreos/installer.d/0001-customize.yaml",
        ]
    );
    assert_eq!(
        paths(&config, "systemd", "units", "name"),
        ["pre-install-check.service", "post-install-check.service"]
    );
    let keyfiles = words(dir.path(), "pxe network unwrap DIR/out.img").quiet();
    assert!(keyfiles.starts_with(b"########## eth0.nmconnection ##########\n"));

    words(dir.path(), "pxe customize -o DIR/out2.img DIR/out.img").fails(
        1,
        &format!(
            "error: {}/out.img is already customized\n\
             hint:  start from the initramfs as it was published\n",
            dir.path().display()
        ),
    );
    let ran = words(
        dir.path(),
        &format!("pxe customize {ALL} -o DIR/out.img DIR/initrd.img"),
    );
    assert!(ran.err.contains("File exists"), "{}", ran.err);
    assert_eq!(fs::read(dir.path().join("out.img")).unwrap(), out);
}

/// Upstream issue 966.
#[test]
fn the_live_systems_installer_trusts_the_certificates_too() {
    let dir = inputs();
    let pxe = |initrd: &str| {
        let ran = words(
            dir.path(),
            &format!("pxe customize {ALL} -o DIR/{initrd}.out DIR/{initrd}"),
        );
        assert_eq!(ran.status, 0, "{}", ran.err);
        let config = words(dir.path(), &format!("pxe ignition unwrap DIR/{initrd}.out"));
        let config: Value = serde_json::from_slice(&config.quiet()).unwrap();
        (config["storage"]["files"].clone(), ran.err)
    };
    let (files, _) = pxe("initrd.img");
    assert_eq!(content(&files[3]["contents"]), b"PEM");
    // What the live system's `install` will read.
    let settings = content(&files[5]["contents"]);
    let settings = Options::from_config(&settings, Path::new("customize.yaml")).unwrap();
    assert_eq!(
        settings.ca_cert,
        [Path::new("/etc/coreos/ignition-ca/0000.pem")]
    );
    assert_eq!(settings.ignition_file, [Path::new("/etc/coreos/dest.ign")]);

    // An installer that has no such key would refuse all of its config.
    let features = FEATURES.replace(", \"ca-cert\": true", "");
    let older = initramfs(&[("etc/coreos/features.json", &features)]);
    fs::write(dir.path().join("older.img"), older).unwrap();
    let (files, said) = pxe("older.img");
    let warning = "warning: the installer of this image does not use the certificates";
    assert!(said.contains(warning), "{said}");
    let settings = content(&files[4]["contents"]);
    let settings = Options::from_config(&settings, Path::new("customize.yaml")).unwrap();
    assert_eq!(
        (settings.ca_cert.len(), files.as_array().unwrap().len()),
        (0, 5)
    );
}

#[test]
fn an_initramfs_without_customizations_is_copied() {
    let dir = inputs();
    let out = words(dir.path(), "pxe customize -o - DIR/initrd.img").quiet();
    assert!(out == fs::read(dir.path().join("initrd.img")).unwrap());
    fs::write(
        dir.path().join("other.img"),
        Archive::default().to_cpio().unwrap(),
    )
    .unwrap();
    words(dir.path(), "pxe customize -o DIR/out.img DIR/other.img").fails(
        1,
        &format!(
            "error: {}/other.img is not a CoreOS live initramfs image\n\
             hint:  take the initramfs of a live PXE set; `iso extract pxe` gives one\n",
            dir.path().display()
        ),
    );
    assert!(!dir.path().join("out.img").exists());
    assert_eq!(words(dir.path(), "pxe customize DIR/initrd.img").status, 2);
}

#[test]
fn an_iso_carries_the_same_config_as_an_initramfs() {
    let edit = |tree: &Path| fs::write(tree.join("coreos/features.json"), FEATURES).unwrap();
    let Some(iso) = Iso::edited("an_iso_carries_the_same_config_as_an_initramfs", edit) else {
        return;
    };
    let dir = inputs();
    let ran = words(dir.path(), &format!("iso customize {ALL} {}", iso.arg()));
    assert_eq!(ran.status, 0, "{}", ran.err);
    words(
        dir.path(),
        &format!("pxe customize {ALL} -o DIR/out.img DIR/initrd.img"),
    );
    let from_iso = run(&["iso", "ignition", "show", iso.arg()], b"").quiet();
    let from_initrd = words(dir.path(), "pxe ignition unwrap DIR/out.img").quiet();
    assert_eq!(from_iso, from_initrd);
    run(&["iso", "reset", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn what_the_live_system_does_not_understand_is_refused() {
    let dir = inputs();
    for (features, option, what) in [
        (
            "{}",
            "--network-keyfile DIR/eth0.nmconnection",
            "network settings",
        ),
        ("{}", "--network-nmstate DIR/eth0.yaml", "network settings"),
        ("{}", "--dest-device /dev/vda", "installer configuration"),
        (
            "{}",
            "--installer-config DIR/install.yaml",
            "installer configuration",
        ),
        (
            r#"{"installer-config": true}"#,
            "--dest-console tty0",
            "the destination console",
        ),
    ] {
        let old = initramfs(&[("etc/coreos/features.json", features)]);
        fs::write(dir.path().join("old.img"), old).unwrap();
        words(
            dir.path(),
            &format!("pxe customize {option} -o DIR/out.img DIR/old.img"),
        )
        .fails(
            1,
            &format!(
                "error: this image does not support customizing {what}\n\
                 hint:  take a newer live image\n"
            ),
        );
    }
    fs::write(dir.path().join("old.img"), initramfs(&[])).unwrap();
    let hooks = "--pre-install DIR/check --ignition-ca DIR/ca.pem";
    let ran = words(
        dir.path(),
        &format!("pxe customize {hooks} -o DIR/out.img DIR/old.img"),
    );
    assert_eq!(ran.status, 0, "{}", ran.err);
}

#[test]
fn files_of_one_name_and_broken_ones_are_refused() {
    let dir = inputs();
    let path = dir.path().display();
    fs::write(dir.path().join("bad.yaml"), "dest-devise: /dev/vda\n").unwrap();
    fs::write(dir.path().join("a b"), "#!/bin/sh\n").unwrap();
    for (option, want) in [
        (
            "--pre-install DIR/check --pre-install DIR/check",
            "error: config already specifies path /usr/local/bin/pre-install-check\n\
             hint:  files are stored by their own name; rename one of them\n"
                .to_owned(),
        ),
        (
            "--network-keyfile DIR/eth0.nmconnection --network-keyfile DIR/eth0.nmconnection",
            "error: config already specifies keyfile `eth0.nmconnection`\n\
             hint:  files are stored by their own name; rename one of them\n"
                .to_owned(),
        ),
        (
            "--network-nmstate DIR/eth0.yaml",
            format!(
                "error: nmstate config {path}/eth0.yaml cannot be taken: only keyfiles are\n\
                 hint:  make keyfiles with `nmstatectl gc FILE`, and give them with `--network-keyfile`\n"
            ),
        ),
        (
            "--installer-config DIR/bad.yaml",
            format!(
                "error: parsing installer config {path}/bad.yaml:1:1: unknown field `dest-devise`\n\
                 hint:  keys are the long option names of `coreos-installer install --help`\n"
            ),
        ),
    ] {
        words(
            dir.path(),
            &format!("pxe customize {option} -o DIR/out.img DIR/initrd.img"),
        )
        .fails(1, &want);
        assert!(!dir.path().join("out.img").exists());
    }
    let spaced = dir.path().join("a b");
    let (initrd, out) = (dir.path().join("initrd.img"), dir.path().join("out.img"));
    let args = [
        "pxe",
        "customize",
        "--post-install",
        spaced.to_str().unwrap(),
    ];
    let files = ["-o", out.to_str().unwrap(), initrd.to_str().unwrap()];
    run(&[&args[..], &files].concat(), b"").fails(
        1,
        "error: `a b` cannot be part of a systemd unit's name\n\
         hint:  letters, digits and the characters `:-_.@` can be\n",
    );
}
