//! Which rootfs is taken and which archives are refused.

use super::archive::{Squashfs, locate_squashfs};
use super::root::{issue_text, mount_image_root};
use super::*;
use embed::digest::Sha256Digest;
use embed::gpt::GptError;
use embed::initrd::newc;
use embed::medium::{LiveImage, LiveMedium};
use std::fs;

fn archive(members: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = newc::Writer::new(file.reopen().unwrap());
    for (name, data) in members {
        writer.file(name, 0o644, data.len() as u64, *data).unwrap();
    }
    writer.finish().unwrap();
    file
}

const SQUASHFS: &[u8] = b"hsqs and a body";

#[test]
fn the_source_is_iso_then_initrd_then_url() {
    let choose = |text: &str, unpacked| Source::choose(&Kargs::parse(text), unpacked);
    let url = "coreos.live.rootfs_url=http://s/r.img";
    assert_eq!(
        choose(&format!("coreos.liveiso=os {url}"), true),
        Some(Source::Iso("os".into()))
    );
    assert_eq!(choose(url, true), Some(Source::Initrd));
    assert_eq!(
        choose(url, false),
        Some(Source::Urls(vec!["http://s/r.img".into()]))
    );
    // What is said last counts; a server that was named before it stands in for it.
    let two = format!("coreos.live.rootfs_url=http://b/r.img {url} {url}");
    assert_eq!(
        choose(&two, false),
        Some(Source::Urls(vec![
            "http://s/r.img".into(),
            "http://b/r.img".into()
        ]))
    );
    assert_eq!(choose("quiet", false), None);
}

#[test]
fn squashfs_is_located_behind_the_cpio_header() {
    let file = archive(&[
        ("root.squashfs", SQUASHFS),
        ("etc/coreos-live-rootfs", b"os.1\n"),
    ]);
    let want = Squashfs {
        offset: 124,
        length: SQUASHFS.len() as u64,
    };
    assert_eq!(locate_squashfs(file.path(), "os.1").unwrap(), want);
    assert_eq!(&fs::read(file.path()).unwrap()[124..128], b"hsqs");
}

#[test]
fn a_bare_squashfs_is_taken_whole() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), SQUASHFS).unwrap();
    assert_eq!(
        locate_squashfs(file.path(), "os.1").unwrap(),
        Squashfs {
            offset: 0,
            length: 0
        }
    );
}

#[test]
fn halves_of_different_builds_are_refused_with_both_versions() {
    let file = archive(&[
        ("root.squashfs", SQUASHFS),
        ("etc/coreos-live-rootfs", b"os.2\n"),
    ]);
    match locate_squashfs(file.path(), "os.1\n") {
        Err(RootfsError::Version { rootfs, initramfs }) => {
            assert_eq!((rootfs.as_str(), initramfs.as_str()), ("os.2", "os.1"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_of_another_shape_are_refused() {
    let reason = |members: &[(&str, &[u8])]| match locate_squashfs(archive(members).path(), "os.1")
    {
        Err(RootfsError::Archive { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&[]), "it is empty");
    assert_eq!(
        reason(&[
            ("etc/coreos-live-rootfs", b"os.1"),
            ("root.squashfs", SQUASHFS)
        ]),
        "its first member is not root.squashfs"
    );
    assert_eq!(
        reason(&[("root.squashfs", SQUASHFS), ("etc/other", b"os.1")]),
        "it holds no version"
    );
    let garbage = tempfile::NamedTempFile::new().unwrap();
    fs::write(garbage.path(), vec![7u8; 200]).unwrap();
    assert!(matches!(
        locate_squashfs(garbage.path(), "os.1"),
        Err(RootfsError::Cpio { .. })
    ));
}

#[test]
fn a_disk_image_of_another_size_is_refused_before_it_is_mounted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = LiveImage {
        name: "os".into(),
        version: "1".into(),
        architecture: "x86_64".into(),
        sector_size: 512,
        size: 4096,
        sha256: Sha256Digest::of(b""),
    };
    let medium = LiveMedium {
        image,
        path: file.path().to_owned(),
    };
    let mount = |medium: &LiveMedium| mount_image_root(medium, Path::new("/nonexistent"));
    assert!(
        matches!(mount(&medium), Err(RootfsError::Archive { reason, .. }) if reason.contains("size"))
    );
    file.as_file().set_len(4096).unwrap();
    assert!(matches!(
        mount(&medium),
        Err(RootfsError::Table {
            source: TableError::Gpt {
                primary: GptError::NoSignature,
                ..
            },
            ..
        })
    ));
}

#[test]
fn the_issue_names_the_image_and_what_to_type() {
    let image = LiveImage {
        name: "reference-os".into(),
        version: "7".into(),
        architecture: "x86_64".into(),
        sector_size: 512,
        size: 0,
        sha256: Sha256Digest::of(b""),
    };
    let text = issue_text(&image);
    assert!(
        text.contains("reference-os 7 (live)") && text.contains("coreos-installer install"),
        "{text}"
    );
}
