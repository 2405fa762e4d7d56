//! A LAN with our server, ready for a machine: beside an ordinary DHCP server, alone, or both of
//! them behind a relay.

use std::path::Path;

use anyhow::{Context, Result};

use crate::lan::{Dnsmasq, Lan, PXE_SERVER, Relay};
use crate::server::PxeServer;
use crate::site::MAC;
use crate::vm::Nic;

/// Who leases addresses, and where the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// An ordinary DHCP server, ours beside it.
    Beside,
    /// The same, and its leases name ours as next-server.
    BesideNamed,
    /// Ours alone.
    Alone,
    /// Both, and the machine on a LAN behind a relay.
    Relayed,
}

/// The LAN and its servers; they end with this value.
#[derive(Debug)]
pub struct Lab {
    dnsmasq: Option<Dnsmasq>,
    relay: Option<Relay>,
    server: PxeServer,
    tap: String,
}

impl Lab {
    /// Opens the lab for the server's `site`; the server keeps its state in `state`, and the
    /// servers write logs into `logs`.
    pub fn open(network: Network, site: &Path, state: &Path, logs: &Path) -> Result<Self> {
        let lan = Lan::create().context("making the LAN")?;
        let log = logs.join("dnsmasq.log");
        let dnsmasq = match network {
            Network::Alone => None,
            Network::Beside | Network::Relayed => Some(Dnsmasq::start(&lan, &log)?),
            Network::BesideNamed => {
                let named = format!("--dhcp-boot=,,{PXE_SERVER}");
                Some(Dnsmasq::start_with(&lan, &[&named], &log)?)
            }
        };
        let server = PxeServer::start(&lan, site, state, &logs.join("pxe-server.log"))?;
        let relay = match network {
            Network::Relayed => {
                let log = logs.join("relay.log");
                Some(Relay::start(&lan, &["dhcp", "pxe"], &log)?)
            }
            Network::Beside | Network::BesideNamed | Network::Alone => None,
        };
        let tap = match &relay {
            Some(relay) => relay.tap("tap0")?,
            None => lan.tap("tap0")?,
        };
        Ok(Self {
            dnsmasq,
            relay,
            server,
            tap,
        })
    }

    /// The network card of the machine that the site's group selects.
    pub fn nic(&self) -> Nic {
        Nic::Tap {
            device: self.tap.clone(),
            mac: MAC.into(),
            rom: false,
        }
    }

    /// The same card with an option ROM.
    pub fn nic_with_rom(&self) -> Nic {
        Nic::Tap {
            device: self.tap.clone(),
            mac: MAC.into(),
            rom: true,
        }
    }

    /// The server, after making sure that all servers still run.
    pub fn server(&mut self) -> Result<&mut PxeServer> {
        if let Some(dnsmasq) = &mut self.dnsmasq {
            dnsmasq.check()?;
        }
        if let Some(relay) = &mut self.relay {
            relay.check()?;
        }
        self.server.check()?;
        Ok(&mut self.server)
    }
}
