//! Loads a site directory: `site.yaml`, `profiles/*.yaml`, `groups/*.yaml`, `configs/*` and the
//! media's `manifest.json`. Everything that can be wrong is found here, before a machine asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embed::digest::Sha256Digest;
use embed::manifest::Manifest;

use crate::boot::FirstStage;
use crate::mirror::PlainName;
use crate::site::file::{self, SiteFile};
use crate::site::first_stage::programs;
use crate::site::index::Index;
use crate::site::render::Rendering;
use crate::site::subnets::DhcpFile;
use crate::site::{
    Metadata, Profile, Site, SiteError, Warning, check, config, matchbox, media, template,
};

impl Site {
    /// Loads the site in `dir`, whole or not at all.
    pub fn load(dir: &Path) -> Result<Self, SiteError> {
        let site_path = dir.join("site.yaml");
        let site_file: SiteFile = file::read_yaml(&site_path)?;
        let media = media::load(dir, &site_file.media)?;
        let DhcpFile {
            mode: dhcp_mode,
            ipxe_user_classes,
            subnets,
        } = site_file.dhcp;
        let groups = load_all(&dir.join("groups"))?;
        let matchbox = site_file.matchbox.map(|named| dir.join(named));
        let mut site = Self {
            media_dir: media.dir,
            manifest: media.manifest,
            mirrored: media.mirrored,
            first_stage: Arc::new(FirstStage {
                programs: programs(site_file.ipxe, site_file.grub, dir),
                ipxe_user_classes,
                schemes: site_file.http,
                servers: site_file.servers,
            }),
            dhcp_mode,
            subnets: subnets.with_reservations(dir, &groups)?,
            profiles: load_all(&dir.join("profiles"))?,
            groups,
            index: Index::default(),
            configs: BTreeMap::new(),
            rendering: Rendering::load(&dir.join("configs"))?,
            no_metadata: Metadata::new(),
            versions: BTreeMap::new(),
            unknown_machines: site_file.unknown_machines,
            discovery_kargs: site_file.discovery.kargs,
            matchbox: matchbox.as_deref().map(matchbox::load).transpose()?,
            warnings: Vec::new(),
        };
        check::programs(&site.first_stage.programs, &site_path)?;
        check::dhcp(&site, &site_path)?;
        check::discovery(&site, &site_path)?;
        load_configs(dir, &mut site)?;
        check::profiles(dir, &site)?;
        check::groups(dir, &site)?;
        let selectors = site.groups.iter();
        site.index = Index::new(selectors.map(|(name, group)| (name, &group.selector)));
        let tied = site.index.ties().into_iter().map(|(first, second)| Warning {
            path: dir.join("groups").join(format!("{second}.yaml")),
            text: format!(
                "a machine can match this and group `{first}`, and only the length of their values or their names decide"
            ),
        });
        let tied: Vec<Warning> = tied.collect();
        site.warnings.extend(tied);
        site.warnings.extend(matchbox::warning(&site));
        site.render_samples()?;
        Ok(site)
    }
}

pub(super) fn value(path: &Path, reason: impl Into<String>) -> SiteError {
    SiteError::Value {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// Every `*.yaml` of a directory by its stem; a missing directory has none.
fn load_all<T: serde::de::DeserializeOwned>(dir: &Path) -> Result<BTreeMap<String, T>, SiteError> {
    let mut all = BTreeMap::new();
    for path in files(dir, ".yaml")? {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        all.insert(stem.unwrap_or_default().to_owned(), file::read_yaml(&path)?);
    }
    Ok(all)
}

/// The files of a directory whose names end with `suffix`, sorted; a missing directory has none.
pub(super) fn files(dir: &Path, suffix: &str) -> Result<Vec<PathBuf>, SiteError> {
    let unreadable = |source| SiteError::Read {
        path: dir.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let Some(stem) = name.as_deref().and_then(|name| name.strip_suffix(suffix)) else {
            continue;
        };
        if !is_name(stem) {
            return Err(value(
                &path,
                "file names consist of letters, digits, `.`, `_` and `-`",
            ));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

pub(super) fn is_name(text: &str) -> bool {
    text.parse::<PlainName>().is_ok()
}

/// Digits that are enough to tell a profile's versions apart.
const VERSION: usize = 12;

/// What stands for everything that an install of a profile depends on; when it is installed, does not.
fn version(manifest: &Manifest, profile: &Profile, config: &[u8], all: &Rendering) -> String {
    let profile = Profile {
        rollout: None,
        ..profile.clone()
    };
    let mut parts = format!("{}{profile:?}", manifest.to_json());
    if profile.ignition.ends_with(template::SUFFIX) {
        parts.push_str(all.digest());
    }
    let bytes = [parts.as_bytes(), config].concat();
    let mut version = Sha256Digest::of(&bytes).to_string();
    version.truncate(VERSION);
    version
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
        let bytes = file::read(&path)?;
        let version = version(&site.manifest, profile, &bytes, &site.rendering);
        site.versions.insert(name.clone(), version);
        let mirrored = site.mirrored.iter_mut();
        for build in mirrored.flat_map(|mirrored| mirrored.beside.values_mut()) {
            let version = self::version(&build.manifest, profile, &bytes, &site.rendering);
            build.versions.insert(version);
        }
        if profile.ignition.ends_with(template::SUFFIX) {
            continue;
        }
        let read = config::read(&configs, bytes, |_| None);
        let ready = read.map_err(|source| SiteError::Ignition {
            path: path.clone(),
            source,
        })?;
        site.warnings
            .extend(ready.warnings.iter().map(|text| Warning {
                path: path.clone(),
                text: text.clone(),
            }));
        site.configs
            .insert(profile.ignition.clone(), Arc::new(ready));
    }
    Ok(())
}
