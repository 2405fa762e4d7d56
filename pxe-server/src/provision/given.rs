//! What a machine is given, and its script in the language of the boot loader that asks.

use std::sync::Arc;

use crate::boot::{
    self, CommandLineTooLong, ConfigDelivery, DiscoveryScript, InstallScript, Platform, Servers,
    grub,
};
use crate::mac::MacAddr;
use crate::machine::Ticket;
use crate::matchbox::{self, Boot};
use crate::site::{Profile, Site};

/// What a machine is to do.
#[derive(Clone, Debug)]
pub enum Given {
    /// Boot the live system, which installs it.
    Install(Box<Install>),
    /// Boot its disk, for this reason.
    Disk(&'static str),
    /// Wait for the operator, for this reason.
    Held(&'static str),
    /// Wait until others are installed, for this reason.
    Waits(&'static str),
    /// Wait until somebody claims it.
    Unclaimed,
    /// Boot the live system of this site, which reports what the machine consists of.
    Discover(Arc<Site>),
    /// Boot this, as the matchbox data beside the site say.
    Matchbox(Boot),
}

/// An install that is allowed.
#[derive(Clone, Debug)]
pub struct Install {
    /// The site that it was decided by.
    pub site: Arc<Site>,
    /// What the machine shall become.
    pub profile: Profile,
    /// How it gets its config.
    pub config: ConfigDelivery,
    /// Single-use permission.
    pub ticket: Ticket,
}

impl Install {
    fn script<'a>(
        &'a self,
        mac: MacAddr,
        assets: &'a str,
        servers: &'a Servers,
    ) -> InstallScript<'a> {
        InstallScript {
            assets,
            mac,
            profile: &self.profile,
            manifest: &self.site.manifest,
            config: self.config,
            ticket: self.ticket,
            servers,
        }
    }
}

fn discovery<'a>(
    site: &'a Site,
    mac: MacAddr,
    assets: &'a str,
    servers: &'a Servers,
) -> DiscoveryScript<'a> {
    DiscoveryScript {
        mac,
        manifest: &site.manifest,
        kargs: &site.discovery_kargs,
        assets,
        servers,
    }
}

impl Given {
    /// The script for an iPXE on `platform`.
    pub fn to_ipxe(
        &self,
        mac: MacAddr,
        platform: Platform,
        servers: &Servers,
    ) -> Result<String, CommandLineTooLong> {
        Ok(match self {
            Self::Install(install) => {
                boot::install_script(&install.script(mac, &install.site.assets(), servers))?
            }
            Self::Disk(why) => boot::disk_script(mac, why, platform, servers),
            Self::Held(why) => boot::held_script(mac, why, servers),
            Self::Waits(why) => boot::waiting_script(mac, why, servers),
            Self::Unclaimed => boot::unclaimed_script(mac, servers),
            Self::Discover(site) => {
                boot::discovery_script(&discovery(site, mac, &site.assets(), servers))?
            }
            Self::Matchbox(boot) => matchbox::ipxe_script(boot),
        })
    }

    /// The script for GRUB.
    pub fn to_grub(&self, mac: MacAddr, servers: &Servers) -> Result<String, CommandLineTooLong> {
        Ok(match self {
            Self::Install(install) => {
                grub::install_script(&install.script(mac, &install.site.assets(), servers))?
            }
            Self::Disk(why) => grub::disk_script(mac, why),
            Self::Held(why) => grub::held_script(mac, why),
            Self::Waits(why) => grub::waiting_script(mac, why),
            Self::Unclaimed => grub::unclaimed_script(mac),
            Self::Discover(site) => {
                grub::discovery_script(&discovery(site, mac, &site.assets(), servers))?
            }
            Self::Matchbox(boot) => matchbox::grub_answer(boot, servers.own()),
        })
    }
}
