//! Machines that nobody has a use for yet: what they boot, what they tell, and how it ends.

use embed::hardware::{Disk, Hardware, Text};
use embed::report::{Event, Report};
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{MAC, site_dir};
use crate::process::Server;

const STRANGER: &str = "machines/02-00-00-00-00-01";

/// A site that discovers machines, with a group for those of one model.
fn discovering() -> tempfile::TempDir {
    let dir = site_dir();
    for (name, text) in [
        (
            "site.yaml",
            "media: ../media\nipxe: {dir: ../ipxe}\nunknown-machines: discover\ndiscovery: {kargs: [console=ttyS1]}\n",
        ),
        (
            "groups/model.yaml",
            "profile: worker\nselector: {labels: {product: R640}}\n",
        ),
    ] {
        std::fs::write(dir.path().join("site").join(name), text).unwrap();
    }
    dir
}

fn hardware(product: &str) -> Hardware {
    let mut hardware = Hardware {
        memory: 1 << 34,
        disks: vec![Disk {
            name: Text::of("sda"),
            size: 1 << 40,
            sector_size: Some(512),
            rotational: Some(false),
            model: None,
            serial: Text::of("D1"),
        }],
        ..Hardware::default()
    };
    hardware.system.product = Text::of(product);
    hardware.system.serial = Text::of("S1");
    hardware
}

fn report(server: &Server, hardware: Hardware) -> u16 {
    let hardware = Box::new(hardware);
    let report = Report::new(Event::Hardware { hardware }, 30_000);
    let body = serde_json::to_vec(&report).unwrap();
    server.post(&format!("{STRANGER}/report"), body)
}

fn script(server: &Server) -> String {
    let answer = server.get("ipxe?mac=02-00-00-00-00-01&platform=efi");
    answer.text().unwrap()
}

fn next(server: &Server) -> Value {
    server.json(&format!("{STRANGER}/orders"))["next"].clone()
}

fn machine(server: &Server) -> Value {
    server.json("api/v1/machines/02:00:00:00:00:01")
}

fn claim(server: &Server) -> u16 {
    let path = "api/v1/machines/02:00:00:00:00:01/claim";
    let request = server.request(Method::PUT, path);
    let request = request.header("Content-Type", "application/json");
    let answer = request.body(r#"{"profile":"worker"}"#).send().unwrap();
    answer.status().as_u16()
}

#[test]
fn an_unknown_machine_tells_what_it_consists_of_and_is_installed_once_claimed() {
    let dir = discovering();
    let server = Server::start(dir.path());
    let booted = script(&server);
    let orders = server.url(&format!("{STRANGER}/orders"));
    assert!(
        booted.contains(&format!(" console=ttyS1 coreos.live.rootfs_url={}?mac=02-00-00-00-00-01 coreos.discover={orders} coreos.report_url=", server.url("assets/rootfs.img"))),
        "{booted}"
    );
    assert!(!booted.contains("coreos.inst") && !booted.contains("ticket"));
    assert_eq!(next(&server), "wait");
    assert_eq!(report(&server, hardware("R7")), 204);
    assert_eq!(report(&server, hardware("R7")), 204, "sent again");
    let told = machine(&server);
    assert_eq!(told["hardware"]["disks"][0]["serial"], "D1");
    assert_eq!(told["hardware"]["memory"], 1_u64 << 34);
    assert_eq!(
        (&told["serial"], &told["labels"]),
        (&json!("S1"), &json!({"product": "R7"}))
    );
    assert_eq!(told["state"], "discovered");
    let events = told["timeline"].as_array().unwrap().iter();
    let events: Vec<&Value> = events.map(|entry| &entry["event"]).collect();
    assert_eq!(events, ["discovered", "script-served", "hardware-reported"]);
    let all = server.json("api/v1/machines");
    assert!(all["machines"][0].get("hardware").is_none(), "{all}");

    let config = server.get(&format!("{STRANGER}/ignition"));
    assert_eq!(config.status().as_u16(), 404, "no config before the claim");
    assert_eq!(claim(&server), 204);
    assert_eq!(next(&server), "boot");
    assert!(script(&server).contains("INSTALLING"));
    assert_eq!(report(&server, hardware("R8")), 409, "it waits no more");
    assert_eq!(machine(&server)["labels"], json!({"product": "R7"}));
}

#[test]
fn what_was_told_outlives_the_server_and_finds_a_group() {
    let dir = discovering();
    let server = Server::start(dir.path());
    assert_eq!(report(&server, hardware("R640")), 204, "never seen before");
    assert_eq!(next(&server), "boot");
    server.kill();
    let server = Server::start(dir.path());
    let told = machine(&server);
    assert_eq!(
        (&told["group"], &told["hardware"]["system"]["product"]),
        (&json!("model"), &json!("R640"))
    );
    assert!(script(&server).contains("profile worker"));
}

#[test]
fn only_machines_that_wait_tell_and_only_what_can_be_kept() {
    let dir = discovering();
    let server = Server::start(dir.path());
    let body = serde_json::to_vec(&Report::new(
        Event::Hardware {
            hardware: Box::new(hardware("R1")),
        },
        1,
    ));
    let path = format!("machines/{}/report", MAC.replace(':', "-"));
    assert_eq!(server.post(&path, body.unwrap()), 409, "it has a group");
    assert_eq!(server.machine(), Value::Null);
    let path = format!("{STRANGER}/report");
    let long = "\\u001b[2J".repeat(1000);
    let wild = format!(
        r#"{{"format":1,"event":"hardware","uptime-ms":1,"hardware":{{"system":{{"product":"{long}"}},"nics":[{}]}}}}"#,
        vec!["{}"; 500].join(",")
    );
    assert_eq!(server.post(&path, wild), 204);
    let told = machine(&server);
    assert_eq!(
        told["hardware"]["system"]["product"],
        "[2J".repeat(22)[..64]
    );
    assert_eq!(told["hardware"]["nics"].as_array().unwrap().len(), 32);
    for wrong in [
        r#"{"format":1,"event":"hardware","uptime-ms":1}"#,
        r#"{"format":1,"event":"hardware","uptime-ms":1,"hardware":{"memory":-1}}"#,
        r#"{"format":2,"event":"hardware","uptime-ms":1,"hardware":{}}"#,
    ] {
        assert_eq!(server.post(&path, wrong), 400, "{wrong}");
    }
    assert_eq!(server.post(&path, vec![b' '; 100_000]), 413);
    let live = serde_json::to_vec(&Report::new(Event::Live, 1)).unwrap();
    assert_eq!(server.post(&path, live), 409, "other events take a ticket");
}

#[test]
fn a_site_that_does_not_discover_takes_no_reports() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    assert_eq!(next(&server), "boot");
    assert_eq!(report(&server, hardware("R1")), 409);
    let seen = server.get("api/v1/machines/02-00-00-00-00-01");
    assert_eq!(seen.status().as_u16(), 404);
}
