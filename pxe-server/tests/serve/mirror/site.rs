//! A site whose media are a mirror's current build: what machines are told, what they get, and what
//! stays for those that are under way when another build comes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use embed::digest::Sha256Digest;
use embed::report::{Event, Report};

use super::publisher::{PARTS, Publisher};
use super::{assert_holds, done, refused};
use crate::fixture::site_dir;
use crate::process::{Server, ticket_in};
use crate::tftp::fetch;

const MEDIA: &str = "media: {mirror: ../mirror, stream: stable}";

/// A site over an empty mirror, which installs every machine.
fn site(media: &str) -> tempfile::TempDir {
    let dir = site_dir();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "site/site.yaml",
        &format!("ipxe: {{dir: ../ipxe}}\n{media}\n"),
    );
    write("site/groups/all.yaml", "profile: worker\n");
    write(
        "site/profiles/worker.yaml",
        "name: worker\ninstall: {device: /dev/vda, image: published}\nignition: worker.ign\n",
    );
    dir
}

/// Mirrors for the site.
fn mirror(publisher: &Publisher, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command.args(["mirror", "--progress", "none", "--url", &publisher.url()]);
    command.arg("--site").arg(dir.join("site"));
    command.arg("--keyring").arg(publisher.key());
    command
}

fn check(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command.arg("check").arg("--site").arg(dir.join("site"));
    command
}

fn script(server: &Server, number: u8) -> String {
    let path = format!("ipxe?mac=02-00-00-00-00-{number:02x}&platform=efi");
    server.get(&path).text().unwrap()
}

/// The server has each file of a build as it was published, and the image's signature.
fn assert_served(server: &Server, script: &str, release: &str) {
    for (_, part) in PARTS {
        let path = format!("assets/{release}/{}", Publisher::name(release, part));
        assert!(script.contains(&server.url(&path)), "{path}: {script}");
        assert_eq!(
            Sha256Digest::of(&server.get(&path).bytes().unwrap()),
            Sha256Digest::of(&Publisher::content(release, part)),
            "{path}"
        );
    }
    let signature = format!("assets/{release}/os-{release}-disk.sig");
    assert_eq!(server.get(&signature).status().as_u16(), 200);
}

#[test]
fn a_site_without_a_mirrored_build_is_refused_with_file_and_line() {
    let dir = site(MEDIA);
    let said = refused(&mut check(dir.path()));
    let place = format!(
        "{}:2:8: no build is mirrored in ",
        dir.path().join("site/site.yaml").display()
    );
    assert!(said.contains(&place), "{said}");
    assert!(
        said.contains("hint:  `pxe-server mirror --site DIR`"),
        "{said}"
    );
    let publisher = Publisher::new();
    publisher.publish("1");
    done(&mut mirror(&publisher, dir.path()));
    let said = done(&mut check(dir.path()));
    assert!(said.contains("media: stable 1 x86_64"), "{said}");

    let pinned = MEDIA.replace('}', ", release: '7'}");
    std::fs::write(
        dir.path().join("site/site.yaml"),
        format!("ipxe: {{dir: ../ipxe}}\n{pinned}\n"),
    )
    .unwrap();
    let said = refused(&mut check(dir.path()));
    assert!(said.contains(":2:8: no build 7 is mirrored in "), "{said}");
    for (media, want) in [
        (MEDIA.replace("stable", "'../x'"), "no plain name"),
        (MEDIA.replace("stream", "strom"), "strom"),
        (
            "media: [1]".to_owned(),
            "a directory, or `{mirror: DIR, stream: NAME}`",
        ),
    ] {
        std::fs::write(dir.path().join("site/site.yaml"), format!("{media}\n")).unwrap();
        let said = refused(&mut check(dir.path()));
        assert!(
            said.contains(want) && said.contains("site.yaml:1:"),
            "{said}"
        );
    }
    std::fs::write(dir.path().join("site/site.yaml"), "media: ../media\n").unwrap();
    let said = refused(&mut mirror(&publisher, dir.path()));
    assert!(said.contains("is a directory, not a mirror"), "{said}");
}

#[test]
fn a_pinned_build_is_served_and_kept() {
    let (publisher, dir) = (
        Publisher::new(),
        site(&MEDIA.replace('}', ", release: '1'}")),
    );
    for release in ["1", "2", "3"] {
        publisher.publish(release);
        done(mirror(&publisher, dir.path()).args(["--keep", "1"]));
    }
    assert_holds(&dir.path().join("mirror"), "3", &["1"]);
    let server = Server::start(dir.path());
    let script = script(&server, 1);
    assert_served(&server, &script, "1");
    // The same for a GRUB that has no HTTP.
    let by_tftp = |name: &str| fetch(server.tftp, name, &["-b", "1024", "-w", "1"]).unwrap();
    let script = String::from_utf8(by_tftp("machines/02:00:00:00:00:02/grub.cfg")).unwrap();
    assert!(
        script.contains("\"$source/assets/1/os-1-kernel\""),
        "{script}"
    );
    let kernel = by_tftp("assets/1/os-1-kernel");
    assert!(kernel == Publisher::content("1", "kernel"));
}

#[test]
fn a_new_build_is_taken_up_and_the_old_one_stays_for_machines_under_way() {
    let (publisher, dir) = (Publisher::new(), site(MEDIA));
    publisher.publish("1");
    done(&mut mirror(&publisher, dir.path()));
    let server = Server::start(dir.path());
    let first = script(&server, 1);
    assert_served(&server, &first, "1");
    for stranger in [
        "assets/2/os-1-kernel",
        "assets/1/manifest.json",
        "assets/..%2f1/os-1-kernel",
    ] {
        assert_eq!(server.get(stranger).status().as_u16(), 404, "{stranger}");
    }

    publisher.publish("2");
    let said = done(mirror(&publisher, dir.path()).args(["--keep", "1"]));
    assert!(said.contains("1 is kept: a server uses it"), "{said}");
    server.wait_for("build 2", |server| {
        server.json("api/v1/site")["media"] == "stable 2 x86_64"
    });
    assert_served(&server, &script(&server, 2), "2");
    // The machine that was told of build 1 finds it, now and in a while.
    assert_served(&server, &first, "1");
    let said = done(mirror(&publisher, dir.path()).args(["--keep", "1"]));
    assert!(said.contains("1 is kept: a server uses it"), "{said}");
    assert_served(&server, &first, "1");

    let report = format!(
        "machines/02-00-00-00-00-01/report?ticket={}",
        ticket_in(&first)
    );
    let device = "/dev/vda".to_owned();
    for event in [Event::InstallStarted { device }, Event::Installed] {
        let body = serde_json::to_vec(&Report::new(event, 1)).unwrap();
        assert_eq!(server.post(&report, body), 204);
    }
    let give_up = Instant::now() + Duration::from_secs(300);
    while !done(mirror(&publisher, dir.path()).args(["--keep", "1"])).contains("1 is removed") {
        assert!(Instant::now() < give_up, "build 1 is removed");
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_holds(&dir.path().join("mirror"), "2", &[]);
    server.wait_for("the site without build 1", |server| {
        server.get("assets/1/os-1-kernel").status().as_u16() == 404
    });
}
