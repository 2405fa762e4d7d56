//! Which file system a partition holds, and its label: the superblocks of ext2/3/4 and XFS, the
//! two that a boot partition may be.

use std::io;

use super::Disk;

/// Bytes from a partition's start that hold both superblocks, a multiple of every sector size.
const LEN: usize = 4096;

/// A file system that can be mounted as boot partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ext2, ext3 or ext4; the kernel's ext4 mounts them all.
    Ext,
    /// XFS
    Xfs,
}

impl Kind {
    /// Name for mount(2).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// File system and label of the partition that begins at `offset`.
pub(crate) fn read(disk: &dyn Disk, offset: u64) -> io::Result<Option<(Kind, String)>> {
    let mut bytes = vec![0u8; LEN];
    disk.read_at(offset, &mut bytes)?;
    Ok(parse(&bytes))
}

/// ext4: superblock at 1024, `s_magic` at 56, `s_volume_name` at 120 (16 bytes). XFS: superblock
/// at 0, `sb_fname` at 108 (12 bytes).
pub(super) fn parse(bytes: &[u8]) -> Option<(Kind, String)> {
    if bytes.get(1080..1082) == Some(&[0x53, 0xef]) {
        return Some((Kind::Ext, text(bytes.get(1144..1160)?)));
    }
    if bytes.starts_with(b"XFSB") {
        return Some((Kind::Xfs, text(bytes.get(108..120)?)));
    }
    None
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_both_kinds_are_read_and_others_are_not() {
        let mut ext = vec![0u8; LEN];
        ext[1080..1082].copy_from_slice(&[0x53, 0xef]);
        ext[1144..1148].copy_from_slice(b"boot");
        assert_eq!(parse(&ext), Some((Kind::Ext, "boot".into())));
        let mut xfs = vec![0u8; LEN];
        xfs[..4].copy_from_slice(b"XFSB");
        xfs[108..120].copy_from_slice(b"abcdefghijkl");
        assert_eq!(parse(&xfs), Some((Kind::Xfs, "abcdefghijkl".into())));
        assert_eq!(parse(&[0; LEN]), None);
        assert_eq!(parse(&[]), None);
    }
}
