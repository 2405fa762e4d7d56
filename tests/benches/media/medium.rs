//! The tree of a live ISO with a rootfs of 1 GiB, and the ISO that the writer under test makes of it.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Result;
use embed::digest::Sha256Digest;
use iso_builder::iso::{Content, Hybrid, ImageSpec, Timestamp, Tree, VolumeId, write_image};
use uuid::Uuid;

pub(crate) const ROOTFS_BYTES: u64 = 1 << 30;
pub(crate) const ROOTFS: &str = "images/pxeboot/rootfs.img";
pub(crate) const BIOS_IMAGE: &str = "boot/grub/eltorito.img";
pub(crate) const BOOT_CODE: &str = "boot/grub/boot_hybrid.img";
pub(crate) const EFI_IMAGE: &str = "images/efiboot.img";
pub(crate) const LABEL: &str = "bench";

/// Makes the files of the ISO below `tree`.
pub(crate) fn make_tree(tree: &Path) -> Result<()> {
    let files: [(&str, Vec<u8>); 6] = [
        (BIOS_IMAGE, vec![0x90; 32 << 10]),
        (BOOT_CODE, vec![0x90; 512]),
        (EFI_IMAGE, vec![0xa5; 4 << 20]),
        ("images/pxeboot/vmlinuz", vec![0x11; 8 << 20]),
        ("images/ignition.img", vec![0; 256 << 10]),
        (
            "coreos/igninfo.json",
            br#"{"file": "images/ignition.img"}"#.to_vec(),
        ),
    ];
    for (name, bytes) in files {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap_or(tree))?;
        fs::write(path, bytes)?;
    }
    let mut rootfs = BufWriter::new(File::create(tree.join(ROOTFS))?);
    // Xorshift: bytes that no file system and no copy can shorten.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..ROOTFS_BYTES / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rootfs.write_all(&state.to_le_bytes())?;
    }
    Ok(rootfs.flush()?)
}

/// Writes the files below `tree` as a hybrid ISO to `path`.
pub(crate) fn write(tree: &Path, path: &Path) -> Result<()> {
    let mut content = Tree::new();
    insert(&mut content, tree, tree)?;
    let spec = ImageSpec {
        volume_id: VolumeId::new(LABEL)?,
        time: Timestamp::from_unix(1_700_000_000),
        bios_image: Some(BIOS_IMAGE.to_owned()),
        efi_image: Some(EFI_IMAGE.to_owned()),
        hybrid: Some(Hybrid {
            boot_code: fs::read(tree.join(BOOT_CODE))?,
            disk_guid: Uuid::from_u128(1),
            partition_guids: [Uuid::from_u128(2), Uuid::from_u128(3)],
        }),
    };
    let mut out = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    write_image(&content, &spec, &mut out, &|_| {})?;
    Ok(())
}

fn insert(content: &mut Tree, top: &Path, directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let (entry, path) = entry.map(|entry| (entry.metadata(), entry.path()))?;
        let metadata = entry?;
        if metadata.is_dir() {
            insert(content, top, &path)?;
            continue;
        }
        let name = path.strip_prefix(top)?.to_string_lossy().into_owned();
        let size = metadata.len();
        content.insert(&name, Content::File { path, size })?;
    }
    Ok(())
}

/// SHA-256 of `length` bytes of the file at `path` from `offset` on.
pub(crate) fn digest(path: &Path, offset: u64, length: u64) -> Result<Sha256Digest> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Sha256Digest::of_reader(file.take(length))?.0)
}
