//! Upstream's released `coreos-installer` on an ISO of ours: what it edits and extracts. `make bench`
//! builds it from the registry; where it is not, that is said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::contract::karg;

use crate::Case;
use crate::image::Recipe;

const CONFIG: &str = r#"{"ignition":{"version":"3.3.0"}}"#;

fn program() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let program = target.join("bench-peer/bin/coreos-installer");
    program.exists().then_some(program)
}

/// What the program writes to stdout.
fn run(program: &Path, dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn upstreams_command_works_on_the_iso() {
    let Some(program) = program() else {
        eprintln!(
            "SKIP: upstream's command on our ISO: it is not built; `make bench` builds it into target/bench-peer"
        );
        return;
    };
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let dir = case.out();
    let upstream = |arguments: &[&str]| run(&program, &dir, arguments);
    let published = case.read("os-live.iso");
    fs::write(dir.join("config.ign"), CONFIG).unwrap();
    fs::write(dir.join("eth0.nmconnection"), "[connection]\nid=eth0\n").unwrap();

    upstream(&[
        "iso",
        "ignition",
        "embed",
        "-i",
        "config.ign",
        "os-live.iso",
    ]);
    assert_eq!(
        upstream(&["iso", "ignition", "show", "os-live.iso"]),
        CONFIG
    );
    upstream(&["iso", "ignition", "remove", "os-live.iso"]);
    upstream(&["iso", "kargs", "modify", "-a", "a=b", "os-live.iso"]);
    let kargs = upstream(&["iso", "kargs", "show", "os-live.iso"]);
    assert!(kargs.trim_end().ends_with(" a=b"), "{kargs}");
    upstream(&[
        "iso",
        "network",
        "embed",
        "-k",
        "eth0.nmconnection",
        "os-live.iso",
    ]);
    let keyfiles = upstream(&["iso", "network", "extract", "os-live.iso"]);
    assert!(keyfiles.contains("id=eth0"), "{keyfiles}");
    upstream(&["iso", "reset", "os-live.iso"]);
    assert!(case.read("os-live.iso") == published, "reset");

    fs::create_dir(dir.join("pxe")).unwrap();
    upstream(&["iso", "extract", "pxe", "-o", "pxe", "os-live.iso"]);
    for (theirs, ours) in [
        ("pxe/os-live-vmlinuz", "os-live-kernel"),
        ("pxe/os-live-initrd.img", "os-live-initramfs.img"),
        ("pxe/os-live-rootfs.img", "os-live-rootfs.img"),
    ] {
        assert!(case.read(theirs) == case.read(ours), "{theirs}");
    }
    let url = "http://192.0.2.1/rootfs.img";
    let minimal = ["os-live.iso", "minimal.iso", "--rootfs-url", url];
    upstream(&[&["iso", "extract", "minimal-iso"][..], &minimal].concat());
    let kargs = upstream(&["iso", "kargs", "show", "minimal.iso"]);
    let fetches = format!(" {}={url}", karg::LIVE_ROOTFS_URL);
    assert!(
        kargs.trim_end().ends_with(&fetches) && !kargs.contains(karg::LIVE_ISO),
        "{kargs}"
    );
}
