//! Servers on an etcd of several members: what goes on without a quorum and after it is back, and
//! leases that outlive the server that gave them.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use embed::report::{Event, Report};

use crate::cluster::Cluster;
use crate::etcd::{server, started};
use crate::fixture::site_dir;
use crate::process::{Server, ticket_in};

fn script(server: &Server, machine: u8) -> String {
    let path = format!("ipxe?mac=02-00-00-00-00-0{machine}");
    server.get(&path).text().unwrap()
}

fn installs(server: &Server, machine: u8) -> bool {
    script(server, machine).contains("report?ticket=")
}

#[test]
fn with_two_members_of_three_lost_disks_boot_and_nobody_is_installed_until_one_is_back() {
    let Some(mut cluster) = Cluster::start("the quorum of a server", 3) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let (one, _own) = server(dir.path(), &cluster.address());
    let ticket = ticket_in(&one.script());
    for event in [started(), Event::Installed] {
        assert_eq!(one.report(&ticket, event, 7), 204);
    }
    let second = ticket_in(&script(&one, 2));
    let report = |server: &Server| {
        let body = serde_json::to_vec(&Report::new(started(), 1)).unwrap();
        server.post(
            &format!("machines/02-00-00-00-00-02/report?ticket={second}"),
            body,
        )
    };
    cluster.kill(0);
    one.wait_for("all to go on with two members", |one| installs(one, 3));
    cluster.kill(1);
    one.wait_for("the loss to be noticed", |one| {
        one.get("readyz").status() == 503
    });
    let waits = "waits to be installed: the server cannot write its state";
    assert!(script(&one, 4).contains(waits), "{}", script(&one, 4));
    assert!(script(&one, 2).contains(waits), "its ticket is not used");
    assert_eq!(report(&one), 503);
    assert!(one.script().contains("this machine is installed"));
    assert_eq!(one.get("healthz").status(), 200);

    cluster.restart(1);
    one.wait_for("the quorum", |one| one.get("readyz").status() == 200);
    one.wait_for("the report", |one| report(one) == 204);
    one.wait_for("an install", |one| installs(one, 4));
    assert!(one.script().contains("this machine is installed"));
}

const SITE: &str = "media: ../media
ipxe: {dir: ../ipxe}
dhcp:
  mode: full
  subnets:
    - network: 127.0.0.0/24
      pools: [127.0.0.10-127.0.0.20]
      lease: 1h
";
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

/// A client on loopback that has its address already and renews its lease, until it is told so.
fn renew(server: &Server) {
    let mut packet = vec![1, 1, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0];
    packet.extend_from_slice(&CLIENT.octets());
    packet.resize(28, 0);
    packet.extend_from_slice(&[2, 0, 0, 0, 0, 7]);
    packet.resize(236, 0);
    packet.extend_from_slice(&[99, 130, 83, 99, 53, 1, 3, 255]);
    let socket = UdpSocket::bind((CLIENT, server.dhcp + 1)).unwrap();
    let pause = Some(Duration::from_secs(1));
    socket.set_read_timeout(pause).unwrap();
    let give_up = Instant::now() + Duration::from_secs(120);
    let mut buffer = [0; 1500];
    loop {
        assert!(Instant::now() < give_up, "no answer: {}", server.log());
        socket.send_to(&packet, ("127.0.0.1", server.dhcp)).unwrap();
        if let Ok(length) = socket.recv(&mut buffer) {
            let mut options = buffer[240..length].windows(3);
            assert!(options.any(|part| part == [53, 1, 5]), "an ACK");
            return;
        }
    }
}

#[test]
fn a_lease_of_a_killed_server_is_renewed_by_the_other() {
    let Some(cluster) = Cluster::start("two servers that lease", 1) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/site.yaml"), SITE).unwrap();
    let (one, _one) = server(dir.path(), &cluster.address());
    let (two, _two) = server(dir.path(), &cluster.address());
    renew(&one);
    let leased = |server: &Server| {
        let leases = server.json("api/v1/leases")["leases"].clone();
        let address = leases[0]["address"].as_str().map(str::to_owned);
        (address, leases.as_array().map(Vec::len))
    };
    let only = (Some(CLIENT.to_string()), Some(1));
    assert_eq!(leased(&one), only);
    two.wait_for("the lease", |two| leased(two) == only);
    one.kill();
    renew(&two);
    assert_eq!(leased(&two), only);
    let document = cluster.ctl(&[
        "get",
        "/coreos-metal/leases/127.0.0.10",
        "--print-value-only",
    ]);
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(document["mac"], "02:00:00:00:00:07");
}
