//! Where DHCP, TFTP and HTTP boot take boot programs from: the site that is served, or the same
//! ones all the time where there is no site.

use std::path::Path;
use std::sync::Arc;

use super::file::{GrubFile, IpxeFile};
use super::{CurrentSite, DhcpMode, SiteError, UnknownMachines, check, subnets};
use crate::boot::{FirstStage, Program, Programs, Schemes};
use crate::dhcp::Subnets;
use crate::machine::Subject;

/// Boot programs, and whom they are for.
#[derive(Clone, Debug)]
pub enum FirstStages {
    /// Those of the site.
    Site(CurrentSite),
    /// These.
    Fixed(Arc<FirstStage>),
}

impl FirstStages {
    /// Boot programs as Debian's `ipxe` package has them, for every machine.
    pub fn packaged() -> Self {
        Self::Fixed(Arc::new(FirstStage {
            programs: programs(IpxeFile::default(), None, Path::new("")),
            ipxe_user_classes: subnets::ipxe(),
            schemes: Schemes::default(),
            servers: Vec::new(),
        }))
    }

    /// Checks that the programs are there.
    pub fn check(&self) -> Result<(), SiteError> {
        check::programs(&self.get().programs, Path::new("site.yaml"))
    }

    /// The boot programs as they are now.
    pub fn get(&self) -> Arc<FirstStage> {
        match self {
            Self::Site(site) => site.get().first_stage.clone(),
            Self::Fixed(first_stage) => first_stage.clone(),
        }
    }

    /// The subnets that addresses are leased in.
    pub fn subnets(&self) -> Arc<Subnets> {
        match self {
            Self::Site(site) => site.get().subnets.clone(),
            Self::Fixed(_) => Arc::default(),
        }
    }

    /// Whether and how the site wants DHCP to be served.
    pub fn dhcp_mode(&self) -> DhcpMode {
        match self {
            Self::Site(site) => site.get().dhcp_mode,
            Self::Fixed(_) => DhcpMode::default(),
        }
    }

    /// Whether the machine is answered, as far as is known of it now.
    pub fn may_serve(&self, subject: impl FnOnce() -> Subject) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Site(site) => {
                let site = site.get();
                site.unknown_machines != UnknownMachines::Ignore || site.may_serve(&subject())
            }
        }
    }
}

/// What `ipxe` and `grub` of a site in `dir` ask for.
pub(super) fn programs(ipxe: IpxeFile, grub: Option<GrubFile>, dir: &Path) -> Programs {
    let ipxe_dir = dir.join(&ipxe.dir);
    let grub_dir = grub.as_ref().map(|grub| dir.join(&grub.dir));
    let program = |grub: Option<String>, ipxe: Option<String>| {
        let grub = grub_dir.clone().zip(grub);
        let (dir, file) = grub.or_else(|| Some((ipxe_dir.clone(), ipxe?)))?;
        Some(Program { dir, file })
    };
    let [bios, uefi_x64, uefi_arm64] = grub.map_or_else(Default::default, |grub| {
        [grub.bios, grub.uefi_x64, grub.uefi_arm64]
    });
    Programs {
        bios: program(bios, ipxe.bios),
        uefi_x64: program(uefi_x64, ipxe.uefi_x64),
        uefi_arm64: program(uefi_arm64, ipxe.uefi_arm64),
        grub: grub_dir.is_some(),
    }
}
