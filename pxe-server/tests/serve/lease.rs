//! Full DHCP with a real client, on a cable of its own.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cable::{Cable, done};
use crate::fixture::site_dir;

/// A site that leases two addresses.
pub(crate) const SITE: &str = "media: ../media
ipxe: {dir: ../ipxe}
dhcp:
  mode: full
  subnets:
    - network: 10.1.0.0/24
      pools: [10.1.0.10-10.1.0.11]
      gateway: 10.1.0.2
      dns: [10.1.0.2]
      domain: rack.example
      lease: 1h
";

/// What busybox's client on `interface` was given; it ends after that.
fn udhcpc(cable: &Cable, dir: &Path, interface: &str, more: &[&str]) -> BTreeMap<String, String> {
    let (script, told) = (dir.join("script"), dir.join("told"));
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = bound ] && env >{}\nexit 0\n",
        told.display()
    );
    std::fs::write(&script, text).unwrap();
    done(std::process::Command::new("chmod").arg("+x").arg(&script));
    let mut client = cable.client("busybox");
    client.args([
        "udhcpc", "-i", interface, "-f", "-q", "-n", "-t", "20", "-T", "3", "-s",
    ]);
    done(client.arg(&script).args(more));
    let told = std::fs::read_to_string(told).unwrap();
    let pairs = told.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn a_real_client_leases_a_free_address_and_keeps_it_over_a_killed_server() {
    let Some(cable) = Cable::new("a_real_client_leases_a_free_address") else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/site.yaml"), SITE).unwrap();
    // Somebody uses one of the two addresses without asking.
    done(
        cable
            .client("ip")
            .args(["address", "add", "10.1.0.10/24", "dev", "c0"]),
    );

    let server = cable.serve(dir.path());
    let first = udhcpc(&cable, dir.path(), "c0", &["-r", "10.1.0.10"]);
    let log = server.kill();
    assert_eq!(first["ip"], "10.1.0.11", "{log:#?}");
    for (name, want) in [
        ("subnet", "255.255.255.0"),
        ("router", "10.1.0.2"),
        ("dns", "10.1.0.2"),
        ("domain", "rack.example"),
        ("lease", "3600"),
        ("serverid", "10.1.0.2"),
    ] {
        assert_eq!(first[name], want, "{name}");
    }

    let server = cable.serve(dir.path());
    let again = udhcpc(&cable, dir.path(), "c0", &["-r", "10.1.0.10"]);
    assert_eq!(again["ip"], "10.1.0.11");
    server.kill();
}

#[test]
fn an_address_whose_user_answers_no_echo_is_not_given_to_another() {
    let test = "an_address_whose_user_answers_no_echo";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/site.yaml"), SITE).unwrap();
    // A second host on the client's link, with an Ethernet address of its own.
    let add = [
        "link", "add", "link", "c0", "name", "m0", "type", "macvlan", "mode", "bridge",
    ];
    if !cable.client("ip").args(add).status().unwrap().success() {
        eprintln!("SKIP: {test}: the kernel has no macvlan");
        return;
    }
    for words in [
        &["address", "add", "10.1.0.10/24", "dev", "c0"][..],
        &["link", "set", "m0", "up"],
    ] {
        done(cable.client("ip").args(words));
    }
    // Each answers for its own addresses only, and to no echo.
    let quiet = "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all";
    done(cable.client("sh").args(["-eu", "-c", quiet]));
    let server = cable.serve(dir.path());
    let given = udhcpc(&cable, dir.path(), "m0", &["-r", "10.1.0.10"]);
    let log = server.kill();
    assert_eq!(given["ip"], "10.1.0.11", "{log:#?}");
    let found = |line: &String| line.contains("an address without a lease is in use");
    assert!(log.iter().any(found), "{log:#?}");
}
