//! Fields of disks, partitions, arrays, encrypted volumes and file systems.

use super::butane;
use super::ignition::{REFERENCE, STRINGS};
use super::{Field, Kind, List, ListKey, Record};

use Kind::{Bool, Integer, Object, Text};

/// A list whose items may repeat, and that a merge joins.
static OPTIONS: List = List {
    item: Text,
    key: ListKey::Exempt,
    space: None,
};

pub(super) static DISKS: List = List {
    item: Object(&Record {
        name: "disk",
        fields: &[
            Field::new("device", "device", Text)
                .plain()
                .doc("The disk's absolute device path."),
            Field::new("wipeTable", "wipe_table", Bool).doc("Start with an empty partition table."),
            Field::new("partitions", "partitions", Kind::List(&PARTITIONS)).doc("Partitions."),
        ],
    }),
    key: ListKey::Field("device"),
    space: None,
};

static PARTITIONS: List = List {
    item: Object(&Record {
        name: "partition",
        fields: &[
            Field::new("number", "number", Integer)
                .plain()
                .doc("The partition's number; 0: the next free one."),
            Field::new("label", "label", Text).doc("The label; at most 36 bytes, without colons."),
            Field::new("sizeMiB", "size_mib", Integer)
                .doc("The size in MiB; 0: as large as possible."),
            Field::new("startMiB", "start_mib", Integer)
                .doc("The start in MiB; 0: where the largest free block begins."),
            Field::new("typeGuid", "type_guid", Text).doc("The GUID of the partition's type."),
            Field::new("guid", "guid", Text).doc("The GUID of the partition."),
            Field::new("wipePartitionEntry", "wipe_partition_entry", Bool)
                .doc("Delete an existing partition that does not match."),
            Field::new("shouldExist", "should_exist", Bool).doc("False: the partition is deleted."),
            Field::new("resize", "resize", Bool)
                .since(2)
                .doc("Resize an existing partition that differs in size only."),
        ],
    }),
    key: ListKey::Partition,
    space: None,
};

const LEVELS: &[(&str, u8)] = &[
    ("linear", 0),
    ("raid0", 0),
    ("0", 0),
    ("stripe", 0),
    ("raid1", 0),
    ("1", 0),
    ("mirror", 0),
    ("raid4", 0),
    ("4", 0),
    ("raid5", 0),
    ("5", 0),
    ("raid6", 0),
    ("6", 0),
    ("raid10", 0),
    ("10", 0),
];

pub(super) static RAID: List = List {
    item: Object(&Record {
        name: "raid",
        fields: &[
            Field::new("name", "name", Text)
                .plain()
                .doc("The array's name."),
            Field::new("level", "level", Text)
                .one_of(LEVELS)
                .doc("The array's level."),
            Field::new("devices", "devices", Kind::List(&STRINGS)).doc("Device paths."),
            Field::new("spares", "spares", Integer).doc("How many of the devices are spares."),
            Field::new("options", "options", Kind::List(&OPTIONS)).doc("Options for mdadm."),
        ],
    }),
    key: ListKey::Field("name"),
    space: None,
};

const FORMATS: &[(&str, u8)] = &[
    ("ext4", 0),
    ("btrfs", 0),
    ("xfs", 0),
    ("vfat", 0),
    ("swap", 0),
    ("none", 3),
    ("virtiofs", 7),
];

pub(super) static FILESYSTEMS: List = List {
    item: Object(&Record {
        name: "filesystem",
        fields: &[
            Field::new("device", "device", Text)
                .plain()
                .doc("The absolute device path."),
            Field::new("format", "format", Text)
                .one_of(FORMATS)
                .doc("The file system's type."),
            Field::new("path", "path", Text)
                .doc("Where it is mounted while the system is provisioned."),
            Field::new("wipeFilesystem", "wipe_filesystem", Bool)
                .doc("Make the file system anew even if one is there."),
            Field::new("label", "label", Text).doc("The label."),
            Field::new("uuid", "uuid", Text).doc("The UUID."),
            Field::new("options", "options", Kind::List(&OPTIONS)).doc("Options for mkfs."),
            Field::new("mountOptions", "mount_options", Kind::List(&OPTIONS))
                .since(1)
                .doc("Options for mount."),
            butane::WITH_MOUNT_UNIT,
        ],
    }),
    key: ListKey::Field("device"),
    space: None,
};

pub(super) static LUKS: List = List {
    item: Object(&Record {
        name: "luks",
        fields: &[
            Field::new("name", "name", Text)
                .since(2)
                .plain()
                .doc("The name below /dev/mapper."),
            Field::new("device", "device", Text)
                .since(2)
                .doc("The absolute device path."),
            Field::new("keyFile", "key_file", Object(&REFERENCE))
                .since(2)
                .doc("The key."),
            Field::new("label", "label", Text)
                .since(2)
                .doc("The label."),
            Field::new("uuid", "uuid", Text).since(2).doc("The UUID."),
            Field::new("options", "options", Kind::List(&OPTIONS))
                .since(2)
                .doc("Options for cryptsetup luksFormat."),
            Field::new("openOptions", "open_options", Kind::List(&STRINGS))
                .since(4)
                .doc("Options for cryptsetup luksOpen, kept in the volume."),
            Field::new("discard", "discard", Bool)
                .since(4)
                .doc("Pass discards to the device."),
            Field::new("wipeVolume", "wipe_volume", Bool)
                .since(2)
                .doc("Make the volume anew even if one is there."),
            Field::new("clevis", "clevis", Object(&CLEVIS))
                .since(2)
                .doc("How the volume is unlocked without a person."),
            Field::new("cex", "cex", Object(&CEX))
                .since(5)
                .doc("Key in an IBM Crypto Express card (s390x)."),
        ],
    }),
    key: ListKey::Field("name"),
    space: None,
};

static CLEVIS: Record = Record {
    name: "clevis",
    fields: &[
        Field::new("tang", "tang", Kind::List(&TANG))
            .since(2)
            .doc("Tang servers."),
        Field::new("tpm2", "tpm2", Bool)
            .since(2)
            .doc("Bind to the TPM."),
        Field::new("threshold", "threshold", Integer)
            .since(2)
            .doc("How many of the pins must be there; 1 if absent."),
        Field::new("custom", "custom", Object(&CUSTOM))
            .since(2)
            .doc("A pin of one's own."),
    ],
};

static CUSTOM: Record = Record {
    name: "clevis-custom",
    fields: &[
        Field::new("pin", "pin", Text)
            .since(2)
            .doc("The pin: tpm2, tang, sss; any from 3.6.0 on."),
        Field::new("config", "config", Text)
            .since(2)
            .doc("The pin's configuration, JSON."),
        Field::new("needsNetwork", "needs_network", Bool)
            .since(2)
            .doc("Whether the pin needs the network."),
    ],
};

/// Tang servers, of volumes and of the boot device.
pub(super) static TANG: List = List {
    item: Object(&Record {
        name: "tang",
        fields: &[
            Field::new("url", "url", Text)
                .since(2)
                .plain()
                .doc("The server's URL."),
            Field::new("thumbprint", "thumbprint", Text)
                .since(2)
                .doc("The thumbprint of a trusted signing key."),
            Field::new("advertisement", "advertisement", Text)
                .since(4)
                .doc("The server's advertisement, so that it need not be asked."),
        ],
    }),
    key: ListKey::Field("url"),
    space: None,
};

/// Crypto Express, of volumes and of the boot device.
pub(super) static CEX: Record = Record {
    name: "cex",
    fields: &[Field::new("enabled", "enabled", Bool)
        .since(5)
        .doc("Use the card.")],
};
