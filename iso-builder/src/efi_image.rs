//! The FAT image that UEFI starts a medium from: the image's own signed boot loader and a
//! configuration that leads it to the medium. Built in memory by the `fatfs` crate, without
//! mounting; times and volume number are fixed.

use std::io::{self, Cursor, Write};

use fatfs::{Date, DateTime, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};

use crate::image::EfiLoader;

const LABEL: [u8; 11] = *b"LIVE-EFI   ";
const SECTOR: u64 = 512;
/// Room beside the files: both allocation tables, directories, ends of clusters.
const OVERHEAD: u64 = 512 * 1024;
/// Images are a whole number of these, bytes.
const STEP: u64 = 1 << 20;
/// Below this a FAT would have 12-bit entries, which some firmware does not expect.
const SMALLEST: u64 = 8 << 20;
/// Bytes of a directory entry.
const ENTRY: usize = 32;
/// First byte of an entry that is free.
const DELETED: u8 = 0xe5;

#[derive(Debug)]
struct FixedTime;

impl TimeProvider for FixedTime {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime {
            date: self.get_current_date(),
            time: Time {
                hour: 0,
                min: 0,
                sec: 0,
                millis: 0,
            },
        }
    }
}

static FIXED_TIME: FixedTime = FixedTime;

/// Directories below `EFI` in which some GRUB may look for `grub.cfg`.
pub fn config_dirs(loader: &EfiLoader) -> impl Iterator<Item = &str> {
    std::iter::once("BOOT").chain(loader.vendors.iter().map(String::as_str))
}

/// Makes the image with `loader`, which reads `stub`.
pub fn build(loader: &EfiLoader, stub: &str, volume_number: u32) -> io::Result<Vec<u8>> {
    let mut files = vec![
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), loader.first.as_slice()),
        ("EFI/BOOT/grubx64.efi".to_owned(), loader.grub.as_slice()),
    ];
    files.extend(
        loader
            .mok_manager
            .as_deref()
            .map(|bytes| ("EFI/BOOT/mmx64.efi".to_owned(), bytes)),
    );
    files.extend(config_dirs(loader).map(|dir| (format!("EFI/{dir}/grub.cfg"), stub.as_bytes())));
    let content: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let size = (content + OVERHEAD).max(SMALLEST).next_multiple_of(STEP);
    let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
    let mut volume = Cursor::new(vec![0u8; usize::try_from(size).map_err(|_| too_large())?]);
    let sectors = u32::try_from(size / SECTOR).map_err(|_| too_large())?;
    let options = FormatVolumeOptions::new()
        .total_sectors(sectors)
        .volume_id(volume_number)
        .volume_label(LABEL);
    fatfs::format_volume(&mut volume, options)?;
    make_directories(&mut volume, loader)?;
    drop_long_names_of_dots(volume.get_mut());
    write_files(&mut volume, &files)?;
    Ok(volume.into_inner())
}

fn make_directories(volume: &mut Cursor<Vec<u8>>, loader: &EfiLoader) -> io::Result<()> {
    let fs = mount(volume)?;
    fs.root_dir().create_dir("EFI")?;
    config_dirs(loader)
        .try_for_each(|dir| fs.root_dir().create_dir(&format!("EFI/{dir}")).map(|_| ()))
}

fn write_files(volume: &mut Cursor<Vec<u8>>, files: &[(String, &[u8])]) -> io::Result<()> {
    let fs = mount(volume)?;
    for (path, bytes) in files {
        let mut file = fs.root_dir().create_file(path)?;
        file.write_all(bytes)?;
        file.flush()?;
    }
    Ok(())
}

fn mount(volume: &mut Cursor<Vec<u8>>) -> io::Result<FileSystem<&mut Cursor<Vec<u8>>>> {
    volume.set_position(0);
    FileSystem::new(volume, FsOptions::new().time_provider(&FIXED_TIME))
}

/// Makes `.` and `..` the first two entries of every directory, as the FAT specification (section
/// 6.5) wants them: `fatfs` 0.3 writes a long name before each, at which checkers stumble.
///
/// To be called while `volume` holds nothing but directories, so that no file can look like one.
fn drop_long_names_of_dots(volume: &mut [u8]) {
    for sector in volume.chunks_exact_mut(512) {
        let Some((dots, _)) = sector.split_at_mut_checked(4 * ENTRY) else {
            continue;
        };
        let is_at = |n: usize, name: &[u8]| {
            dots.get(n * ENTRY..)
                .is_some_and(|entry| entry.starts_with(name))
        };
        if is_at(1, b".          ") && is_at(3, b"..         ") {
            dots.copy_within(ENTRY..2 * ENTRY, 0);
            dots.copy_within(3 * ENTRY.., ENTRY);
            for entry in dots.chunks_exact_mut(ENTRY).skip(2) {
                entry.fill(0);
                entry.iter_mut().take(1).for_each(|first| *first = DELETED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn loader() -> EfiLoader {
        EfiLoader {
            first: vec![1; 950_000],
            grub: vec![2; 2_600_000],
            mok_manager: None,
            vendors: vec!["debian".into(), "some-vendor".into()],
        }
    }

    #[test]
    fn every_file_is_read_back_whole() {
        let image = build(&loader(), "stub", 7).unwrap();
        let fs = FileSystem::new(Cursor::new(image), FsOptions::new()).unwrap();
        assert_eq!(fs.volume_id(), 7);
        let read = |path: &str| {
            let mut bytes = Vec::new();
            fs.root_dir()
                .open_file(path)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        };
        assert_eq!(read("EFI/BOOT/BOOTX64.EFI"), loader().first);
        assert_eq!(read("EFI/BOOT/grubx64.efi"), loader().grub);
        for dir in ["BOOT", "debian", "some-vendor"] {
            assert_eq!(read(&format!("EFI/{dir}/grub.cfg")), b"stub");
        }
    }

    #[test]
    fn large_loader_makes_a_larger_image() {
        let large = EfiLoader {
            first: vec![0; 20 << 20],
            ..loader()
        };
        let image = build(&large, "", 0).unwrap();
        assert!(image.len() > 22 << 20);
        assert_eq!(image.len() % (1 << 20), 0);
    }

    #[test]
    fn same_input_gives_the_same_bytes() {
        assert!(build(&loader(), "stub", 7).unwrap() == build(&loader(), "stub", 7).unwrap());
    }
}
