//! Puts a laid-out medium into a file: structures first, then file contents at their places.
//! Whole files go by the kernel's own copy where the file system offers it; zeroes stay holes.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use super::layout::{BOOT_CATALOG, FIRST_DESCRIPTOR, FileNode, Layout, PathTables};
use super::tree::{Content, Tree};
use super::{ImageSpec, IsoError, SECTOR, descriptor, eltorito, hybrid};

/// Alignment of the ESP, in sectors: 1 MiB, as partitions on sticks are.
const ESP_ALIGN: u32 = 512;

/// Writes `tree` as a bootable medium into `out`, which is emptied first; `progress` is told the
/// number of bytes written so far.
pub fn write_image(
    tree: &Tree,
    spec: &ImageSpec,
    out: &mut File,
    progress: &dyn Fn(u64),
) -> Result<u64, IsoError> {
    let layout = Layout::new(tree, spec.efi_image.as_deref(), ESP_ALIGN, spec.time)?;
    let size = u64::from(layout.sectors) * u64::from(SECTOR);
    let failed = |source| IsoError::Write { source };
    out.set_len(0)
        .and_then(|()| out.set_len(size))
        .map_err(failed)?;
    write_structures(&layout, spec, out)?;
    for file in &layout.files {
        write_file(file, spec.bios_image.as_deref(), out)?;
        progress(u64::from(file.lba) * u64::from(SECTOR) + file.size);
    }
    if let (Some(hybrid), Some(bios), Some(efi)) = (&spec.hybrid, &spec.bios_image, &spec.efi_image)
    {
        hybrid::write(
            out,
            hybrid,
            layout.file(bios)?,
            layout.file(efi)?,
            layout.sectors,
        )?;
    }
    progress(size);
    Ok(size)
}

fn write_structures(layout: &Layout, spec: &ImageSpec, out: &mut File) -> Result<(), IsoError> {
    put(
        out,
        FIRST_DESCRIPTOR,
        &descriptor::all(layout, &spec.volume_id, spec.time)?,
    )?;
    let find = |path: &Option<String>| path.as_deref().map(|path| layout.file(path)).transpose();
    put(
        out,
        BOOT_CATALOG,
        &eltorito::catalog(find(&spec.bios_image)?, find(&spec.efi_image)?),
    )?;
    for (hierarchy, tables) in [
        (&layout.primary, layout.primary_tables),
        (&layout.joliet, layout.joliet_tables),
    ] {
        let PathTables {
            little_endian,
            big_endian,
            ..
        } = tables;
        put(
            out,
            little_endian,
            &hierarchy.path_table(u32::to_le_bytes, u16::to_le_bytes)?,
        )?;
        put(
            out,
            big_endian,
            &hierarchy.path_table(u32::to_be_bytes, u16::to_be_bytes)?,
        )?;
        for number in 0..hierarchy.len() {
            put(
                out,
                hierarchy.lba(number),
                &hierarchy.directory(number, &layout.files),
            )?;
        }
    }
    Ok(())
}

fn put(out: &mut File, lba: u32, bytes: &[u8]) -> Result<(), IsoError> {
    seek(out, lba)
        .and_then(|()| out.write_all(bytes))
        .map_err(|source| IsoError::Write { source })
}

fn seek(out: &mut File, lba: u32) -> io::Result<()> {
    out.seek(SeekFrom::Start(u64::from(lba) * u64::from(SECTOR)))
        .map(|_| ())
}

fn write_file(file: &FileNode, bios_image: Option<&str>, out: &mut File) -> Result<(), IsoError> {
    match &file.content {
        Content::Zeros(_) => Ok(()),
        Content::Bytes(bytes) if bios_image == Some(file.path.as_str()) => {
            let mut bytes = bytes.clone();
            eltorito::patch_grub(&mut bytes, file.lba, &file.path)?;
            put(out, file.lba, &bytes)
        }
        Content::Bytes(bytes) => put(out, file.lba, bytes),
        Content::File { path, size } => {
            let read = |source| IsoError::Read {
                path: path.clone(),
                source,
            };
            let mut from = File::open(path).map_err(read)?;
            let found = from.metadata().map_err(read)?.len();
            if found != *size {
                return Err(IsoError::Changed {
                    path: path.clone(),
                    planned: *size,
                    found,
                });
            }
            seek(out, file.lba).map_err(|source| IsoError::Write { source })?;
            let copied = io::copy(&mut from, out).map_err(|source| IsoError::Copy {
                path: path.clone(),
                source,
            })?;
            if copied != *size {
                return Err(IsoError::Changed {
                    path: path.clone(),
                    planned: *size,
                    found: copied,
                });
            }
            Ok(())
        }
    }
}
