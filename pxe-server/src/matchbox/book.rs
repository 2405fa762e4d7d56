//! The data directory: `groups/*.json`, `profiles/*.json`, and the folders of configs. Read whole
//! or not at all, again whenever it has changed; configs themselves are read when they are asked
//! for, below their folder only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Largest file that is read.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// How long the directory is taken to be as it was.
const FRESH: Duration = Duration::from_millis(500);

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than any that is meant.
    #[error("{} has {size} bytes; at most {MAX_FILE} are read", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// A file is no group or profile.
    #[error("{} is no group or profile", path.display())]
    Form {
        /// Its path.
        path: PathBuf,
        /// Cause, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// A value that cannot be used.
    #[error("{}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// `groups/*.json`
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Group {
    /// Its name.
    pub id: String,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// The profile's ID.
    #[serde(default)]
    pub profile: String,
    /// Labels that must be equal.
    #[serde(default, alias = "selectors")]
    pub selector: BTreeMap<String, String>,
    /// Values for templates.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// `profiles/*.json`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// Its name.
    pub id: String,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// File in `ignition/`.
    #[serde(default)]
    pub ignition_id: String,
    /// File in `cloud/`.
    #[serde(default)]
    pub cloud_id: String,
    /// File in `generic/`.
    #[serde(default)]
    pub generic_id: String,
    /// What is booted.
    #[serde(default)]
    pub boot: Boot,
}

/// Kernel, initrds and arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Boot {
    /// URL or path of the kernel.
    #[serde(default)]
    pub kernel: String,
    /// The same of each initrd; iPXE's may have options before it.
    #[serde(default)]
    pub initrd: Vec<String>,
    /// The kernel's arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// Groups in the order in which they are tried, and profiles by ID.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Library {
    /// The directory.
    pub dir: PathBuf,
    /// Groups.
    pub groups: Vec<Group>,
    /// Profiles.
    pub profiles: BTreeMap<String, Profile>,
}

impl Library {
    /// Reads the directory.
    pub fn load(dir: &Path) -> Result<Self, BookError> {
        let mut groups = Vec::new();
        for path in json_files(&dir.join("groups"))? {
            let mut group: Group = read_json(&path)?;
            if let Some(mac) = group.selector.get_mut("mac") {
                let parsed = mac.parse::<crate::mac::MacAddr>();
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
        let mut profiles = BTreeMap::new();
        for path in json_files(&dir.join("profiles"))? {
            let profile: Profile = read_json(&path)?;
            profiles.insert(profile.id.clone(), profile);
        }
        Ok(Self {
            dir: dir.to_owned(),
            groups,
            profiles,
        })
    }
}

fn json_files(dir: &Path) -> Result<Vec<PathBuf>, BookError> {
    let unreadable = |source| BookError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, BookError> {
    let bytes = read(path)?;
    serde_json::from_slice(&bytes).map_err(|source| BookError::Form {
        path: path.to_owned(),
        source,
    })
}

/// Reads a file of at most [`MAX_FILE`] bytes.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, BookError> {
    let unreadable = |source| BookError::Read {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(BookError::TooLarge {
            path: path.to_owned(),
            size,
        });
    }
    fs::read(path).map_err(unreadable)
}

/// What can be seen of groups and profiles without reading them.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

fn look(dir: &Path) -> Seen {
    let mut seen = Seen::new();
    for below in ["groups", "profiles"] {
        for entry in fs::read_dir(dir.join(below))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let found = fs::metadata(&path).ok();
            let found = found.and_then(|found| Some((found.modified().ok()?, found.len())));
            seen.insert(path, found);
        }
    }
    seen
}

/// A data directory that is read again when it has changed.
#[derive(Debug)]
pub struct Book {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    looked: Instant,
    seen: Seen,
    library: Arc<Library>,
}

impl Book {
    /// Opens the directory.
    pub fn open(dir: &Path) -> Result<Self, BookError> {
        let seen = look(dir);
        let library = Arc::new(Library::load(dir)?);
        Ok(Self {
            dir: dir.to_owned(),
            state: Mutex::new(State {
                looked: Instant::now(),
                seen,
                library,
            }),
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Groups and profiles as they are now; as they were, if they cannot be read now. Blocks.
    pub fn library(&self) -> Arc<Library> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= FRESH {
            self.refresh(&mut state);
        }
        state.library.clone()
    }

    fn refresh(&self, state: &mut State) {
        state.looked = Instant::now();
        let seen = look(&self.dir);
        if seen == state.seen {
            return;
        }
        state.seen = seen;
        match Library::load(&self.dir) {
            Ok(library) => {
                state.library = Arc::new(library);
                tracing::info!("the changed groups and profiles are served");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the changed groups and profiles are refused; those before are served"
            ),
        }
    }
}
