//! matchbox data beside a site: machines that no group of the site matches are served as matchbox
//! would, and all others as before.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use embed::report::Event;
use reqwest::blocking::Response;

use crate::fixture::{MAC, site_dir};
use crate::process::{PROGRAM, Server, ticket_in};
use crate::tftp::fetch;

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn name_matchbox(dir: &Path, matchbox: &str) {
    let text = format!("media: ../media\nipxe: {{dir: ../ipxe}}\n{matchbox}");
    write(dir, "site/site.yaml", &text);
}

/// A site for one machine, and a data directory for whoever is installed and for everybody.
pub(crate) fn moving() -> tempfile::TempDir {
    let dir = site_dir();
    name_matchbox(dir.path(), "matchbox: ../old\n");
    for (name, text) in [
        (
            "groups/default.json",
            r#"{"id": "default", "profile": "etcd", "metadata": {"role": "member"}}"#,
        ),
        (
            "groups/done.json",
            r#"{"id": "done", "profile": "disk", "selector": {"os": "installed"}}"#,
        ),
        (
            "profiles/etcd.json",
            r#"{"id": "etcd", "ignition_id": "etcd.bu", "generic_id": "etcd.txt",
                "boot": {"kernel": "/assets/os/vmlinuz", "initrd": ["/assets/os/initrd"], "args": ["initrd=initrd", "a=${uuid}"]}}"#,
        ),
        (
            "profiles/disk.json",
            r#"{"id": "disk", "boot": {"kernel": "/assets/none"}}"#,
        ),
        (
            "ignition/etcd.bu",
            "variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: /role, contents: {inline: '{{.role}}'}}]}\n",
        ),
        ("generic/etcd.txt", "{{.request.query.mac}} {{.role}}\n"),
        ("assets/os/vmlinuz", "their kernel"),
        ("assets/vmlinuz", "another kernel of theirs"),
    ] {
        write(&dir.path().join("old"), name, text);
    }
    dir
}

fn text(answer: Response) -> (u16, String) {
    (answer.status().as_u16(), answer.text().unwrap())
}

const OTHER: &str = "mac=02-00-00-00-00-02&uuid=&serial=&arch=x86_64&product=R1&platform=efi";
const THEIR_SCRIPT: &str =
    "#!ipxe\nkernel /assets/os/vmlinuz initrd=initrd a=${uuid}\ninitrd /assets/os/initrd\nboot\n";

#[test]
fn whom_no_group_of_the_site_matches_is_served_as_matchbox_would() {
    let dir = moving();
    let server = Server::start(dir.path());
    let own = server.script();
    assert!(own.contains("profile worker"), "{own}");
    assert_eq!(ticket_in(&own).len(), 32);
    let kernel = format!("kernel {} ", server.url("media/vmlinuz"));
    assert!(own.contains(&kernel), "{own}");
    let script = |query: &str| text(server.get(&format!("ipxe?{query}")));
    assert_eq!(script(OTHER), (200, THEIR_SCRIPT.into()));
    assert_eq!(script(""), (200, THEIR_SCRIPT.into()), "no machine at all");
    let done = script(&format!("{OTHER}&os=installed")).1;
    assert!(done.contains("kernel /assets/none"), "{done}");
    assert_eq!(script(OTHER).1, THEIR_SCRIPT, "what it said once is over");
    // Nothing is allowed, nothing is counted, as often as it asks.
    let machine = server.json("api/v1/machines/02:00:00:00:00:02");
    assert_eq!(machine["state"], "discovered", "{machine}");
    let explained = server.json("api/v1/machines/02:00:00:00:00:02/explain");
    assert_eq!(explained["chosen"], serde_json::Value::Null);
    assert_eq!(explained["matchbox"]["group"], "default", "{explained}");
}

#[test]
fn matchboxs_endpoints_and_assets_stay_where_they_were() {
    let dir = moving();
    let server = Server::start(dir.path());
    let first = text(server.get("boot.ipxe"));
    assert!(
        first.1.contains("&domain=${domain:uristring}&"),
        "{first:?}"
    );
    assert_eq!(text(server.get("boot.ipxe.0")), first);
    let role = "data:,member";
    let config = server.json(&format!("ignition?{OTHER}"));
    assert_eq!(config["storage"]["files"][0]["contents"]["source"], role);
    for (path, status, want) in [
        ("", 200, "matchbox\n"),
        (
            "generic?mac=02-00-00-00-00-02",
            200,
            "02:00:00:00:00:02 member\n",
        ),
        (
            "cloud",
            404,
            "the profile of group `default` names no such config\n",
        ),
        ("assets/os/vmlinuz", 200, "their kernel"),
        ("assets/vmlinuz", 200, "another kernel of theirs"),
        ("media/vmlinuz", 200, "kernel"),
        ("assets/initrd.img", 200, "initramfs"),
        ("assets/none", 404, "the media have no file `none`\n"),
        (
            "assets/..%2Fgroups/default.json",
            403,
            "assets are below /assets\n",
        ),
        (
            "media/..%2Fmanifest.json",
            404,
            "the media have no file `manifest.json`\n",
        ),
        (
            "ipxe.sig",
            404,
            "this server was given no key to sign with\n",
        ),
    ] {
        assert_eq!(text(server.get(path)), (status, want.into()), "{path}");
    }
    assert_eq!(server.range("assets/os/vmlinuz", "bytes=0-4").status(), 206);
    assert!(text(server.get("assets/")).1.contains("./os/"));
    assert!(text(server.get("metadata")).1.contains("ROLE=member\n"));
    assert!(
        text(server.get("grub"))
            .1
            .contains("linuxefi \"/assets/os/vmlinuz\"")
    );
}

#[test]
fn grub_boots_what_matchbox_names_by_http_or_tftp() {
    let dir = moving();
    let server = Server::start(dir.path());
    let by_tftp = |name: &str| fetch(server.tftp, name, &[]);
    let script = by_tftp("machines/02:00:00:00:00:02/grub.cfg?&serial=S 1&os=y").unwrap();
    let want = format!(
        "set answered=yes\nfor source in http,127.0.0.1:{} tftp,127.0.0.1; do\n  set root=$source\n  if linux \"/assets/os/vmlinuz\" initrd=initrd a=${{uuid}}; then\n    if initrd \"/assets/os/initrd\"; then boot; fi\n  fi\ndone\nset pause=10\n",
        server.http
    );
    assert_eq!(String::from_utf8(script).unwrap(), want);
    assert_eq!(by_tftp("/assets/os/vmlinuz").unwrap(), b"their kernel");
    assert_eq!(by_tftp("media/vmlinuz").unwrap(), b"kernel");
    assert_eq!(by_tftp("assets/initrd.img").unwrap(), b"initramfs");
    for name in ["assets/../groups/default.json", "assets/os", "assets/none"] {
        assert_eq!(by_tftp(name), None, "{name}");
    }
}

#[test]
fn a_machine_that_the_site_has_installed_is_never_matchboxs_again() {
    let dir = moving();
    let server = Server::start(dir.path());
    let ticket = ticket_in(&server.script());
    let device = "/dev/vda".to_owned();
    for event in [Event::InstallStarted { device }, Event::Installed] {
        assert_eq!(server.report(&ticket, event, 1), 204);
    }
    write(
        dir.path(),
        "site/groups/rack.yaml",
        "profile: worker\nselector: {mac: '02:*'}\n",
    );
    server.hang_up();
    server.wait_for("the change", |server| {
        server.json("api/v1/site")["generation"] == 2
    });
    let script = server.script();
    assert!(script.contains("this machine is installed"), "{script}");
    assert!(!script.contains("/assets/os"), "{script}");
    let other = text(server.get(&format!("ipxe?{OTHER}"))).1;
    assert!(other.contains("profile worker"), "moved over: {other}");
    assert_eq!(server.state(), "installed", "{MAC}");
}

#[test]
fn the_data_are_taken_with_the_whole_site_or_not_at_all() {
    let dir = moving();
    let server = Server::start(dir.path());
    let generation = |server: &Server| server.json("api/v1/site")["generation"].clone();
    let generic = |server: &Server| text(server.get("generic?mac=02-00-00-00-00-02"));
    write(dir.path(), "old/generic/etcd.txt", "new\n");
    write(dir.path(), "site/groups/bad.yaml", "profile: none\n");
    server.hang_up();
    server.wait_for("the refusal", |server| {
        !server.json("api/v1/site")["refused"].is_null()
    });
    assert_eq!(generic(&server).1, "02:00:00:00:00:02 member\n");
    std::fs::remove_file(dir.path().join("site/groups/bad.yaml")).unwrap();
    server.wait_for("both", |server| generation(server) == 2);
    assert_eq!(generic(&server).1, "new\n");
    name_matchbox(dir.path(), "");
    server.wait_for("no matchbox", |server| generation(server) == 3);
    let none = "this site has no matchbox data beside it\n";
    assert_eq!(generic(&server), (404, none.into()));
    let disk = text(server.get(&format!("ipxe?{OTHER}"))).1;
    assert!(disk.contains("no group of this site matches"), "{disk}");
    assert_eq!(text(server.get("assets/vmlinuz")).1, "kernel");
    assert_eq!(server.get("ipxe").status(), 400);
}

#[test]
fn data_and_assets_out_of_reach_are_not_read() {
    let dir = moving();
    let far = tempfile::tempdir().unwrap();
    write(far.path(), "secret", "secret");
    let server = Server::start(dir.path());
    if !server.log().contains("by Landlock: reads ") {
        eprintln!("SKIP: data_and_assets_out_of_reach: this kernel has no Landlock");
        return;
    }
    symlink(
        far.path().join("secret"),
        dir.path().join("old/assets/link"),
    )
    .unwrap();
    assert_eq!(server.get("assets/link").status(), 503);
    let copied = Command::new("cp")
        .arg("-r")
        .args([dir.path().join("old"), far.path().join("data")])
        .status();
    assert!(copied.unwrap().success());
    let named = format!("matchbox: {}/data\n", far.path().display());
    name_matchbox(dir.path(), &named);
    server.wait_for("the refusal", |server| {
        !server.json("api/v1/site")["refused"].is_null()
    });
    let refused = server.json("api/v1/site")["refused"]["error"].clone();
    let want = format!(
        "{}/data/groups is out of the reach that the server has had since its start; a new start takes it in",
        far.path().display()
    );
    assert_eq!(refused, want.as_str());
    assert_eq!(text(server.get("assets/os/vmlinuz")).1, "their kernel");
}

#[test]
fn check_and_explain_say_what_matchbox_groups_give() {
    let dir = moving();
    let said = |words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .arg("--site")
            .arg(dir.path().join("site"));
        let output = command.output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (String::from_utf8(output.stdout).unwrap(), err)
    };
    let (out, err) = said(&["check"]);
    assert_eq!(err, "");
    assert!(out.contains("matchbox group default: profile etcd, boots /assets/os/vmlinuz, config etcd.bu (sha512 "), "{out}");
    assert!(
        out.contains("matchbox group done: profile disk, boots /assets/none, no config\n"),
        "{out}"
    );
    assert!(
        out.ends_with("all other machines: matchbox group default, profile etcd\n"),
        "{out}"
    );
    let (out, _) = said(&["explain", "02:00:00:00:00:02", "--label", "os=installed"]);
    let want = "02:00:00:00:00:02: no group of this site matches; matchbox group done does\n  profile disk, boots /assets/none\n";
    assert!(out.starts_with(want), "{out}");
    write(dir.path(), "old/ignition/etcd.bu", "{{if}}");
    let (_, err) = said(&["check"]);
    assert!(err.contains("error: the matchbox data in "), "{err}");
    assert!(
        err.contains("profile `etcd` names a config that cannot be used"),
        "{err}"
    );
}
