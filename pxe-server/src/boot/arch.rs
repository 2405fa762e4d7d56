//! Client system architectures as firmware names them in DHCP option 93 (RFC 4578 section 2.1 and
//! IANA's "processor architecture types"), reduced to what decides the boot program.

use serde::{Deserialize, Serialize};

/// Firmware families that a boot program exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// PC BIOS with a PXE ROM.
    Bios,
    /// UEFI on x86-64.
    UefiX64,
    /// UEFI on 64-bit ARM.
    UefiArm64,
}

impl Firmware {
    /// The name used in `site.yaml` and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::UefiX64 => "uefi-x64",
            Self::UefiArm64 => "uefi-arm64",
        }
    }

    /// The processors that it runs on.
    pub fn arch(self) -> Arch {
        match self {
            Self::Bios | Self::UefiX64 => Arch::X86_64,
            Self::UefiArm64 => Arch::Aarch64,
        }
    }
}

/// Processor architectures, by the names that media and kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arch {
    /// 64-bit PC.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit ARM.
    #[serde(rename = "aarch64")]
    Aarch64,
}

impl Arch {
    /// Reads the usual names. An iPXE built for PC BIOS says `i386` on 64-bit machines as well.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "x86_64" | "amd64" | "i386" => Some(Self::X86_64),
            "aarch64" | "arm64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The name that is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

/// How the firmware wants to load its boot program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// PXE: a file name, loaded by TFTP.
    Pxe,
    /// UEFI HTTP boot: a URL.
    Http,
}

/// A known client architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientArch {
    /// Firmware family.
    pub firmware: Firmware,
    /// PXE or HTTP boot.
    pub transport: Transport,
}

impl ClientArch {
    /// The meaning of one option 93 number; `None` for those that no boot program is kept for.
    ///
    /// 9 is registered as EBC, yet Apple and VMware firmware send it for x86-64.
    pub fn from_wire(number: u16) -> Option<Self> {
        let (firmware, transport) = match number {
            0 => (Firmware::Bios, Transport::Pxe),
            7 | 9 => (Firmware::UefiX64, Transport::Pxe),
            11 => (Firmware::UefiArm64, Transport::Pxe),
            16 => (Firmware::UefiX64, Transport::Http),
            19 => (Firmware::UefiArm64, Transport::Http),
            _ => return None,
        };
        Some(Self {
            firmware,
            transport,
        })
    }
}
