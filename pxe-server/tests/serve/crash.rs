//! The server killed without warning: what it has acknowledged is there afterwards.

use std::ffi::OsStr;

use embed::report::Event;

use crate::fixture::site_dir;
use crate::process::{Server, enlarge_rootfs, ticket_in};

#[test]
fn what_was_acknowledged_survives_a_kill_and_the_ticket_stays_used() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let ticket = ticket_in(&server.script());
    server.kill();

    let server = Server::start(dir.path());
    assert_eq!(
        ticket_in(&server.script()),
        ticket,
        "an issued ticket survives"
    );
    let started = || Event::InstallStarted {
        device: "/dev/vda".into(),
    };
    assert_eq!(server.report(&ticket, started(), 7), 204);
    server.kill();

    let server = Server::start(dir.path());
    assert_eq!(server.state(), "installing");
    assert!(server.script().contains("is held"));
    assert_eq!(
        server.report(&ticket, started(), 7),
        204,
        "sent again because the answer was lost"
    );
    assert_eq!(server.report(&ticket, started(), 8), 409, "another install");
    assert_eq!(server.report(&ticket, Event::Installed, 9), 204);
    server.kill();

    let server = Server::start(dir.path());
    assert_eq!(server.state(), "installed");
    assert!(server.script().contains("this machine is installed"));
    let events = server.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| *event == "ticket-issued")
            .count(),
        1,
        "{events:?}"
    );
}

#[test]
fn twenty_machines_and_kills_between_their_reports_lose_no_acknowledged_event() {
    let dir = site_dir();
    let group = "profile: worker\n";
    std::fs::write(dir.path().join("site/groups/all.yaml"), group).unwrap();
    let macs: Vec<String> = (0..20).map(|n| format!("02-00-00-00-00-{n:02x}")).collect();
    let mut server = Server::start(dir.path());
    let tickets: Vec<String> = macs
        .iter()
        .map(|mac| ticket_in(&server.get(&format!("ipxe?mac={mac}")).text().unwrap()))
        .collect();
    for (round, event) in [
        Event::InstallStarted {
            device: "/dev/vda".into(),
        },
        Event::Installed,
    ]
    .into_iter()
    .enumerate()
    {
        for (mac, ticket) in macs.iter().zip(&tickets) {
            let body = serde_json::to_vec(&embed::report::Report::new(event.clone(), round as u64))
                .unwrap();
            assert_eq!(
                server.post(&format!("machines/{mac}/report?ticket={ticket}"), body),
                204
            );
        }
        server.kill();
        server = Server::start(dir.path());
        let want = if round == 0 {
            "installing"
        } else {
            "installed"
        };
        for mac in &macs {
            let machine = server.json(&format!("api/v1/machines/{mac}"));
            assert_eq!(machine["state"], want, "{mac}");
        }
    }
}

#[test]
fn a_download_that_nobody_reads_does_not_keep_the_server_from_stopping() {
    let dir = site_dir();
    enlarge_rootfs(dir.path(), 300_000_000);
    let server = Server::start_for_site(dir.path(), &["--drain", "1"].map(OsStr::new));
    let ticket = ticket_in(&server.script());
    let download = server.get("assets/rootfs.img?mac=52-54-00-12-34-56");
    assert_eq!(server.report(&ticket, Event::Live, 1), 204);
    assert_eq!(server.terminate(), Some(0));
    drop(download);

    let server = Server::start(dir.path());
    assert_eq!(server.state(), "live");
    assert!(
        !server.events().contains(&"rootfs-served".to_owned()),
        "it has not arrived whole"
    );
}
