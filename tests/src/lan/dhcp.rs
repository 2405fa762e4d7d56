//! The LAN's ordinary DHCP server: dnsmasq, which hands out addresses and knows nothing of booting.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::relay::GATEWAY;
use super::{DHCP_SERVER, Lan, Service};

/// dnsmasq, in a room of its own because it and a proxy DHCP server both want port 67.
#[derive(Debug)]
pub struct Dnsmasq {
    service: Service,
}

impl Dnsmasq {
    /// Starts it on `lan`; its log goes to `log`.
    pub fn start(lan: &Lan, log: &Path) -> Result<Self> {
        Self::start_with(lan, &[], log)
    }

    /// The same with more options.
    pub fn start_with(lan: &Lan, options: &[&str], log: &Path) -> Result<Self> {
        let room = lan.room("dhcp", DHCP_SERVER)?;
        let mut command = room.command("dnsmasq");
        command.args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--user=root",
            "--port=0",
            "--log-dhcp",
        ]);
        command.args([
            "--interface=eth0",
            "--bind-interfaces",
            "--dhcp-authoritative",
            "--leasefile-ro",
        ]);
        // Pinging an address before the offer costs each boot three seconds.
        command.args([
            "--no-ping",
            "--dhcp-range=192.0.2.100,192.0.2.199,255.255.255.0,1h",
        ]);
        // No router and no resolver: there is nothing behind this LAN. Behind a relay there is.
        command.args(["--dhcp-option=3", "--dhcp-option=6"]);
        command.arg("--dhcp-range=set:far,198.51.100.100,198.51.100.199,255.255.255.0,1h");
        command.arg(format!("--dhcp-option=tag:far,3,{GATEWAY}"));
        command.args(options);
        let mut service = room.serve("dnsmasq", command, log)?;
        service.wait_ready(Duration::from_secs(10), || {
            std::fs::read_to_string(log).is_ok_and(|text| text.contains("DHCP, sockets bound"))
        })?;
        Ok(Self { service })
    }

    /// An error when it has ended.
    pub fn check(&mut self) -> Result<()> {
        self.service.check()
    }
}
