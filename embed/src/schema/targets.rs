//! Butane's variants and versions, and what each is translated to. Data only.

use super::Minor;

/// A distribution family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Fedora CoreOS.
    Fcos,
    /// Flatcar.
    Flatcar,
    /// OpenShift (MachineConfig).
    Openshift,
    /// RHEL for Edge.
    R4e,
    /// Fedora IoT.
    Fiot,
}

/// One version of one variant.
#[derive(Debug)]
pub struct Target {
    /// The variant.
    pub variant: Variant,
    /// The version, in full.
    pub version: &'static str,
    /// The Ignition spec that it is translated to; the base of fields is the same one's.
    pub minor: Minor,
    /// The fcos `1.N` that it is built on; none for variants that have no boot device sugar.
    pub fcos: Option<u8>,
}

impl Variant {
    /// The name in `variant:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fcos => "fcos",
            Self::Flatcar => "flatcar",
            Self::Openshift => "openshift",
            Self::R4e => "r4e",
            Self::Fiot => "fiot",
        }
    }
}

impl Target {
    const fn new(variant: Variant, version: &'static str, minor: Minor, fcos: Option<u8>) -> Self {
        Self {
            variant,
            version,
            minor,
            fcos,
        }
    }

    /// Whether the version may change any day, and needs a switch.
    pub fn is_experimental(&self) -> bool {
        self.version.ends_with("-experimental")
    }

    /// The target of `variant` and `version`, both spelled exactly.
    pub fn find(variant: &str, version: &str) -> Option<&'static Self> {
        TARGETS
            .iter()
            .find(|target| target.variant.name() == variant && target.version == version)
    }
}

/// All that are known, oldest first within each variant.
pub static TARGETS: &[Target] = &{
    use Variant::{Fcos, Fiot, Flatcar, Openshift, R4e};
    [
        Target::new(Fcos, "1.0.0", 0, Some(0)),
        Target::new(Fcos, "1.1.0", 1, Some(1)),
        Target::new(Fcos, "1.2.0", 2, Some(2)),
        Target::new(Fcos, "1.3.0", 2, Some(3)),
        Target::new(Fcos, "1.4.0", 3, Some(4)),
        Target::new(Fcos, "1.5.0", 4, Some(5)),
        Target::new(Fcos, "1.6.0", 5, Some(6)),
        Target::new(Fcos, "1.7.0", 6, Some(7)),
        Target::new(Fcos, "1.8.0-experimental", 7, Some(8)),
        Target::new(Flatcar, "1.0.0", 3, None),
        Target::new(Flatcar, "1.1.0", 4, None),
        Target::new(Flatcar, "1.2.0-experimental", 7, None),
        Target::new(Openshift, "4.8.0", 2, Some(3)),
        Target::new(Openshift, "4.9.0", 2, Some(3)),
        Target::new(Openshift, "4.10.0", 2, Some(3)),
        Target::new(Openshift, "4.11.0", 2, Some(3)),
        Target::new(Openshift, "4.12.0", 2, Some(3)),
        Target::new(Openshift, "4.13.0", 2, Some(3)),
        Target::new(Openshift, "4.14.0", 4, Some(5)),
        Target::new(Openshift, "4.15.0", 4, Some(5)),
        Target::new(Openshift, "4.16.0", 4, Some(5)),
        Target::new(Openshift, "4.17.0", 4, Some(5)),
        Target::new(Openshift, "4.18.0", 4, Some(5)),
        Target::new(Openshift, "4.19.0", 5, Some(6)),
        Target::new(Openshift, "4.20.0", 5, Some(6)),
        Target::new(Openshift, "4.21.0", 5, Some(6)),
        Target::new(Openshift, "4.22.0", 5, Some(6)),
        Target::new(Openshift, "4.23.0-experimental", 7, Some(8)),
        Target::new(R4e, "1.0.0", 3, None),
        Target::new(R4e, "1.1.0", 4, None),
        Target::new(R4e, "1.2.0-experimental", 7, None),
        Target::new(Fiot, "1.0.0", 4, None),
        Target::new(Fiot, "1.1.0-experimental", 7, None),
    ]
};
