//! `iso reset`, `iso extract pxe`, and the deprecated spellings of early releases.

use std::fs;
use std::path::Path;

use crate::command::run;
use crate::live_iso::{Iso, write};

const CONFIG: &[u8] = b"{\"ignition\": {\"version\": \"3.3.0\"}}\n";

fn with_pxe_files(tree: &Path) {
    write(tree, "images/pxeboot/vmlinuz", "kernel");
    write(tree, "images/pxeboot/initrd.img", "initramfs");
    write(tree, "images/pxeboot/rootfs.img", vec![7; 5000]);
    write(tree, "images/pxeboot/deeper/file", "not taken");
}

#[test]
fn reset_gives_the_pristine_image_back() {
    let edit = |tree: &Path| {
        // Spaces that are not how arguments would be joined.
        let path = tree.join("coreos/kargs.json");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace("quiet console", "quiet  console")).unwrap();
        let path = tree.join("boot/grub/grub.cfg");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            path,
            text.replace("quiet console=ttyS0\n#", "quiet  console=ttyS0\n"),
        )
        .unwrap();
    };
    let Some(iso) = Iso::edited("reset_gives_the_pristine_image_back", edit) else {
        return;
    };
    let key = iso.file("a.nmconnection", b"[connection]");
    run(&["iso", "ignition", "embed", iso.arg()], CONFIG).quiet();
    run(&["iso", "network", "embed", "-k", &key, iso.arg()], b"").quiet();
    run(&["iso", "kargs", "modify", "-a", "nosmt", iso.arg()], b"").quiet();
    let edited = iso.bytes();
    let piped = run(&["iso", "reset", "-o", "-", iso.arg()], b"").quiet();
    assert!(piped == iso.pristine);
    assert_eq!(iso.bytes(), edited);
    run(&["iso", "reset", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
    run(&["iso", "reset", iso.arg()], b"").quiet();
    assert_eq!(iso.bytes(), iso.pristine);
}

#[test]
fn the_files_of_a_network_boot_are_extracted_to_new_files() {
    let test = "the_files_of_a_network_boot_are_extracted_to_new_files";
    let Some(iso) = Iso::edited(test, with_pxe_files) else {
        return;
    };
    let out = iso.at("out");
    let args = [
        "iso",
        "extract",
        "pxe",
        "-o",
        out.to_str().unwrap(),
        iso.arg(),
    ];
    let printed = String::from_utf8(run(&args, b"").quiet()).unwrap();
    let mut paths: Vec<&str> = printed.lines().collect();
    paths.sort_unstable();
    let want = ["live-initrd.img", "live-rootfs.img", "live-vmlinuz"];
    assert_eq!(
        paths,
        want.map(|name| out.join(name).to_str().unwrap().to_owned())
    );
    assert_eq!(fs::read(paths[0]).unwrap(), b"initramfs");
    assert_eq!(fs::read(paths[1]).unwrap(), vec![7; 5000]);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 3);

    fs::write(paths[0], "mine").unwrap();
    let ran = run(&args, b"");
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("cause: File exists"), "{}", ran.err);
    assert_eq!(fs::read(paths[0]).unwrap(), b"mine");
}

#[test]
fn an_image_without_files_for_a_network_boot_is_refused() {
    let test = "an_image_without_files_for_a_network_boot_is_refused";
    let Some(iso) = Iso::new(test) else { return };
    let out = iso.at("out");
    run(
        &[
            "iso",
            "extract",
            "pxe",
            "-o",
            out.to_str().unwrap(),
            iso.arg(),
        ],
        b"",
    )
    .fails(1, "error: ISO image has no file `images/pxeboot`\n");
}

#[test]
fn deprecated_spellings_work_and_say_so() {
    let Some(iso) = Iso::new("deprecated_spellings_work_and_say_so") else {
        return;
    };
    let config = iso.file("c.ign", CONFIG);
    let notice =
        |name: &str| format!("warning: `iso {name}` is deprecated; use `iso ignition {name}`\n");
    let ran = run(&["iso", "embed", "-c", &config, iso.arg()], b"");
    assert_eq!((ran.status, ran.err), (0, notice("embed")));
    let ran = run(&["iso", "show", iso.arg()], b"");
    assert_eq!((ran.out.as_slice(), ran.err), (CONFIG, notice("show")));
    let ran = run(&["iso", "remove", iso.arg()], b"");
    assert_eq!((ran.status, ran.err), (0, notice("remove")));
    assert_eq!(iso.bytes(), iso.pristine);
}
