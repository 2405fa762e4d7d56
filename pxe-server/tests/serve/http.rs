//! Scripts, media, configs, reports and the operators' view.

use embed::digest::{Sha256Digest, Sha512Digest};
use embed::report::{Event, Identity, MAX_BYTES};

use crate::fixture::site_dir;
use crate::process::{Server, ticket_in};

fn started() -> Event {
    Event::InstallStarted {
        device: "/dev/vda".into(),
    }
}

fn identity() -> Identity {
    Identity {
        config_sha512: Sha512Digest::of(b"c"),
        result_sha256: Sha256Digest::of(b"r"),
    }
}

/// Plays the machine: from its script to its first boot.
fn live_a_whole_life(server: &Server) -> String {
    let script = server.script();
    let ticket = ticket_in(&script);
    let kernel = format!("kernel {} initrd=initrd.img ", server.url("assets/vmlinuz"));
    assert!(script.contains(&kernel), "{script}");
    assert_eq!(
        ticket_in(&server.script()),
        ticket,
        "asked again before the start"
    );

    let rootfs = server.get("assets/rootfs.img?mac=52-54-00-12-34-56");
    assert_eq!(rootfs.bytes().unwrap().len(), 100_000);
    assert_eq!(server.report(&ticket, Event::Live, 1), 204);
    assert_eq!(server.state(), "live");
    assert_eq!(server.report(&ticket, started(), 2), 204);
    let config = server.get("machines/52-54-00-12-34-56/ignition");
    assert_eq!(
        config.text().unwrap(),
        r#"{"ignition":{"version":"3.4.0"}}"#
    );
    let progress = Event::InstallProgress { percent: 50 };
    assert_eq!(server.report(&ticket, progress, 3), 204);
    assert_eq!(server.machine()["percent"], 50);
    let held = server.script();
    assert!(
        held.contains("is held") && !held.contains("kernel"),
        "{held}"
    );
    assert_eq!(server.report(&ticket, Event::Installed, 4), 204);
    let provisioned = Event::Provisioned(identity());
    assert_eq!(server.report(&ticket, provisioned, 5), 204);
    ticket
}

#[test]
fn a_machine_is_installed_once_and_boots_its_disk_from_then_on() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let first = server.get("boot.ipxe").text().unwrap();
    assert!(first.contains("chain --replace --autofree ipxe?mac=${netX/mac:hexhyp}&"));
    live_a_whole_life(&server);
    let disk = server.script();
    assert!(disk.contains("this machine is installed"), "{disk}");
    assert!(disk.ends_with("exit 1\n"), "{disk}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_life_is_on_record_without_its_ticket() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let ticket = live_a_whole_life(&server);
    server.wait_for("all events", |server| {
        let events = server.events();
        ["rootfs-served", "config-served"]
            .iter()
            .all(|want| events.iter().any(|event| event == want))
    });
    let machine = server.machine();
    assert_eq!(machine["state"], "provisioned");
    assert_eq!(
        (&machine["profile"], &machine["group"]),
        (&"worker".into(), &"rack".into())
    );
    assert_eq!(
        machine["identity"]["config-sha512"],
        identity().config_sha512.to_string()
    );
    assert_eq!(machine["serial"], "S 1");
    assert!(!machine.to_string().contains(&ticket));

    let events = server.events();
    let mut order = events.iter().map(String::as_str);
    for want in [
        "discovered",
        "matched",
        "ticket-issued",
        "script-served",
        "live",
        "install-started",
        "progress",
        "installed",
        "provisioned",
    ] {
        assert!(order.any(|event| event == want), "{want} in {events:?}");
    }
    let timeline = machine["timeline"].as_array().unwrap();
    let seqs: Vec<u64> = timeline
        .iter()
        .map(|entry| entry["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=timeline.len() as u64).collect::<Vec<_>>());
    for entry in timeline {
        assert!(entry["time"].as_str().unwrap().ends_with('Z'), "{entry}");
        assert!(
            entry["since-start-ms"].as_i64() >= entry["since-previous-ms"].as_i64(),
            "{entry}"
        );
    }
    assert_eq!(
        server.json("api/v1/machines")["machines"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn reports_that_do_not_belong_are_refused_by_their_statuses() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let other = "0".repeat(32);
    assert_eq!(server.report(&other, Event::Live, 1), 409, "never seen");
    let ticket = ticket_in(&server.script());
    assert_eq!(server.report(&other, started(), 1), 409, "not its ticket");
    assert_eq!(server.report("x", started(), 1), 409, "no ticket at all");
    let path = format!("machines/52-54-00-12-34-56/report?ticket={ticket}");
    for (body, want) in [
        ("{}", 400),
        ("", 400),
        (r#"{"format":2,"event":"live","uptime-ms":1}"#, 400),
    ] {
        assert_eq!(server.post(&path, body), want, "{body}");
    }
    assert_eq!(server.post(&path, vec![b' '; MAX_BYTES + 1]), 413);
    assert_eq!(server.post("machines/xx/report?ticket=0", "{}"), 400);
    assert_eq!(
        server.report(&ticket, Event::Installed, 1),
        409,
        "not begun"
    );
    assert_eq!(server.state(), "booting");
    assert_eq!(server.report(&ticket, started(), 1), 204);
    assert_eq!(
        server.report(&ticket, started(), 1),
        204,
        "the answer was lost"
    );
    assert_eq!(
        server.report(&ticket, started(), 9),
        409,
        "a second install with the same ticket"
    );
}

#[test]
fn media_are_served_by_range_and_head_and_nothing_else_is() {
    let dir = site_dir();
    std::fs::write(dir.path().join("media/secret"), "x").unwrap();
    let server = Server::start(dir.path());
    let part = server.range("assets/rootfs.img", "bytes=99990-");
    assert_eq!(
        (part.status().as_u16(), part.bytes().unwrap().len()),
        (206, 10)
    );
    assert_eq!(
        server
            .range("assets/rootfs.img", "bytes=100000-")
            .status()
            .as_u16(),
        416
    );
    let head = server.head("assets/vmlinuz");
    assert_eq!(head.headers()["content-length"], "6");
    assert_eq!(server.get("assets/vmlinuz").bytes().unwrap(), "kernel");
    for path in [
        "assets/secret",
        "assets/manifest.json",
        "assets/..%2Fsite%2Fsite.yaml",
        "assets/",
        "assets/%2e%2e/site/site.yaml",
    ] {
        assert_eq!(server.get(path).status().as_u16(), 404, "{path}");
    }
    std::fs::remove_file(dir.path().join("media/rootfs.img")).unwrap();
    assert_eq!(
        server.get("assets/rootfs.img").status().as_u16(),
        503,
        "our fault, not the machine's"
    );
}

#[test]
fn a_machine_gets_its_own_config_and_a_stranger_none() {
    let dir = site_dir();
    let site = dir.path().join("site");
    std::fs::write(
        site.join("configs/b.ign"),
        r#"{"ignition":{"version":"3.3.0"}}"#,
    )
    .unwrap();
    std::fs::write(
        site.join("profiles/b.yaml"),
        "name: b\ninstall: {device: /dev/sda}\nignition: b.ign\n",
    )
    .unwrap();
    std::fs::write(
        site.join("groups/b.yaml"),
        "profile: b\nselector: {mac: ['02:00:00:00:00:0b']}\n",
    )
    .unwrap();
    let server = Server::start(dir.path());
    assert!(
        server
            .get("machines/52-54-00-12-34-56/ignition")
            .text()
            .unwrap()
            .contains("3.4.0")
    );
    assert!(
        server
            .get("machines/02-00-00-00-00-0B/ignition")
            .text()
            .unwrap()
            .contains("3.3.0")
    );
    assert_eq!(
        server
            .get("machines/02-00-00-00-00-0c/ignition")
            .status()
            .as_u16(),
        404
    );
    assert_eq!(server.get("machines/02-00/ignition").status().as_u16(), 400);
    let stranger = server
        .get("ipxe?mac=02-00-00-00-00-0c&platform=pcbios")
        .text()
        .unwrap();
    assert!(
        stranger.contains("no group of this site matches")
            && stranger.contains("sanboot")
            && !stranger.contains("kernel")
    );
    assert_eq!(server.get("ipxe?mac=").status().as_u16(), 400);
    assert_eq!(server.get("ipxe").status().as_u16(), 400);
    assert_eq!(
        server
            .get("api/v1/machines/02-00-00-00-00-0d")
            .status()
            .as_u16(),
        404
    );
}

#[test]
fn uefi_http_boot_gets_its_program_by_its_type() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let path = "boot/52-54-00-12-34-56/snponly.efi";
    let head = server.head(path);
    assert_eq!(
        (
            &head.headers()["content-type"],
            &head.headers()["content-length"]
        ),
        (
            &"application/efi".parse().unwrap(),
            &"5000".parse().unwrap()
        )
    );
    assert_eq!(server.get(path).bytes().unwrap().len(), 5000);
    server.wait_for("nbp-served", |server| {
        server.events() == ["discovered", "nbp-served"]
    });
    assert_eq!(
        server
            .get("boot/52-54-00-12-34-56/other.efi")
            .status()
            .as_u16(),
        404
    );
    assert!(
        server
            .get("boot/52-54-00-12-34-56/autoexec.ipxe")
            .text()
            .unwrap()
            .contains("/boot.ipxe")
    );
    assert_eq!(server.get("healthz").text().unwrap(), "ok\n");
}
