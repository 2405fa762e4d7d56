//! Which file system a partition holds, and its label: enough to find the boot partition and to
//! say why one cannot be read. Offsets are those of each format's superblock.

use installer::disk::Window;

/// File systems that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ext2, ext3 or ext4.
    Ext,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl FileSystem {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }
}

struct Format {
    kind: FileSystem,
    magic_at: u64,
    magic: &'static [u8],
    label_at: u64,
    label_size: usize,
}

const FORMATS: [Format; 3] = [
    Format {
        kind: FileSystem::Ext,
        magic_at: 1024 + 56,
        magic: &[0x53, 0xef],
        label_at: 1024 + 120,
        label_size: 16,
    },
    Format {
        kind: FileSystem::Xfs,
        magic_at: 0,
        magic: b"XFSB",
        label_at: 108,
        label_size: 12,
    },
    Format {
        kind: FileSystem::Btrfs,
        magic_at: 0x1_0040,
        magic: b"_BHRfS_M",
        label_at: 0x1_012b,
        label_size: 256,
    },
];

/// File system and label of what is in `window`; `None` when it is none of those known.
pub(super) fn probe(window: &Window) -> Option<(FileSystem, String)> {
    FORMATS.iter().find_map(|format| {
        let mut magic = vec![0u8; format.magic.len()];
        window.read_exact_at(format.magic_at, &mut magic).ok()?;
        if magic != format.magic {
            return None;
        }
        let mut label = vec![0u8; format.label_size];
        window.read_exact_at(format.label_at, &mut label).ok()?;
        let text = label.split(|&b| b == 0).next().unwrap_or_default();
        Some((format.kind, String::from_utf8_lossy(text).into_owned()))
    })
}
