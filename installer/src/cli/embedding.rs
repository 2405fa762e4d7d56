//! `embed`: the configuration step of an install, for a system that was written earlier.

use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgGroup, Args, ValueHint};
use embed::digest::TypedDigest;

use super::access::AccessArgs;
use super::config::DeliveryArgs;
use super::install::first_boot;
use super::watching::WatchArgs;
use crate::firstboot::{Console, Existing, FirstbootArgs};
use crate::plan::{Options, Plan};
use crate::retrofit::retrofit;
use crate::ui;

pub(super) const EXAMPLES: &str = "\
Examples:
  coreos-installer embed -i machine.ign os.raw
  coreos-installer embed -i new.bu --force --append-karg nosmt /dev/sda";

/// clap's own would spell out every option of which one is needed.
pub(super) const USAGE: &str = "coreos-installer embed <OPTION>... <IMAGE>";

/// Options of `embed`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("edit").required(true).multiple(true).args([
    "ignition_file", "ignition_url", "platform", "console", "firstboot_args", "append_karg", "delete_karg",
    "copy_network", "network_dir",
]))]
pub(super) struct EmbedArgs {
    /// Raw image file, or disk
    #[arg(value_hint = ValueHint::AnyPath)]
    image: PathBuf,
    /// Put this Ignition or Butane config there [repeatable]
    ///
    /// One Ignition config is stored as it is. Several are merged, the later over the earlier,
    /// those from URLs after files.
    #[arg(short, long, visible_alias = "ignition", value_name = "PATH", value_hint = ValueHint::FilePath)]
    ignition_file: Vec<PathBuf>,
    /// Fetch the Ignition or Butane config from this URL now [repeatable]
    #[arg(short = 'I', long, value_name = "URL", value_hint = ValueHint::Url)]
    ignition_url: Vec<String>,
    /// Digest of the config as read, sha256-HEX or sha512-HEX [repeatable]
    ///
    /// For several configs one each, in their order.
    #[arg(long, value_name = "DIGEST")]
    ignition_hash: Vec<TypedDigest>,
    /// Allow an Ignition config by plain http without a digest
    #[arg(long)]
    insecure_ignition: bool,
    #[command(flatten)]
    access: AccessArgs,
    /// Replace a config or network settings that are there
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    delivery: DeliveryArgs,
    /// Ignition platform ID of the system
    #[arg(short, long, value_name = "ID")]
    platform: Option<String>,
    /// Console of kernel and boot loader, for example `ttyS0,115200` [repeatable]
    #[arg(long, value_name = "SPEC")]
    console: Vec<Console>,
    /// Network arguments for the first boot only
    #[arg(long, value_name = "ARGS")]
    firstboot_args: Option<FirstbootArgs>,
    /// Add a kernel argument [repeatable]
    #[arg(long, value_name = "ARG")]
    append_karg: Vec<String>,
    /// Remove a kernel argument [repeatable]
    #[arg(long, value_name = "ARG")]
    delete_karg: Vec<String>,
    /// Take over this machine's NetworkManager keyfiles
    #[arg(short = 'n', long)]
    copy_network: bool,
    /// Take over the keyfiles in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    network_dir: Option<PathBuf>,
    #[command(flatten)]
    watch: WatchArgs,
}

impl EmbedArgs {
    pub(super) fn run(self) -> Result<()> {
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Refuse,
        };
        let watcher = self.watch.start()?;
        let image = self.image.clone();
        let plan = self.into_plan()?;
        let cancel = ui::cancel_on_signals()?;
        let edits = first_boot(&plan, &watcher, &cancel)?;
        if !edits.is_empty() {
            let done = retrofit(&image, &edits, existing, &watcher, &cancel);
            watcher.finish();
            done?;
        }
        ui::tell(&format!("configured the system on {}", image.display()));
        Ok(())
    }

    /// The same plan as of an install, so that options mean the same.
    fn into_plan(self) -> Result<Plan> {
        let options = Options {
            ignition_file: self.ignition_file,
            ignition_url: self.ignition_url,
            ignition_hash: self.ignition_hash,
            insecure_ignition: self.insecure_ignition,
            files_dir: self.delivery.files_dir,
            no_validate: self.delivery.no_validate,
            platform: self.platform,
            console: self.console,
            firstboot_args: self.firstboot_args,
            append_karg: self.append_karg,
            delete_karg: self.delete_karg,
            copy_network: self.copy_network || self.network_dir.is_some(),
            network_dir: self.network_dir,
            dest_device: Some(self.image),
            ..Options::default()
        };
        Ok(Plan {
            access: self.access.into_access(),
            variables: self.delivery.variables.into(),
            ..options.resolve()?
        })
    }
}
