//! The operator's intent: a directory of files, loaded whole or refused.
//!
//! `file` is the YAML as written, `load` reads and checks a directory, `selector` says which
//! machines a group is for, `index` finds the group of one; this file is the result. Nothing here is about what machines have done.

mod check;
mod config;
mod current;
mod error;
mod explain;
mod file;
mod first_stage;
mod index;
mod load;
mod matchbox;
mod media;
mod pattern;
mod render;
mod selector;
mod subnets;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use embed::digest::Sha512Digest;
use embed::manifest::Manifest;
use serde::Deserialize;

use crate::boot::{ConfigDelivery, Endpoint, FirstStage, Program, Servers};
use crate::dhcp::Subnets;
use crate::machine::{Intent, Policy, Subject};
use crate::matchbox::Library;
use index::Index;
use render::Rendering;

pub use config::{ConfigErrors, ReadyConfig};
pub use current::{CurrentSite, Refused, Status, Watch};
pub use error::{SiteError, Warning};
pub use explain::{Chosen, Explanation, GroupVerdict, Verdict};
pub use first_stage::FirstStages;
pub use matchbox::FromMatchbox;
pub use media::{Asset, Mirrored, MirroredMedia};
pub use render::SampleConfig;
pub use selector::Selector;
pub use subnets::{Addresses, DhcpMode, MachineAddress};

/// A whole site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Directory that the media's files are in.
    pub media_dir: PathBuf,
    /// What the media consist of.
    pub manifest: Manifest,
    /// Of which mirror they are, if of one.
    pub mirrored: Option<Mirrored>,
    /// Network boot programs.
    pub first_stage: Arc<FirstStage>,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    index: Index,
    /// Configs that are the same for every machine, by file name.
    pub configs: BTreeMap<String, Arc<ReadyConfig>>,
    rendering: Rendering,
    no_metadata: Metadata,
    /// What an install of each profile depends on, in short.
    versions: BTreeMap<String, String>,
    /// Whether and how DHCP is served.
    pub dhcp_mode: DhcpMode,
    /// What is leased, with what is reserved for single machines.
    pub subnets: Arc<Subnets>,
    /// What machines get that no group matches.
    pub unknown_machines: UnknownMachines,
    /// Kernel arguments of the live system that finds out what such a machine consists of.
    pub discovery_kargs: Vec<String>,
    /// matchbox data for machines that no group matches.
    pub matchbox: Option<Arc<Library>>,
    /// What deserves a look without being wrong.
    pub warnings: Vec<Warning>,
}

/// What machines get that no group matches and nobody has claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownMachines {
    /// A script that boots their disk.
    #[default]
    BootDisk,
    /// No answer in DHCP, once no group can match whatever else becomes known.
    Ignore,
    /// A script that waits until they are claimed.
    Hold,
    /// The live system, which installs nothing, reports what they consist of, and waits.
    Discover,
}

/// What a machine shall become.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Profile {
    /// Its name, equal to the file's.
    pub name: String,
    /// Where and what to install.
    pub install: Install,
    /// Kernel arguments of the live system, after the media's own.
    #[serde(default)]
    pub kargs: Vec<String>,
    /// File name of the config in `configs/`; a template if it ends with `.j2`.
    pub ignition: String,
    /// How machines get it, if the profile says so.
    #[serde(default)]
    pub config_delivery: Option<Delivery>,
    /// What shows that a machine is the one that it names, before it gets anything of its own.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// Values for the template.
    #[serde(default)]
    pub metadata: Metadata,
    /// In which waves a new version gets to its machines; none installs whoever asks.
    #[serde(default)]
    pub rollout: Option<Policy>,
}

/// What shows that a machine is the one that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The server's own link: the address that asks belongs to the MAC address that is named.
    Link,
}

/// How machines get their config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// They fetch it from a URL, and check its digest.
    Url,
    /// It comes as an initrd with the live system, before there is any network.
    Initrd,
}

impl Delivery {
    /// What that means for a config of this digest.
    pub fn of(self, digest: Sha512Digest) -> ConfigDelivery {
        match self {
            Self::Url => ConfigDelivery::Url(digest),
            Self::Initrd => ConfigDelivery::Initrd,
        }
    }
}

/// Values for templates, by name.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// Where and what to install.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Install {
    /// Target device, as the live system names it.
    pub device: String,
    /// Which image.
    #[serde(default)]
    pub image: InstallImage,
}

/// Which image is installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstallImage {
    /// The one inside the live rootfs.
    #[default]
    Live,
    /// The published file, fetched from this server and checked by its signature.
    Published,
}

/// Machines that share a profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Group {
    /// Name of the profile.
    pub profile: String,
    /// Which machines; without any condition, all.
    #[serde(default)]
    pub selector: Selector,
    /// Values for the template, over those of the profile.
    #[serde(default)]
    pub metadata: Metadata,
    /// Addresses that machines keep.
    #[serde(default)]
    pub addresses: Addresses,
}

/// The group and profile that a machine gets.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// Name of the group; none if the operator chose the profile.
    pub group: Option<&'a str>,
    /// Values for the template that are the group's own.
    pub metadata: &'a Metadata,
    /// The profile.
    pub profile: &'a Profile,
}

impl Site {
    /// The media's files and the boot programs: what is opened anew whenever somebody asks for it. A
    /// file that the manifest names and nobody put there, such as the ISO, is none of them.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let media = self.manifest.file_names().into_iter();
        let programs = &self.first_stage.programs;
        let media = media.map(|name| self.media_dir.join(name));
        let media = media.filter(|path| path.exists());
        media.chain(programs.all().map(Program::path))
    }

    /// Where media are, with those that a mirror may have later, and matchbox data.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mirrored = self.mirrored.as_ref().map(Mirrored::shelf);
        let matchbox = self.matchbox.as_ref().map(|library| library.dir.clone());
        let media = std::iter::once(self.media_dir.clone());
        media
            .chain(mirrored.map(PathBuf::from))
            .chain(matchbox)
            .collect()
    }

    /// What a machine gets: the profile that the operator chose for it; otherwise, of the groups that match it, the one that describes it most closely;
    /// of several, the first by name.
    pub fn assign(&self, subject: &Subject) -> Option<Assignment<'_>> {
        let claimed = subject.claim.as_ref();
        if let Some(profile) = claimed.and_then(|name| self.profiles.get(name)) {
            return Some(Assignment {
                group: None,
                metadata: &self.no_metadata,
                profile,
            });
        }
        let (name, group) = self.groups.get_key_value(self.index.best(subject)?)?;
        let profile = self.profiles.get(&group.profile)?;
        Some(Assignment {
            group: Some(name),
            metadata: &group.metadata,
            profile,
        })
    }

    /// The servers of the site, of which `own` answers a machine.
    pub fn servers(&self, own: Endpoint) -> Servers {
        self.first_stage.servers(own)
    }

    /// How machines of a profile get their config: where the profile does not say it, from a URL if
    /// there is one server, and with the live system if another one may have to stand in.
    pub fn delivery(&self, profile: &Profile) -> Delivery {
        let alone = match self.first_stage.servers.len() {
            0 | 1 => Delivery::Url,
            _ => Delivery::Initrd,
        };
        profile.config_delivery.unwrap_or(alone)
    }

    /// What machines of a profile are to become: it changes with the media, the profile, and its
    /// config or any template. What groups add is left out.
    pub fn intent(&self, profile: &str) -> Intent {
        Intent {
            profile: profile.to_owned(),
            version: self.versions.get(profile).cloned().unwrap_or_default(),
        }
    }

    /// Whether the machine has a group, or can get one by what is not known of it yet.
    pub fn may_serve(&self, subject: &Subject) -> bool {
        self.unknown_machines != UnknownMachines::Ignore
            || self.assign(subject).is_some()
            || self.index.may_match(subject)
            || self.matchbox_may_match(subject)
    }

    /// Every machine that a group names, by address, UUID, serial number or asset tag. Where the
    /// address is not known, it is 02:00:00:00:00:00.
    pub fn named_machines(&self) -> Vec<Subject> {
        let selectors = self.groups.values().map(|group| &group.selector);
        let mut machines: Vec<Subject> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for machine in selectors.flat_map(Selector::samples) {
            if seen.insert(format!("{machine:?}")) {
                machines.push(machine);
            }
        }
        machines.sort_by_key(|machine| machine.mac);
        machines
    }
}

#[cfg(test)]
mod tests;
