//! What `inspect` and `verify` say of an ISO that was built here, and of one that was changed.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Output};

use embed::contract::initrd;
use embed::digest::Sha256Digest;
use embed::initrd::Archive;
use embed::iso::{IsoReader, LiveIso, MinimalIso, apply_in_place};
use serde_json::Value;

use crate::image::Recipe;
use crate::{Case, list};

fn ask(words: &[&str], iso: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_iso-builder"))
        .args(words)
        .arg(iso)
        .output()
        .unwrap()
}

fn answer(words: &[&str], iso: &Path) -> String {
    let output = ask(words, iso);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What is embedded into media for a machine.
fn embed(iso: &Path) {
    let file = File::options().read(true).write(true).open(iso).unwrap();
    let live = LiveIso::open(file).unwrap();
    let mut archive = Archive::default();
    archive.insert(initrd::CONFIG, b"{}".as_slice()).unwrap();
    let mut regions = vec![live.embed(&archive).unwrap()];
    let mut kargs = live.kargs().unwrap();
    kargs.push("quiet");
    regions.extend(live.set_kargs(&kargs).unwrap());
    apply_in_place(live.into_inner(), &regions).unwrap();
}

#[test]
fn inspect_tells_what_boots_and_what_is_inside() {
    let case = Case::new(&Recipe::default());
    let manifest = case.built(&[]);
    let iso = case.out().join("os-live.iso");
    let found: Value = serde_json::from_str(&answer(&["inspect", "--json"], &iso)).unwrap();
    let listed = manifest.iso.unwrap();
    assert_eq!(found["sha256"], listed.sha256.to_string());
    assert_eq!(found["size"], listed.size);
    assert_eq!(found["volume-id"], "os-1.0");
    let boots = &found["boots"];
    for (index, platform, file) in [
        (0, "bios", "boot/grub/eltorito.img"),
        (1, "uefi", "images/efiboot.img"),
    ] {
        assert_eq!(boots["el-torito"][index]["platform"], platform);
        assert_eq!(boots["el-torito"][index]["bootable"], true);
        assert!(
            file.starts_with(
                boots["el-torito"][index]["file"]
                    .as_str()
                    .unwrap()
                    .split('.')
                    .next()
                    .unwrap()
            )
        );
    }
    assert_eq!(boots["boot-code"], true);
    let esp = &boots["gpt"][1];
    assert_eq!(
        (&esp["name"], &esp["efi-system"]),
        (&"live-efi".into(), &true.into())
    );
    assert_eq!(boots["mbr"][1]["type"], 0xef);
    assert_eq!(boots["mbr"][1]["offset"], esp["offset"]);
    assert_eq!(boots["efi"][0]["path"], "EFI/BOOT/BOOTX64.EFI");
    assert_eq!(
        boots["efi"][0]["sha256"],
        Sha256Digest::of(b"shim").to_string()
    );
    assert_eq!(boots["secure-boot"], false);
    for (index, role, artifact) in [
        (0, "kernel", &manifest.kernel),
        (1, "initramfs", &manifest.initramfs),
        (2, "rootfs", &manifest.rootfs),
    ] {
        let part = &found["parts"][index];
        assert_eq!(part["role"], role);
        assert_eq!(part["sha256"], artifact.sha256.to_string());
        assert_eq!(part["size"], artifact.size);
    }
    assert_eq!(found["parts"][0]["architecture"], "x86_64");
    let live = &found["live"];
    assert_eq!(live["version"], "1.0");
    assert_eq!(
        live["image"],
        serde_json::to_value(&manifest.source).unwrap()
    );
    assert_eq!(live["pristine"], true);
    assert_eq!(live["holds-minimal-iso"], true);
    assert_eq!(live["embedded"], Value::Array(Vec::new()));
}

#[test]
fn inspect_shows_what_was_embedded() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let iso = case.out().join("os-live.iso");
    embed(&iso);
    let text = answer(&["inspect"], &iso);
    for line in [
        "label:   os-1.0\n",
        "  from disk, Bios: boot code in the first sector\n",
        "  Secure Boot finds a signed program: no\n",
        "    config.ign (2 bytes)\n",
        "  embed area: 256 KiB, with\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(
        text.contains("ignition.platform.id=metal quiet\n  kargs as published: "),
        "{text}"
    );
}

#[test]
fn inspect_says_of_other_files_what_they_are_not() {
    let case = Case::new(&Recipe::default());
    let output = ask(&["inspect"], &case.image);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: cannot inspect "), "{stderr}");
}

#[test]
fn verify_finds_a_build_good_and_again_after_it_was_customised() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let iso = case.out().join("os-live.iso");
    let text = answer(&["verify"], &iso);
    for check in [
        "good  rootfs: ",
        "good  rootfs version: 1.0",
        "good  image: os 1.0, ",
        "-     signature: not asked for",
        "good  manifest: kernel: ",
        "good  manifest: iso: ",
    ] {
        assert!(text.contains(check), "{check} in {text}");
    }
    embed(&iso);
    let text = answer(&["verify"], &iso);
    assert!(
        text.contains(", but for what is embedded in os-live.iso"),
        "{text}"
    );
}

#[test]
fn verify_takes_a_minimal_iso_for_what_it_is() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let full = File::open(case.out().join("os-live.iso")).unwrap();
    let description = MinimalIso::find(&mut IsoReader::open(&full).unwrap());
    let path = case.out().join("minimal.iso");
    let minimal = File::create_new(&path).unwrap();
    description
        .unwrap()
        .unwrap()
        .unpack(&full, &minimal)
        .unwrap();
    let text = answer(&["verify"], &path);
    for check in [
        "-     rootfs: not on this ISO, which fetches it",
        "good  manifest: initramfs: ",
        "-     manifest: iso: this is the minimal ISO",
    ] {
        assert!(text.contains(check), "{check} in {text}");
    }
}

#[test]
fn verify_names_what_differs() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image"]);
    let iso = case.out().join("os-live.iso");
    let file = File::options().read(true).write(true).open(&iso).unwrap();
    let mut reader = IsoReader::open(&file).unwrap();
    let rootfs = reader.existing(embed::contract::iso::ROOTFS).unwrap();
    // In the middle of the squashfs' data.
    let at = rootfs.offset + rootfs.length / 2;
    let mut byte = [0u8];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    let output = ask(&["verify"], &iso);
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(1));
    for check in [
        "BAD   rootfs: chunk at byte 0",
        "BAD   image: ",
        "BAD   manifest: rootfs: ",
        "BAD   manifest: iso: ",
    ] {
        assert!(stdout.contains(check), "{check} in {stdout}");
    }
    assert!(stdout.contains("good  manifest: kernel: "), "{stdout}");
    assert!(
        stderr.contains("is not what it says: rootfs, image, manifest: rootfs, manifest: iso\n"),
        "{stderr}"
    );
}

#[test]
fn signed_build_is_verified_by_its_key_and_by_no_other() {
    let case = Case::new(&Recipe::default());
    case.built(&["--no-image", "--sign", "some@body.example"]);
    let names = list(&case.out());
    assert!(
        names.contains(&"manifest.json.sig".to_owned())
            && names.contains(&"os-live.iso.sig".to_owned()),
        "{names:?}"
    );
    let iso = case.out().join("os-live.iso");
    let keys = case.keys.to_str().unwrap();
    let text = answer(&["verify", "--keyring", keys], &iso);
    assert!(text.contains("good  signature: by key "), "{text}");
    let other = tempfile::tempdir().unwrap();
    let stranger = crate::image::Signer::new(other.path());
    let unrelated = other.path().join("unrelated");
    fs::write(&unrelated, "x").unwrap();
    let keys_of_other = stranger.sign(&unrelated);
    let output = ask(
        &["verify", "--keyring", keys_of_other.to_str().unwrap()],
        &iso,
    );
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("BAD   signature: ") && stdout.contains("not among the 1 trusted keys"),
        "{stdout}"
    );
    // An unsigned build in the same place does not keep signatures over what it replaces.
    case.built(&["--no-image"]);
    let output = ask(&["verify", "--keyring", keys], &iso);
    assert_eq!(output.status.code(), Some(1));
    assert!(!list(&case.out()).iter().any(|name| name.ends_with(".sig")));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("is not what it says: signature\n"),
        "{stderr}"
    );
}

#[test]
fn key_that_is_not_there_is_told_before_the_work() {
    let case = Case::new(&Recipe::default());
    let output = case.build(&["--sign", "nobody@nowhere.example"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!case.out().exists());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("no secret key `nobody@nowhere.example`"),
        "{stderr}"
    );
}
