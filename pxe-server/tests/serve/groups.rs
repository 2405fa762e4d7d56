//! Groups, templates, changes of the site while it is served, and explanations.

use std::path::Path;
use std::process::{Command, Output};

use embed::customize::Customization;
use embed::digest::Sha512Digest;
use embed::ignition::Config;
use embed::initrd::{Archive, Limits};
use embed::report::Event;
use serde_json::Value;

use crate::fixture::{MAC, site_dir};
use crate::process::{Server, ticket_in};

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join("site").join(name), text).unwrap();
}

/// A site whose machines of one kind get their configs from a template.
fn templated(dir: &Path) {
    let profile =
        "name: web\ninstall: {device: /dev/sda}\nignition: web.bu.j2\nmetadata: {site: here}\n";
    write(dir, "profiles/web.yaml", profile);
    let template = "variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: /id, contents: {inline: \"{{ metadata.site }}/{{ metadata.rack }}/{{ machine.serial }}\"}}]}\n";
    write(dir, "configs/web.bu.j2", template);
    let selector =
        "{serial: 'WEB*', arch: x86_64, labels: {product: [R1, R2]}, subnet: 127.0.0.0/8}";
    let group = format!("profile: web\nselector: {selector}\nmetadata: {{rack: r1}}\n");
    write(dir, "groups/web.yaml", &group);
}

#[test]
fn a_machine_is_chosen_by_what_it_told_and_keeps_its_config_after_a_restart() {
    let dir = site_dir();
    templated(dir.path());
    let server = Server::start(dir.path());
    let config = "machines/02-00-00-00-00-01/ignition";
    assert_eq!(
        server.get(config).status().as_u16(),
        404,
        "nothing is known of it"
    );
    let script =
        server.get("ipxe?mac=02-00-00-00-00-01&serial=WEB%2007&arch=i386&product=R2&platform=efi");
    let script = script.text().unwrap();
    assert!(script.contains("profile web"), "{script}");
    let source =
        |server: &Server| server.json(config)["storage"]["files"][0]["contents"]["source"].clone();
    assert_eq!(source(&server), "data:,here%2Fr1%2FWEB%2007");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(dir.path());
    assert_eq!(source(&server), "data:,here%2Fr1%2FWEB%2007");
    let machine = server.json("api/v1/machines/02:00:00:00:00:01");
    assert_eq!(
        (&machine["group"], &machine["serial"]),
        (&"web".into(), &"WEB 07".into())
    );
    let other =
        server.get("ipxe?mac=02-00-00-00-00-02&serial=WEB08&arch=x86_64&product=R9&platform=efi");
    assert!(
        other
            .text()
            .unwrap()
            .contains("no group of this site matches")
    );
}

#[test]
fn a_config_has_a_tag_and_is_not_sent_twice() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let path = "machines/52-54-00-12-34-56/ignition";
    let tag = server.get(path).headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(server.head(path).headers()["etag"], tag);
    let again = server.get_if_none_match(path, &tag);
    assert_eq!(
        (again.status().as_u16(), again.text().unwrap()),
        (304, String::new())
    );
    assert_eq!(
        server.get_if_none_match(path, "\"x\"").status().as_u16(),
        200
    );
}

#[test]
fn a_changed_site_is_served_and_a_broken_one_is_not() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    assert_eq!(server.json("api/v1/site")["generation"], 1);
    templated(dir.path());
    server.wait_for("the change", |server| {
        server.json("api/v1/site")["generation"] != 1
    });
    assert_eq!(
        server.json("api/v1/site")["groups"],
        serde_json::json!(["rack", "web"])
    );

    write(
        dir.path(),
        "configs/web.bu.j2",
        "variant: fcos\nversion: 1.5.0\n{% if %}\n",
    );
    server.wait_for("the refusal", |server| {
        !server.json("api/v1/site")["refused"].is_null()
    });
    let site = server.json("api/v1/site");
    assert_eq!(site["refused"]["line"], 3);
    let file = site["refused"]["file"].as_str().unwrap();
    assert!(file.ends_with("configs/web.bu.j2"), "{file}");
    let script =
        server.get("ipxe?mac=02-00-00-00-00-01&serial=WEB7&arch=x86_64&product=R1&platform=efi");
    assert!(script.text().unwrap().contains("profile web"));
    assert_eq!(
        server
            .get("machines/02-00-00-00-00-01/ignition")
            .status()
            .as_u16(),
        200
    );

    templated(dir.path());
    server.hang_up();
    server.wait_for("the repair", |server| {
        server.json("api/v1/site")["refused"].is_null()
    });
}

#[test]
fn the_server_explains_with_what_it_knows_of_a_machine() {
    let dir = site_dir();
    templated(dir.path());
    let server = Server::start(dir.path());
    let explain = |mac: &str| server.json(&format!("api/v1/machines/{mac}/explain"));
    let stranger = explain("02-00-00-00-00-01");
    assert_eq!(stranger["chosen"], Value::Null);
    assert_eq!(
        stranger["groups"][1]["reason"],
        "serial WEB*: not known of this machine"
    );
    server.get("ipxe?mac=02-00-00-00-00-01&serial=WEB7&arch=x86_64&product=R1&platform=efi");
    let known = explain("02-00-00-00-00-01");
    assert_eq!(
        (&known["chosen"]["group"], &known["machine"]["serial"]),
        (&"web".into(), &"WEB7".into())
    );
    assert_eq!(known["chosen"]["sha512"].as_str().unwrap().len(), 128);
}

#[test]
fn the_command_explains_with_what_it_is_told() {
    let dir = site_dir();
    templated(dir.path());
    let explain = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
        command
            .args(["explain", "--site"])
            .arg(dir.path().join("site"))
            .args(words);
        command.output().unwrap()
    };
    let output = explain(&[MAC]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with(&format!("{MAC}: group rack, no other group matches\n")),
        "{text}"
    );
    let labels = [
        "serial=WEB7",
        "arch=amd64",
        "product=R1",
        "address=127.0.0.1",
    ];
    let mut words = vec!["02:00:00:00:00:01", "--json"];
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    let json: Value = serde_json::from_slice(&explain(&words).stdout).unwrap();
    assert_eq!(json["chosen"]["profile"], "web");
    let refused = explain(&[MAC, "--label", "arch=vax"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        text.contains("`vax` cannot be the arch of a machine"),
        "{text}"
    );
}

fn claim(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command.args(["claim", "02-00-00-00-00-01"]).args(words);
    command.arg("--site").arg(dir.join("site"));
    command.arg("--state").arg(dir.join("state"));
    command.output().unwrap()
}

#[test]
fn a_held_machine_waits_until_it_is_claimed() {
    let dir = site_dir();
    write(
        dir.path(),
        "site.yaml",
        "media: ../media\nipxe: {dir: ../ipxe}\nunknown-machines: hold\n",
    );
    let server = Server::start(dir.path());
    let script = || {
        server
            .get("ipxe?mac=02-00-00-00-00-01&platform=efi")
            .text()
            .unwrap()
    };
    let waiting = script();
    assert!(
        waiting.contains("pxe-server claim 02:00:00:00:00:01 --profile NAME"),
        "{waiting}"
    );
    assert!(waiting.contains("sleep 15\nchain "), "{waiting}");
    let claim = |words: &[&str]| claim(dir.path(), words);
    let refused = claim(&["--profile", "wurker"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        text.contains("no profile `wurker`; there are worker"),
        "{text}"
    );
    assert_eq!(claim(&[]).status.code(), Some(2));
    assert_eq!(claim(&["--profile", "worker"]).status.code(), Some(0));
    let machine = || server.json("api/v1/machines/02:00:00:00:00:01");
    server.wait_for("the claim", |_| machine()["claim"] == "worker");
    assert!(script().contains("INSTALLING"));
    let config = server.get("machines/02-00-00-00-00-01/ignition");
    assert_eq!(config.status().as_u16(), 200);
    assert_eq!(claim(&["--release"]).status.code(), Some(0));
    server.wait_for("the release", |_| machine()["claim"].is_null());
    assert!(script().contains("waits: no group"));
    let timeline = machine()["timeline"].clone();
    let events: Vec<&str> = timeline
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    let want = [
        "discovered",
        "script-served",
        "claimed",
        "matched",
        "ticket-issued",
        "script-served",
        "config-served",
        "claimed",
        "script-served",
    ];
    assert_eq!(events, want);
}

#[test]
fn a_config_in_an_initrd_is_for_the_ticket_only_and_stays_what_the_script_promised() {
    let dir = site_dir();
    let profile = "name: worker\ninstall: {device: /dev/vda}\nignition: worker.ign\nconfig-delivery: initrd\n";
    write(dir.path(), "profiles/worker.yaml", profile);
    let server = Server::start(dir.path());
    let script = server.script();
    let ticket = ticket_in(&script);
    let path = format!("machines/52-54-00-12-34-56/config.img?ticket={ticket}");
    assert!(
        script.contains(&format!(
            "initrd --name config.img {} ||",
            server.url(&path)
        )),
        "{script}"
    );
    assert!(!script.contains("coreos.inst.ignition_url"), "{script}");

    // The site changes between the script and the fetch.
    write(
        dir.path(),
        "configs/worker.ign",
        r#"{"ignition":{"version":"3.3.0"}}"#,
    );
    server.wait_for("the change", |server| {
        server.json("api/v1/site")["generation"] != 1
    });
    let initrd = server.get(&path).bytes().unwrap();
    let archive = Archive::read(&*initrd, Limits::AREA).unwrap();
    let live = Config::parse(archive.get("config.ign").unwrap()).unwrap();
    let want = Customization {
        dest: vec![Config::parse(r#"{"ignition":{"version":"3.4.0"}}"#).unwrap()],
        ..Customization::default()
    };
    assert_eq!(
        live.bytes(),
        want.live_config().unwrap().unwrap().as_bytes()
    );

    let other = "machines/52-54-00-12-34-56/config.img";
    for path in [
        other.to_owned(),
        format!("{other}?ticket=x"),
        format!("{other}?ticket={}", "0".repeat(32)),
    ] {
        assert_eq!(server.get(&path).status().as_u16(), 409, "{path}");
    }
    let started = Event::InstallStarted {
        device: "/dev/vda".into(),
    };
    assert_eq!(server.report(&ticket, started, 1), 204);
    assert_eq!(server.get(&path).status().as_u16(), 409, "used");
}

#[test]
fn a_script_names_the_digest_of_the_config() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let script = server.script();
    let config = server
        .get("machines/52-54-00-12-34-56/ignition")
        .bytes()
        .unwrap();
    let want = format!(
        " coreos.inst.ignition_hash=sha512-{} ",
        Sha512Digest::of(&config)
    );
    assert!(script.contains(&want), "{script}");
}

#[test]
fn a_machine_whose_config_cannot_be_made_is_not_begun_with() {
    let dir = site_dir();
    templated(dir.path());
    let text = "profile: web\nselector: {hostname: 'db*'}\nmetadata: {rack: r1}\n";
    write(dir.path(), "groups/web.yaml", text);
    let server = Server::start(dir.path());
    let answer = server.get("ipxe?mac=02-00-00-00-00-01&hostname=db1&platform=efi");
    assert_eq!(answer.status().as_u16(), 500, "its serial is not known");
    let seen = server.get("api/v1/machines/02-00-00-00-00-01");
    assert_eq!(seen.status().as_u16(), 404, "and no ticket was issued");
}
