//! The media of a site: a directory that `iso-builder` made, or the current build of a stream in a
//! mirror, with the builds beside it that machines may still be fetching.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embed::manifest::Manifest;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::file::{self, SiteFile};
use super::load::{is_name, value};
use super::{Site, SiteError, check};
use crate::matchbox::Library;
use crate::mirror::{Hold, Index, MANIFEST, PlainName, Shelf};

/// So often a build is looked for that was removed the moment before.
const TRIES: usize = 5;

/// `media` in `site.yaml`.
#[derive(Clone, Debug)]
pub(super) enum MediaFile {
    /// A directory, relative to the site's.
    Dir(PathBuf),
    /// A stream in a mirror.
    Mirrored(MirroredMedia),
}

/// A stream in a mirror.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MirroredMedia {
    /// Directory of the mirror.
    pub mirror: PathBuf,
    /// The stream.
    pub stream: PlainName,
    /// Architecture.
    #[serde(default = "PlainName::x86_64")]
    pub arch: PlainName,
    /// The build; without it, the one that is current.
    #[serde(default)]
    pub release: Option<PlainName>,
}

impl<'de> Deserialize<'de> for MediaFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = MediaFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a directory, or `{mirror: DIR, stream: NAME}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MediaFile, E> {
                Ok(MediaFile::Dir(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MediaFile, A::Error> {
                MirroredMedia::deserialize(MapAccessDeserializer::new(map)).map(MediaFile::Mirrored)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Media that were read.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) mirrored: Option<Mirrored>,
}

/// What a site has of a mirror.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// Where the stream is in the mirror.
    shelf: PathBuf,
    /// What the served build is called.
    pub release: PlainName,
    /// Keeps it from being removed.
    _hold: Arc<Hold>,
    /// The builds beside it.
    pub(super) beside: BTreeMap<PlainName, Beside>,
}

impl Mirrored {
    /// Where the stream's builds are.
    pub(super) fn shelf(&self) -> &Path {
        &self.shelf
    }
}

/// A build that is not served to whoever asks anew.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    dir: PathBuf,
    pub(super) manifest: Manifest,
    /// Versions of profiles with these media.
    pub(super) versions: BTreeSet<String>,
    hold: Arc<Mutex<Option<Hold>>>,
}

/// A file of the media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is the live rootfs.
    pub is_rootfs: bool,
}

impl Site {
    /// Files and directories elsewhere by which changes of the site in `dir` can be seen: a mark of
    /// its media, and matchbox data.
    pub(super) fn marks(dir: &Path) -> Result<Vec<PathBuf>, SiteError> {
        let site_file = read(dir)?;
        let media = match site_file.media.value {
            MediaFile::Dir(media) => dir.join(media).join(MANIFEST),
            MediaFile::Mirrored(media) => media.shelf(dir).join(Index::FILE),
        };
        let matchbox = site_file.matchbox.into_iter();
        let below =
            matchbox.flat_map(|named| Library::FOLDERS.map(|name| dir.join(&named).join(name)));
        Ok(std::iter::once(media).chain(below).collect())
    }

    /// Which stream in which mirror the site in `dir` serves; none if its media are a directory.
    pub fn mirrored_media(dir: &Path) -> Result<Option<MirroredMedia>, SiteError> {
        Ok(match read(dir)?.media.value {
            MediaFile::Dir(_) => None,
            MediaFile::Mirrored(media) => Some(MirroredMedia {
                mirror: dir.join(&media.mirror),
                ..media
            }),
        })
    }

    /// Where this server has the files of the media: the path of their URLs, without slashes at
    /// its ends. That of a mirrored build has its name in it, and stays its own. `assets` is
    /// matchbox's where there are data of it.
    pub fn assets(&self) -> String {
        let above = match self.matchbox {
            Some(_) => "media",
            None => "assets",
        };
        match &self.mirrored {
            Some(mirrored) => format!("{above}/{}", mirrored.release),
            None => above.to_owned(),
        }
    }

    /// The file of this name, if the manifest names it: of the media, or of a mirrored build.
    pub fn asset(&self, release: Option<&str>, file: &str) -> Option<Asset> {
        let mirrored = self.mirrored.as_ref();
        let is_served = |release: &str| mirrored.is_some_and(|m| m.release.as_str() == release);
        let (dir, manifest) = match release {
            Some(release) if !is_served(release) => {
                let name: PlainName = release.parse().ok()?;
                let beside = mirrored?.beside.get(&name)?;
                (&beside.dir, &beside.manifest)
            }
            _ => (&self.media_dir, &self.manifest),
        };
        manifest.file_names().contains(&file).then(|| Asset {
            path: dir.join(file),
            is_rootfs: file == manifest.rootfs.file,
        })
    }

    /// Whether it keeps builds from being removed that it does not serve to whoever asks anew.
    pub fn holds_builds(&self) -> bool {
        let mirrored = self.mirrored.iter();
        let mut beside = mirrored.flat_map(|mirrored| mirrored.beside.values());
        beside.any(|build| build.lock().is_some())
    }

    /// Lets builds be removed that no machine needs, of which `under_way` are the versions that
    /// machines are being installed with. One that this site does not know may be of any build.
    pub fn release_builds(&self, under_way: &BTreeSet<String>) {
        let Some(mirrored) = &self.mirrored else {
            return;
        };
        let beside = || mirrored.beside.values();
        let is_known = |version: &String| {
            let of_others = beside().any(|build| build.versions.contains(version));
            of_others || self.versions.values().any(|known| known == version)
        };
        if !under_way.iter().all(is_known) {
            return;
        }
        for build in beside().filter(|build| build.versions.is_disjoint(under_way)) {
            drop(build.lock().take());
        }
    }
}

impl Beside {
    fn lock(&self) -> MutexGuard<'_, Option<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(dir: &Path) -> Result<SiteFile, SiteError> {
    file::read_yaml(&dir.join("site.yaml"))
}

impl MirroredMedia {
    fn shelf(&self, dir: &Path) -> PathBuf {
        Shelf::path(&dir.join(&self.mirror), &self.stream, &self.arch)
    }
}

/// Reads the media of the site in `dir`.
pub(super) fn load(dir: &Path, media: &Spanned<MediaFile>) -> Result<Media, SiteError> {
    let wanted = match &media.value {
        MediaFile::Dir(media) => {
            let dir = dir.join(media);
            return Ok(Media {
                manifest: load_manifest(&dir)?,
                dir,
                mirrored: None,
            });
        }
        MediaFile::Mirrored(wanted) => wanted,
    };
    let shelf = wanted.shelf(dir);
    for _ in 0..TRIES {
        let path = shelf.join(Index::FILE);
        let index = Index::read(&shelf).map_err(|source| SiteError::Index { path, source })?;
        let Some(index) = index else {
            break;
        };
        let release = wanted.release.as_ref().unwrap_or(&index.current).clone();
        let build = shelf.join(release.as_str());
        let Some(hold) = hold(&build)? else {
            continue;
        };
        let all = std::iter::once(&index.current).chain(&index.older);
        let others = all.filter(|name| **name != release).cloned().collect();
        return Ok(Media {
            manifest: load_manifest(&build)?,
            dir: build,
            mirrored: Some(Mirrored {
                shelf: shelf.clone(),
                release,
                _hold: Arc::new(hold),
                beside: beside(&shelf, others)?,
            }),
        });
    }
    let at = &media.referenced;
    Err(SiteError::NotMirrored {
        path: dir.join("site.yaml"),
        line: at.line(),
        column: at.column(),
        shelf,
        release: wanted.release.clone(),
    })
}

fn hold(build: &Path) -> Result<Option<Hold>, SiteError> {
    Hold::take(build).map_err(|source| SiteError::Read {
        path: build.join(MANIFEST),
        source,
    })
}

/// The builds of these names that are there. One that cannot be used is no reason to serve nothing.
fn beside(shelf: &Path, names: Vec<PlainName>) -> Result<BTreeMap<PlainName, Beside>, SiteError> {
    let mut builds = BTreeMap::new();
    for name in names {
        let dir = shelf.join(name.as_str());
        let Some(hold) = hold(&dir)? else {
            continue;
        };
        let Ok(manifest) = load_manifest(&dir) else {
            continue;
        };
        let build = Beside {
            dir,
            manifest,
            versions: BTreeSet::new(),
            hold: Arc::new(Mutex::new(Some(hold))),
        };
        builds.insert(name, build);
    }
    Ok(builds)
}

/// Reads a manifest and checks that the files it names are there in their sizes.
fn load_manifest(dir: &Path) -> Result<Manifest, SiteError> {
    let path = dir.join(MANIFEST);
    let bytes = file::read(&path)?;
    let manifest = Manifest::parse(&bytes).map_err(|source| SiteError::Manifest {
        path: path.clone(),
        source,
    })?;
    for word in &manifest.kargs {
        check::word(word, &path)?;
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

#[cfg(test)]
mod tests;
