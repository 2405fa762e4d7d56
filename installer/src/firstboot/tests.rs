//! Whole edits of a boot partition as the reference images have it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use embed::initrd::{Archive, Limits};

use super::*;

const ENTRY: &str = "title Test\nversion 1\noptions root=UUID=1 console=tty0 console=ttyS0,115200n8 \
    ignition.platform.id=metal $ignition_firstboot\nlinux /ostree/vmlinuz\ninitrd /ostree/initramfs.img\n";
const GRUB: &str = "set timeout=1\n# CONSOLE-SETTINGS-START\nserial --speed=115200\n# CONSOLE-SETTINGS-END\nboot\n";
const PLATFORMS: &str = r#"{
  "metal": {"kernel_arguments": ["console=tty0", "console=ttyS0,115200n8"], "grub_commands": ["serial --speed=115200"]},
  "qemu": {"kernel_arguments": ["console=ttyS0,115200n8"], "grub_commands": ["serial --unit=0", "terminal_input serial"]}
}"#;

fn image() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    for sub in ["loader.1/entries", "grub2", "coreos", "ostree"] {
        fs::create_dir_all(path.join(sub)).unwrap();
    }
    symlink("loader.1", path.join("loader")).unwrap();
    fs::write(path.join("loader/entries/ostree-1.conf"), "options old\n").unwrap();
    fs::write(path.join("loader/entries/ostree-2.conf"), ENTRY).unwrap();
    fs::write(path.join("loader/entries/zz.txt"), "no entry").unwrap();
    fs::write(path.join("grub2/grub.cfg"), GRUB).unwrap();
    fs::write(path.join("coreos/platforms.json"), PLATFORMS).unwrap();
    fs::write(path.join("ignition.firstboot"), "").unwrap();
    fs::write(path.join("ostree/initramfs.img"), b"070701-five").unwrap();
    dir
}

/// Every file of the tree with its content.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            } else if path.is_file() {
                files.insert(
                    path.strip_prefix(root).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    files
}

fn read(dir: &tempfile::TempDir, rel: &str) -> String {
    fs::read_to_string(dir.path().join(rel)).unwrap()
}

fn options(dir: &tempfile::TempDir) -> String {
    let entry = read(dir, "loader/entries/ostree-2.conf");
    entry
        .lines()
        .find_map(|l| l.strip_prefix("options "))
        .unwrap()
        .to_owned()
}

#[test]
fn an_empty_edit_is_empty_and_changes_nothing() {
    let dir = image();
    let before = snapshot(dir.path());
    let edit = FirstBoot {
        platform: Some("metal".into()),
        ..FirstBoot::default()
    };
    assert!(edit.is_empty());
    edit.apply(dir.path()).unwrap();
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn ignition_config_is_private_verbatim_and_never_overwritten() {
    let dir = image();
    let text = "{ \"ignition\": { \"version\": \"3.3.0\" } }\n\n";
    let edit = FirstBoot {
        ignition: Some(Config::parse(text).unwrap()),
        ..FirstBoot::default()
    };
    edit.apply(dir.path()).unwrap();
    assert_eq!(read(&dir, "ignition/config.ign"), text);
    let mode = |rel: &str| fs::metadata(dir.path().join(rel)).unwrap().mode() & 0o7777;
    assert_eq!(
        (mode("ignition"), mode("ignition/config.ign")),
        (0o700, 0o600)
    );

    let other = Config::parse(r#"{"ignition":{"version":"3.0.0"}}"#).unwrap();
    let error = FirstBoot {
        ignition: Some(other),
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap_err();
    assert!(
        matches!(error, FirstBootError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    );
    assert_eq!(read(&dir, "ignition/config.ign"), text);
}

#[test]
fn a_platform_brings_its_consoles_and_drops_those_of_metal() {
    let dir = image();
    FirstBoot {
        platform: Some("qemu".into()),
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    assert_eq!(
        options(&dir),
        "root=UUID=1 ignition.platform.id=qemu $ignition_firstboot console=ttyS0,115200n8"
    );
    assert_eq!(
        read(&dir, "grub2/grub.cfg"),
        "set timeout=1\n# CONSOLE-SETTINGS-START\nserial --unit=0\nterminal_input serial\n\
         # CONSOLE-SETTINGS-END\nboot\n"
    );
    assert_eq!(read(&dir, "loader/entries/ostree-1.conf"), "options old\n");
    assert!(
        read(&dir, "loader/entries/ostree-2.conf").starts_with("title Test\nversion 1\noptions ")
    );
}

#[test]
fn given_consoles_win_over_those_of_the_platform() {
    let dir = image();
    fs::write(dir.path().join("grub2/console.cfg"), GRUB).unwrap();
    let consoles = vec!["tty0".parse().unwrap(), "ttyS1".parse().unwrap()];
    FirstBoot {
        platform: Some("qemu".into()),
        consoles,
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    assert_eq!(
        options(&dir),
        "root=UUID=1 ignition.platform.id=qemu $ignition_firstboot console=tty0 console=ttyS1,9600n8"
    );
    assert!(read(&dir, "grub2/console.cfg").contains(
        "-START\nserial --unit=1 --speed=9600 --word=8 --parity=no\nterminal_input console serial\n\
         terminal_output console serial\n# CONSOLE-SETTINGS-END\n"
    ));
    assert_eq!(read(&dir, "grub2/grub.cfg"), GRUB);
}

#[test]
fn an_image_without_a_table_gets_its_platform_and_keeps_its_grub_configuration() {
    let dir = image();
    fs::remove_file(dir.path().join("coreos/platforms.json")).unwrap();
    fs::write(dir.path().join("grub2/grub.cfg"), "no markers\n").unwrap();
    FirstBoot {
        platform: Some("aws".into()),
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    assert!(options(&dir).contains("console=tty0 console=ttyS0,115200n8 ignition.platform.id=aws"));
}

#[test]
fn kernel_arguments_are_edited_after_the_platform() {
    let dir = image();
    let kargs = Edit {
        append: vec!["nosmt".into(), "a=\"b c\"".into()],
        delete: vec!["root=UUID=1".into(), "ignition.platform.id=qemu".into()],
        ..Edit::default()
    };
    FirstBoot {
        platform: Some("qemu".into()),
        kargs,
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    assert_eq!(
        options(&dir),
        "$ignition_firstboot console=ttyS0,115200n8 nosmt a=\"b c\""
    );
}

#[test]
fn first_boot_arguments_are_appended_to_the_stamp() {
    let dir = image();
    fs::write(dir.path().join("ignition.firstboot"), "# stamp\n").unwrap();
    let firstboot_args = Some("rd.neednet=1 ip=dhcp".parse().unwrap());
    FirstBoot {
        firstboot_args,
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    assert_eq!(
        read(&dir, "ignition.firstboot"),
        "# stamp\nset ignition_network_kcmdline=\"rd.neednet=1 ip=dhcp\"\n"
    );
}

#[test]
fn keyfiles_are_an_aligned_archive_behind_the_initramfs() {
    let dir = image();
    let source = tempfile::tempdir().unwrap();
    fs::write(
        source.path().join("eth0.nmconnection"),
        "[connection]\nid=eth0\n",
    )
    .unwrap();
    fs::create_dir(source.path().join("below")).unwrap();
    let network = Keyfiles::from_dir(source.path()).unwrap();
    FirstBoot {
        network,
        ..FirstBoot::default()
    }
    .apply(dir.path())
    .unwrap();
    let initramfs = fs::read(dir.path().join("ostree/initramfs.img")).unwrap();
    assert_eq!(initramfs.get(..12), Some(b"070701-five\0".as_slice()));
    let archive = Archive::read(initramfs.get(12..).unwrap(), Limits::AREA).unwrap();
    assert_eq!(
        archive.iter().collect::<Vec<_>>(),
        [(
            "etc/coreos-firstboot-network/eth0.nmconnection",
            b"[connection]\nid=eth0\n".as_slice()
        )]
    );
}

/// Runs `edit` on an image changed by `break_it`; it must fail and leave every file as it was.
fn refused(edit: &FirstBoot, break_it: impl FnOnce(&Path)) -> FirstBootError {
    let dir = image();
    break_it(dir.path());
    let before = snapshot(dir.path());
    let error = edit.apply(dir.path()).unwrap_err();
    assert_eq!(snapshot(dir.path()), before, "{error}");
    error
}

#[test]
fn images_that_are_not_coreos_style_are_refused_untouched() {
    let qemu = FirstBoot {
        platform: Some("qemu".into()),
        ..FirstBoot::default()
    };
    let write = |rel: &'static str, text: &'static str| {
        move |root: &Path| fs::write(root.join(rel), text).unwrap()
    };
    let entry = "loader/entries/ostree-2.conf";

    let error = refused(&qemu, |root| {
        fs::remove_dir_all(root.join("loader.1")).unwrap()
    });
    assert!(matches!(error, FirstBootError::NoEntry { .. }));
    let error = refused(&qemu, write(entry, "title x\n"));
    assert!(matches!(
        error,
        FirstBootError::OptionsLine { found: 0, .. }
    ));
    let error = refused(&qemu, write(entry, "options a\noptions b\noptions c\n"));
    assert!(matches!(
        error,
        FirstBootError::OptionsLine { found: 3, .. }
    ));
    let error = refused(&qemu, write(entry, "options ignition.platform.id=aws\n"));
    assert!(
        matches!(error, FirstBootError::Platform { want, .. } if want == "ignition.platform.id=metal")
    );

    let args = FirstBoot {
        firstboot_args: Some("ip=dhcp".parse().unwrap()),
        ..FirstBoot::default()
    };
    let error = refused(&args, |root| {
        fs::remove_file(root.join("ignition.firstboot")).unwrap()
    });
    assert!(matches!(error, FirstBootError::NotThere { .. }));

    let network = [Keyfile {
        name: "x".into(),
        bytes: vec![],
    }]
    .into_iter()
    .collect();
    let keys = FirstBoot {
        network,
        ..FirstBoot::default()
    };
    let error = refused(&keys, write(entry, "options a\n"));
    assert!(matches!(error, FirstBootError::InitrdLine { found: 0, .. }));
    let error = refused(&keys, write(entry, "options a\ninitrd ../../etc/passwd\n"));
    assert!(matches!(error, FirstBootError::Io { .. }));
}

#[test]
fn a_boot_entry_directory_that_leads_out_of_the_partition_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("entries")).unwrap();
    fs::write(
        outside.path().join("entries/a.conf"),
        "options ignition.platform.id=metal\n",
    )
    .unwrap();
    let edit = FirstBoot {
        platform: Some("qemu".into()),
        ..FirstBoot::default()
    };
    let error = refused(&edit, |root| {
        fs::remove_file(root.join("loader")).unwrap();
        symlink(outside.path(), root.join("loader")).unwrap();
    });
    assert!(matches!(error, FirstBootError::Io { .. }));
    assert_eq!(
        fs::read_to_string(outside.path().join("entries/a.conf")).unwrap(),
        "options ignition.platform.id=metal\n"
    );
}

#[test]
fn a_broken_platform_table_or_missing_markers_are_named() {
    let consoles = vec!["tty0".parse().unwrap()];
    let edit = FirstBoot {
        consoles,
        ..FirstBoot::default()
    };
    let error = refused(&edit, |root| {
        fs::write(root.join("coreos/platforms.json"), "[]").unwrap()
    });
    assert!(matches!(error, FirstBootError::PlatformTable { .. }));

    let dir = image();
    fs::write(dir.path().join("grub2/grub.cfg"), "no markers\n").unwrap();
    let error = edit.apply(dir.path()).unwrap_err();
    assert!(matches!(error, FirstBootError::NoConsoleBlock { .. }));
    assert_eq!(read(&dir, "grub2/grub.cfg"), "no markers\n");
}
