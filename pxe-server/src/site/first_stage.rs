//! Where DHCP, TFTP and HTTP boot take boot programs from: the site that is served, or the same
//! ones all the time where there is no site.

use std::path::PathBuf;
use std::sync::Arc;

use super::file::IpxeFile;
use super::{CurrentSite, DhcpMode, SiteError, UnknownMachines, check, subnets};
use crate::boot::{FirstStage, Programs};
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
        let first_stage = first_stage(IpxeFile::default(), subnets::ipxe(), PathBuf::new());
        Self::Fixed(Arc::new(first_stage))
    }

    /// Checks that the programs are there.
    pub fn check(&self) -> Result<(), SiteError> {
        let programs = &self.get().programs;
        check::programs(programs, &programs.dir)
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

/// What `ipxe` and `dhcp` of a site in `dir` ask for.
pub(super) fn first_stage(
    ipxe: IpxeFile,
    ipxe_user_classes: Vec<String>,
    dir: PathBuf,
) -> FirstStage {
    FirstStage {
        programs: Programs {
            dir: dir.join(&ipxe.dir),
            bios: ipxe.bios,
            uefi_x64: ipxe.uefi_x64,
            uefi_arm64: ipxe.uefi_arm64,
        },
        ipxe_user_classes,
    }
}
