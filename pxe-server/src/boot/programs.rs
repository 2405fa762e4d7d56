//! The boot programs of a site and the names under which machines ask for them.
//!
//! A name is `boot/MAC/FILE`, the same in TFTP and HTTP: the machine's address in the path tells
//! whose transfer it is without a look at ARP tables or leases, also behind a relay.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::boot::{Endpoint, Firmware, Schemes, Servers, grub};
use crate::mac::MacAddr;

/// The script that iPXE looks for beside the program it was loaded from.
pub const AUTOEXEC: &str = "autoexec.ipxe";

/// A boot program: a plain file name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Directory that holds the file.
    pub dir: PathBuf,
    /// Name of the file.
    pub file: String,
}

impl Program {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.join(&self.file)
    }
}

/// Boot programs by firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// For PC BIOS.
    pub bios: Option<Program>,
    /// For UEFI on x86-64.
    pub uefi_x64: Option<Program>,
    /// For UEFI on 64-bit ARM.
    pub uefi_arm64: Option<Program>,
    /// Whether some of them start GRUB.
    pub grub: bool,
}

/// A program with this in its name is a shim.
const SHIM: &str = "shim";

/// What shims load from beside themselves: GRUB or iPXE, MokManager, revocations.
const BESIDE_SHIM: [&str; 7] = [
    "grubx64.efi",
    "grubaa64.efi",
    "ipxe.efi",
    "snponly.efi",
    "mmx64.efi",
    "mmaa64.efi",
    "revocations.efi",
];

/// What the first stage of a boot needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstStage {
    /// Network boot programs.
    pub programs: Programs,
    /// User classes by which iPXE is known.
    pub ipxe_user_classes: Vec<String>,
    /// By which schemes this server is named.
    pub schemes: Schemes,
    /// All servers of the site, if there are several.
    pub servers: Vec<Ipv4Addr>,
}

impl FirstStage {
    /// The servers of the site, of which `own` answers a machine.
    pub fn servers(&self, own: Endpoint) -> Servers {
        Servers::new(own, &self.servers)
    }
}

/// What a requested name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootFile {
    /// The generated [`AUTOEXEC`] script.
    Autoexec,
    /// The generated [`grub::CONFIG`](crate::boot::grub::CONFIG) script.
    GrubConfig,
    /// A boot program, at this path.
    Program(PathBuf),
}

impl Programs {
    /// The name of the program for `firmware`, if the site has one.
    pub fn name(&self, firmware: Firmware) -> Option<&str> {
        let program = match firmware {
            Firmware::Bios => &self.bios,
            Firmware::UefiX64 => &self.uefi_x64,
            Firmware::UefiArm64 => &self.uefi_arm64,
        };
        program.as_ref().map(|program| program.file.as_str())
    }

    /// All configured programs.
    pub fn all(&self) -> impl Iterator<Item = &Program> {
        [&self.bios, &self.uefi_x64, &self.uefi_arm64]
            .into_iter()
            .flatten()
    }

    /// Where programs are, with what shims load beside them.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.all().map(|program| program.dir.as_path())
    }

    /// Resolves a requested path: `FILE`, `boot/FILE` or `boot/MAC/FILE`, where FILE is one of
    /// [`Programs::all`], what shim loads, or a generated script, and `DIR/grub.cfg`, whatever DIR
    /// a GRUB was built with. Anything else is `None`: no path given by a client ever reaches the file system.
    pub fn resolve(&self, path: &str) -> Option<(Option<MacAddr>, BootFile)> {
        let mut parts: Vec<&str> = path
            .split(['/', '\\'])
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        let file = parts.pop()?;
        if file == grub::CONFIG && self.grub {
            return Some((None, BootFile::GrubConfig));
        }
        let mac = match parts.as_slice() {
            [] | ["boot"] => None,
            ["boot", mac] => Some(mac.parse().ok()?),
            _ => return None,
        };
        if file.eq_ignore_ascii_case(AUTOEXEC) {
            return Some((mac, BootFile::Autoexec));
        }
        let path = self.all().find(|program| program.file == file);
        let path = path.map(Program::path).or_else(|| self.beside_shim(file))?;
        Some((mac, BootFile::Program(path)))
    }

    /// Where `file` is, if one of the shims loads it and it is there.
    fn beside_shim(&self, file: &str) -> Option<PathBuf> {
        let name = BESIDE_SHIM.iter().find(|name| **name == file)?;
        let shims = self.all().filter(|program| program.file.contains(SHIM));
        let mut beside = shims.map(|shim| shim.dir.join(name));
        beside.find(|path| path.is_file())
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
        let program = |file: &str| Program {
            dir: "/p".into(),
            file: file.into(),
        };
        Programs {
            bios: Some(program("undionly.kpxe")),
            uefi_x64: Some(program("ipxe.efi")),
            ..Programs::default()
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
            "grub/grub.cfg",
            "grubx64.efi",
        ] {
            assert_eq!(programs().resolve(name), None, "{name}");
        }
    }

    #[test]
    fn grub_finds_its_config_and_a_shim_what_it_loads() {
        let dir = tempfile::tempdir().unwrap();
        let beside = dir.path().join("grubx64.efi");
        std::fs::write(&beside, b"x").unwrap();
        let programs = Programs {
            uefi_x64: Some(Program {
                dir: dir.path().into(),
                file: "shimx64.efi".into(),
            }),
            grub: true,
            ..programs()
        };
        for name in [
            "grub/grub.cfg",
            "/EFI/fedora/grub.cfg",
            "boot/02-00-00-00-00-01/grub.cfg",
        ] {
            let found = Some((None, BootFile::GrubConfig));
            assert_eq!(programs.resolve(name), found, "{name}");
        }
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        for (name, mac) in [
            ("grubx64.efi", None),
            ("boot/02-00-00-00-00-01//grubx64.efi", Some(mac)),
        ] {
            let found = Some((mac, BootFile::Program(beside.clone())));
            assert_eq!(programs.resolve(name), found, "{name}");
        }
        for name in [
            "grub/grub.cfg-01-02-00-00-00-00-01",
            "gcdx64.efi",
            "mmx64.efi",
            "grub/x86_64-efi/tftp.mod",
        ] {
            assert_eq!(programs.resolve(name), None, "{name}");
        }
    }
}
