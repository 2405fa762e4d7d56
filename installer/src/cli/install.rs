//! `install`: from options to a request for [`crate::install`], with everything that can be wrong
//! before the disk is touched looked at first.

use std::error::Error;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use embed::ignition::Config;

use super::afterwards::Afterwards;
use super::config::{DeliveryArgs, Doubt};
use super::watching::{ResultForm, report};
use super::{CliError, dry_run, files};
use crate::cancel::Cancel;
use crate::disk::{self, SectorSize, choose, disks};
use crate::firstboot::{Console, FirstBoot, Keyfiles};
use crate::install::{self, BootEditor, Installed, OnError, Request};
use crate::observe::Observer;
use crate::plan::{ConfigSource, ImageChoice, Options, Plan, ProgressForm, StreamChoice, Target};
use crate::source::stream_metadata::DEFAULT_BASE_URL;
use crate::source::{LocalImages, Location, StreamQuery, http};
use crate::ui::{self, progress};

pub(super) const EXAMPLES: &str = "\
Examples:
  The newest stable image, with a config:
    coreos-installer install -i machine.ign /dev/sda
  An image from a server of one's own, signed with one's own key:
    coreos-installer install -u http://mirror.example/os.raw.xz \\
        --keyring os.gpg -i machine.ign /dev/sda
  A config of several parts, the later over the earlier:
    coreos-installer install -i base.bu -i node7.ign --set name=node7 /dev/sda
  Keep the partition labelled `data`:
    coreos-installer install --save-partlabel data /dev/sda
  By a config file, with one more kernel argument:
    coreos-installer install -c install.yaml --append-karg nosmt";

/// Largest Ignition config that is fetched, bytes.
const MAX_CONFIG: u64 = 64 * 1024 * 1024;

/// Runs the command.
pub(super) fn run(options: Options) -> Result<()> {
    let options = options.with_config_files()?;
    hint_at_console(&options.append_karg);
    if let Some(path) = &options.log_file {
        ui::log_to(path)?;
    }
    let dry_run = options.dry_run;
    let form = options.progress.unwrap_or(ProgressForm::Auto);
    let plan = options.resolve()?;
    let watcher = progress::Watcher::new(form);
    let cancel = ui::cancel_on_signals()?;

    let first_boot = first_boot(&plan, &watcher, &cancel)?;
    let device = device(&plan.target)?;
    let afterwards = Afterwards::prepare(&plan, &device)?;
    let source = location(&plan, &device)?;
    let mut editor = |boot: &Path| {
        first_boot
            .apply(boot)
            .map_err(Box::<dyn Error + Send + Sync>::from)
    };
    let wanted = !first_boot.is_empty();
    let request = Request {
        source,
        manifest: plan.image_manifest.clone(),
        digest: plan.image_digest,
        policy: super::policy(plan.insecure),
        keyring: super::keyring(plan.keyrings.clone(), plan.keyring_dirs.clone()),
        device: device.clone(),
        save: plan.save.clone(),
        boot: wanted.then_some(&mut editor as &mut dyn BootEditor),
        on_error: if plan.preserve_on_error {
            OnError::Preserve
        } else {
            OnError::Clear
        },
        memory: plan.memory,
    };
    if dry_run {
        let rehearsal = install::rehearse(&request, &watcher, &cancel);
        watcher.finish();
        let text = dry_run::describe(&rehearsal?, &first_boot) + &afterwards.describe();
        let planned = dry_run::Planned::new(&text);
        return report(&watcher, &planned, ResultForm::Text, |_| text.clone());
    }
    let installed = install::install(request, &watcher, &cancel);
    watcher.finish();
    tell(&installed?, &device);
    afterwards.run(&device)
}

fn tell(installed: &Installed, device: &Path) {
    let kept = match installed.saved {
        0 => String::new(),
        n => format!("; partitions kept: {n}"),
    };
    ui::tell(&format!(
        "installed {} to {}{kept}",
        installed.image,
        device.display()
    ));
    if !installed.reread {
        ui::warn(
            "the kernel still has the old partition table; it reads the new one at the next boot",
        );
    }
}

/// Reads what goes onto the boot partition.
pub(super) fn first_boot(
    plan: &Plan,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<FirstBoot> {
    let network = match &plan.network_dir {
        Some(dir) => keyfiles(dir)?,
        None => Keyfiles::default(),
    };
    Ok(FirstBoot {
        ignition: config(plan, observer, cancel)?,
        platform: plan.platform.clone(),
        consoles: plan.consoles.clone(),
        firstboot_args: plan.firstboot_args.clone(),
        kargs: plan.kargs.clone(),
        network,
    })
}

fn keyfiles(dir: &Path) -> Result<Keyfiles> {
    let keyfiles = Keyfiles::from_dir(dir)
        .with_context(|| format!("reading network keyfiles in {}", dir.display()))?;
    if keyfiles.is_empty() {
        ui::warn(&format!(
            "no network keyfiles in {}; nothing to copy",
            dir.display()
        ));
    }
    Ok(keyfiles)
}

/// The one config that all configs make; one alone is taken as it is.
fn config(plan: &Plan, observer: &dyn Observer, cancel: &Cancel) -> Result<Option<Config>> {
    let mut texts = Vec::new();
    let mut digests = plan.config_digests.iter();
    for source in &plan.configs {
        let (name, bytes) = read(source, plan, observer, cancel)?;
        if let Some(want) = digests.next().filter(|digest| !digest.matches(&bytes)) {
            return Err(CliError::ConfigDigest { name, want: *want }.into());
        }
        texts.push((name, bytes));
    }
    let delivery = DeliveryArgs {
        files_dir: plan.files_dir.clone(),
        no_validate: plan.no_validate,
        variables: plan.variables.clone().into(),
    };
    match (texts.pop(), texts.is_empty()) {
        (None, _) => Ok(None),
        (Some((name, bytes)), true) => delivery.take(&name, bytes, Doubt::Refuse).map(Some),
        (Some(last), false) => {
            texts.push(last);
            delivery.merge(texts).map(Some)
        }
    }
}

/// The name and the bytes of a config.
fn read(
    source: &ConfigSource,
    plan: &Plan,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<(String, Vec<u8>)> {
    match source {
        ConfigSource::File(path) => {
            Ok((path.display().to_string(), files::read_config(Some(path))?))
        }
        ConfigSource::Url(url) => {
            // Only an unbroken chain of https vouches for a config without a digest.
            let downgrade = match plan.config_may_be_insecure {
                true => http::Downgrade::Allow,
                false => http::Downgrade::Refuse,
            };
            let fetcher = http::Fetcher::new(&plan.access, &[url.as_str()], observer, cancel)?
                .with_downgrade(downgrade);
            Ok((url.clone(), fetcher.get_small(url, MAX_CONFIG)?))
        }
    }
}

/// The disk that is meant.
fn device(target: &Target) -> Result<PathBuf> {
    match target {
        Target::Device(device) => Ok(device.clone()),
        Target::Match(rules) => {
            let device = choose(rules, &disks().context("listing the disks")?)?;
            ui::tell(&format!("the disk is {}", device.display()));
            Ok(device)
        }
    }
}

fn location(plan: &Plan, device: &Path) -> Result<Location> {
    Ok(match &plan.image {
        ImageChoice::File(path) => Location::File(path.clone()),
        ImageChoice::Url(url) => Location::Url {
            url: url.clone(),
            mirrors: plan.mirrors.clone(),
            access: plan.access.clone(),
        },
        ImageChoice::Offline { architecture } => {
            let (images, sector) = (LocalImages::default(), disk::sector_size_of(device)?);
            let architecture = this_or(architecture.as_deref());
            let found = images.find(architecture, sector)?;
            found.ok_or_else(|| images.none(architecture, sector))?
        }
        ImageChoice::OfflineOr(choice) => {
            let sector = disk::sector_size_of(device)?;
            let architecture = this_or(choice.architecture.as_deref());
            match LocalImages::default().find(architecture, sector)? {
                Some(found) => found,
                None => Location::Stream(query(choice, sector, plan)),
            }
        }
        ImageChoice::Stream(choice) => {
            Location::Stream(query(choice, disk::sector_size_of(device)?, plan))
        }
    })
}

fn query(choice: &StreamChoice, sector: SectorSize, plan: &Plan) -> StreamQuery {
    let base_url = choice.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
    StreamQuery {
        base_url: base_url.to_owned(),
        stream: choice.name.clone(),
        architecture: this_or(choice.architecture.as_deref()).to_owned(),
        platform: "metal".to_owned(),
        format: match sector {
            SectorSize::B4096 => "4k.raw.xz".to_owned(),
            SectorSize::B512 => "raw.xz".to_owned(),
        },
        mirrors: plan.mirrors.clone(),
        access: plan.access.clone(),
    }
}

/// An architecture, this machine's by default.
fn this_or(architecture: Option<&str>) -> &str {
    architecture.unwrap_or(std::env::consts::ARCH)
}

/// Says so when `--console` would have set up the boot loader as well.
fn hint_at_console(append: &[String]) {
    let mut consoles = append
        .iter()
        .filter_map(|arg| arg.strip_prefix("console="))
        .peekable();
    if consoles.peek().is_some() && consoles.all(|spec| spec.parse::<Console>().is_ok()) {
        ui::tell(
            "note: `--console SPEC` sets up the boot loader's console as well as the kernel's",
        );
    }
}
