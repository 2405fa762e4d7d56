//! One of the two directory hierarchies of a medium: its directories in path table order
//! (ECMA-119 6.9.1), their sizes, records, and the path tables themselves.
//!
//! Sizes depend on names and file sizes only, so that places can be given out afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::FileNode;
use super::names::{self, Identifier, Kind};
use super::record::{FLAG_DIRECTORY, FLAG_MORE_EXTENTS, PARENT_ID, Record, RockRidge, SELF_ID};
use super::time::Timestamp;
use super::tree::{Children, Node};
use super::{IsoError, SECTOR};

/// Largest section of a file, bytes: the last whole sector below 4 GiB.
const MAX_SECTION: u32 = 0xffff_f800;

/// How names are written, and whether Rock Ridge goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Level 1 names with Rock Ridge.
    Primary,
    /// UCS-2 names.
    Joliet,
}

#[derive(Debug)]
struct Entry {
    id: Identifier,
    name: String,
    target: Target,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Dir(usize),
    File(usize),
}

#[derive(Debug)]
struct Directory {
    id: Vec<u8>,
    parent: usize,
    entries: Vec<Entry>,
    lba: u32,
    size: u32,
}

/// The directories of one naming, in path table order; the root is the first.
#[derive(Debug)]
pub(super) struct Hierarchy {
    naming: Naming,
    dirs: Vec<Directory>,
    time: Timestamp,
}

impl Hierarchy {
    /// Names and sorts everything below `root`; `files` maps whole paths to places in the list of
    /// files that the records will point to.
    pub(super) fn build(
        naming: Naming,
        root: &Children,
        files: &[FileNode],
        time: Timestamp,
    ) -> Result<Self, IsoError> {
        let index: BTreeMap<&str, usize> = files
            .iter()
            .enumerate()
            .map(|(n, f)| (f.path.as_str(), n))
            .collect();
        let root_dir = Directory {
            id: SELF_ID.to_vec(),
            parent: 0,
            entries: Vec::new(),
            lba: 0,
            size: 0,
        };
        let mut this = Self {
            naming,
            dirs: vec![root_dir],
            time,
        };
        let mut pending = vec![(0usize, root, String::new())];
        // Level by level, parents in order, children sorted: the order of a path table.
        while !pending.is_empty() {
            let mut next = Vec::new();
            for (number, children, path) in pending {
                let entries = this.add_children(number, children, &path, &index, &mut next)?;
                if let Some(dir) = this.dirs.get_mut(number) {
                    dir.entries = entries;
                }
            }
            pending = next;
        }
        this.measure(files)?;
        Ok(this)
    }

    fn add_children<'a>(
        &mut self,
        parent: usize,
        children: &'a Children,
        path: &str,
        index: &BTreeMap<&str, usize>,
        next: &mut Vec<(usize, &'a Children, String)>,
    ) -> Result<Vec<Entry>, IsoError> {
        let mut taken = BTreeSet::new();
        let mut named: Vec<(Identifier, &String, &Node)> = Vec::new();
        for (name, node) in children {
            let kind = if matches!(node, Node::Dir(_)) {
                Kind::Dir
            } else {
                Kind::File
            };
            let id = match self.naming {
                Naming::Primary => names::primary(name, kind, &mut taken),
                Naming::Joliet => names::joliet(name, kind),
            };
            named.push((id, name, node));
        }
        named.sort_by(|a, b| a.0.sort_key.cmp(&b.0.sort_key));
        let mut entries = Vec::new();
        for (id, name, node) in named {
            let whole = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            let target = match node {
                Node::File(_) => Target::File(
                    *index
                        .get(whole.as_str())
                        .ok_or_else(|| IsoError::NoFile(whole.clone()))?,
                ),
                Node::Dir(below) => {
                    let number = self.dirs.len();
                    let bytes = id.bytes.clone();
                    self.dirs.push(Directory {
                        id: bytes,
                        parent,
                        entries: Vec::new(),
                        lba: 0,
                        size: 0,
                    });
                    next.push((number, below, whole));
                    Target::Dir(number)
                }
            };
            entries.push(Entry {
                id,
                name: name.clone(),
                target,
            });
        }
        Ok(entries)
    }

    fn measure(&mut self, files: &[FileNode]) -> Result<(), IsoError> {
        let sizes: Vec<usize> = (0..self.dirs.len())
            .map(|n| self.directory(n, files).len())
            .collect();
        for (dir, size) in self.dirs.iter_mut().zip(sizes) {
            dir.size = u32::try_from(size).map_err(|_| IsoError::TooLarge)?;
        }
        Ok(())
    }

    /// Gives every directory its place, from sector `first` on; returns the next free sector.
    pub(super) fn place(&mut self, first: u32) -> Result<u32, IsoError> {
        let mut next = first;
        for dir in &mut self.dirs {
            dir.lba = next;
            next = next
                .checked_add(dir.size.div_ceil(SECTOR))
                .ok_or(IsoError::TooLarge)?;
        }
        Ok(next)
    }

    /// Number of directories.
    pub(super) fn len(&self) -> usize {
        self.dirs.len()
    }

    /// First sector of directory `number`.
    pub(super) fn lba(&self, number: usize) -> u32 {
        self.dirs.get(number).map_or(0, |dir| dir.lba)
    }

    /// The root's record of itself, as volume descriptors carry it (without Rock Ridge).
    pub(super) fn root_record(&self) -> Vec<u8> {
        self.dirs
            .first()
            .map(|root| self.dir_record(SELF_ID, root).encode(&[]))
            .unwrap_or_default()
    }

    /// The content of directory `number`: records that never cross a sector's end.
    pub(super) fn directory(&self, number: usize, files: &[FileNode]) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::new();
        let sector = SECTOR as usize;
        for record in self.records(number, files) {
            let room = sector - out.len() % sector;
            if record.len() > room {
                out.resize(out.len() + room, 0);
            }
            out.extend(record);
        }
        out.resize(out.len().next_multiple_of(sector), 0);
        out
    }

    fn records(&self, number: usize, files: &[FileNode]) -> Vec<Vec<u8>> {
        let Some(dir) = self.dirs.get(number) else {
            return Vec::new();
        };
        let parent = self.dirs.get(dir.parent).unwrap_or(dir);
        let links = self.links(dir);
        let own = if number == 0 {
            RockRidge::RootSelf { links }
        } else {
            RockRidge::Dots { links }
        };
        let above = RockRidge::Dots {
            links: self.links(parent),
        };
        let mut out = vec![
            self.dir_record(SELF_ID, dir).encode(&self.system_use(own)),
            self.dir_record(PARENT_ID, parent)
                .encode(&self.system_use(above)),
        ];
        for entry in &dir.entries {
            match entry.target {
                Target::Dir(n) => out.extend(self.dirs.get(n).map(|below| {
                    let rock = RockRidge::Dir {
                        name: &entry.name,
                        links: self.links(below),
                    };
                    self.dir_record(&entry.id.bytes, below)
                        .encode(&self.system_use(rock))
                })),
                Target::File(n) => {
                    out.extend(
                        files
                            .get(n)
                            .map(|file| self.file_records(entry, file))
                            .unwrap_or_default(),
                    );
                }
            }
        }
        out
    }

    fn system_use(&self, rock: RockRidge<'_>) -> Vec<u8> {
        match self.naming {
            Naming::Primary => rock.encode(self.time),
            Naming::Joliet => Vec::new(),
        }
    }

    fn dir_record<'a>(&self, id: &'a [u8], dir: &Directory) -> Record<'a> {
        Record {
            id,
            lba: dir.lba,
            size: dir.size,
            flags: FLAG_DIRECTORY,
            time: self.time,
        }
    }

    /// One record a section (ECMA-119 6.5.1): files of 4 GiB and more have several.
    fn file_records(&self, entry: &Entry, file: &FileNode) -> Vec<Vec<u8>> {
        let system_use = self.system_use(RockRidge::File { name: &entry.name });
        let mut out = Vec::new();
        let (mut lba, mut left) = (file.lba, file.size);
        loop {
            let size = u32::try_from(left).unwrap_or(u32::MAX).min(MAX_SECTION);
            left -= u64::from(size);
            let flags = if left > 0 { FLAG_MORE_EXTENTS } else { 0 };
            let record = Record {
                id: &entry.id.bytes,
                lba,
                size,
                flags,
                time: self.time,
            };
            out.push(record.encode(&system_use));
            if left == 0 {
                return out;
            }
            lba = lba.saturating_add(size / SECTOR);
        }
    }

    fn links(&self, dir: &Directory) -> u32 {
        let below = dir
            .entries
            .iter()
            .filter(|entry| matches!(entry.target, Target::Dir(_)))
            .count();
        u32::try_from(below).unwrap_or(u32::MAX).saturating_add(2)
    }

    /// The path table with numbers written by the two functions: the table for each byte order.
    pub(super) fn path_table(
        &self,
        put32: fn(u32) -> [u8; 4],
        put16: fn(u16) -> [u8; 2],
    ) -> Result<Vec<u8>, IsoError> {
        let mut out = Vec::new();
        for dir in &self.dirs {
            let parent = u16::try_from(dir.parent + 1).map_err(|_| IsoError::TooLarge)?;
            out.push(u8::try_from(dir.id.len()).map_err(|_| IsoError::TooLarge)?);
            out.push(0);
            out.extend(put32(dir.lba));
            out.extend(put16(parent));
            out.extend(&dir.id);
            if !dir.id.len().is_multiple_of(2) {
                out.push(0);
            }
        }
        Ok(out)
    }
}
