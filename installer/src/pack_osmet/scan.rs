//! What file systems and repository have in common: objects by where they lie on the root file
//! system, and files of the boot file system that are objects too.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;
use embed::osmet::Mapping;

use super::OsmetPackError;
use crate::disk::{Extent, extents};

/// Smaller files of the boot file system are not worth a mapping.
const MIN_BOOT_FILE: u64 = 1024;

/// A file of the boot file system.
#[derive(Debug)]
pub(super) struct BootFile {
    length: u64,
    content: Sha256Digest,
    extents: Vec<Extent>,
}

/// Mappings in both file systems.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) in_boot: Vec<Mapping>,
    pub(super) in_root: Vec<Mapping>,
}

/// The larger files of the boot file system mounted at `root`.
pub(super) fn boot_files(root: &Path) -> Result<Vec<BootFile>, OsmetPackError> {
    let mut files = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for (path, kind) in entries(&dir)? {
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                files.extend(boot_file(&path)?);
            }
        }
    }
    Ok(files)
}

fn boot_file(path: &Path) -> Result<Option<BootFile>, OsmetPackError> {
    let (file, length) = open(path)?;
    if length <= MIN_BOOT_FILE {
        return Ok(None);
    }
    Ok(Some(BootFile {
        length,
        content: digest(&file, path)?,
        extents: mapped(&file, path)?,
    }))
}

/// Looks at all objects of regular files in `dir` (`ab/cdef….file`).
pub(super) fn objects(dir: &Path, boot: &[BootFile]) -> Result<Found, OsmetPackError> {
    let mut by_length: BTreeMap<u64, Vec<&BootFile>> = BTreeMap::new();
    for file in boot {
        by_length.entry(file.length).or_default().push(file);
    }
    let mut found = Found::default();
    for (folder, kind) in entries(dir)? {
        if !kind.is_dir() {
            continue;
        }
        for (path, kind) in entries(&folder)? {
            let Some(object) = name(&path).filter(|_| kind.is_file()) else {
                continue;
            };
            let (file, length) = open(&path)?;
            let lies = mapped(&file, &path)?;
            found.in_root.extend(mappings(&lies, length, object));
            let Some(alike) = by_length.get(&length) else {
                continue;
            };
            let content = digest(&file, &path)?;
            for same in alike.iter().filter(|boot| boot.content == content) {
                found
                    .in_boot
                    .extend(mappings(&same.extents, length, object));
            }
        }
    }
    Ok(Found {
        in_boot: in_order(found.in_boot),
        in_root: in_order(found.in_root),
    })
}

/// The extents of an object, without what lies behind its end: that need not be zeroes.
fn mappings(
    extents: &[Extent],
    length: u64,
    object: Sha256Digest,
) -> impl Iterator<Item = Mapping> {
    extents.iter().filter_map(move |extent| {
        let rest = length.checked_sub(extent.logical)?;
        Some(Mapping {
            logical: extent.logical,
            physical: extent.physical,
            length: extent.length.min(rest),
            object,
        })
    })
}

/// Sorted, and of those that share bytes the first and longest only.
fn in_order(mut mappings: Vec<Mapping>) -> Vec<Mapping> {
    mappings.retain(|mapping| mapping.length > 0);
    mappings.sort_by_key(|m| (m.physical, Reverse(m.length), m.object.0, m.logical));
    let mut end = 0;
    mappings.retain(|mapping| {
        let free = mapping.physical >= end;
        if free {
            end = mapping.physical.saturating_add(mapping.length);
        }
        free
    });
    mappings
}

/// The object that lies at a path `…/ab/cdef….file`.
fn name(path: &Path) -> Option<Sha256Digest> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let rest = path.file_name()?.to_str()?.strip_suffix(".file")?;
    (folder.len() == 2).then(|| format!("{folder}{rest}").parse().ok())?
}

fn entries(dir: &Path) -> Result<Vec<(PathBuf, fs::FileType)>, OsmetPackError> {
    let at = |source| OsmetPackError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(at)? {
        let entry = entry.map_err(at)?;
        entries.push((entry.path(), entry.file_type().map_err(at)?));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}

fn open(path: &Path) -> Result<(File, u64), OsmetPackError> {
    let at = |source| OsmetPackError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    let length = file.metadata().map_err(at)?.len();
    Ok((file, length))
}

fn digest(file: &File, path: &Path) -> Result<Sha256Digest, OsmetPackError> {
    let read = Sha256Digest::of_reader(file);
    let (digest, _) = read.map_err(|source| OsmetPackError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(digest)
}

fn mapped(file: &File, path: &Path) -> Result<Vec<Extent>, OsmetPackError> {
    extents(file).map_err(|source| OsmetPackError::Extents {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Sha256Digest = Sha256Digest([0xab; 32]);

    #[test]
    fn extents_end_with_their_file_and_never_overlap() {
        let extent = |logical, physical, length| Extent {
            logical,
            physical,
            length,
        };
        let lies = [
            extent(0, 8192, 4096),
            extent(4096, 4096, 4096),
            // Preallocated behind the end of the file.
            extent(8192, 20480, 4096),
        ];
        let found: Vec<_> = mappings(&lies, 5000, NAME).collect();
        let places = |list: &[Mapping]| -> Vec<_> {
            list.iter()
                .map(|m| (m.logical, m.physical, m.length))
                .collect()
        };
        let sorted = in_order(found.clone());
        assert_eq!(places(&sorted), [(4096, 4096, 904), (0, 8192, 4096)]);

        let shared = Mapping {
            physical: 8192 + 100,
            ..found[0]
        };
        let shorter = Mapping {
            length: 10,
            ..found[0]
        };
        let list = in_order([sorted.as_slice(), &[shared, shorter]].concat());
        assert_eq!(list, sorted);
    }

    #[test]
    fn only_names_of_regular_objects_are_objects() {
        let rest = "ab".repeat(31);
        let name = |path: String| name(Path::new(&path));
        assert_eq!(name(format!("/o/ab/{rest}.file")), Some(NAME));
        for other in [
            format!("/o/ab/{rest}.dirtree"),
            format!("/o/ab/{rest}ab.file"),
            format!("/o/abab/{}.file", "ab".repeat(30)),
            format!("/o/ab/{}.file", "xy".repeat(31)),
            "/".into(),
        ] {
            assert_eq!(name(other), None);
        }
    }
}
