//! A private LAN: a bridge, one network namespace per server, tap devices for machines.
//!
//! Lives in the namespaces that `isolate` makes, has no leg to the host or beyond, and goes with
//! the process. Addresses are of 192.0.2.0/24 (RFC 5737), which is nobody's.

pub mod dhcp;
pub mod isolate;
pub mod room;

use std::process::Command;

use anyhow::{Context, Result, bail};

pub use dhcp::Dnsmasq;
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
        ip(&[
            "link",
            "add",
            BRIDGE,
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ])?;
        ip(&[
            "address",
            "add",
            &format!("{OBSERVER}/{PREFIX}"),
            "dev",
            BRIDGE,
        ])?;
        ip(&["link", "set", BRIDGE, "up"])?;
        Ok(Self { _private: () })
    }

    /// A network namespace `name` on the LAN with `address`, its interface called `eth0`.
    pub fn room(&self, name: &str, address: &str) -> Result<Room> {
        let outer = format!("{name}-port");
        ip(&["netns", "add", name])?;
        ip(&[
            "link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", name,
        ])?;
        ip(&["link", "set", &outer, "master", BRIDGE, "up"])?;
        ip(&[
            "-n",
            name,
            "address",
            "add",
            &format!("{address}/{PREFIX}"),
            "dev",
            "eth0",
        ])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(Room::new(name))
    }

    /// A tap device `name` for a machine.
    pub fn tap(&self, name: &str) -> Result<String> {
        ip(&["tuntap", "add", "dev", name, "mode", "tap"])?;
        ip(&["link", "set", name, "master", BRIDGE, "up"])?;
        Ok(name.to_owned())
    }
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
