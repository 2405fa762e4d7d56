//! Disk layouts of the boot device: which partitions a Fedora CoreOS disk of an architecture has.
//!
//! Sizes and type GUIDs are those of Fedora CoreOS images, as the project documents them
//! (docs.fedoraproject.org, "Configuring Storage", and the UEFI, GRUB and PReP partition types).

/// The layouts that `boot_device.layout` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    X86_64,
    Aarch64,
    Ppc64le,
    Eckd,
    Zfcp,
    Virt,
}

/// One partition of a mirrored boot disk; its label ends in the number of the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partition {
    pub(super) label: &'static str,
    /// `None`: the rest of the disk.
    pub(super) size_mib: Option<i64>,
    pub(super) type_guid: Option<&'static str>,
}

const fn partition(label: &'static str, size: i64, type_guid: &'static str) -> Partition {
    Partition {
        label,
        size_mib: Some(size),
        type_guid: Some(type_guid),
    }
}

/// Keeps the number of a partition that other architectures have and this one has not.
const RESERVED: Partition = partition("reserved", 1, "8DA63339-0007-60C0-C436-083AC8230908");
const BIOS: Partition = partition("bios", 1, "21686148-6449-6E6F-744E-656564454649");
const PREP: Partition = partition("prep", 4, "9E1A2D38-C612-4316-AA26-8B49521E5A8B");
pub(super) const ESP: Partition = partition("esp", 127, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
pub(super) const BOOT: Partition = Partition {
    label: "boot",
    size_mib: Some(384),
    type_guid: None,
};
pub(super) const ROOT: Partition = Partition {
    label: "root",
    size_mib: None,
    type_guid: None,
};

impl Layout {
    /// The layout of a name, if the fcos variant `1.{fcos}` knows it.
    pub(super) fn find(name: &str, fcos: u8) -> Option<Self> {
        let layout = match name {
            "x86_64" => Self::X86_64,
            "aarch64" => Self::Aarch64,
            "ppc64le" => Self::Ppc64le,
            "s390x-eckd" => Self::Eckd,
            "s390x-zfcp" => Self::Zfcp,
            "s390x-virt" => Self::Virt,
            _ => return None,
        };
        (fcos >= 6 || !layout.is_s390x()).then_some(layout)
    }

    /// The names that the fcos variant `1.{fcos}` knows, for messages.
    pub(super) fn names(fcos: u8) -> &'static str {
        if fcos >= 6 {
            "`aarch64`, `ppc64le`, `s390x-eckd`, `s390x-virt`, `s390x-zfcp`, `x86_64`"
        } else {
            "`aarch64`, `ppc64le`, `x86_64`"
        }
    }

    pub(super) fn is_s390x(self) -> bool {
        matches!(self, Self::Eckd | Self::Zfcp | Self::Virt)
    }

    /// The partitions of each disk of a mirror, in their order on the disk.
    pub(super) fn partitions(self) -> [Partition; 4] {
        let first = match self {
            Self::X86_64 => BIOS,
            Self::Ppc64le => PREP,
            Self::Aarch64 | Self::Eckd | Self::Zfcp | Self::Virt => RESERVED,
        };
        let second = if self.has_esp() { ESP } else { RESERVED };
        [first, second, BOOT, ROOT]
    }

    pub(super) fn has_esp(self) -> bool {
        matches!(self, Self::X86_64 | Self::Aarch64)
    }

    /// How the names of the whole disks begin on which the layout can be, and which of their
    /// partitions is root, for layouts that must be told the disk.
    pub(super) fn disk(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Eckd => Some(("/dev/dasd", "2")),
            Self::Zfcp => Some(("/dev/sd", "4")),
            _ => None,
        }
    }
}
