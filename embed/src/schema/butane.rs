//! Fields that only Butane has: sugar, which is translated into the fields of Ignition.

use super::disks::{CEX, TANG};
use super::ignition::{DROPINS, STRINGS};
use super::nodes::OWNERSHIP;
use super::{Field, Kind, List, ListKey, Record, Scope};

use Kind::{Bool, Integer, Object, Text};

const fn sugar(name: &'static str, kind: Kind) -> Field {
    Field::new(name, name, kind).only(Scope::Butane)
}

pub(super) const INLINE: Field = sugar("inline", Text).doc("The contents themselves.");
pub(super) const LOCAL: Field = sugar("local", Text)
    .since(1)
    .doc("A file with the contents, relative to the files directory.");
pub(super) const CONTENTS_LOCAL: Field = sugar("contents_local", Text)
    .since(4)
    .doc("A file with the contents, relative to the files directory.");
pub(super) const WITH_MOUNT_UNIT: Field = sugar("with_mount_unit", Bool)
    .since(1)
    .doc("Write a unit that mounts the file system, or activates the swap.");

pub(super) const TREES_FIELD: Field = sugar("trees", Kind::List(&TREES))
    .since(1)
    .doc("Directories whose files are written.");

static TREES: List = List {
    item: Object(&TREE),
    key: ListKey::Exempt,
    space: None,
};

static TREE: Record = Record {
    name: "tree",
    fields: &[
        sugar("local", Text)
            .since(1)
            .plain()
            .doc("A directory, relative to the files directory."),
        sugar("path", Text)
            .since(1)
            .doc("Where the tree is put; / if absent."),
        sugar("user", Object(&OWNERSHIP))
            .since(6)
            .doc("The owner of all in it."),
        sugar("group", Object(&OWNERSHIP))
            .since(6)
            .doc("The owning group of all in it."),
        sugar("file_mode", Integer)
            .since(6)
            .doc("The mode of its files."),
        sugar("dir_mode", Integer)
            .since(6)
            .doc("The mode of its directories."),
    ],
};

pub(super) const QUADLETS_FIELD: Field = sugar("quadlets", Kind::List(&QUADLETS))
    .since(7)
    .doc("Podman containers and such, run by systemd.");

static QUADLETS: List = List {
    item: Object(&QUADLET),
    key: ListKey::Field("name"),
    space: None,
};

static QUADLET: Record = Record {
    name: "quadlet",
    fields: &[
        sugar("name", Text)
            .since(7)
            .plain()
            .doc("The quadlet's name with its suffix."),
        sugar("rootful", Bool)
            .since(7)
            .doc("Run as root; otherwise for every user."),
        sugar("contents", Text).since(7).doc("The quadlet file."),
        CONTENTS_LOCAL.since(7),
        sugar("dropins", Kind::List(&DROPINS))
            .since(7)
            .doc("Drop-ins of the quadlet."),
    ],
};

pub(super) const BOOT_DEVICE_FIELD: Field = sugar("boot_device", Object(&BOOT_DEVICE))
    .only(Scope::Fcos(3))
    .doc("Encryption and mirroring of the disk that the system boots from.");

const LAYOUTS: &[(&str, u8)] = &[
    ("aarch64", 0),
    ("ppc64le", 0),
    ("x86_64", 0),
    ("s390x-eckd", 5),
    ("s390x-zfcp", 5),
    ("s390x-virt", 5),
];

static BOOT_DEVICE: Record = Record {
    name: "boot-device",
    fields: &[
        sugar("layout", Text)
            .one_of(LAYOUTS)
            .doc("The architecture's disk layout."),
        sugar("luks", Object(&BOOT_LUKS)).doc("Encrypt the root file system."),
        sugar("mirror", Object(&BOOT_MIRROR)).doc("Mirror the boot disk."),
    ],
};

static BOOT_LUKS: Record = Record {
    name: "boot-device-luks",
    fields: &[
        sugar("tang", Kind::List(&TANG)).doc("Tang servers."),
        sugar("threshold", Integer).doc("How many of the pins must be there."),
        sugar("tpm2", Bool).doc("Bind to the TPM."),
        sugar("discard", Bool)
            .only(Scope::Fcos(5))
            .doc("Pass discards to the device."),
        sugar("device", Text)
            .only(Scope::Fcos(6))
            .doc("The device (s390x)."),
        sugar("cex", Object(&CEX))
            .only(Scope::Fcos(6))
            .doc("Crypto Express (s390x)."),
    ],
};

static BOOT_MIRROR: Record = Record {
    name: "boot-device-mirror",
    fields: &[sugar("devices", Kind::List(&STRINGS)).doc("The disks, two or more.")],
};

pub(super) const GRUB_FIELD: Field = sugar("grub", Object(&GRUB))
    .only(Scope::Fcos(5))
    .doc("Settings of the boot loader.");

static GRUB: Record = Record {
    name: "grub",
    fields: &[sugar("users", Kind::List(&GRUB_USERS)).doc("Users who may change boot entries.")],
};

static GRUB_USERS: List = List {
    item: Object(&GRUB_USER),
    key: ListKey::Field("name"),
    space: None,
};

static GRUB_USER: Record = Record {
    name: "grub-user",
    fields: &[
        sugar("name", Text)
            .plain()
            .doc("The user's name in the boot menu."),
        sugar("password_hash", Text).doc("What grub-mkpasswd-pbkdf2 printed."),
    ],
};

pub(super) const METADATA_FIELD: Field = sugar("metadata", Object(&METADATA))
    .only(Scope::Openshift)
    .doc("Metadata of the MachineConfig.");

static METADATA: Record = Record {
    name: "metadata",
    fields: &[
        sugar("name", Text).plain().doc("The MachineConfig's name."),
        sugar("labels", Kind::Labels)
            .doc("Labels; machineconfiguration.openshift.io/role is required."),
    ],
};

const KERNEL_TYPES: &[(&str, u8)] = &[("default", 0), ("realtime", 0)];

pub(super) const OPENSHIFT_FIELD: Field = sugar("openshift", Object(&OPENSHIFT))
    .only(Scope::Openshift)
    .doc("Settings of the MachineConfig that Ignition has not.");

static OPENSHIFT: Record = Record {
    name: "openshift",
    fields: &[
        sugar("kernel_arguments", Kind::List(&STRINGS)).doc("Kernel arguments."),
        sugar("extensions", Kind::List(&STRINGS)).doc("Extensions to install."),
        sugar("fips", Bool).doc("Switch FIPS mode on."),
        sugar("kernel_type", Text)
            .one_of(KERNEL_TYPES)
            .doc("The kernel."),
    ],
};
