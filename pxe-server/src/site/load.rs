//! Loads a site directory: `site.yaml`, `profiles/*.yaml`, `groups/*.yaml`, `configs/*` and the
//! media's `manifest.json`. Everything that can be wrong is found here, before a machine asks.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use embed::manifest::{Manifest, ManifestError};

use crate::boot::{CommandLineTooLong, Endpoint, InstallScript, Programs, install_script};
use crate::mac::MacAddr;
use crate::machine::Ticket;
use crate::site::config::{self, ConfigErrors};
use crate::site::file::{self, SiteFile};
use crate::site::{Group, InstallImage, Site};

/// Something worth a look that is not wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file.
    pub path: PathBuf,
    /// What is odd about it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.text)
    }
}

/// Why a site was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than any site file can be.
    #[error("{} has {size} bytes; at most {max} are read", path.display(), max = file::MAX_FILE)]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size, bytes.
        size: u64,
    },
    /// Not YAML, or not of the expected form.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What the reader met.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("{}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A config that Ignition would refuse.
    #[error("{} is no usable Ignition config", path.display())]
    Ignition {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ConfigErrors,
    },
    /// The media's manifest is unusable.
    #[error("{} is no usable manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: ManifestError,
    },
    /// A profile's kernel command line is too long.
    #[error("{}: too many kernel arguments", path.display())]
    CommandLine {
        /// The profile's file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: CommandLineTooLong,
    },
}

impl Site {
    /// Loads the site in `dir`, whole or not at all.
    pub fn load(dir: &Path) -> Result<Self, SiteError> {
        let site_path = dir.join("site.yaml");
        let site_file: SiteFile = file::read_yaml(&site_path)?;
        let media_dir = dir.join(&site_file.media);
        let mut site = Self {
            manifest: load_manifest(&media_dir)?,
            media_dir,
            programs: Programs {
                dir: dir.join(&site_file.ipxe.dir),
                bios: site_file.ipxe.bios,
                uefi_x64: site_file.ipxe.uefi_x64,
                uefi_arm64: site_file.ipxe.uefi_arm64,
            },
            ipxe_user_classes: site_file.dhcp.ipxe_user_classes,
            profiles: load_all(&dir.join("profiles"))?,
            groups: load_all(&dir.join("groups"))?,
            configs: BTreeMap::new(),
            warnings: Vec::new(),
        };
        check_programs(&site.programs, &site_path)?;
        load_configs(dir, &mut site)?;
        check_profiles(dir, &site)?;
        check_groups(dir, &site)?;
        Ok(site)
    }
}

fn value(path: &Path, reason: impl Into<String>) -> SiteError {
    SiteError::Value {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Every `*.yaml` of a directory by its stem; a missing directory has none.
fn load_all<T: serde::de::DeserializeOwned>(dir: &Path) -> Result<BTreeMap<String, T>, SiteError> {
    let unreadable = |source| SiteError::Read {
        path: dir.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        if !is_name(&stem) {
            return Err(value(
                &path,
                "file names consist of letters, digits, `.`, `_` and `-`",
            ));
        }
        all.insert(stem, file::read_yaml(&path)?);
    }
    Ok(all)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Reads the manifest and checks that the files it names are there in their sizes.
fn load_manifest(dir: &Path) -> Result<Manifest, SiteError> {
    let path = dir.join("manifest.json");
    let bytes = file::read(&path)?;
    let manifest = Manifest::parse(&bytes).map_err(|source| SiteError::Manifest {
        path: path.clone(),
        source,
    })?;
    for word in &manifest.kargs {
        check_word(word, &path)?;
    }
    let image = manifest.image.as_ref().map(|image| &image.artifact);
    for artifact in [
        Some(&manifest.kernel),
        Some(&manifest.initramfs),
        Some(&manifest.rootfs),
        image,
    ]
    .into_iter()
    .flatten()
    {
        if !is_name(&artifact.file) {
            return Err(value(
                &path,
                format!(
                    "the file name `{}` does not fit into a URL as it is",
                    artifact.file
                ),
            ));
        }
        let file = dir.join(&artifact.file);
        let found = std::fs::metadata(&file)
            .map_err(|source| SiteError::Read {
                path: file.clone(),
                source,
            })?
            .len();
        if found != artifact.size {
            return Err(value(
                &file,
                format!("has {found} bytes, the manifest says {}", artifact.size),
            ));
        }
    }
    Ok(manifest)
}

fn check_programs(programs: &Programs, path: &Path) -> Result<(), SiteError> {
    for name in programs.names() {
        if !is_name(name) {
            return Err(value(
                path,
                format!("`ipxe`: `{name}` is no plain file name"),
            ));
        }
        let file = programs.dir.join(name);
        std::fs::metadata(&file).map_err(|source| SiteError::Read { path: file, source })?;
    }
    Ok(())
}

fn load_configs(dir: &Path, site: &mut Site) -> Result<(), SiteError> {
    for (name, profile) in &site.profiles {
        let profile_path = dir.join("profiles").join(format!("{name}.yaml"));
        if !is_name(&profile.ignition) {
            return Err(value(
                &profile_path,
                format!("`ignition`: `{}` is no plain file name", profile.ignition),
            ));
        }
        let configs = dir.join("configs");
        let path = configs.join(&profile.ignition);
        let read = config::read(&configs, file::read(&path)?);
        let (config, warnings) = read.map_err(|source| SiteError::Ignition {
            path: path.clone(),
            source,
        })?;
        site.warnings
            .extend(warnings.into_iter().map(|text| Warning {
                path: path.clone(),
                text,
            }));
        site.configs.insert(profile.ignition.clone(), config);
    }
    Ok(())
}

/// A word on an iPXE line and in a kernel command line: one word in both.
fn check_word(word: &str, path: &Path) -> Result<(), SiteError> {
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

fn check_profiles(dir: &Path, site: &Site) -> Result<(), SiteError> {
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
        for word in profile.kargs.iter().chain([&profile.install.device]) {
            check_word(word, &path)?;
        }
        if profile.install.image == InstallImage::Published && site.manifest.image.is_none() {
            return Err(value(
                &path,
                "`install.image: published`, but the media hold no published image",
            ));
        }
        let longest = Endpoint {
            address: Ipv4Addr::BROADCAST,
            port: u16::MAX,
        };
        let parts = InstallScript {
            mac: MacAddr([0; 6]),
            profile,
            manifest: &site.manifest,
            ticket: Ticket([0; 16]),
            endpoint: longest,
        };
        install_script(&parts).map_err(|source| SiteError::CommandLine { path, source })?;
    }
    Ok(())
}

fn check_groups(dir: &Path, site: &Site) -> Result<(), SiteError> {
    let path = |name: &str| dir.join("groups").join(format!("{name}.yaml"));
    let mut owners: BTreeMap<MacAddr, &str> = BTreeMap::new();
    let mut catch_all: Option<&str> = None;
    for (name, Group { profile, selector }) in &site.groups {
        if !site.profiles.contains_key(profile) {
            return Err(value(
                &path(name),
                format!("there is no profile `{profile}`"),
            ));
        }
        let Some(list) = &selector.mac else {
            if let Some(other) = catch_all.replace(name) {
                return Err(value(
                    &path(name),
                    format!("group `{other}` takes all other machines already"),
                ));
            }
            continue;
        };
        for mac in list {
            if let Some(other) = owners.insert(*mac, name) {
                return Err(value(
                    &path(name),
                    format!("{mac} is in group `{other}` already"),
                ));
            }
        }
    }
    Ok(())
}
