//! What is checked about a site beyond the form of its files: that names lead somewhere, that
//! values can be used where they go, and that no machine belongs to two groups by its address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use embed::digest::Sha512Digest;

use crate::boot::{
    DiscoveryScript, HttpPorts, InstallScript, Programs, Servers, discovery_script, install_script,
};
use crate::mac::MacAddr;
use crate::machine::Ticket;
use crate::site::load::{is_name, value};
use crate::site::pattern::Pattern;
use crate::site::{DhcpMode, Group, InstallImage, Site, SiteError};

pub(super) fn programs(programs: &Programs, path: &Path) -> Result<(), SiteError> {
    for program in programs.all() {
        let name = &program.file;
        if !is_name(name) {
            return Err(value(
                path,
                format!("the boot program `{name}` is no plain file name"),
            ));
        }
        let file = program.path();
        std::fs::metadata(&file).map_err(|source| SiteError::Read { path: file, source })?;
    }
    Ok(())
}

pub(super) fn dhcp(site: &Site, path: &Path) -> Result<(), SiteError> {
    if site.dhcp_mode == DhcpMode::Full && site.subnets.is_empty() {
        let reason = "`dhcp`: `mode: full` leases addresses, and there are no `subnets`";
        return Err(value(path, reason));
    }
    Ok(())
}

/// The servers of the site, with an address of ours that none is longer than.
fn longest(site: &Site) -> Servers {
    let ports = HttpPorts {
        plain: u16::MAX,
        tls: Some(u16::MAX),
    };
    site.servers(ports.at(Ipv4Addr::BROADCAST, site.first_stage.schemes))
}

pub(super) fn discovery(site: &Site, path: &Path) -> Result<(), SiteError> {
    for argument in &site.discovery_kargs {
        word(argument, path)?;
    }
    let parts = DiscoveryScript {
        mac: MacAddr([0; 6]),
        manifest: &site.manifest,
        kargs: &site.discovery_kargs,
        assets: &site.assets(),
        servers: &longest(site),
    };
    let path = path.to_owned();
    let checked = discovery_script(&parts).map(drop);
    checked.map_err(|source| SiteError::CommandLine { path, source })
}

/// A word on an iPXE line and in a kernel command line: one word in both.
pub(super) fn word(word: &str, path: &Path) -> Result<(), SiteError> {
    let fits =
        word.bytes().all(|b| b.is_ascii_graphic()) && !word.is_empty() && !word.contains("${");
    if fits && !["||", "&&"].contains(&word) {
        return Ok(());
    }
    Err(value(
        path,
        format!(
            "`{word}` is not one word of printable ASCII without `${{`, and can not be a kernel argument"
        ),
    ))
}

pub(super) fn profiles(dir: &Path, site: &Site) -> Result<(), SiteError> {
    let servers = longest(site);
    for (stem, profile) in &site.profiles {
        let path = dir.join("profiles").join(format!("{stem}.yaml"));
        if *stem != profile.name {
            return Err(value(
                &path,
                format!("`name` is `{}`, the file is named `{stem}`", profile.name),
            ));
        }
        if !profile.install.device.starts_with("/dev/") {
            return Err(value(
                &path,
                format!(
                    "`install.device`: `{}` does not start with /dev/",
                    profile.install.device
                ),
            ));
        }
        for argument in profile.kargs.iter().chain([&profile.install.device]) {
            word(argument, &path)?;
        }
        if profile.install.image == InstallImage::Published && site.manifest.image.is_none() {
            return Err(value(
                &path,
                "`install.image: published`, but the media hold no published image",
            ));
        }
        let parts = InstallScript {
            mac: MacAddr([0; 6]),
            profile,
            manifest: &site.manifest,
            config: site.delivery(profile).of(Sha512Digest([0; 64])),
            ticket: Ticket([0; 16]),
            assets: &site.assets(),
            servers: &servers,
        };
        install_script(&parts).map_err(|source| SiteError::CommandLine { path, source })?;
    }
    Ok(())
}

pub(super) fn groups(dir: &Path, site: &Site) -> Result<(), SiteError> {
    let path = |name: &str| dir.join("groups").join(format!("{name}.yaml"));
    let mut owners: BTreeMap<&Pattern, &str> = BTreeMap::new();
    let mut catch_all: Option<&str> = None;
    for (name, group) in &site.groups {
        let Group {
            profile, selector, ..
        } = group;
        if !site.profiles.contains_key(profile) {
            return Err(value(
                &path(name),
                format!("there is no profile `{profile}`"),
            ));
        }
        if selector.conditions.is_empty()
            && let Some(other) = catch_all.replace(name)
        {
            return Err(value(
                &path(name),
                format!("group `{other}` takes all other machines already"),
            ));
        }
        for mac in selector.only_macs().unwrap_or_default() {
            if let Some(other) = owners.insert(mac, name) {
                return Err(value(
                    &path(name),
                    format!("{mac} is in group `{other}` already"),
                ));
            }
        }
    }
    Ok(())
}
