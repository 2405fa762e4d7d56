//! Bundles: what is carried over is what was mirrored, and nothing in them is believed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use embed::digest::Sha256Digest;
use tar::{Builder, EntryType, Header};

use super::publisher::{Publisher, mirror};
use super::{assert_holds, assert_whole, done, names, refused, shelf};

/// A member of a bundle: name, kind, content.
type Member = (String, EntryType, Vec<u8>);

struct Carried {
    publisher: Publisher,
    dir: tempfile::TempDir,
}

impl Carried {
    /// A mirror with build 1, and the bundle of it.
    fn new() -> Self {
        let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
        publisher.publish("1");
        done(&mut publisher.mirror(&dir.path().join("from")));
        let carried = Self { publisher, dir };
        done(&mut carried.export());
        carried
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("bundle.tar")
    }

    fn export(&self) -> Command {
        let mut command = mirror(&self.dir.path().join("from"), &self.publisher.key());
        command.arg("--export").arg(self.bundle());
        command
    }

    fn import(&self, bundle: &Path) -> Command {
        let mut command = mirror(&self.target(), &self.publisher.key());
        command.arg("--from").arg(bundle);
        command
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("into")
    }

    fn members(&self) -> Vec<Member> {
        let mut archive = tar::Archive::new(File::open(self.bundle()).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            (name, entry.header().entry_type(), content)
        });
        entries.collect()
    }

    /// Writes another bundle of these members.
    fn write(&self, members: &[Member]) -> PathBuf {
        let path = self.dir.path().join("other.tar");
        let mut tar = Builder::new(File::create(&path).unwrap());
        for (name, kind, content) in members {
            let mut header = Header::new_ustar();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // As it is: the library would refuse some of them.
            let field = &mut header.as_ustar_mut().unwrap().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            tar.append(&header, content.as_slice()).unwrap();
        }
        tar.finish().unwrap();
        path
    }

    fn assert_refused(&self, bundle: &Path, want: &str) {
        let said = refused(&mut self.import(bundle));
        assert!(said.contains(want), "{want}: {said}");
        assert_eq!(names(&shelf(&self.target())), [".lock"], "{want}");
        assert_eq!(
            names(self.dir.path()),
            ["bundle.tar", "from", "into", "other.tar"]
        );
    }
}

fn file(name: &str, content: &[u8]) -> Member {
    (name.to_owned(), EntryType::Regular, content.to_vec())
}

#[test]
fn a_build_is_carried_over_as_it_was_mirrored_and_only_once() {
    let carried = Carried::new();
    let said = done(&mut carried.import(&carried.bundle()));
    assert!(said.starts_with("1 is verified and current: "), "{said}");
    assert_holds(&carried.target(), "1", &[]);
    let manifest = |mirror: &Path| fs::read(shelf(mirror).join("1/manifest.json")).unwrap();
    let from = carried.dir.path().join("from");
    assert_eq!(manifest(&carried.target()), manifest(&from));
    let said = done(&mut carried.import(&carried.bundle()));
    assert!(said.starts_with("1 was there already: "), "{said}");

    let before = fs::read(carried.bundle()).unwrap();
    let said = refused(&mut carried.export());
    assert!(
        said.contains("cannot make") && said.contains("exists"),
        "{said}"
    );
    fs::remove_file(carried.bundle()).unwrap();
    done(&mut carried.export());
    assert!(
        fs::read(carried.bundle()).unwrap() == before,
        "the same bytes"
    );
}

#[test]
fn an_empty_mirror_has_nothing_to_export() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    let mut command = mirror(&dir.path().join("mirror"), &publisher.key());
    let said = refused(command.arg("--export").arg(dir.path().join("b.tar")));
    assert!(said.contains("holds no build yet"), "{said}");
    assert_eq!(names(dir.path()), ["mirror"]);
}

#[test]
fn members_that_lead_elsewhere_or_do_not_belong_are_refused() {
    let carried = Carried::new();
    let good = carried.members();
    let with = |more: Member| [good.clone(), vec![more]].concat();
    let without = |name: &str| -> Vec<Member> {
        let kept = good.iter().filter(|member| member.0 != name);
        kept.cloned().collect()
    };
    let symlink = |name: &str| (name.to_owned(), EntryType::Symlink, Vec::new());
    let extension = (
        "x".to_owned(),
        EntryType::XHeader,
        b"20 path=../../evil\n".to_vec(),
    );
    for (members, want) in [
        (with(file("../evil", b"x")), "no plain name"),
        (with(file("/etc/evil", b"x")), "no plain name"),
        (with(file("a/b", b"x")), "no plain name"),
        (with(file(".lock", b"x")), "no plain name"),
        (with(symlink("link")), "no plain file with a plain name"),
        (with(extension), "no plain file with a plain name"),
        (
            with(file("more", b"x")),
            "a member more that its manifest does not list",
        ),
        (
            with(good[1].clone()),
            "that its manifest does not list, or twice",
        ),
        (
            without("manifest.json"),
            "its first member is not manifest.json",
        ),
        (without("os-1-rootfs"), "it has no member os-1-rootfs"),
        (
            without("os-1-kernel.sig"),
            "it has no member os-1-kernel.sig",
        ),
        (without("os-1-disk.sig"), "it has no member os-1-disk.sig"),
        (vec![], "its first member is not manifest.json"),
        (
            vec![file("manifest.json", b"{}")],
            "its manifest cannot be used",
        ),
        (
            vec![file("manifest.json", &[b' '; 2_000_000])],
            "2000000 bytes; 1048576 fit",
        ),
    ] {
        carried.assert_refused(&carried.write(&members), want);
    }
}

#[test]
fn files_that_were_changed_on_the_way_are_refused() {
    let carried = Carried::new();
    let good = carried.members();
    for (name, want) in [
        ("os-1-kernel", "does not match"),
        ("os-1-rootfs", "does not match"),
        ("os-1-disk", "cannot take the image"),
        ("os-1-initramfs.sig", "of the bundle cannot be verified"),
    ] {
        let mut members = good.clone();
        let member = members.iter_mut().find(|member| member.0 == name);
        let content = &mut member.unwrap().2;
        let middle = content.len() / 2;
        content[middle] ^= 1;
        carried.assert_refused(&carried.write(&members), want);
    }
    // Whoever changes a file can change the manifest, too.
    let mut members = good.clone();
    let other = Publisher::content("2", "rootfs");
    let text = String::from_utf8(members[0].2.clone()).unwrap();
    let was = Sha256Digest::of(&Publisher::content("1", "rootfs")).to_string();
    let now = Sha256Digest::of(&other).to_string();
    members[0].2 = text.replace(&was, &now).into_bytes();
    let rootfs = members.iter_mut().find(|member| member.0 == "os-1-rootfs");
    rootfs.unwrap().2 = other;
    carried.assert_refused(&carried.write(&members), "does not match");
    // A key that is not known here vouches for nothing.
    let stranger = Publisher::new();
    let mut command = mirror(&carried.target(), &stranger.key());
    let said = refused(command.arg("--from").arg(carried.bundle()));
    assert!(said.contains("which is not among the"), "{said}");
}

#[test]
fn kernel_arguments_and_digests_of_a_bundle_are_not_taken_over() {
    let carried = Carried::new();
    let mut members = carried.members();
    let text = String::from_utf8(members[0].2.clone()).unwrap();
    let text = text.replace("\"kargs\": []", "\"kargs\": [\"init=/bin/sh\"]");
    assert!(text.contains("init=/bin/sh"));
    members[0].2 = text.into_bytes();
    done(&mut carried.import(&carried.write(&members)));
    let build = shelf(&carried.target()).join("1");
    assert_whole(&build, "1");
    let manifest = fs::read_to_string(build.join("manifest.json")).unwrap();
    assert!(manifest.contains("\"kargs\": []"), "{manifest}");
}

#[test]
fn a_bundle_that_ends_early_or_is_of_another_stream_is_refused() {
    let carried = Carried::new();
    let whole = fs::read(carried.bundle()).unwrap();
    let path = carried.dir.path().join("other.tar");
    for (length, want) in [
        (0, "its first member is not manifest.json"),
        (100, "reading it failed"),
        (20_000, "is no usable bundle"),
        (whole.len() / 2, "is no usable bundle"),
    ] {
        fs::write(&path, &whole[..length]).unwrap();
        carried.assert_refused(&path, want);
    }
    fs::write(&path, b"no tar archive at all".repeat(100)).unwrap();
    carried.assert_refused(&path, "is no usable bundle");
    let mut command = carried.import(&carried.bundle());
    let said = refused(command.args(["--stream", "testing"]));
    let want = "this is stream stable for x86_64, and testing for x86_64 is wanted";
    assert!(said.contains(want), "{said}");
}
