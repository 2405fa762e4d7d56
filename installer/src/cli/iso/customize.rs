//! `iso customize`: one call that turns a live image into one that provisions itself, installs
//! itself, or both. What is embedded is `embed::customize`'s business.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};
use embed::contract::initrd::CONFIG;
use embed::customize::Customization;
use embed::ignition::Config;
use embed::initrd::Archive;
use embed::iso::{IsoError, LiveIso, Region};
use embed::kargs::Edit;

use super::super::config::{DeliveryArgs, Doubt};
use super::super::{CliError, files};
use super::EditArgs;

/// Options of `iso customize`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    An ISO that installs to /dev/sda without asking, with this config:\n    \
    coreos-installer iso customize --dest-device /dev/sda \\\n        \
    --dest-ignition machine.ign -o machine.iso live.iso\n  \
    A live system with its own config and a serial console:\n    \
    coreos-installer iso customize --live-ignition live.ign \\\n        \
    --live-karg-append console=ttyS0 -o mine.iso live.iso")]
pub(in crate::cli) struct CustomizeArgs {
    /// Ignition or Butane config for the installed system [repeatable]
    #[arg(long, value_name = "PATH", help_heading = "Installed system", value_hint = ValueHint::FilePath)]
    dest_ignition: Vec<PathBuf>,
    /// Install to this device at boot, without asking
    #[arg(long, value_name = "DEV", help_heading = "Installed system")]
    dest_device: Option<String>,
    /// Kernel argument to add to the installed system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Installed system")]
    dest_karg_append: Vec<String>,
    /// Kernel argument to remove from the installed system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Installed system")]
    dest_karg_delete: Vec<String>,
    /// Ignition or Butane config for the live system [repeatable]
    #[arg(long, value_name = "PATH", help_heading = "Live system", value_hint = ValueHint::FilePath)]
    live_ignition: Vec<PathBuf>,
    /// Kernel argument to add to the live system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    live_karg_append: Vec<String>,
    /// Kernel argument to remove from the live system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    live_karg_delete: Vec<String>,
    /// Kernel argument to change in the live system [repeatable]
    #[arg(long, value_name = "ARG=OLD=NEW", help_heading = "Live system")]
    live_karg_replace: Vec<String>,
    #[command(flatten)]
    config: DeliveryArgs,
    /// Customize an image that is customized already, from scratch
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    edit: EditArgs,
}

impl CustomizeArgs {
    pub(super) fn run(self) -> Result<()> {
        let mut iso = self.edit.open()?;
        if !self.force && !iso.is_pristine()? {
            return Err(CliError::AlreadyCustomized {
                path: self.edit.input,
            }
            .into());
        }
        let custom = self.customization()?;
        let installs = custom.dest.is_some()
            || custom.dest_device.is_some()
            || !custom.dest_kargs_append.is_empty()
            || !custom.dest_kargs_delete.is_empty();
        if installs && !iso.features().installer_config {
            return Err(CliError::NoFeature {
                what: "installer configuration",
            }
            .into());
        }
        let mut archive = Archive::default();
        if let Some(config) = custom.live_config() {
            archive.insert(CONFIG, config)?;
        }
        let mut regions = self.kargs_regions(&iso)?;
        regions.push(iso.embed(&archive)?);
        self.edit.save(iso, &regions)
    }

    fn customization(&self) -> Result<Customization> {
        Ok(Customization {
            live: self.read_configs(&self.live_ignition)?,
            dest: merge(self.read_configs(&self.dest_ignition)?)?,
            dest_device: self.dest_device.clone(),
            dest_kargs_append: self.dest_karg_append.clone(),
            dest_kargs_delete: self.dest_karg_delete.clone(),
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

    /// Edits start from the arguments of the pristine image; without any, those that are there stay.
    fn kargs_regions(&self, iso: &LiveIso<File>) -> Result<Vec<Region>> {
        let edit = Edit {
            append: self.live_karg_append.clone(),
            delete: self.live_karg_delete.clone(),
            replace: self.live_karg_replace.clone(),
            ..Edit::default()
        };
        if edit.is_empty() {
            return Ok(Vec::new());
        }
        let defaults = match iso.default_kargs() {
            Err(IsoError::NoKargsArea) => {
                return Err(CliError::NoFeature {
                    what: "live kernel arguments",
                }
                .into());
            }
            defaults => defaults?,
        };
        Ok(iso.set_kargs(&edit.apply(&defaults)?)?)
    }
}

/// One config stays as it is; several are merged by a config that names them all.
fn merge(mut configs: Vec<Config>) -> Result<Option<Config>> {
    if configs.len() < 2 {
        return Ok(configs.pop());
    }
    let wrapper = Customization {
        live: configs,
        ..Customization::default()
    };
    Ok(wrapper.live_config().map(Config::parse).transpose()?)
}
