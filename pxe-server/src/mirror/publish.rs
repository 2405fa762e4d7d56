//! Makes a build current and removes those that are too old. Whatever happens in between, the index
//! names one complete build or the other.

use serde::Serialize;

use super::error::failed;
use super::hold::Unheld;
use super::shelf::remove;
use super::{Found, Index, MirrorError, PlainName, Shelf};

/// What is in the mirror now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// The build that is current.
    pub current: PlainName,
    /// Whether it was there already.
    pub was_there: bool,
    /// Builds that were removed.
    pub removed: Vec<PlainName>,
    /// Builds that are too old, and kept because a server uses them.
    pub in_use: Vec<PlainName>,
}

impl Shelf {
    /// Makes `found` current, and removes the oldest builds until `keep` are left, but none that
    /// is `pinned` or that a server uses.
    pub fn keep(
        &self,
        found: Found,
        keep: usize,
        pinned: &[PlainName],
    ) -> Result<Kept, MirrorError> {
        let (current, was_there) = match found {
            Found::There(release) => (release, true),
            Found::New(build) => (build.name(self)?, false),
        };
        let before = self.index()?;
        let index = Index::new(current.clone(), self.others(&current, before.as_ref())?);
        let write = |index: &Index| index.write(self.dir()).map_err(failed("write", self.dir()));
        if before.as_ref() != Some(&index) {
            write(&index)?;
        }
        let old = index.older.iter().skip(keep.saturating_sub(1));
        let (mut removed, mut in_use, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        for release in old.filter(|release| !pinned.contains(release)) {
            let dir = self.build(release);
            match Unheld::check(&dir).map_err(failed("lock", &dir))? {
                None => in_use.push(release.clone()),
                Some(_unheld) => {
                    hidden.push(self.hide(release)?);
                    removed.push(release.clone());
                }
            }
        }
        if !removed.is_empty() {
            let mut older = index.older;
            older.retain(|release| !removed.contains(release));
            write(&Index::new(current.clone(), older))?;
        }
        for path in hidden {
            remove(&path)?;
        }
        Ok(Kept {
            current,
            was_there,
            removed,
            in_use,
        })
    }

    /// All builds but the current one, the newest first. Those that the index does not know were
    /// named by a run that was killed before it wrote them down.
    fn others(
        &self,
        current: &PlainName,
        before: Option<&Index>,
    ) -> Result<Vec<PlainName>, MirrorError> {
        let known = before.map(|index| std::iter::once(&index.current).chain(&index.older));
        let known: Vec<PlainName> = known.into_iter().flatten().cloned().collect();
        let mut others = self.builds()?;
        others.retain(|release| !known.contains(release));
        others.extend(known);
        others.retain(|release| release != current);
        Ok(others)
    }
}
