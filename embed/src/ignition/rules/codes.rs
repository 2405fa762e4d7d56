//! The stable name of every rule. Programs tell findings apart by it, so none is ever renamed.
//! Codes of readers and of Butane stand with those.

macro_rules! codes {
    ($($(#[$says:meta])+ $name:ident = $code:literal;)+) => {
        $($(#[$says])+ pub const $name: &str = $code;)+

        /// Every code of this module, in the order of the sections.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

codes! {
    /// Two items of a list, or of lists that share their keys, have the same key.
    DUPLICATE = "duplicate";
    /// A string is none of those that the field may hold.
    VALUE_UNKNOWN = "value-unknown";
    /// A config to merge, or a certificate bundle, has no source.
    SOURCE_MISSING = "source-missing";
    /// A proxy is neither http nor https.
    PROXY_SCHEME = "proxy-scheme";
    /// The proxy for https is reached without encryption.
    PROXY_INSECURE = "proxy-insecure";
    /// A URL cannot be parsed.
    URL_MALFORMED = "url-malformed";
    /// A URL has a scheme that cannot be fetched.
    URL_SCHEME = "url-scheme";
    /// A `data:` URL cannot be decoded.
    DATA_URL = "data-url";
    /// The version of an S3 object is given, and empty.
    S3_VERSION_EMPTY = "s3-version-empty";
    /// An ARN does not name an object in S3.
    S3_ARN = "s3-arn";
    /// There is a hash, and nothing that it could be of.
    HASH_WITHOUT_SOURCE = "hash-without-source";
    /// A hash is not written FUNCTION-HEX.
    HASH_MALFORMED = "hash-malformed";
    /// A hash function is not known.
    HASH_FUNCTION = "hash-function";
    /// A hash is too long or too short for its function.
    HASH_LENGTH = "hash-length";
    /// A header has no name.
    HEADER_NAME_EMPTY = "header-name-empty";
    /// A header has an empty value.
    HEADER_VALUE_EMPTY = "header-value-empty";
    /// There are headers, and nothing to fetch with them.
    HEADERS_WITHOUT_SOURCE = "headers-without-source";
    /// There are headers for a URL that is not http or https.
    HEADERS_SCHEME = "headers-scheme";
    /// A path is missing or empty.
    PATH_MISSING = "path-missing";
    /// A path is not absolute.
    PATH_RELATIVE = "path-relative";
    /// A path has `.`, `..`, doubled or trailing slashes.
    PATH_UNCLEAN = "path-unclean";
    /// An owner is given by number and by name.
    OWNER_TWICE = "owner-twice";
    /// A mode is below 0 or above 07777.
    MODE_OUT_OF_RANGE = "mode-out-of-range";
    /// A mode has bits that this version ignores.
    MODE_SPECIAL_BITS = "mode-special-bits";
    /// A file is to be overwritten, and nothing is given to write.
    OVERWRITE_WITHOUT_SOURCE = "overwrite-without-source";
    /// A link has no target.
    LINK_TARGET_MISSING = "link-target-missing";
    /// A hard link points to a directory of the config.
    HARD_LINK_TO_DIRECTORY = "hard-link-to-directory";
    /// A hard link has an owner, which is ignored.
    HARD_LINK_OWNER = "hard-link-owner";
    /// A file, directory or link is beneath a link of the config.
    PATH_BENEATH_LINK = "path-beneath-link";
    /// A file, directory or link is where a unit or drop-in of the config is written.
    PATH_IS_UNIT = "path-is-unit";
    /// Two partitions of a disk have the same number.
    PARTITION_NUMBER_TWICE = "partition-number-twice";
    /// Two partitions of a disk have the same label.
    PARTITION_LABEL_TWICE = "partition-label-twice";
    /// Two partitions of a disk overlap.
    PARTITIONS_OVERLAP = "partitions-overlap";
    /// A partition has neither number nor label.
    PARTITION_UNNAMED = "partition-unnamed";
    /// A partition that is to be deleted has other fields.
    PARTITION_DELETED_WITH_OTHERS = "partition-deleted-with-others";
    /// A disk has partitions to delete and partitions without number.
    PARTITION_DELETED_WITH_UNNUMBERED = "partition-deleted-with-unnumbered";
    /// A partition's label is longer than 36 bytes.
    PARTITION_LABEL_LONG = "partition-label-long";
    /// A partition's label has a colon.
    PARTITION_LABEL_COLON = "partition-label-colon";
    /// A GUID is malformed.
    GUID_MALFORMED = "guid-malformed";
    /// An array has no level.
    RAID_LEVEL_MISSING = "raid-level-missing";
    /// An array has no devices.
    RAID_DEVICES_MISSING = "raid-devices-missing";
    /// An array without redundancy has spares.
    RAID_SPARES = "raid-spares";
    /// A file system has fields that need a format, and none.
    FORMAT_MISSING = "format-missing";
    /// A file system has a label and no format.
    LABEL_WITHOUT_FORMAT = "label-without-format";
    /// A label is longer than the format allows.
    LABEL_LONG = "label-long";
    /// A field that the format cannot have.
    FORMAT_REFUSES_FIELD = "format-refuses-field";
    /// A virtiofs tag is longer than 36 bytes.
    VIRTIOFS_TAG_LONG = "virtiofs-tag-long";
    /// A file system is put on a whole disk that has partitions.
    FILESYSTEM_ON_PARTITIONED_DISK = "filesystem-on-partitioned-disk";
    /// A file system is wiped with the partition table of its disk.
    FILESYSTEM_WIPED_WITH_TABLE = "filesystem-wiped-with-table";
    /// The name of an encrypted volume has a slash.
    LUKS_NAME_SLASH = "luks-name-slash";
    /// The label of an encrypted volume is longer than 47 bytes.
    LUKS_LABEL_LONG = "luks-label-long";
    /// A custom pin stands beside other pins.
    CLEVIS_CUSTOM_WITH_OTHERS = "clevis-custom-with-others";
    /// A custom pin has no name.
    CLEVIS_PIN_MISSING = "clevis-pin-missing";
    /// A custom pin is not known to this version.
    CLEVIS_PIN_UNKNOWN = "clevis-pin-unknown";
    /// A custom pin has no configuration.
    CLEVIS_CONFIG_MISSING = "clevis-config-missing";
    /// A Tang server's URL is neither http nor https.
    TANG_SCHEME = "tang-scheme";
    /// A Tang server has no thumbprint.
    TANG_THUMBPRINT_MISSING = "tang-thumbprint-missing";
    /// A Tang server's advertisement is not JSON.
    TANG_ADVERTISEMENT = "tang-advertisement";
    /// A Crypto Express card stands beside clevis.
    CEX_WITH_CLEVIS = "cex-with-clevis";
    /// A Crypto Express card stands beside a key file.
    CEX_WITH_KEY_FILE = "cex-with-key-file";
    /// A unit's name has no known suffix.
    UNIT_SUFFIX = "unit-suffix";
    /// A drop-in's name does not end in `.conf`.
    DROPIN_SUFFIX = "dropin-suffix";
    /// A unit or drop-in cannot be parsed.
    UNIT_MALFORMED = "unit-malformed";
    /// A unit or drop-in has text before its first section, which systemd ignores.
    UNIT_STRAY_TEXT = "unit-stray-text";
    /// A unit is enabled and has nothing to enable it by.
    UNIT_WITHOUT_INSTALL = "unit-without-install";
    /// An instance is enabled and its template has nothing to enable it by.
    TEMPLATE_WITHOUT_INSTALL = "template-without-install";
}
