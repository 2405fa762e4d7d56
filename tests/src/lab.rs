//! A LAN with its ordinary DHCP server and our server beside it, ready for a machine.

use std::path::Path;

use anyhow::{Context, Result};

use crate::lan::{Dnsmasq, Lan};
use crate::server::PxeServer;
use crate::site::MAC;
use crate::vm::Nic;

/// The LAN and its servers; they end with this value.
#[derive(Debug)]
pub struct Lab {
    dnsmasq: Dnsmasq,
    server: PxeServer,
    tap: String,
}

impl Lab {
    /// Opens the lab for the server's `site`; the server keeps its state in `state`, and both
    /// servers write logs into `logs`.
    pub fn open(site: &Path, state: &Path, logs: &Path) -> Result<Self> {
        let lan = Lan::create().context("making the LAN")?;
        let dnsmasq = Dnsmasq::start(&lan, &logs.join("dnsmasq.log"))?;
        let server = PxeServer::start(&lan, site, state, &logs.join("pxe-server.log"))?;
        Ok(Self {
            dnsmasq,
            server,
            tap: lan.tap("tap0")?,
        })
    }

    /// The network card of the machine that the site's group selects.
    pub fn nic(&self) -> Nic {
        Nic::Tap {
            device: self.tap.clone(),
            mac: MAC.into(),
        }
    }

    /// The server, after making sure that both servers still run.
    pub fn server(&mut self) -> Result<&mut PxeServer> {
        self.dnsmasq.check()?;
        self.server.check()?;
        Ok(&mut self.server)
    }
}
