//! Recognises the file systems that a boot medium has by their superblocks, and reads their
//! labels, so that nothing depends on udev's symlinks.
//!
//! Layouts: ext4 `Documentation/filesystems/ext4/super.rst`, XFS `xfs_dsb`, ISO 9660 (ECMA-119
//! 8.4), squashfs magic.

use std::io::{self, Read, Seek, SeekFrom};

/// Kind of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext2, ext3 or ext4.
    Ext,
    /// XFS.
    Xfs,
    /// ISO 9660.
    Iso9660,
    /// squashfs.
    Squashfs,
}

impl Kind {
    /// Name for `mount(2)`.
    pub fn mount_name(self) -> &'static str {
        match self {
            Self::Ext => "ext4",
            Self::Xfs => "xfs",
            Self::Iso9660 => "iso9660",
            Self::Squashfs => "squashfs",
        }
    }

    /// Mount data that keeps a read-only mount from replaying the journal, which would need to
    /// write.
    pub fn no_replay(self) -> Option<&'static str> {
        match self {
            Self::Ext => Some("noload"),
            Self::Xfs => Some("norecovery"),
            Self::Iso9660 | Self::Squashfs => None,
        }
    }
}

/// A recognised file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// What it is.
    pub kind: Kind,
    /// Its label; empty when it has none.
    pub label: String,
}

const HEAD: usize = 2048;
const ISO_DESCRIPTOR: u64 = 16 * 2048;

/// Looks at the file system that begins at byte `start` of `device`. `None` when it is unknown.
pub fn read(device: &mut (impl Read + Seek), start: u64) -> io::Result<Option<Superblock>> {
    let head = read_up_to(device, start, HEAD)?;
    if let Some(found) = recognise(&head) {
        return Ok(Some(found));
    }
    let Some(at) = start.checked_add(ISO_DESCRIPTOR) else {
        return Ok(None);
    };
    let descriptor = read_up_to(device, at, HEAD)?;
    if descriptor.get(..7) != Some(b"\x01CD001\x01") {
        return Ok(None);
    }
    Ok(descriptor.get(40..72).map(|label| Superblock {
        kind: Kind::Iso9660,
        label: text(label),
    }))
}

fn recognise(head: &[u8]) -> Option<Superblock> {
    let found = |kind, label: &[u8]| {
        Some(Superblock {
            kind,
            label: text(label),
        })
    };
    if head.get(1080..1082) == Some(&[0x53, 0xEF]) {
        return found(Kind::Ext, head.get(1144..1160)?);
    }
    if head.get(..4) == Some(b"XFSB") {
        return found(Kind::Xfs, head.get(108..120)?);
    }
    if head.get(..4) == Some(b"hsqs") {
        return found(Kind::Squashfs, b"");
    }
    None
}

/// Labels are padded with NUL or, on ISO 9660, spaces.
fn text(label: &[u8]) -> String {
    let end = label.iter().position(|&b| b == 0).unwrap_or(label.len());
    String::from_utf8_lossy(label.get(..end).unwrap_or_default())
        .trim_end_matches(' ')
        .to_owned()
}

fn read_up_to(device: &mut (impl Read + Seek), at: u64, want: usize) -> io::Result<Vec<u8>> {
    device.seek(SeekFrom::Start(at))?;
    let mut out = Vec::with_capacity(want);
    device.take(want as u64).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn image(parts: &[(usize, &[u8])]) -> Cursor<Vec<u8>> {
        let mut bytes = vec![0u8; 64 * 1024];
        for (at, data) in parts {
            bytes.splice(*at..*at + data.len(), data.iter().copied());
        }
        Cursor::new(bytes)
    }

    #[test]
    fn labels_are_read_from_each_kind() {
        type Case<'a> = (&'a [(usize, &'a [u8])], Kind, &'a str);
        let cases: [Case<'_>; 4] = [
            (&[(1080, &[0x53, 0xEF]), (1144, b"boot")], Kind::Ext, "boot"),
            (&[(0, b"XFSB"), (108, b"root")], Kind::Xfs, "root"),
            (&[(0, b"hsqs")], Kind::Squashfs, ""),
            (
                &[
                    (32768, b"\x01CD001\x01"),
                    (32808, b"os-live                         "),
                ],
                Kind::Iso9660,
                "os-live",
            ),
        ];
        for (parts, kind, label) in cases {
            let want = Superblock {
                kind,
                label: label.into(),
            };
            assert_eq!(read(&mut image(parts), 0).unwrap(), Some(want));
        }
    }

    #[test]
    fn a_file_system_inside_a_disk_is_read_at_its_start() {
        let mut disk = image(&[
            (4096 + 1080, &[0x53, 0xEF]),
            (4096 + 1144, b"sixteen-letters!"),
        ]);
        assert_eq!(read(&mut disk, 0).unwrap(), None);
        assert_eq!(
            read(&mut disk, 4096).unwrap().unwrap().label,
            "sixteen-letters!"
        );
    }

    #[test]
    fn short_and_empty_devices_are_unknown() {
        for length in [0, 1, 1100, 32768, 32775] {
            assert_eq!(read(&mut Cursor::new(vec![0u8; length]), 0).unwrap(), None);
        }
        assert_eq!(
            read(&mut Cursor::new(vec![0u8; 9]), u64::MAX).unwrap(),
            None
        );
    }
}
