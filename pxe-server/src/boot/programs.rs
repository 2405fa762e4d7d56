//! The boot programs of a site and the names under which machines ask for them.
//!
//! A name is `boot/MAC/FILE`, the same in TFTP and HTTP: the machine's address in the path tells
//! whose transfer it is without a look at ARP tables or leases, also behind a relay.

use std::path::PathBuf;

use crate::boot::Firmware;
use crate::mac::MacAddr;

/// The script that iPXE looks for beside the program it was loaded from.
pub const AUTOEXEC: &str = "autoexec.ipxe";

/// Boot programs by firmware: plain file names in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Directory that holds the files.
    pub dir: PathBuf,
    /// For PC BIOS.
    pub bios: Option<String>,
    /// For UEFI on x86-64.
    pub uefi_x64: Option<String>,
    /// For UEFI on 64-bit ARM.
    pub uefi_arm64: Option<String>,
}

/// What the first stage of a boot needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstStage {
    /// Network boot programs.
    pub programs: Programs,
    /// User classes by which iPXE is known.
    pub ipxe_user_classes: Vec<String>,
}

/// What a requested name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootFile {
    /// The generated [`AUTOEXEC`] script.
    Autoexec,
    /// A boot program, at this path.
    Program(PathBuf),
}

impl Programs {
    /// The program for `firmware`, if the site has one.
    pub fn name(&self, firmware: Firmware) -> Option<&str> {
        match firmware {
            Firmware::Bios => self.bios.as_deref(),
            Firmware::UefiX64 => self.uefi_x64.as_deref(),
            Firmware::UefiArm64 => self.uefi_arm64.as_deref(),
        }
    }

    /// All configured programs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.bios, &self.uefi_x64, &self.uefi_arm64]
            .into_iter()
            .filter_map(Option::as_deref)
    }

    /// Resolves a requested path: `FILE`, `boot/FILE` or `boot/MAC/FILE`, where FILE is one of
    /// [`Programs::names`] or [`AUTOEXEC`]. Anything else is `None`: no path given by a client
    /// ever reaches the file system.
    pub fn resolve(&self, path: &str) -> Option<(Option<MacAddr>, BootFile)> {
        let mut parts: Vec<&str> = path
            .split(['/', '\\'])
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        let file = parts.pop()?;
        let mac = match parts.as_slice() {
            [] | ["boot"] => None,
            ["boot", mac] => Some(mac.parse().ok()?),
            _ => return None,
        };
        if file.eq_ignore_ascii_case(AUTOEXEC) {
            return Some((mac, BootFile::Autoexec));
        }
        let name = self.names().find(|name| *name == file)?;
        Some((mac, BootFile::Program(self.dir.join(name))))
    }
}

/// The name under which `mac` asks for `file`.
pub fn boot_path(mac: MacAddr, file: &str) -> String {
    format!("boot/{}/{file}", mac.dashed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs() -> Programs {
        Programs {
            dir: "/p".into(),
            bios: Some("undionly.kpxe".into()),
            uefi_x64: Some("ipxe.efi".into()),
            uefi_arm64: None,
        }
    }

    #[test]
    fn names_resolve_with_and_without_machine() {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let program = BootFile::Program("/p/ipxe.efi".into());
        assert_eq!(
            programs().resolve(&boot_path(mac, "ipxe.efi")),
            Some((Some(mac), program.clone()))
        );
        for name in [
            "ipxe.efi",
            "/ipxe.efi",
            "./ipxe.efi",
            "\\ipxe.efi",
            "boot//ipxe.efi",
        ] {
            assert_eq!(
                programs().resolve(name),
                Some((None, program.clone())),
                "{name}"
            );
        }
        assert_eq!(
            programs().resolve("boot/02-00-00-00-00-01/autoexec.ipxe"),
            Some((Some(mac), BootFile::Autoexec))
        );
    }

    #[test]
    fn nothing_but_configured_names_resolves() {
        for name in [
            "",
            "/",
            "../ipxe.efi",
            "boot/../ipxe.efi",
            "/etc/passwd",
            "p/ipxe.efi",
            "boot/x/ipxe.efi",
            "snponly.efi",
            "boot/02-00-00-00-00-01/a/ipxe.efi",
        ] {
            assert_eq!(programs().resolve(name), None, "{name}");
        }
    }
}
