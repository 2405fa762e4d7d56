//! A second LAN behind a router that relays DHCP: dnsmasq as relay, the kernel as router.
//!
//! Its addresses are of 198.51.100.0/24 (RFC 5737).

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{DHCP_SERVER, Lan, PREFIX, PXE_SERVER, Service, bridge, ip, plug, tap};

/// Address of the relay on the LAN of the servers.
const NEAR: &str = "192.0.2.4";
/// Address of the relay on the far LAN.
pub const GATEWAY: &str = "198.51.100.1";
/// The far LAN.
pub const NETWORK: &str = "198.51.100.0/24";

const BRIDGE: &str = "far0";
const ROOM: &str = "relay";

/// The relay, with the LAN behind it.
#[derive(Debug)]
pub struct Relay {
    service: Service,
}

impl Relay {
    /// Starts it on `lan`; the rooms `servers` of that get a route to the far LAN. Its log goes to
    /// `log`.
    pub fn start(lan: &Lan, servers: &[&str], log: &Path) -> Result<Self> {
        ensure!(PREFIX == 24, "both LANs have prefixes of 24 bits");
        bridge(BRIDGE)?;
        let room = lan.room(ROOM, NEAR)?;
        plug(ROOM, "eth1", GATEWAY, BRIDGE)?;
        let forwards = room
            .command("sysctl")
            .args(["-qw", "net.ipv4.ip_forward=1"])
            .status()
            .context("running sysctl (package procps)")?;
        ensure!(forwards.success(), "the relay cannot forward packets");
        for server in servers {
            ip(&["-n", server, "route", "add", NETWORK, "via", NEAR])?;
        }
        let mut command = room.command("dnsmasq");
        command.args(["--no-daemon", "--conf-file=/dev/null", "--user=root"]);
        command.args(["--port=0", "--log-dhcp"]);
        for server in [DHCP_SERVER, PXE_SERVER] {
            command.arg(format!("--dhcp-relay={GATEWAY},{server}"));
        }
        let mut service = room.serve("the relay", command, log)?;
        service.wait_ready(Duration::from_secs(10), || {
            std::fs::read_to_string(log).is_ok_and(|text| text.contains("DHCP relay"))
        })?;
        Ok(Self { service })
    }

    /// A tap device `name` for a machine of the far LAN.
    pub fn tap(&self, name: &str) -> Result<String> {
        tap(name, BRIDGE)
    }

    /// An error when it has ended.
    pub fn check(&mut self) -> Result<()> {
        self.service.check()
    }
}
