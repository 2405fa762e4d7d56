//! A data directory as it was read at one time: groups in the order in which they are tried,
//! profiles, and the files of the configs that profiles name. Assets are not read: only where they
//! are is known.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::book::{BookError, Group, Profile, json_files, read, read_json};
use super::config::{Folder, RenderError, ignition, is_ready};
use super::template;
use crate::mac::MacAddr;

/// The bytes of a config's file, or why it cannot be read.
type ConfigFile = Result<Arc<[u8]>, Arc<BookError>>;

/// Everything that a data directory says.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The directory.
    pub dir: PathBuf,
    /// Groups, those with the most selectors first.
    pub groups: Vec<Group>,
    /// Profiles by ID.
    pub profiles: BTreeMap<String, Profile>,
    pub(super) configs: BTreeMap<(Folder, String), ConfigFile>,
}

impl Library {
    /// The folders that it is read from.
    pub const FOLDERS: [&str; 5] = ["groups", "profiles", "ignition", "cloud", "generic"];

    /// Reads the directory. A config that cannot be read is an error only for who asks for it.
    pub fn load(dir: &Path) -> Result<Self, BookError> {
        let mut groups = Vec::new();
        for path in json_files(&dir.join("groups"))? {
            let mut group: Group = read_json(&path)?;
            if let Some(mac) = group.selector.get_mut("mac") {
                let parsed = mac.parse::<MacAddr>();
                let parsed = parsed.map_err(|error| BookError::Value {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                *mac = parsed.to_string();
            }
            groups.push(group);
        }
        // Most selectors first; among as many, by their text.
        groups.sort_by_cached_key(|group| {
            let pairs = group
                .selector
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            let text: Vec<String> = pairs.collect();
            (
                std::cmp::Reverse(text.len()),
                text.join(","),
                group.id.clone(),
            )
        });
        let mut library = Self {
            dir: dir.to_owned(),
            groups,
            ..Self::default()
        };
        for path in json_files(&dir.join("profiles"))? {
            let profile: Profile = read_json(&path)?;
            for (folder, name) in profile.configs() {
                let key = (folder, name.to_owned());
                // A name that leads elsewhere is refused to who asks, and never opened.
                if let Ok(file) = library.path(folder, name) {
                    let file = || read(&file).map(Arc::from).map_err(Arc::new);
                    library.configs.entry(key).or_insert_with(file);
                }
            }
            library.profiles.insert(profile.id.clone(), profile);
        }
        Ok(library)
    }

    /// Refuses what can never be served: groups without their profile, and configs that are not
    /// there or no machine can get.
    pub fn check(&self) -> Result<(), BookError> {
        for group in &self.groups {
            if !self.profiles.contains_key(&group.profile) {
                return Err(BookError::Value {
                    path: self.dir.join("groups"),
                    reason: format!(
                        "group `{}` names the profile `{}`, which is not there",
                        group.id, group.profile
                    ),
                });
            }
        }
        for profile in self.profiles.values() {
            for (folder, name) in profile.configs() {
                let checked = self.check_config(folder, name);
                checked.map_err(|source| BookError::Config {
                    profile: profile.id.clone(),
                    path: self.dir.join(folder.name()).join(name),
                    source: Box::new(source),
                })?;
            }
        }
        Ok(())
    }

    fn check_config(&self, folder: Folder, name: &str) -> Result<(), RenderError> {
        if folder == Folder::Ignition && is_ready(name) {
            return ignition(self, name, &Value::Null).map(drop);
        }
        let (path, text) = self.text(folder, name)?;
        template::check(&text).map_err(|source| RenderError::Template { path, source })
    }

    /// Path of the file `name` of a folder.
    pub(super) fn path(&self, folder: Folder, name: &str) -> Result<PathBuf, RenderError> {
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        if !plain {
            return Err(RenderError::Name(name.to_owned()));
        }
        Ok(self.dir.join(folder.name()).join(name))
    }

    /// Path and bytes of the file `name` of a folder.
    pub(super) fn bytes(
        &self,
        folder: Folder,
        name: &str,
    ) -> Result<(PathBuf, Arc<[u8]>), RenderError> {
        let path = self.path(folder, name)?;
        match self.configs.get(&(folder, name.to_owned())) {
            Some(Ok(bytes)) => Ok((path, bytes.clone())),
            Some(Err(error)) => Err(RenderError::Read(error.clone())),
            None => Err(RenderError::Unnamed(name.to_owned())),
        }
    }

    /// The same as text.
    pub(super) fn text(
        &self,
        folder: Folder,
        name: &str,
    ) -> Result<(PathBuf, String), RenderError> {
        let (path, bytes) = self.bytes(folder, name)?;
        match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok((path, text)),
            Err(_) => Err(RenderError::NotText(path)),
        }
    }

    /// Where the asset of this path is, if it is one; none if the path leads out of the assets.
    pub fn asset(&self, path: &Path) -> Option<PathBuf> {
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        let stays = path.components().all(plain);
        stays.then(|| self.dir.join("assets").join(path))
    }
}

impl Profile {
    /// The configs that it names, by folder.
    fn configs(&self) -> impl Iterator<Item = (Folder, &str)> {
        let all = [
            (Folder::Ignition, self.ignition_id.as_str()),
            (Folder::Cloud, &self.cloud_id),
            (Folder::Generic, &self.generic_id),
        ];
        all.into_iter().filter(|(_, name)| !name.is_empty())
    }
}
