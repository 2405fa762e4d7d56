//! A private LAN: a bridge, one network namespace per server, tap devices for machines.
//!
//! Lives in the namespaces that `isolate` makes, has no leg to the host or beyond, and goes with
//! the process. Addresses are of 192.0.2.0/24 (RFC 5737), which is nobody's.

pub mod dhcp;
pub mod isolate;
pub mod relay;
pub mod room;

use std::process::Command;

use anyhow::{Context, Result, bail};

pub use dhcp::Dnsmasq;
pub use relay::Relay;
pub use room::{Room, Service};

/// Address of the LAN's ordinary DHCP server.
pub const DHCP_SERVER: &str = "192.0.2.1";
/// Address of the server under test.
pub const PXE_SERVER: &str = "192.0.2.2";
/// Address of the observer: the process that runs the test.
pub const OBSERVER: &str = "192.0.2.3";
/// Prefix length of the LAN.
pub const PREFIX: u8 = 24;

const BRIDGE: &str = "lan0";

/// The LAN. At most one in a process, and only after [`isolate::enter`].
#[derive(Debug)]
pub struct Lan {
    _private: (),
}

impl Lan {
    /// Makes the bridge and gives this process the address [`OBSERVER`] on it.
    pub fn create() -> Result<Self> {
        bridge(BRIDGE)?;
        let address = format!("{OBSERVER}/{PREFIX}");
        ip(&["address", "add", &address, "dev", BRIDGE])?;
        Ok(Self { _private: () })
    }

    /// A network namespace `name` on the LAN with `address`, its interface called `eth0`.
    pub fn room(&self, name: &str, address: &str) -> Result<Room> {
        ip(&["netns", "add", name])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        plug(name, "eth0", address, BRIDGE)?;
        Ok(Room::new(name))
    }

    /// A tap device `name` for a machine.
    pub fn tap(&self, name: &str) -> Result<String> {
        tap(name, BRIDGE)
    }
}

fn bridge(name: &str) -> Result<()> {
    ip(&["link", "add", name, "type", "bridge", "mcast_snooping", "0"])?;
    ip(&["link", "set", name, "up"])
}

/// Connects the namespace `room` to `bridge` by `interface` with `address`.
fn plug(room: &str, interface: &str, address: &str, bridge: &str) -> Result<()> {
    let outer = format!("{room}-{interface}");
    let ends = ["type", "veth", "peer", "name", interface, "netns", room];
    ip(&[&["link", "add", &outer][..], &ends].concat())?;
    ip(&["link", "set", &outer, "master", bridge, "up"])?;
    let address = format!("{address}/{PREFIX}");
    ip(&["-n", room, "address", "add", &address, "dev", interface])?;
    ip(&["-n", room, "link", "set", interface, "up"])
}

fn tap(name: &str, bridge: &str) -> Result<String> {
    ip(&["tuntap", "add", "dev", name, "mode", "tap"])?;
    ip(&["link", "set", name, "master", bridge, "up"])?;
    Ok(name.to_owned())
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("running ip (package iproute2)")?;
    if !output.status.success() {
        bail!(
            "`ip {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
