//! The firmware of this machine: a boot option for an installed system, placed first. UEFI only;
//! variables are written directly, so that nothing needs to be installed for it.

mod load_option;
mod loader;
#[cfg(test)]
mod tests;
mod variables;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{AccessFlags, access};
use uuid::Uuid;

use crate::disk::content::Glance;
use crate::disk::table::{self, Label};
use crate::disk::{SectorSize, TargetError, Window, sector_size_of};

use load_option::FilePath;
pub use load_option::LoadOption;
use variables::Variables;

/// Exists on machines that UEFI firmware started.
const EFI: &str = "/sys/firmware/efi";
/// Where efivarfs is mounted, below it.
const VARIABLES: &str = "efivars";
/// GUID of the type of EFI system partitions.
const ESP: Uuid = Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);

/// Why a boot option could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirmwareError {
    /// BIOS, or a boot loader that hides the firmware.
    #[error("this machine was not started by UEFI firmware; only that has boot entries")]
    NotUefi,
    /// efivarfs is not mounted.
    #[error("the firmware's variables are not mounted at {}", dir.display())]
    NoVariables {
        /// Where they should be.
        dir: PathBuf,
    },
    /// efivarfs is mounted read-only, or the caller may not write.
    #[error("the firmware's variables in {} cannot be written", dir.display())]
    ReadOnly {
        /// Where they are.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A variable cannot be read or written.
    #[error("cannot access the firmware's variable {name}")]
    Variable {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// All numbers are taken.
    #[error("the firmware has no room for another boot entry")]
    Full,
    /// The disk cannot be opened.
    #[error("the disk cannot be read")]
    Target(#[source] TargetError),
    /// The disk cannot be read.
    #[error("cannot read the EFI system partition of {}", disk.display())]
    Disk {
        /// The disk.
        disk: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk has nothing that UEFI firmware could start.
    #[error("{} has no EFI system partition", disk.display())]
    NoPartition {
        /// The disk.
        disk: PathBuf,
    },
    /// The EFI system partition has no loader for this architecture.
    #[error("the EFI system partition of {} has no boot loader for this machine", disk.display())]
    NoLoader {
        /// The disk.
        disk: PathBuf,
    },
}

/// A boot option that was placed first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootEntry {
    /// Its number.
    pub number: u16,
    /// What the firmware's menu shows.
    pub name: String,
    /// The program that it starts.
    pub file: String,
}

/// UEFI firmware whose variables can be written.
#[derive(Clone, Debug)]
pub struct Firmware {
    variables: Variables,
}

impl Firmware {
    /// That of this machine.
    pub fn of_this_machine() -> Result<Self, FirmwareError> {
        Self::below(Path::new(EFI))
    }

    fn below(efi: &Path) -> Result<Self, FirmwareError> {
        if !efi.exists() {
            return Err(FirmwareError::NotUefi);
        }
        let dir = efi.join(VARIABLES);
        let mounted = std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        if !mounted {
            return Err(FirmwareError::NoVariables { dir });
        }
        match access(&dir, AccessFlags::W_OK) {
            Ok(()) => Ok(Self {
                variables: Variables::new(&dir),
            }),
            Err(errno) => Err(FirmwareError::ReadOnly {
                dir,
                source: errno.into(),
            }),
        }
    }

    /// Makes an option for the system on `disk`, a block device, and places it first. One that
    /// starts the same program is used again. The option is there before the order names it.
    pub fn boot_first(&self, disk: &Path) -> Result<BootEntry, FirmwareError> {
        let sector = sector_size_of(disk).map_err(FirmwareError::Target)?;
        self.boot_first_of(disk, sector)
    }

    fn boot_first_of(&self, disk: &Path, sector: SectorSize) -> Result<BootEntry, FirmwareError> {
        let (path, name) = loader_of(disk, sector)?;
        let encoded = path.encode().ok_or_else(|| FirmwareError::NoLoader {
            disk: disk.to_owned(),
        })?;
        let known = self.variables.boot_options()?;
        let same = known.iter().find(|(_, data)| {
            LoadOption::decode(data).is_some_and(|option| option.path == encoded)
        });
        let number = match same {
            Some((number, _)) => *number,
            None => (0..=u16::MAX)
                .find(|number| !known.iter().any(|(taken, _)| taken == number))
                .ok_or(FirmwareError::Full)?,
        };
        let option = LoadOption::new(&name, encoded);
        let data = option.encode().ok_or(FirmwareError::Full)?;
        self.variables.set_boot_option(number, &data)?;
        let mut order = self.variables.boot_order()?;
        order.retain(|other| *other != number);
        order.insert(0, number);
        self.variables.set_boot_order(&order)?;
        Ok(BootEntry {
            number,
            name: option.description,
            file: path.file,
        })
    }
}

/// The program that starts the system on `disk`, and its name.
fn loader_of(disk: &Path, sector: SectorSize) -> Result<(FilePath, String), FirmwareError> {
    let at = |source| FirmwareError::Disk {
        disk: disk.to_owned(),
        source,
    };
    let file = Arc::new(File::open(disk).map_err(at)?);
    let whole = Window::whole(Arc::clone(&file)).map_err(at)?;
    let glance = Glance {
        file: file.try_clone().map_err(at)?,
        len: whole.len(),
        sector,
    };
    let nothing = || FirmwareError::NoPartition {
        disk: disk.to_owned(),
    };
    let Label::Gpt(table) = table::read(&glance).map_err(at)? else {
        return Err(nothing());
    };
    let (&number, entry) = table
        .entries
        .iter()
        .find(|(_, entry)| Uuid::from_bytes_le(entry.kind) == ESP)
        .ok_or_else(nothing)?;
    let window = table
        .partitions()
        .find(|partition| partition.number == number)
        .and_then(|partition| whole.part(partition.start, partition.length))
        .ok_or_else(nothing)?;
    let found = loader::find(window).map_err(at)?;
    let found = found.ok_or_else(|| FirmwareError::NoLoader {
        disk: disk.to_owned(),
    })?;
    let path = FilePath {
        partition: number,
        start: entry.first,
        sectors: (entry.last - entry.first).saturating_add(1),
        guid: entry.guid,
        file: found.file,
    };
    Ok((path, found.name))
}
