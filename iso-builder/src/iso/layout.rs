//! Gives everything on a medium its sector before a byte is written: descriptors, boot catalogue,
//! path tables, directories, files, and room for the backup partition table at the end.

use super::hierarchy::{Hierarchy, Naming};
use super::time::Timestamp;
use super::tree::{Children, Content, Node, Tree};
use super::{IsoError, SECTOR};

/// Sector of the first volume descriptor (ECMA-119 6.2.1); 32 KiB before it are the system area.
pub(super) const FIRST_DESCRIPTOR: u32 = 16;
/// Sector of the boot catalogue: behind primary, boot, Joliet descriptor and terminator.
pub(super) const BOOT_CATALOG: u32 = FIRST_DESCRIPTOR + 4;
/// Sectors at the end for the backup GPT: 32 of entries and a header, 512 bytes each, rounded up.
const BACKUP_GPT: u32 = 9;

/// A file with its place.
#[derive(Debug)]
pub(super) struct FileNode {
    pub(super) path: String,
    pub(super) content: Content,
    pub(super) size: u64,
    pub(super) lba: u32,
}

/// Where the path tables of one hierarchy are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathTables {
    pub(super) size: u32,
    pub(super) little_endian: u32,
    pub(super) big_endian: u32,
}

/// A medium whose every byte has a place.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) files: Vec<FileNode>,
    pub(super) primary: Hierarchy,
    pub(super) joliet: Hierarchy,
    pub(super) primary_tables: PathTables,
    pub(super) joliet_tables: PathTables,
    /// Sectors of the whole medium.
    pub(super) sectors: u32,
}

impl Layout {
    /// Lays out `tree`. The file at `last` goes behind all others, and starts and ends at a
    /// multiple of `align` sectors: the ESP, which is a partition of its own.
    pub(super) fn new(
        tree: &Tree,
        last: Option<&str>,
        align: u32,
        time: Timestamp,
    ) -> Result<Self, IsoError> {
        let mut files = Vec::new();
        collect(tree.root(), "", &mut files);
        files.sort_by_key(|file| Some(file.path.as_str()) == last);
        let mut primary = Hierarchy::build(Naming::Primary, tree.root(), &files, time)?;
        let mut joliet = Hierarchy::build(Naming::Joliet, tree.root(), &files, time)?;
        let mut next = BOOT_CATALOG + 1;
        let primary_tables = place_tables(&primary, &mut next)?;
        let joliet_tables = place_tables(&joliet, &mut next)?;
        next = primary.place(next)?;
        next = joliet.place(next)?;
        for file in &mut files {
            let is_last = Some(file.path.as_str()) == last;
            let align = if is_last { align } else { 1 };
            next = next
                .checked_next_multiple_of(align)
                .ok_or(IsoError::TooLarge)?;
            file.lba = next;
            let sectors = u32::try_from(file.size.div_ceil(u64::from(SECTOR)))
                .map_err(|_| IsoError::TooLarge)?;
            next = next.checked_add(sectors).ok_or(IsoError::TooLarge)?;
            next = next
                .checked_next_multiple_of(align)
                .ok_or(IsoError::TooLarge)?;
        }
        let sectors = next.checked_add(BACKUP_GPT).ok_or(IsoError::TooLarge)?;
        Ok(Self {
            files,
            primary,
            joliet,
            primary_tables,
            joliet_tables,
            sectors,
        })
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Result<&FileNode, IsoError> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .ok_or_else(|| IsoError::NoFile(path.to_owned()))
    }
}

fn collect(children: &Children, prefix: &str, files: &mut Vec<FileNode>) {
    for (name, node) in children {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}/{name}")
        };
        match node {
            Node::Dir(below) => collect(below, &path, files),
            Node::File(content) => {
                files.push(FileNode {
                    path,
                    size: content.size(),
                    content: content.clone(),
                    lba: 0,
                });
            }
        }
    }
}

fn place_tables(hierarchy: &Hierarchy, next: &mut u32) -> Result<PathTables, IsoError> {
    let size = hierarchy
        .path_table(u32::to_le_bytes, u16::to_le_bytes)?
        .len();
    let size = u32::try_from(size).map_err(|_| IsoError::TooLarge)?;
    let sectors = size.div_ceil(SECTOR);
    let little_endian = *next;
    let big_endian = little_endian
        .checked_add(sectors)
        .ok_or(IsoError::TooLarge)?;
    *next = big_endian.checked_add(sectors).ok_or(IsoError::TooLarge)?;
    Ok(PathTables {
        size,
        little_endian,
        big_endian,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(files: &[(&str, u64)], last: Option<&str>) -> Layout {
        let mut tree = Tree::new();
        for (path, size) in files {
            tree.insert(path, Content::Zeros(*size)).unwrap();
        }
        Layout::new(&tree, last, 512, Timestamp::from_unix(0)).unwrap()
    }

    #[test]
    fn esp_comes_last_and_owns_whole_aligned_sectors() {
        let layout = layout(
            &[("a/esp.img", 5000), ("z", 3000), ("b", 1)],
            Some("a/esp.img"),
        );
        let esp = layout.file("a/esp.img").unwrap();
        assert!(esp.lba.is_multiple_of(512));
        assert!(layout.files.iter().all(|file| file.lba <= esp.lba));
        assert_eq!(layout.sectors, esp.lba + 512 + BACKUP_GPT);
    }

    #[test]
    fn file_above_4_gib_has_a_record_for_each_section() {
        let size = 2 * (4u64 << 30) + 5;
        let layout = layout(&[("big", size)], None);
        let big = layout.file("big").unwrap();
        let dir = layout.primary.directory(0, &layout.files);
        let records: Vec<(u32, u32, u8)> = dir
            .split_at(0)
            .1
            .windows(7)
            .enumerate()
            .filter(|(_, w)| *w == b"BIG.;1\0" || *w == b"BIG.;1P")
            .map(|(at, _)| {
                let start = at - 33;
                let number = |n: usize| {
                    u32::from_le_bytes(dir[start + n..start + n + 4].try_into().unwrap())
                };
                (number(2), number(10), dir[start + 25])
            })
            .collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records.iter().map(|r| u64::from(r.1)).sum::<u64>(), size);
        assert_eq!(
            records.iter().map(|r| r.2).collect::<Vec<_>>(),
            [0x80, 0x80, 0]
        );
        assert_eq!(records[0].0, big.lba);
        assert_eq!(records[1].0, big.lba + 0xffff_f800 / 2048);
    }

    #[test]
    fn file_beyond_the_format_is_refused() {
        let mut tree = Tree::new();
        tree.insert("big", Content::Zeros(u64::from(u32::MAX) * 2048))
            .unwrap();
        let result = Layout::new(&tree, None, 1, Timestamp::from_unix(0));
        assert!(matches!(result, Err(IsoError::TooLarge)));
    }
}
