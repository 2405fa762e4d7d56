//! The firmware that a machine starts with, and the files that Debian's `ovmf` keeps it in.
//!
//! UEFI variables are a private copy for each machine: boot entries of one never reach another.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What runs before the boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// PC BIOS.
    SeaBios,
    /// UEFI without Secure Boot.
    Ovmf,
    /// UEFI with Microsoft's keys enrolled and Secure Boot on.
    OvmfSecureBoot,
}

const DIRECTORY: &str = "/usr/share/OVMF";

impl Firmware {
    /// Arguments for QEMU; for UEFI the variables are copied to `vars` unless they are there.
    pub(super) fn arguments(self, vars: &Path) -> Result<Vec<OsString>> {
        let (code, template) = match self {
            Self::SeaBios => return Ok(vec!["-machine".into(), "q35".into()]),
            Self::Ovmf => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            Self::OvmfSecureBoot => ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
        };
        let template = Path::new(DIRECTORY).join(template);
        if !vars.exists() {
            std::fs::copy(&template, vars)
                .with_context(|| format!("copying {} (package ovmf)", template.display()))?;
        }
        let mut arguments: Vec<OsString> = vec!["-machine".into()];
        if self == Self::OvmfSecureBoot {
            arguments.extend(
                [
                    "q35,smm=on",
                    "-global",
                    "driver=cfi.pflash01,property=secure,value=on",
                ]
                .map(Into::into),
            );
        } else {
            arguments.push("q35".into());
        }
        let code: PathBuf = Path::new(DIRECTORY).join(code);
        for (unit, mode, file) in [(0, ",readonly=on", code.as_path()), (1, "", vars)] {
            arguments.push("-drive".into());
            arguments.push(
                format!(
                    "if=pflash,format=raw,unit={unit}{mode},file={}",
                    file.display()
                )
                .into(),
            );
        }
        Ok(arguments)
    }
}
