//! The site that is served, exchanged as a whole when its directory has changed: everybody who
//! began with one site ends with it, and a directory that cannot be read changes nothing but the
//! status.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use super::{Site, SiteError};
use crate::confine::Reach;

/// Directories within directories that are watched.
const DEPTH: usize = 16;
/// Files that are watched; what is beyond is found by SIGHUP only.
const FILES: usize = 100_000;

/// Why the directory as it is now is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refused {
    /// When that was found.
    pub time: Timestamp,
    /// What is wrong.
    pub error: String,
    /// Why that is wrong.
    pub cause: Option<String>,
    /// The file.
    pub file: Option<PathBuf>,
    /// Line in it, from 1.
    pub line: Option<u64>,
}

impl Refused {
    /// Why `error` keeps a site from being served, found now.
    pub fn of(error: &SiteError) -> Self {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        let (file, line) = error.place();
        Self {
            time: Timestamp::now(),
            error: error.to_string(),
            cause: (!causes.is_empty()).then(|| causes.join(": ")),
            file: Some(file.to_owned()),
            line,
        }
    }
}

/// How serving the site goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Counts the sites that were served since the start, from 1.
    pub generation: u64,
    /// Since when this one is.
    pub since: Timestamp,
    /// Why the directory as it is now is not; none if it is.
    pub refused: Option<Refused>,
}

/// The site that is served; cheap to clone.
#[derive(Clone, Debug)]
pub struct CurrentSite {
    served: Arc<RwLock<(Arc<Site>, Status)>>,
    reach: Arc<OnceLock<Reach>>,
    /// Whether there is no port for HTTPS.
    plain_only: Arc<AtomicBool>,
}

impl CurrentSite {
    /// Begins with `site`.
    pub fn new(site: Site) -> Self {
        let status = Status {
            generation: 1,
            since: Timestamp::now(),
            refused: None,
        };
        Self {
            served: Arc::new(RwLock::new((Arc::new(site), status))),
            reach: Arc::default(),
            plain_only: Arc::default(),
        }
    }

    /// Refuses sites with files out of `reach` from now on.
    pub fn keep_within(&self, reach: Reach) {
        // The first stays: what was given up does not come back.
        let _ = self.reach.set(reach);
    }

    /// Refuses sites of `dir` that name HTTPS, this one and later ones: there is no port for it.
    pub fn without_https(&self, dir: &Path) -> Result<(), SiteError> {
        self.plain_only.store(true, Ordering::Relaxed);
        self.check_schemes(dir, &self.get())
    }

    fn check_schemes(&self, dir: &Path, site: &Site) -> Result<(), SiteError> {
        if site.first_stage.schemes.need_https() && self.plain_only.load(Ordering::Relaxed) {
            return Err(SiteError::Value {
                path: dir.join("site.yaml"),
                reason: "`http`: https is named, and this server has no --https-port".to_owned(),
            });
        }
        Ok(())
    }

    /// Reads the site of `dir` as it would be served.
    pub fn read(&self, dir: &Path) -> Result<Site, SiteError> {
        let read = Site::load(dir).and_then(|site| {
            self.check_schemes(dir, &site)?;
            Ok(site)
        });
        let Some(reach) = self.reach.get() else {
            return read;
        };
        let out_of_reach = |path| Err(SiteError::OutOfReach { path });
        match read {
            Ok(site) => {
                let all: Vec<PathBuf> = site.files().chain(site.directories()).collect();
                let outside = all.into_iter().find(|path| !reach.covers(path));
                outside.map_or(Ok(site), out_of_reach)
            }
            Err(SiteError::Read { path, source })
                if source.kind() == ErrorKind::PermissionDenied && !reach.covers(&path) =>
            {
                out_of_reach(path)
            }
            refused => refused,
        }
    }

    /// The site as it is now; it stays the same for whoever has it.
    pub fn get(&self) -> Arc<Site> {
        self.served
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    /// How serving goes.
    pub fn status(&self) -> Status {
        self.served
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// Serves what was read from now on, or says why it cannot be served.
    pub fn exchange(&self, read: Result<Site, SiteError>) {
        let mut current = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let (site, status) = &mut *current;
        match read {
            Ok(read) => {
                *site = Arc::new(read);
                status.generation += 1;
                status.since = Timestamp::now();
                status.refused = None;
                tracing::info!(generation = status.generation, "the changed site is served");
            }
            Err(error) => {
                let (file, line) = error.place();
                tracing::error!(
                    error = &error as &dyn std::error::Error, file = %file.display(), line,
                    "the changed site is refused; machines are served from the one before"
                );
                status.refused = Some(Refused::of(&error));
            }
        }
    }
}

/// What can be seen of a site's files without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fingerprint(BTreeMap<PathBuf, Option<(SystemTime, u64)>>);

impl Fingerprint {
    /// Looks at every file that a site in `dir` is made of; `marks` are those elsewhere.
    fn of(dir: &Path, marks: &[PathBuf]) -> Self {
        let mut seen = Self::default();
        seen.look(&dir.join("site.yaml"), 0);
        for mark in marks {
            seen.look(mark, DEPTH);
        }
        for below in ["profiles", "groups", "configs"] {
            seen.look(&dir.join(below), DEPTH);
        }
        seen
    }

    fn look(&mut self, path: &Path, depth: usize) {
        if self.0.len() >= FILES {
            return;
        }
        let found = fs::metadata(path).ok();
        let is_dir = found.as_ref().is_some_and(fs::Metadata::is_dir);
        let seen = found.and_then(|found| Some((found.modified().ok()?, found.len())));
        self.0.insert(path.to_owned(), seen);
        if !is_dir || depth == 0 {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            self.look(&entry.path(), depth - 1);
        }
    }
}

/// Reads a site again when its files have changed and lie still.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    marks: Vec<PathBuf>,
    current: CurrentSite,
    read: Fingerprint,
    last: Fingerprint,
}

impl Watch {
    /// Reads the site of `dir` and begins to watch it.
    pub fn begin(dir: &Path) -> Result<(CurrentSite, Self), SiteError> {
        // What is seen before it is read: a change in between is not missed.
        let marks = Site::marks(dir)?;
        let read = Fingerprint::of(dir, &marks);
        let current = CurrentSite::new(Site::load(dir)?);
        let watch = Self {
            dir: dir.to_owned(),
            marks,
            current: current.clone(),
            last: read.clone(),
            read,
        };
        Ok((current, watch))
    }

    /// Looks once. A change is taken up when the next look finds it unchanged, or at once if it
    /// was `asked` for.
    pub fn look(&mut self, asked: bool) {
        let mut seen = Fingerprint::of(&self.dir, &self.marks);
        let settled = seen == self.last;
        self.last.clone_from(&seen);
        if !asked && (!settled || seen == self.read) {
            return;
        }
        if let Ok(marks) = Site::marks(&self.dir)
            && marks != self.marks
        {
            // From now on their changes are the site's, also if it is refused.
            self.marks = marks;
            seen = Fingerprint::of(&self.dir, &self.marks);
            self.last.clone_from(&seen);
        }
        let site = self.current.read(&self.dir);
        if Fingerprint::of(&self.dir, &self.marks) != seen {
            // Written while it was read: the next look sees what has become of it.
            return;
        }
        self.read = seen;
        self.current.exchange(site);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MAC, site_dir};
    use crate::machine::Subject;

    fn watch(dir: &Path) -> (CurrentSite, Watch) {
        Watch::begin(&dir.join("site")).unwrap()
    }

    #[test]
    fn a_change_is_served_once_it_lies_still() {
        let dir = site_dir();
        let (current, mut watch) = watch(dir.path());
        watch.look(false);
        assert_eq!(current.status().generation, 1);
        let before = current.get();
        std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
        watch.look(false);
        assert_eq!(current.status().generation, 1, "it may still be written");
        watch.look(false);
        assert_eq!(current.status().generation, 2);
        assert_eq!((before.groups.len(), current.get().groups.len()), (1, 2));
        watch.look(false);
        assert_eq!(current.status().generation, 2);
    }

    #[test]
    fn a_site_that_is_refused_changes_nothing_but_the_status() {
        let dir = site_dir();
        let (current, mut watch) = watch(dir.path());
        let profile = dir.path().join("site/profiles/worker.yaml");
        let good = std::fs::read(&profile).unwrap();
        std::fs::write(&profile, "name: worker\ninstall: {}\n").unwrap();
        watch.look(true);
        let status = current.status();
        let refused = status.refused.unwrap();
        assert_eq!(status.generation, 1);
        assert_eq!(
            (refused.file, refused.line),
            (Some(profile.clone()), Some(2))
        );
        let machine = Subject::new(MAC.parse().unwrap());
        assert_eq!(
            current.get().assign(&machine).unwrap().profile.name,
            "worker"
        );
        std::fs::write(&profile, good).unwrap();
        watch.look(true);
        let status = current.status();
        assert_eq!((status.generation, status.refused), (2, None));
    }
}
