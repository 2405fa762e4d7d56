//! The operator's intent: a directory of files, loaded whole or refused.
//!
//! `file` is the YAML as written, `load` reads and checks a directory, this file is the result
//! and how a machine finds its profile. Nothing here is about what machines have done.

mod config;
mod file;
mod load;

use std::collections::BTreeMap;
use std::path::PathBuf;

use embed::ignition::Config;
use embed::manifest::Manifest;
use serde::Deserialize;

use crate::boot::Programs;
use crate::mac::MacAddr;

pub use config::ConfigErrors;
pub use load::{SiteError, Warning};

/// A whole site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Directory that the media's files are in.
    pub media_dir: PathBuf,
    /// What the media consist of.
    pub manifest: Manifest,
    /// Network boot programs.
    pub programs: Programs,
    /// User classes by which iPXE is known.
    pub ipxe_user_classes: Vec<String>,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Configs by file name.
    pub configs: BTreeMap<String, Config>,
    /// What deserves a look without being wrong.
    pub warnings: Vec<Warning>,
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
    /// File name of the config in `configs/`.
    pub ignition: String,
}

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
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Selector {
    /// One of these addresses.
    pub mac: Option<Vec<MacAddr>>,
}

impl Selector {
    fn matches(&self, mac: MacAddr) -> bool {
        self.mac.as_ref().is_none_or(|list| list.contains(&mac))
    }

    /// How many conditions there are.
    fn conditions(&self) -> usize {
        usize::from(self.mac.is_some())
    }
}

/// The group, profile and config that a machine gets.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// Name of the group.
    pub group: &'a str,
    /// The profile.
    pub profile: &'a Profile,
    /// The config.
    pub config: &'a Config,
}

impl Site {
    /// What `mac` gets: of the groups that match, the one with the most conditions; of several,
    /// the first by name.
    pub fn assign(&self, mac: MacAddr) -> Option<Assignment<'_>> {
        let matching = self
            .groups
            .iter()
            .filter(|(_, group)| group.selector.matches(mac));
        let (name, group) = matching.min_by_key(|(name, group)| {
            (usize::MAX - group.selector.conditions(), name.as_str())
        })?;
        let profile = self.profiles.get(&group.profile)?;
        Some(Assignment {
            group: name,
            profile,
            config: self.configs.get(&profile.ignition)?,
        })
    }

    /// Every machine that a group names.
    pub fn named_machines(&self) -> Vec<MacAddr> {
        let lists = self
            .groups
            .values()
            .filter_map(|group| group.selector.mac.as_ref());
        let mut machines: Vec<MacAddr> = lists.flatten().copied().collect();
        machines.sort();
        machines.dedup();
        machines
    }
}

#[cfg(test)]
mod tests;
