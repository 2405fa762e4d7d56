//! The files of a data directory: `groups/*.json` and `profiles/*.json` as they are written, and the
//! directory that is read again, whole or not at all, whenever it has changed. What is read is
//! `library`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::RenderError;
use super::library::Library;

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
    /// A config that a profile names, and that cannot be made.
    #[error("profile `{profile}` names a config that cannot be used")]
    Config {
        /// The profile.
        profile: String,
        /// The config's file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Box<RenderError>,
    },
}

impl BookError {
    /// The file that it is about, and the line in it.
    pub fn place(&self) -> (&Path, Option<u64>) {
        match self {
            Self::Form { path, source } => (path, u64::try_from(source.line()).ok()),
            Self::Config { path, source, .. } => (path, source.line()),
            Self::Read { path, .. } | Self::TooLarge { path, .. } | Self::Value { path, .. } => {
                (path, None)
            }
        }
    }
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

pub(super) fn json_files(dir: &Path) -> Result<Vec<PathBuf>, BookError> {
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

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, BookError> {
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

/// What can be seen of the files without reading them.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

fn look(dir: &Path) -> Seen {
    let mut seen = Seen::new();
    for below in Library::FOLDERS {
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

    /// What the directory holds now; what it held, if it cannot be read now. Blocks.
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
                tracing::info!("the changed matchbox data are served");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the changed matchbox data are refused; those before are served"
            ),
        }
    }
}
