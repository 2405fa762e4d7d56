//! Fields of the document, of resources, users and units. Nodes are in [`super::nodes`], disks and
//! what is on them in [`super::disks`], sugar in [`super::butane`].

use super::butane;
use super::disks::{DISKS, FILESYSTEMS, LUKS, RAID};
use super::nodes::{DIRECTORIES, FILES, LINKS};
use super::{Field, Kind, List, ListKey, Record, Scope, Space};

use Kind::{Bool, Integer, Object, Text};

/// The whole document, of either language.
pub static ROOT: Record = Record {
    name: "config",
    fields: &[
        Field::new("variant", "variant", Text)
            .only(Scope::Butane)
            .plain()
            .doc("The distribution family that the config is for."),
        Field::new("version", "version", Text)
            .only(Scope::Butane)
            .plain()
            .doc("The version of the variant's specification."),
        Field::new("ignition", "ignition", Object(&IGNITION))
            .doc("Where further configs come from, and how they are fetched."),
        Field::new(
            "kernelArguments",
            "kernel_arguments",
            Object(&KERNEL_ARGUMENTS),
        )
        .since(3)
        .doc("Kernel arguments of the installed system."),
        Field::new("passwd", "passwd", Object(&PASSWD)).doc("Users and groups."),
        Field::new("storage", "storage", Object(&STORAGE))
            .doc("Disks, file systems and what is on them."),
        Field::new("systemd", "systemd", Object(&SYSTEMD)).doc("systemd units."),
        butane::BOOT_DEVICE_FIELD,
        butane::GRUB_FIELD,
        butane::METADATA_FIELD,
        butane::OPENSHIFT_FIELD,
    ],
};

static IGNITION: Record = Record {
    name: "ignition",
    fields: &[
        Field::new("version", "version", Text)
            .only(Scope::Ignition)
            .plain()
            .doc("The version of the specification, such as 3.4.0."),
        Field::new("config", "config", Object(&CONFIG)).doc("Other configs to use."),
        Field::new("timeouts", "timeouts", Object(&TIMEOUTS)).doc("How long fetches may take."),
        Field::new("security", "security", Object(&SECURITY)).doc("Whom to trust."),
        Field::new("proxy", "proxy", Object(&PROXY))
            .since(1)
            .doc("Proxies for fetches."),
    ],
};

static CONFIG: Record = Record {
    name: "configs",
    fields: &[
        Field::new("merge", "merge", Kind::List(&REFERENCES))
            .doc("Configs that are merged into this one, in order."),
        Field::new("replace", "replace", Object(&REFERENCE))
            .doc("The config that is used instead of this one."),
    ],
};

static REFERENCES: List = List {
    item: Object(&REFERENCE),
    key: ListKey::Field("source"),
    space: None,
};

static TIMEOUTS: Record = Record {
    name: "timeouts",
    fields: &[
        Field::new("httpResponseHeaders", "http_response_headers", Integer)
            .doc("Seconds to wait for a server's response headers; 10 if absent."),
        Field::new("httpTotal", "http_total", Integer)
            .doc("Seconds that a request may take with all retries; 0 and absent: no limit."),
    ],
};

static SECURITY: Record = Record {
    name: "security",
    fields: &[Field::new("tls", "tls", Object(&TLS)).doc("Trust for https.")],
};

static TLS: Record = Record {
    name: "tls",
    fields: &[Field::new(
        "certificateAuthorities",
        "certificate_authorities",
        Kind::List(&REFERENCES),
    )
    .doc("Bundles of PEM certificates, beside the system's own.")],
};

static PROXY: Record = Record {
    name: "proxy",
    fields: &[
        Field::new("httpProxy", "http_proxy", Text)
            .since(1)
            .doc("Proxy URL for http."),
        Field::new("httpsProxy", "https_proxy", Text)
            .since(1)
            .doc("Proxy URL for https."),
        Field::new("noProxy", "no_proxy", Kind::List(&STRINGS))
            .since(1)
            .doc("Hosts that are reached without a proxy."),
    ],
};

/// A list of strings, each at most once.
pub(super) static STRINGS: List = List {
    item: Text,
    key: ListKey::Whole,
    space: None,
};

const GZIP: &[(&str, u8)] = &[("", 0), ("gzip", 0)];

pub(super) const SOURCE: Field = Field::new("source", "source", Text)
    .doc("URL of the contents: http, https, tftp, s3, arn, gs or data.");
pub(super) const COMPRESSION: Field = Field::new("compression", "compression", Text)
    .one_of(GZIP)
    .doc("How the contents are compressed: gzip, or not at all.");
pub(super) const HEADERS: Field =
    Field::new("httpHeaders", "http_headers", Kind::List(&HTTP_HEADERS))
        .since(1)
        .doc("Headers to send with the request.");
pub(super) const VERIFICATION: Field =
    Field::new("verification", "verification", Object(&VERIFY)).doc("What the contents must be.");

/// A reference to a config, a certificate bundle or a key file.
pub(super) static REFERENCE: Record = Record {
    name: "resource",
    fields: &[
        SOURCE,
        COMPRESSION.since(1),
        HEADERS,
        VERIFICATION,
        butane::INLINE.since(1),
        butane::LOCAL,
    ],
};

static HTTP_HEADERS: List = List {
    item: Object(&HTTP_HEADER),
    key: ListKey::Field("name"),
    space: None,
};

static HTTP_HEADER: Record = Record {
    name: "http-header",
    fields: &[
        Field::new("name", "name", Text)
            .since(1)
            .plain()
            .doc("The header's name."),
        Field::new("value", "value", Text)
            .since(1)
            .doc("The header's value; absent: a merge removes the header."),
    ],
};

static VERIFY: Record = Record {
    name: "verification",
    fields: &[Field::new("hash", "hash", Text)
        .doc("sha256-HEX or sha512-HEX of the decompressed contents.")],
};

static KERNEL_ARGUMENTS: Record = Record {
    name: "kernel-arguments",
    fields: &[
        Field::new("shouldExist", "should_exist", Kind::List(&KARGS))
            .since(3)
            .doc("Arguments that are appended if absent."),
        Field::new("shouldNotExist", "should_not_exist", Kind::List(&KARGS))
            .since(3)
            .doc("Arguments that are removed."),
    ],
};

static KARGS: List = List {
    item: Text,
    key: ListKey::Whole,
    space: Some(Space::KernelArguments),
};

static PASSWD: Record = Record {
    name: "passwd",
    fields: &[
        Field::new("users", "users", Kind::List(&USERS)).doc("Users to make or change."),
        Field::new("groups", "groups", Kind::List(&GROUPS)).doc("Groups to make."),
    ],
};

static USERS: List = List {
    item: Object(&USER),
    key: ListKey::Field("name"),
    space: None,
};

static USER: Record = Record {
    name: "user",
    fields: &[
        Field::new("name", "name", Text)
            .plain()
            .doc("The login name."),
        Field::new("passwordHash", "password_hash", Text).doc("The hash of the password."),
        Field::new(
            "sshAuthorizedKeys",
            "ssh_authorized_keys",
            Kind::List(&STRINGS),
        )
        .doc("Public keys that may log in."),
        Field::new(
            "ssh_authorized_keys_local",
            "ssh_authorized_keys_local",
            Kind::List(&STRINGS),
        )
        .since(4)
        .only(Scope::Butane)
        .doc("Files of public keys, relative to the files directory."),
        Field::new("uid", "uid", Integer).doc("The user's number."),
        Field::new("gecos", "gecos", Text).doc("The user's full name and such."),
        Field::new("homeDir", "home_dir", Text).doc("The home directory."),
        Field::new("noCreateHome", "no_create_home", Bool).doc("Make no home directory."),
        Field::new("primaryGroup", "primary_group", Text).doc("The user's own group."),
        Field::new("groups", "groups", Kind::List(&STRINGS)).doc("Further groups."),
        Field::new("noUserGroup", "no_user_group", Bool).doc("Make no group of the same name."),
        Field::new("noLogInit", "no_log_init", Bool)
            .doc("Keep the user out of the lastlog and faillog databases."),
        Field::new("shell", "shell", Text).doc("The login shell."),
        Field::new("shouldExist", "should_exist", Bool)
            .since(2)
            .doc("False: the user is deleted."),
        Field::new("system", "system", Bool).doc("Make a system account."),
    ],
};

static GROUPS: List = List {
    item: Object(&GROUP),
    key: ListKey::Field("name"),
    space: None,
};

static GROUP: Record = Record {
    name: "group",
    fields: &[
        Field::new("name", "name", Text)
            .plain()
            .doc("The group's name."),
        Field::new("gid", "gid", Integer).doc("The group's number."),
        Field::new("passwordHash", "password_hash", Text).doc("The hash of the group's password."),
        Field::new("shouldExist", "should_exist", Bool)
            .since(2)
            .doc("False: the group is deleted."),
        Field::new("system", "system", Bool).doc("Make a system group."),
    ],
};

static STORAGE: Record = Record {
    name: "storage",
    fields: &[
        Field::new("disks", "disks", Kind::List(&DISKS)).doc("Partition tables."),
        Field::new("raid", "raid", Kind::List(&RAID)).doc("Software RAID arrays."),
        Field::new("luks", "luks", Kind::List(&LUKS))
            .since(2)
            .doc("Encrypted volumes."),
        Field::new("filesystems", "filesystems", Kind::List(&FILESYSTEMS)).doc("File systems."),
        Field::new("files", "files", Kind::List(&FILES)).doc("Files to write."),
        Field::new("directories", "directories", Kind::List(&DIRECTORIES))
            .doc("Directories to make."),
        Field::new("links", "links", Kind::List(&LINKS)).doc("Links to make."),
        butane::TREES_FIELD,
    ],
};

static SYSTEMD: Record = Record {
    name: "systemd",
    fields: &[
        Field::new("units", "units", Kind::List(&UNITS)).doc("Units."),
        butane::QUADLETS_FIELD,
    ],
};

static UNITS: List = List {
    item: Object(&UNIT),
    key: ListKey::Field("name"),
    space: None,
};

static UNIT: Record = Record {
    name: "unit",
    fields: &[
        Field::new("name", "name", Text)
            .plain()
            .doc("The unit's name with its suffix."),
        Field::new("enabled", "enabled", Bool).doc("Enable or disable the unit."),
        Field::new("mask", "mask", Bool).doc("Make the unit impossible to start."),
        Field::new("contents", "contents", Text).doc("The unit file."),
        butane::CONTENTS_LOCAL,
        Field::new("dropins", "dropins", Kind::List(&DROPINS)).doc("Drop-ins of the unit."),
    ],
};

/// Drop-ins of units and quadlets.
pub(super) static DROPINS: List = List {
    item: Object(&Record {
        name: "dropin",
        fields: &[
            Field::new("name", "name", Text)
                .plain()
                .doc("The drop-in's name, ending in .conf."),
            Field::new("contents", "contents", Text).doc("The drop-in file."),
            butane::CONTENTS_LOCAL,
        ],
    }),
    key: ListKey::Field("name"),
    space: None,
};
