//! `iso customize`: one call that turns a live image into one that provisions itself, installs
//! itself, or both. What is embedded is `embed::customize`'s business.

use std::fs::File;

use anyhow::Result;
use clap::Args;
use embed::iso::{LiveIso, Region};
use embed::kargs::Edit;

use super::super::CliError;
use super::super::customize::{CustomizeOptions, require};
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
    #[command(flatten)]
    options: CustomizeOptions,
    /// Kernel argument to add to the live system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    live_karg_append: Vec<String>,
    /// Kernel argument to remove from the live system [repeatable]
    #[arg(long, value_name = "ARG", help_heading = "Live system")]
    live_karg_delete: Vec<String>,
    /// Kernel argument to change in the live system [repeatable]
    #[arg(long, value_name = "ARG=OLD=NEW", help_heading = "Live system")]
    live_karg_replace: Vec<String>,
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
        let archive = self.options.archive(iso.features())?;
        let mut regions = self.kargs_regions(&iso)?;
        regions.push(iso.embed(&archive)?);
        self.edit.save(iso, &regions)
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
        require(iso.has_kargs(), "live kernel arguments")?;
        Ok(iso.set_kargs(&edit.apply(&iso.default_kargs()?)?)?)
    }
}
