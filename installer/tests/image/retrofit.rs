//! `embed`: systems in files and on disks are configured after they were written; whatever is
//! refused leaves them bit by bit as they were.

use std::path::{Path, PathBuf};
use std::process::Command;

use embed::digest::Sha512Digest;
use installer::cancel::Cancel;
use installer::inspect::{Inspection, inspect};
use installer::observe::Silent;

use crate::disk::{LoopDisk, loops_over};
use crate::image::{compress, raw};
use crate::request::or_skip;
use crate::server::{Answer, Server};
use crate::system::{self, BOOT};

const CONFIG: &str = r#"{"ignition":{"version":"3.4.0"}}"#;
const OTHER: &str = r#"{"ignition":{"version":"3.3.0"}}"#;

struct Fixture {
    dir: tempfile::TempDir,
    image: PathBuf,
}

/// A directory with `image`, configs and keyfiles; or the reason why nothing can be mounted.
fn fixture(image: &[u8]) -> Result<Fixture, String> {
    LoopDisk::new(1 << 20, 512)?;
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.ign", CONFIG),
        ("b.ign", OTHER),
        ("net1/eth0.nmconnection", "[connection]\nid=one\n"),
        ("net2/eth1.nmconnection", "[connection]\nid=two\n"),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let path = dir.path().join("os.raw");
    std::fs::write(&path, image).unwrap();
    Ok(Fixture { dir, image: path })
}

impl Fixture {
    /// Runs `embed ARGS` on `target`; exit status and what was said.
    fn embed(&self, args: &[&str], target: &Path) -> (Option<i32>, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
            .current_dir(self.dir.path())
            .arg("embed")
            .args(args)
            .arg(target)
            .output()
            .unwrap();
        assert_eq!(out.stdout, b"");
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    }

    /// The same, which must fail with `error` and leave the target as it was.
    fn refused(&self, args: &[&str], target: &Path, error: &str) {
        let (before, loops) = (std::fs::read(target).unwrap(), loops_over(target));
        assert_eq!(self.embed(args, target), (Some(1), error.to_owned()));
        assert!(std::fs::read(target).unwrap() == before, "it was changed");
        assert_eq!(loops_over(target), loops);
    }
}

fn look(path: &Path) -> Inspection {
    inspect(path, &Silent, &Cancel::new()).unwrap()
}

fn assert_sound(image: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &image[BOOT]).unwrap();
    let checked = Command::new("e2fsck")
        .args(["-f", "-n"])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn an_image_is_configured_once_and_again_only_by_force() {
    let f = or_skip!("embed_again", fixture(&system::image(512)));
    let all = [
        "-i",
        "a.ign",
        "--append-karg",
        "nosmt",
        "--delete-karg",
        "rw",
        "--platform",
        "qemu",
        "--firstboot-args",
        "ip=dhcp a=\"$b\"",
        "--network-dir",
        "net1",
    ];
    let image = f.image.display();
    let done = format!("writing to {image}\ncomplete\nconfigured the system on {image}\n");
    assert_eq!(f.embed(&all, &f.image), (Some(0), done.clone()));
    let boot = look(&f.image).boot.unwrap();
    let config = boot.config.unwrap();
    assert_eq!(config.sha512, Sha512Digest::of(CONFIG.as_bytes()));
    assert_eq!(boot.network, ["eth0.nmconnection"]);
    assert_eq!(boot.firstboot_args.as_deref(), Some("ip=dhcp a=\"$b\""));
    assert_eq!(boot.platform.as_deref(), Some("qemu"));
    assert_eq!(
        boot.entry.unwrap().kargs,
        "root=LABEL=root ignition.platform.id=qemu console=ttyS0 nosmt"
    );
    let bytes = std::fs::read(&f.image).unwrap();
    assert_sound(&bytes);
    let original = system::image(512);
    assert!(bytes[..BOOT.start] == original[..BOOT.start]);
    assert!(bytes[BOOT.end + (16 << 20)..] == original[BOOT.end + (16 << 20)..]);

    let refusal = |what: &str| {
        format!(
            "error: {} was not changed\ncause: cannot edit the boot file system: the system {what}\n\
             hint:  `--force` replaces it; `coreos-installer inspect` shows what is there\n",
            f.image.display()
        )
    };
    let there = refusal("already has an embedded Ignition config");
    f.refused(&["-i", "b.ign"], &f.image, &there);
    let there = refusal("already has embedded network settings");
    f.refused(&["--network-dir", "net2"], &f.image, &there);

    let again = ["--force", "-i", "b.ign", "--network-dir", "net2"];
    assert_eq!(f.embed(&again, &f.image), (Some(0), done));
    let boot = look(&f.image).boot.unwrap();
    assert_eq!(
        boot.config.unwrap().sha512,
        Sha512Digest::of(OTHER.as_bytes())
    );
    assert_eq!(boot.network, ["eth1.nmconnection"]);
    assert_sound(&std::fs::read(&f.image).unwrap());
}

#[test]
fn a_disk_of_large_sectors_is_configured_and_a_busy_one_is_not() {
    let f = or_skip!("embed_disk", fixture(b""));
    let disk = or_skip!("embed_disk", LoopDisk::new(64 << 20, 4096));
    disk.write(0, &system::image(4096));
    let image = LoopDisk::over(&disk.node).unwrap();
    f.refused(
        &["-i", "a.ign"],
        &disk.node,
        &format!(
            "error: the disk cannot be edited\ncause: {node} is in use: {node} is behind {}\n\
             hint:  unmount or stop what uses it, or choose another disk\n",
            image.display(),
            node = disk.node.display()
        ),
    );
    LoopDisk::detach(&image);
    let (status, said) = f.embed(&["-i", "a.ign"], &disk.node);
    assert_eq!(status, Some(0), "{said}");
    let boot = look(&disk.node).boot.unwrap();
    assert_eq!(boot.config.unwrap().size, CONFIG.len() as u64);
}

#[test]
fn a_system_that_was_booted_is_left_alone() {
    let f = or_skip!("embed_booted", fixture(&system::image(512)));
    let part = f.dir.path().join("boot.part");
    let mut image = std::fs::read(&f.image).unwrap();
    std::fs::write(&part, &image[BOOT]).unwrap();
    let removed = Command::new("debugfs")
        .args(["-w", "-R", "rm /ignition.firstboot"])
        .arg(&part)
        .output()
        .unwrap();
    assert!(removed.status.success());
    image[BOOT].copy_from_slice(&std::fs::read(&part).unwrap());
    std::fs::write(&f.image, image).unwrap();
    f.refused(
        &["--force", "-i", "a.ign"],
        &f.image,
        &format!(
            "error: {} was not changed\n\
             cause: cannot edit the boot file system: the system was booted already\n\
             hint:  configs are applied by the first boot only; install the system again\n",
            f.image.display()
        ),
    );
}

/// The config and the boot entry were edited when the boot loader's turn comes.
#[test]
fn an_edit_that_fails_half_way_leaves_the_image_as_it_was() {
    let mut image = system::image(512);
    let marker = b"# CONSOLE-SETTINGS-END";
    let boot = &image[BOOT];
    let at = boot.windows(marker.len()).position(|w| w == marker);
    image[BOOT.start + at.unwrap() + 2] = b'X';
    let f = or_skip!("embed_half", fixture(&image));
    let before = std::fs::read(&f.image).unwrap();
    let (status, said) = f.embed(&["-i", "a.ign", "--console", "ttyS1"], &f.image);
    assert_eq!(status, Some(1));
    let first = format!("error: {} was not changed\n", f.image.display());
    assert!(
        said.starts_with(&first) && said.contains("grub.cfg has no CONSOLE-SETTINGS block\n"),
        "{said}"
    );
    assert!(std::fs::read(&f.image).unwrap() == before);
}

#[test]
fn what_is_no_raw_image_of_a_system_is_refused_by_name() {
    let f = or_skip!("embed_other", fixture(&compress(&raw(512), "zst")));
    let image = f.image.display();
    f.refused(
        &["-i", "a.ign"],
        &f.image,
        &format!(
            "error: {image} is compressed with zstd, not a raw image\n\
             hint:  unpack it first; `download --decompress` does\n"
        ),
    );
    std::fs::write(&f.image, [1u8; 8192]).unwrap();
    f.refused(
        &["-i", "a.ign"],
        &f.image,
        &format!(
            "error: {image} was not changed\ncause: the image has no usable partition table to \
             find its boot partition in: there is no GPT signature\n"
        ),
    );
    let held = std::fs::File::open(&f.image).unwrap();
    held.lock().unwrap();
    f.refused(
        &["-i", "a.ign"],
        &f.image,
        &format!("error: cannot edit {image}\ncause: resource busy\n"),
    );
    let (status, _) = f.embed(&[], &f.image);
    assert_eq!(status, Some(2), "nothing to embed is wrong usage");
}

/// Upstream issue 1091.
#[test]
fn several_configs_are_merged_and_variables_filled_in() {
    let f = or_skip!("embed_several", fixture(&system::image(512)));
    let base = r#"{"ignition":{"version":"3.3.0"},"storage":{"files":[
        {"path":"/etc/hostname","contents":{"source":"data:,base"}},
        {"path":"/etc/keep","contents":{"source":"data:,kept"}}]}}"#;
    let over = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n  - path: /etc/hostname\n    \
        contents: {inline: \"${{ name }}\"}\n";
    std::fs::write(f.dir.path().join("base.ign"), base).unwrap();
    std::fs::write(f.dir.path().join("over.bu"), over).unwrap();
    let server = Server::new([("/a.ign", vec![Answer::Body(CONFIG.into()); 2])]);
    let url = server.url("/a.ign");
    let both = ["-i", "base.ign", "-i", "over.bu", "--ignition-url", &url];
    let before = std::fs::read(&f.image).unwrap();
    let other = ["--insecure-ignition", "--set", "other=x"];
    let (status, said) = f.embed(&[&both[..], &other].concat(), &f.image);
    assert_eq!(status, Some(1));
    assert!(said.contains("variable `name` has no value"), "{said}");
    assert!(said.contains(" --> over.bu:6:"), "{said}");
    assert!(std::fs::read(&f.image).unwrap() == before, "it was changed");
    let more = ["--insecure-ignition", "--set", "name=node7"];
    let (status, said) = f.embed(&[&both[..], &more].concat(), &f.image);
    assert_eq!(status, Some(0), "{said}");
    let boot = f.dir.path().join("boot");
    std::fs::write(&boot, &std::fs::read(&f.image).unwrap()[BOOT]).unwrap();
    let shown = Command::new("debugfs")
        .args(["-R", "cat ignition/config.ign"])
        .arg(&boot)
        .output()
        .unwrap();
    let config: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(config["ignition"]["version"], "3.4.0");
    let files: Vec<_> = config["storage"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["contents"]["source"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            ("/etc/hostname", "data:,node7"),
            ("/etc/keep", "data:,kept")
        ]
    );
}

#[test]
fn keyfiles_that_find_no_room_leave_the_initramfs_as_it_was() {
    let f = or_skip!("embed_full", fixture(&system::image(512)));
    let part = f.dir.path().join("boot.part");
    let large = f.dir.path().join("large");
    let mut image = std::fs::read(&f.image).unwrap();
    std::fs::write(&part, &image[BOOT]).unwrap();
    // More than half of what is free: its copy does not fit.
    std::fs::write(&large, vec![0x5a; 9 << 20]).unwrap();
    let write = format!("write {} os/initramfs.img", large.display());
    for request in ["rm os/initramfs.img", &write] {
        let done = Command::new("debugfs")
            .args(["-w", "-R", request])
            .arg(&part)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    image[BOOT].copy_from_slice(&std::fs::read(&part).unwrap());
    std::fs::write(&f.image, &image).unwrap();
    let (status, said) = f.embed(&["--network-dir", "net1"], &f.image);
    assert_eq!(status, Some(1));
    assert!(said.contains("os/initramfs.img on the boot partition: No space left"));
    assert!(said.contains("\nhint:  make room"), "{said}");
    assert!(std::fs::read(&f.image).unwrap() == image, "it was changed");
}
