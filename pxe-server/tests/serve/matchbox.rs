//! A data directory in matchbox's layout, served over the endpoints that its machines ask.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::blocking::Response;

use crate::process::{Server, serve};

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join("data").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(crate) fn data_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "groups/node1.json",
            r#"{"id": "node1", "name": "Node 1", "profile": "worker", "selector": {"mac": "52-54-00-A1-9C-AE", "os": "installed"},
                "metadata": {"domain_name": "node1.example", "ntp": ["a", "b"], "pxe": true, "net": {"mtu": 9000}}}"#,
        ),
        (
            "groups/install.json",
            r#"{"id": "install", "profile": "install", "selector": {"stage": "install"}}"#,
        ),
        (
            "groups/broken.json",
            r#"{"id": "broken", "profile": "nowhere", "selector": {"stage": "broken"}}"#,
        ),
        (
            "groups/default.json",
            r#"{"id": "default", "profile": "bare"}"#,
        ),
        (
            "profiles/worker.json",
            r#"{"id": "worker", "name": "Worker", "ignition_id": "worker.yaml", "cloud_id": "worker.cloud", "generic_id": "worker.txt",
                "boot": {"kernel": "/assets/vmlinuz", "initrd": ["--name main /assets/initrd", "/assets/rootfs"],
                         "args": ["initrd=main", "ignition.config.url=http://s/ignition?uuid=${uuid}&mac=${mac:hexhyp}"]}}"#,
        ),
        (
            "profiles/install.json",
            r#"{"id": "install", "ignition_id": "ready.ign", "boot": {"kernel": "k", "initrd": [], "args": []}}"#,
        ),
        (
            "profiles/bare.json",
            r#"{"id": "bare", "ignition_id": "gone.yaml", "generic_id": "../groups/default.json", "cloud_id": "wrong.cloud"}"#,
        ),
        (
            "ignition/worker.yaml",
            "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/hostname\n      contents: {inline: \"{{.domain_name}}\"}\n{{range $i, $n := .ntp}}    - path: /ntp/{{$i}}\n      contents: {inline: \"{{$n}}\"}\n{{end}}",
        ),
        (
            "ignition/ready.ign",
            r#"{"ignition": {"version": "3.5.0"}, "x": "{{.not.a.template}}"}"#,
        ),
        (
            "cloud/worker.cloud",
            "#cloud-config\n{{if .pxe}}pxe: {{.os}}{{end}}\n",
        ),
        ("cloud/wrong.cloud", "one\n{{.no_such_value}}\n"),
        (
            "generic/worker.txt",
            "{{.request.query.mac}} {{.request.raw_query}} {{.net.mtu}}\n",
        ),
        ("assets/os/vmlinuz", "0123456789"),
    ] {
        write(dir.path(), name, text);
    }
    dir
}

fn text(answer: Response) -> (u16, String) {
    (answer.status().as_u16(), answer.text().unwrap())
}

const NODE1: &str = "mac=52-54-00-a1-9c-ae&os=installed";

#[test]
fn a_machine_gets_its_scripts_and_configs() {
    let dir = data_dir();
    let server = Server::start_matchbox(dir.path());
    assert_eq!(text(server.get("")), (200, "matchbox\n".into()));
    let first = text(server.get("boot.ipxe")).1;
    assert!(
        first.starts_with("#!ipxe\nchain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&"),
        "{first}"
    );
    assert_eq!(text(server.get("boot.ipxe.0")).1, first);
    let script = "#!ipxe\nkernel /assets/vmlinuz initrd=main ignition.config.url=http://s/ignition?uuid=${uuid}&mac=${mac:hexhyp}\ninitrd --name main /assets/initrd\ninitrd /assets/rootfs\nboot\n";
    assert_eq!(
        text(server.get(&format!("ipxe?{NODE1}"))),
        (200, script.into())
    );
    let (status, grub) = text(server.get(&format!("grub?{NODE1}")));
    assert_eq!(status, 200);
    for line in [
        "    linuxefi \"/assets/vmlinuz\" initrd=main ",
        "    initrd \"--name main /assets/initrd\" \"/assets/rootfs\"\n",
    ] {
        assert!(grub.contains(line), "{grub}");
    }
    let config = server.json(&format!("ignition?{NODE1}"));
    let files = config["storage"]["files"].as_array().unwrap();
    let files: Vec<_> = files
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
            ("/etc/hostname", "data:,node1.example"),
            ("/ntp/0", "data:,a"),
            ("/ntp/1", "data:,b")
        ]
    );
    let ready = server.get("ignition?stage=install");
    assert_eq!(
        ready.headers()["content-type"],
        "application/vnd.coreos.ignition+json"
    );
    assert_eq!(
        ready.text().unwrap(),
        r#"{"ignition": {"version": "3.5.0"}, "x": "{{.not.a.template}}"}"#
    );
    assert_eq!(
        text(server.get(&format!("cloud?{NODE1}"))).1,
        "#cloud-config\npxe: installed\n"
    );
}

#[test]
fn a_machine_gets_what_its_group_and_its_request_say() {
    let dir = data_dir();
    let server = Server::start_matchbox(dir.path());
    let generic = format!("52:54:00:a1:9c:ae {NODE1} 9000\n");
    assert_eq!(text(server.get(&format!("generic?{NODE1}"))).1, generic);
    let metadata = "DOMAIN_NAME=node1.example\nMAC=52:54:00:a1:9c:ae\nNET_MTU=9000\nOS=installed\nPXE=true\nREQUEST_QUERY_MAC=52:54:00:a1:9c:ae\nREQUEST_QUERY_OS=installed\nREQUEST_RAW_QUERY=mac=52-54-00-a1-9c-ae&os=installed\n";
    assert_eq!(
        text(server.get(&format!("metadata?{NODE1}"))),
        (200, metadata.into())
    );
}

#[test]
fn statuses_say_whose_fault_it_is() {
    let dir = data_dir();
    let server = Server::start_matchbox(dir.path());
    for (path, status) in [
        ("ipxe?stage=broken", 500),
        ("metadata?stage=broken", 200),
        ("generic?stage=install", 404),
        ("ignition", 503),
        ("generic", 500),
        ("cloud", 500),
        ("assets/os/none", 404),
        ("assets/none/", 404),
        ("assets/os/vmlinuz/", 404),
        ("assets/..%2Fgroups/default.json", 403),
        ("assets/../groups/", 404),
        ("assets/..%2Fgroups/", 403),
        ("ipxe.sig", 404),
        ("nothing", 404),
    ] {
        assert_eq!(server.get(path).status().as_u16(), status, "{path}");
    }
    std::fs::remove_file(dir.path().join("data/groups/default.json")).unwrap();
    server.wait_for("the group to go", |server| {
        server.get("ipxe").status().as_u16() == 404
    });
}

#[test]
fn assets_are_served_by_range_and_answers_have_tags() {
    let dir = data_dir();
    let server = Server::start_matchbox(dir.path());
    let part = server.range("assets/os/vmlinuz", "bytes=2-4");
    assert_eq!(text(part), (206, "234".into()));
    let path = format!("ignition?{NODE1}");
    let tag = server.get(&path).headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(server.get_if_none_match(&path, &tag).status().as_u16(), 304);
}

#[test]
fn directories_of_assets_are_listed() {
    let dir = data_dir();
    write(dir.path(), "assets/page/index.html", "<p>here</p>");
    let server = Server::start_matchbox(dir.path());
    let page = server.get("assets/");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let (status, page) = text(page);
    assert_eq!(status, 200);
    assert!(page.contains("<a href=\"./os/\">os/</a>\n"), "{page}");
    let below = "<!doctype html>\n<pre>\n<a href=\"./vmlinuz\">vmlinuz</a>\n</pre>\n";
    assert_eq!(text(server.get("assets/os/")), (200, below.into()));
    assert_eq!(text(server.get("assets/os")), (200, below.into()));
    assert_eq!(text(server.get("assets/page/")).1, "<p>here</p>");
}

pub(crate) fn gpg(home: &Path, words: &[&str]) -> Vec<u8> {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
    command.arg("--homedir").arg(home).args(words);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    output.stdout
}

/// A home of gpg's that has made a key to sign with, and the file of that key, locked by `phrase`.
pub(crate) fn signing_key(phrase: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let pass = ["--passphrase", phrase];
    let make = ["--quick-generate-key", "boot", "ed25519", "sign", "never"];
    gpg(home.path(), &[&pass[..], &make[..]].concat());
    let key = home.path().join("secring.gpg");
    let secret = gpg(
        home.path(),
        &[&pass[..], &["--export-secret-keys"]].concat(),
    );
    std::fs::write(&key, secret).unwrap();
    (home, key)
}

#[test]
fn what_is_served_has_signatures_that_gpg_finds_good() {
    let dir = data_dir();
    let (home, key) = signing_key("secret phrase");
    let own = dir.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let environment = [
        ("TMPDIR", own.as_os_str()),
        ("MATCHBOX_KEY_RING_PATH", key.as_os_str()),
        ("MATCHBOX_PASSPHRASE", "secret phrase".as_ref()),
    ];
    let server = Server::start_matchbox_in(dir.path(), &environment);
    assert!(!server.log().contains("secret phrase"));
    for path in [
        "boot.ipxe",
        "boot.ipxe.0",
        "ipxe",
        "grub",
        "ignition",
        "cloud",
        "generic",
        "metadata",
    ] {
        let served = server.get(&format!("{path}?{NODE1}")).bytes().unwrap();
        for (suffix, kind) in [
            ("sig", "application/octet-stream"),
            ("asc", "text/plain; charset=utf-8"),
        ] {
            let signature = format!("{path}.{suffix}?{NODE1}");
            let answer = server.get(&signature);
            assert_eq!(answer.headers()["content-type"], kind, "{path}");
            let files = [home.path().join("signature"), home.path().join("signed")];
            std::fs::write(&files[0], answer.bytes().unwrap()).unwrap();
            std::fs::write(&files[1], &served).unwrap();
            let files = files.each_ref().map(|file| file.to_str().unwrap());
            gpg(home.path(), &["--verify", files[0], files[1]]);
        }
    }
    let tag = |path: &str| server.get(path).headers()["etag"].clone();
    let path = format!("ipxe.sig?{NODE1}");
    assert_eq!(tag(&path), tag(&path), "made once");
    for (path, status) in [
        ("ipxe.asc?stage=broken", 500),
        ("ignition.sig", 503),
        ("assets/os/vmlinuz.sig", 404),
    ] {
        assert_eq!(server.get(path).status().as_u16(), status, "{path}");
    }
    assert_eq!(server.terminate(), Some(0));
    let left = std::fs::read_dir(&own).unwrap().count();
    assert_eq!(left, 0, "the key stays nowhere");
}

#[test]
fn a_server_that_cannot_sign_does_not_start() {
    let dir = data_dir();
    write(dir.path(), "none.gpg", "no key");
    let output = serve()
        .arg("--matchbox")
        .arg(dir.path().join("data"))
        .arg("--state")
        .arg(dir.path().join("state"))
        .arg("--matchbox-key")
        .arg(dir.path().join("data/none.gpg"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: nothing can be signed with the key in "),
        "{said}"
    );
    assert!(said.contains("cause: there is no secret key in "), "{said}");
    assert!(said.contains("hint:  `gpg --export-secret-keys "), "{said}");
}

#[test]
fn a_broken_group_changes_nothing_until_it_is_mended() {
    let dir = data_dir();
    let server = Server::start_matchbox(dir.path());
    write(dir.path(), "groups/new.json", "{");
    write(dir.path(), "ignition/seen.ign", "{}");
    assert_eq!(server.get(&format!("ipxe?{NODE1}")).status().as_u16(), 200);
    write(
        dir.path(),
        "groups/new.json",
        r#"{"id": "new", "profile": "worker", "selector": {"stage": "new"}}"#,
    );
    server.wait_for("the group", |server| {
        text(server.get("ipxe?stage=new"))
            .1
            .contains("/assets/vmlinuz")
    });
    assert_eq!(server.get(&format!("ipxe?{NODE1}")).status().as_u16(), 200);
}
