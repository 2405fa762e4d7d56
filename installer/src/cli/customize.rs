//! What `iso customize` and `pxe customize` have in common: the options, and the archive that they
//! make for the live system.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use embed::contract::initrd::CONFIG;
use embed::customize::{Customization, Hook, InstallerConfig, When};
use embed::ignition::Config;
use embed::initrd::Archive;
use embed::iso::Features;
use embed::network;

use super::config::{DeliveryArgs, Doubt};
use super::media::MediaError;
use super::{CliError, files, keyfiles};
use crate::firstboot::Console;
use crate::plan::Options;
use crate::ui;

const DEST: &str = "Installed system";
const LIVE: &str = "Live system";

/// Options of both commands.
#[derive(Args, Debug)]
pub(super) struct CustomizeOptions {
    /// Ignition or Butane config for the installed system [repeatable]
    #[arg(long, value_name = "PATH", help_heading = DEST, value_hint = ValueHint::FilePath)]
    dest_ignition: Vec<PathBuf>,
    /// Install to this device at boot, without asking
    #[arg(long, value_name = "DEV", help_heading = DEST)]
    dest_device: Option<String>,
    /// Console of the installed system, for example `ttyS0,115200` [repeatable]
    #[arg(long, value_name = "SPEC", help_heading = DEST)]
    dest_console: Vec<Console>,
    /// Kernel argument to add to the installed system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = DEST)]
    dest_karg_append: Vec<String>,
    /// Kernel argument to remove from the installed system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = DEST)]
    dest_karg_delete: Vec<String>,
    /// NetworkManager keyfile for live and installed system [repeatable]
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    network_keyfile: Vec<PathBuf>,
    /// Not supported: nmstate configs are not compiled here
    ///
    /// `nmstatectl gc FILE` makes the keyfiles; give those with --network-keyfile.
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    network_nmstate: Vec<PathBuf>,
    /// CA certificates in PEM that Ignition trusts [repeatable]
    ///
    /// For what the live system's config fetches, and the installed system's if it has one; and
    /// for what the unattended install fetches, where the live system's installer can.
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    ignition_ca: Vec<PathBuf>,
    /// Program to run before the install [repeatable]
    ///
    /// If it fails, nothing is installed.
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    pre_install: Vec<PathBuf>,
    /// Program to run after the install, before the reboot [repeatable]
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    post_install: Vec<PathBuf>,
    /// Config file of `install`; installs at boot, without asking [repeatable]
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    installer_config: Vec<PathBuf>,
    /// Ignition or Butane config for the live system [repeatable]
    #[arg(long, value_name = "PATH", help_heading = LIVE, value_hint = ValueHint::FilePath)]
    live_ignition: Vec<PathBuf>,
    #[command(flatten)]
    config: DeliveryArgs,
}

impl CustomizeOptions {
    /// What the live system finds in its initramfs; refused where it would not look at it.
    pub(super) fn archive(&self, features: Features) -> Result<Archive> {
        let mut archive = Archive::default();
        if !self.network_keyfile.is_empty() || !self.network_nmstate.is_empty() {
            require(features.live_initrd_network, "network settings")?;
        }
        if let Some(path) = self.network_nmstate.first() {
            return Err(MediaError::Nmstate { path: path.clone() }.into());
        }
        keyfiles::insert(&mut archive, &self.network_keyfile)?;
        let mut custom = self.customization(network::is_configured(&archive))?;
        custom.installer_trusts = features.installer_config_directives.ca_cert;
        if custom.installs() {
            require(features.installer_config, "installer configuration")?;
        }
        if !custom.dest_consoles.is_empty() {
            let known = features.installer_config_directives.console;
            require(known, "the destination console")?;
        }
        if custom.installs() && !custom.authorities.is_empty() && !custom.installer_trusts {
            ui::warn(
                "the installer of this image does not use the certificates for what it fetches itself",
            );
        }
        if let Some(config) = custom.live_config()? {
            archive.insert(CONFIG, config)?;
        }
        match &custom.dest_device {
            Some(device) => ui::tell(&format!(
                "Boot media will automatically install to {device} without confirmation."
            )),
            None if custom.installs() => ui::tell("Boot media will automatically run installer."),
            None => {}
        }
        Ok(archive)
    }

    fn customization(&self, network: bool) -> Result<Customization> {
        let authorities = self.ignition_ca.iter();
        let mut hooks = hooks(When::Before, &self.pre_install)?;
        hooks.extend(self::hooks(When::After, &self.post_install)?);
        Ok(Customization {
            live: self.read_configs(&self.live_ignition)?,
            dest: self.read_configs(&self.dest_ignition)?,
            dest_device: self.dest_device.clone(),
            dest_consoles: self.dest_console.iter().map(Console::to_string).collect(),
            dest_kargs_append: self.dest_karg_append.clone(),
            dest_kargs_delete: self.dest_karg_delete.clone(),
            network,
            authorities: authorities
                .map(|path| files::read_config(Some(path)))
                .collect::<Result<_>>()?,
            hooks,
            installer_trusts: false,
            installer_configs: installer_configs(&self.installer_config)?,
        })
    }

    fn read_configs(&self, paths: &[PathBuf]) -> Result<Vec<Config>> {
        let read = |path: &PathBuf| {
            let bytes = files::read_config(Some(path))?;
            let name = path.display().to_string();
            self.config.take(&name, bytes, Doubt::Refuse)
        };
        paths.iter().map(read).collect()
    }
}

/// Refuses what the live system does not understand.
pub(super) fn require(feature: bool, what: &'static str) -> Result<()> {
    match feature {
        true => Ok(()),
        false => Err(CliError::NoFeature { what }.into()),
    }
}

fn hooks(when: When, paths: &[PathBuf]) -> Result<Vec<Hook>> {
    let hook = |path: &PathBuf| {
        Ok(Hook {
            when,
            name: keyfiles::name(path)?.to_owned(),
            content: files::read_config(Some(path))?,
        })
    };
    paths.iter().map(hook).collect()
}

/// Config files are checked as the live system will, and handed on as they are.
fn installer_configs(paths: &[PathBuf]) -> Result<Vec<InstallerConfig>> {
    let config = |path: &PathBuf| {
        let content = files::read_config(Some(path))?;
        Options::from_config(&content, path)?;
        Ok(InstallerConfig {
            name: keyfiles::name(path)?.to_owned(),
            content,
        })
    };
    paths.iter().map(config).collect()
}
