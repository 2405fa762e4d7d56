//! What machines are made from: the reference OS and the live media built from it.
//!
//! Building needs the network (Debian packages) and so happens before a process isolates itself.
//! The reference OS is cached by the hash of its recipe (`examples/reference-os`); the media are
//! built anew, since the programs under test are among their ingredients.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use embed::manifest::Manifest;

use crate::programs::{self, program, repository};

/// Directories of artifacts, complete.
#[derive(Clone, Debug)]
pub struct Artifacts {
    os: PathBuf,
    media: PathBuf,
    manifest: Manifest,
}

impl Artifacts {
    /// The artifacts below `directory`, as [`build_os`] and [`build_media`] left them.
    pub fn open(directory: &Path) -> Result<Self> {
        let (os, media) = (directory.join("os"), directory.join("media"));
        let path = media.join("manifest.json");
        let json = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest =
            Manifest::parse(&json).with_context(|| format!("reading {}", path.display()))?;
        let artifacts = Self {
            os,
            media,
            manifest,
        };
        for file in [
            artifacts.cloud_disk(),
            artifacts.kernel(),
            artifacts.initramfs(),
            artifacts.iso()?,
        ] {
            ensure!(file.exists(), "{} is missing", file.display());
        }
        Ok(artifacts)
    }

    /// The OS image as a cloud has it: raw, platform `qemu`.
    pub fn cloud_disk(&self) -> PathBuf {
        self.os.join("qemu.raw")
    }

    /// Directory of the live media; holds `manifest.json`.
    pub fn media(&self) -> &Path {
        &self.media
    }

    /// What the media builder says it made.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The live kernel.
    pub fn kernel(&self) -> PathBuf {
        self.media.join(&self.manifest.kernel.file)
    }

    /// The live initramfs.
    pub fn initramfs(&self) -> PathBuf {
        self.media.join(&self.manifest.initramfs.file)
    }

    /// The live ISO.
    pub fn iso(&self) -> Result<PathBuf> {
        let iso = self
            .manifest
            .iso
            .as_ref()
            .context("the media were built without an ISO")?;
        Ok(self.media.join(&iso.file))
    }
}

/// What the reference OS is built like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// As the toolkit wants it.
    Own,
    /// As somebody builds it who does not know the toolkit: without live module and our programs.
    Foreign,
    /// For disks with sectors of 4096 bytes.
    Sectors4096,
    /// A deployment of OSTree.
    OsTree,
    /// A deployment of OSTree by somebody who does not know the toolkit.
    ForeignOsTree,
}

impl Flavour {
    /// Name of its directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "artifacts",
            Self::Foreign => "foreign",
            Self::Sectors4096 => "sectors4096",
            Self::OsTree => "ostree",
            Self::ForeignOsTree => "foreign-ostree",
        }
    }

    /// Whether its media need the live module added.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Foreign | Self::ForeignOsTree)
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Own => &[],
            Self::Foreign => &["--without-live"],
            Self::Sectors4096 => &["--sector-size", "4096"],
            Self::OsTree => &["--ostree"],
            Self::ForeignOsTree => &["--ostree", "--without-live"],
        }
    }
}

/// Builds the reference OS into `DIRECTORY/os`; what it prints goes to `log`.
pub fn build_os(directory: &Path, flavour: Flavour, log: &Path) -> Result<()> {
    let mut command = Command::new(repository().join("examples/reference-os/build.sh"));
    command.args(flavour.arguments());
    command
        .arg("--out")
        .arg(directory.join("os"))
        .arg("--bin")
        .arg(programs::directory()?);
    run(command, "examples/reference-os/build.sh", log)
}

/// Writes the live module into `DIRECTORY`.
pub fn pack_module(directory: &Path, log: &Path) -> Result<PathBuf> {
    let module = directory.join("live-module.cpio");
    let mut command = Command::new(program("coreos-live")?);
    command.arg("pack-module").arg(&module);
    run(command, "coreos-live pack-module", log)?;
    Ok(module)
}

/// Builds the live media of the OS in `DIRECTORY/os` into `DIRECTORY/media`; an OS without the live
/// module needs `module`.
pub fn build_media(directory: &Path, module: Option<&Path>, log: &Path) -> Result<()> {
    let os = directory.join("os");
    let media = directory.join("media");
    if media.exists() {
        std::fs::remove_dir_all(&media).with_context(|| format!("emptying {}", media.display()))?;
    }
    let mut command = Command::new(program("iso-builder")?);
    command
        .arg("build")
        .arg("--image")
        .arg(os.join("metal.raw.zst"));
    command
        .arg("--keyring")
        .arg(os.join("signing-key.gpg"))
        .arg("--output")
        .arg(&media);
    if let Some(module) = module {
        command.arg("--live-module").arg(module);
    }
    run(command, "iso-builder build", log)
}

/// Runs `command` with its output in `log`; a failure shows the log's end.
pub fn run(mut command: Command, name: &str, log: &Path) -> Result<()> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening {}", log.display()))?;
    let status = command
        .stdin(std::process::Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| format!("running {name}"))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default()
            .join("\n  | ");
        bail!(
            "`{name}` failed ({status}); the end of {}:\n  | {tail}",
            log.display()
        );
    }
    Ok(())
}
