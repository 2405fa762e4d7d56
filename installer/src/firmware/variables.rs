//! The firmware's variables as efivarfs shows them: a file each, four bytes of attributes before
//! the data (Linux `Documentation/filesystems/efivarfs.rst`).

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::FirmwareError;
use crate::disk::sys;

/// EFI_GLOBAL_VARIABLE (UEFI 2.10 section 3.3).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// NON_VOLATILE, BOOTSERVICE_ACCESS, RUNTIME_ACCESS.
const ATTRIBUTES: [u8; 4] = [7, 0, 0, 0];
/// Largest variable that is read, bytes.
const MAX_BYTES: u64 = 64 * 1024;
const ORDER: &str = "BootOrder";

/// A directory of variables.
#[derive(Clone, Debug)]
pub(super) struct Variables {
    dir: PathBuf,
}

impl Variables {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Numbers and data of the boot options, by number.
    pub(super) fn boot_options(&self) -> Result<Vec<(u16, Vec<u8>)>, FirmwareError> {
        let listed = fs::read_dir(&self.dir).map_err(|source| FirmwareError::Variable {
            name: "Boot####".to_owned(),
            source,
        })?;
        let mut options = Vec::new();
        for entry in listed {
            let entry = entry.map_err(|source| FirmwareError::Variable {
                name: "Boot####".to_owned(),
                source,
            })?;
            let name = entry.file_name();
            if let Some(number) = name.to_str().and_then(number_of)
                && let Some(data) = self.read(&option_name(number))?
            {
                options.push((number, data));
            }
        }
        options.sort_unstable();
        Ok(options)
    }

    /// The order in which the firmware tries the options.
    pub(super) fn boot_order(&self) -> Result<Vec<u16>, FirmwareError> {
        let data = self.read(ORDER)?.unwrap_or_default();
        let pairs = data.chunks_exact(2).filter_map(|pair| pair.first_chunk());
        Ok(pairs.map(|pair| u16::from_le_bytes(*pair)).collect())
    }

    pub(super) fn set_boot_order(&self, order: &[u16]) -> Result<(), FirmwareError> {
        let data: Vec<u8> = order.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.write(ORDER, &data)
    }

    pub(super) fn set_boot_option(&self, number: u16, data: &[u8]) -> Result<(), FirmwareError> {
        self.write(&option_name(number), data)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-{GLOBAL}"))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FirmwareError> {
        let at = |source| FirmwareError::Variable {
            name: name.to_owned(),
            source,
        };
        let file = match File::open(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(at)?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(at)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(at(io::ErrorKind::FileTooLarge.into()));
        }
        Ok(bytes.get(ATTRIBUTES.len()..).map(<[u8]>::to_vec))
    }

    /// Sets a variable: all of it in one system call, as the firmware takes it.
    fn write(&self, name: &str, data: &[u8]) -> Result<(), FirmwareError> {
        let path = self.path(name);
        let bytes = [&ATTRIBUTES, data].concat();
        let written = || {
            let immutable = Unlocked::open(&path)?;
            let mut file = File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)?;
            if file.write(&bytes)? < bytes.len() {
                return Err(io::ErrorKind::WriteZero.into());
            }
            drop(immutable);
            Ok(())
        };
        written().map_err(|source| FirmwareError::Variable {
            name: name.to_owned(),
            source,
        })
    }
}

/// A file whose immutable flag is off for a while: Linux sets it on variables that some firmware
/// does not survive losing.
struct Unlocked(Option<File>);

impl Unlocked {
    fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(None)),
            opened => opened?,
        };
        // A file system without such flags has nothing to take off.
        if !sys::is_immutable(&file).unwrap_or(false) {
            return Ok(Self(None));
        }
        sys::set_immutable(&file, false)?;
        Ok(Self(Some(file)))
    }
}

impl Drop for Unlocked {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = sys::set_immutable(file, true);
        }
    }
}

fn option_name(number: u16) -> String {
    format!("Boot{number:04X}")
}

fn number_of(file: &str) -> Option<u16> {
    let digits = file
        .strip_suffix(GLOBAL)?
        .strip_suffix('-')?
        .strip_prefix("Boot")?;
    let hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    (digits.len() == 4 && digits.bytes().all(hex))
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}
