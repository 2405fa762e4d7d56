//! What an install changes on the boot partition: the machine's Ignition config, kernel
//! arguments, platform, consoles, first-boot network arguments and network keyfiles.
//!
//! Edits a directory; whoever calls has mounted the partition there (`disk::mount`). The layout is
//! that of CoreOS-style images: BLS entries, `ignition.firstboot`, `coreos/platforms.json`.

mod bls;
mod console;
mod grub;
mod network;
mod platforms;
mod root;
mod stamp;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use embed::contract::boot;
use embed::ignition::Config;
use embed::kargs::{Edit, KargsError};

pub use console::{Console, ConsoleError};
pub use network::{Keyfile, Keyfiles};
pub use stamp::{FirstbootArgs, FirstbootArgsError};

use bls::Entry;
use platforms::ConsoleSettings;
use root::BootRoot;

/// The platform that images are built for.
const METAL: &str = "metal";

/// The edits; [`FirstBoot::default`] changes nothing.
#[derive(Clone, Debug, Default)]
pub struct FirstBoot {
    /// Config to put at `ignition/config.ign`.
    pub ignition: Option<Config>,
    /// Ignition platform ID; `metal` changes nothing.
    pub platform: Option<String>,
    /// Consoles of kernel and GRUB; they replace those of the platform.
    pub consoles: Vec<Console>,
    /// Network arguments of the first boot only.
    pub firstboot_args: Option<FirstbootArgs>,
    /// Arguments to add and delete in the default boot entry.
    pub kargs: Edit,
    /// NetworkManager keyfiles that the first boot applies before Ignition runs.
    pub network: Keyfiles,
}

/// What to do about a config or keyfiles that were embedded earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// As in an image that comes from a build: there is no config, and keyfiles are added.
    Add,
    /// Refuse.
    Refuse,
    /// Put the new ones in their place (`--force`).
    Replace,
}

/// Why a boot partition could not be edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FirstBootError {
    /// Reading or writing failed, or the path leaves the boot partition.
    #[error("cannot edit {path} on the boot partition")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file that CoreOS-style images have is missing.
    #[error("image has no {path}")]
    NotThere {
        /// The file.
        path: PathBuf,
    },
    /// `loader/entries` holds no boot entry.
    #[error("image has no boot entry in {path}")]
    NoEntry {
        /// The directory.
        path: PathBuf,
    },
    /// The boot entry has no `options` line, or several.
    #[error("boot entry {path} has {found} `options` lines instead of one")]
    OptionsLine {
        /// The entry.
        path: PathBuf,
        /// Lines found.
        found: usize,
    },
    /// The boot entry names no initramfs.
    #[error("boot entry {path} has {found} `initrd` lines instead of one")]
    InitrdLine {
        /// The entry.
        path: PathBuf,
        /// Lines found.
        found: usize,
    },
    /// The boot entry is not for platform `metal`.
    #[error("boot entry {path} does not have the kernel argument `{want}`")]
    Platform {
        /// The entry.
        path: PathBuf,
        /// The argument that would be replaced.
        want: String,
    },
    /// A kernel argument edit does not fit the entry.
    #[error("cannot edit the kernel arguments of {path}")]
    Kargs {
        /// The entry.
        path: PathBuf,
        /// The cause.
        #[source]
        source: KargsError,
    },
    /// The platform table is not what it should be.
    #[error("cannot read the platform table {path}")]
    PlatformTable {
        /// The table.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// GRUB's configuration has no place for console commands.
    #[error("{path} has no CONSOLE-SETTINGS block")]
    NoConsoleBlock {
        /// The file.
        path: PathBuf,
    },
    /// Ignition ran already, and would not see a new config.
    #[error("the system was booted already")]
    Booted,
    /// There is a config.
    #[error("the system already has an embedded Ignition config")]
    ConfigThere,
    /// There are keyfiles.
    #[error("the system already has embedded network settings")]
    NetworkThere,
    /// The keyfiles could not be packed.
    #[error("cannot pack the network keyfiles")]
    Pack(#[source] io::Error),
}

impl FirstBoot {
    /// Whether there is nothing to do, so that the partition need not be mounted.
    pub fn is_empty(&self) -> bool {
        self.ignition.is_none()
            && !self.changes_platform()
            && self.consoles.is_empty()
            && self.firstboot_args.is_none()
            && self.kargs.is_empty()
            && self.network.is_empty()
    }

    /// Applies the edits to the boot partition mounted at `root`. Each file is replaced
    /// atomically and flushed.
    pub fn apply(&self, root: &Path) -> Result<(), FirstBootError> {
        self.edit(&BootRoot::open(root)?, Existing::Add)
    }

    /// Applies the edits to the boot partition of a system that was written earlier. It must not
    /// have been booted yet: Ignition runs once.
    pub fn apply_later(&self, root: &Path, existing: Existing) -> Result<(), FirstBootError> {
        let root = BootRoot::open(root)?;
        if !root.is_file(boot::FIRSTBOOT)? {
            return Err(FirstBootError::Booted);
        }
        self.edit(&root, existing)
    }

    fn edit(&self, root: &BootRoot, existing: Existing) -> Result<(), FirstBootError> {
        if let Some(config) = &self.ignition {
            root.make_dir("ignition", 0o700)?;
            match existing {
                Existing::Add => root.create(boot::CONFIG, config.bytes(), 0o600)?,
                _ if !root.is_file(boot::CONFIG)? => {
                    root.create(boot::CONFIG, config.bytes(), 0o600)?;
                }
                Existing::Replace => root.replace(boot::CONFIG, config.bytes())?,
                Existing::Refuse => return Err(FirstBootError::ConfigThere),
            }
        }
        if let Some(platform) = self.platform.as_deref().filter(|_| self.changes_platform()) {
            Entry::default_of(root)?
                .set_platform(METAL, platform)?
                .store(root)?;
        }
        if let Some(settings) = self.console_settings(root)? {
            Entry::default_of(root)?
                .edit(&settings.kargs)?
                .store(root)?;
            grub::write_console_block(root, &settings.grub_commands)?;
        }
        if let Some(args) = &self.firstboot_args {
            args.append_to_stamp(root)?;
        }
        if !self.kargs.is_empty() {
            Entry::default_of(root)?.edit(&self.kargs)?.store(root)?;
        }
        if !self.network.is_empty() {
            self.network.append_to_initramfs(root, existing)?;
        }
        Ok(())
    }

    fn changes_platform(&self) -> bool {
        self.platform
            .as_deref()
            .is_some_and(|platform| platform != METAL)
    }

    fn console_settings(&self, root: &BootRoot) -> Result<Option<ConsoleSettings>, FirstBootError> {
        if self.consoles.is_empty() && !self.changes_platform() {
            return Ok(None);
        }
        let table = platforms::Table::read(root)?;
        Ok(if self.consoles.is_empty() {
            table.switch(METAL, self.platform.as_deref().unwrap_or(METAL))
        } else {
            Some(table.explicit(METAL, &self.consoles))
        })
    }
}
