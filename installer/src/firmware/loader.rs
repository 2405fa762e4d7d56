//! Which program on an EFI system partition starts the system, and what its vendor calls it: by the
//! file that shim's fallback program reads, else by the usual names.

use std::io::{self, Read as _};

use fatfs::{FileSystem, FsOptions};

use crate::disk::Window;

type Dir<'a> = fatfs::Dir<'a, Window>;

/// The removable-media loader, for which no vendor's name is known, is called this.
const NAMELESS: &str = "CoreOS";
/// Most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 64;
/// Largest `BOOT*.CSV` that is read, bytes.
const MAX_CSV: u64 = 4096;

/// How UEFI 2.10 section 3.5.1.1 and vendors abbreviate this machine's architecture.
const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "aa64"
} else {
    "x64"
};

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loader {
    /// Path with backslashes, from the root of the partition.
    pub(super) file: String,
    /// What to call it.
    pub(super) name: String,
}

/// Finds the loader; `None` if there is none for this architecture.
pub(super) fn find(esp: Window) -> io::Result<Option<Loader>> {
    let fs = FileSystem::new(esp, FsOptions::new())?;
    let root = fs.root_dir();
    let Some(efi) = name_in(&root, "EFI")? else {
        return Ok(None);
    };
    let dir = root.open_dir(&efi)?;
    let mut vendors = Vec::new();
    for entry in dir.iter().take(MAX_ENTRIES) {
        let entry = entry?;
        let name = entry.file_name();
        if entry.is_dir() && !matches!(name.as_str(), "." | "..") {
            vendors.push(name);
        }
    }
    vendors.sort_unstable();
    // A vendor's own directory before the one for removable media.
    vendors.sort_by_key(|name| name.eq_ignore_ascii_case("BOOT"));
    for vendor in vendors {
        let files = dir.open_dir(&vendor)?;
        if let Some((file, name)) = in_directory(&files, &vendor)? {
            let file = format!("\\{efi}\\{vendor}\\{file}");
            return Ok(Some(Loader { file, name }));
        }
    }
    Ok(None)
}

/// File and name of the loader in a vendor's directory.
fn in_directory(files: &Dir<'_>, vendor: &str) -> io::Result<Option<(String, String)>> {
    let removable = vendor.eq_ignore_ascii_case("BOOT");
    if let Some(csv) = name_in(files, &format!("BOOT{ARCH}.CSV"))? {
        let mut bytes = Vec::new();
        files
            .open_file(&csv)?
            .take(MAX_CSV)
            .read_to_end(&mut bytes)?;
        if let Some((file, name)) = parse_csv(&bytes)
            && let Some(file) = name_in(files, &file)?
        {
            return Ok(Some((file, name)));
        }
    }
    let usual = match removable {
        true => vec![format!("BOOT{ARCH}.EFI")],
        false => vec![
            format!("shim{ARCH}.efi"),
            format!("grub{ARCH}.efi"),
            format!("systemd-boot{ARCH}.efi"),
        ],
    };
    let name = if removable { NAMELESS } else { vendor };
    for file in usual {
        if let Some(file) = name_in(files, &file)? {
            return Ok(Some((file, name.to_owned())));
        }
    }
    Ok(None)
}

/// The name of an entry as the directory spells it.
fn name_in(dir: &Dir<'_>, name: &str) -> io::Result<Option<String>> {
    for entry in dir.iter().take(MAX_ENTRIES) {
        let found = entry?.file_name();
        if found.eq_ignore_ascii_case(name) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// File and name out of the first line of UTF-16: `FILE,NAME,ARGUMENTS,COMMENT`.
fn parse_csv(bytes: &[u8]) -> Option<(String, String)> {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk());
    let units: Vec<u16> = units.map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&units).ok()?;
    let line = text.trim_start_matches('\u{feff}').lines().next()?;
    let mut fields = line.split(',').map(str::trim);
    let (file, name) = (fields.next()?, fields.next()?);
    (!file.is_empty() && !file.contains(['\\', '/']) && !name.is_empty())
        .then(|| (file.to_owned(), name.to_owned()))
}
