//! File systems, with the disks that they are on.
//! Versions are those at which a format or a field came.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a"},{"device":"/b","format":"","label":"","uuid":"","path":"","wipeFilesystem":false,"options":[]}"#),
        &[],
    ),
    case(
        0..=7,
        of!(filesystems: r#"{},{"device":"a","format":"zfs"},{"device":"/c","path":"p","format":"xfs"},{"device":"/d/","path":"/p/","format":"vfat"},{"device":"/d/"}"#),
        &[
            "error path-missing $.storage.filesystems.0?device",
            "error path-relative $.storage.filesystems.1.device",
            "error value-unknown $.storage.filesystems.1.format",
            "error path-relative $.storage.filesystems.2.path",
            "error path-unclean $.storage.filesystems.3.device",
            "error path-unclean $.storage.filesystems.3.path",
            "error path-unclean $.storage.filesystems.4.device",
            "error duplicate $.storage.filesystems.4",
        ],
    ),
    // Formats by version.
    case(
        0..=2,
        of!(filesystems: r#"{"device":"/a","format":"none"}"#),
        &["error value-unknown $.storage.filesystems.0.format"],
    ),
    case(
        3..=7,
        of!(filesystems: r#"{"device":"/a","format":"none"}"#),
        &[],
    ),
    case(
        0..=6,
        of!(filesystems: r#"{"device":"tag","format":"virtiofs"}"#),
        &[
            "error path-relative $.storage.filesystems.0.device",
            "error value-unknown $.storage.filesystems.0.format",
        ],
    ),
    case(
        7..=7,
        of!(filesystems: r#"{"device":"123456789012345678901234567890123456","format":"virtiofs","path":"/x","mountOptions":["ro"]}"#),
        &[],
    ),
    case(
        7..=7,
        of!(filesystems: r#"{"device":"1234567890123456789012345678901234567","format":"virtiofs","label":"a","uuid":"b","wipeFilesystem":true,"options":["c"]},{"format":"virtiofs"}"#),
        &[
            "error virtiofs-tag-long $.storage.filesystems.0.device",
            "error format-refuses-field $.storage.filesystems.0.label",
            "error format-refuses-field $.storage.filesystems.0.uuid",
            "error format-refuses-field $.storage.filesystems.0.wipeFilesystem",
            "error format-refuses-field $.storage.filesystems.0.options",
            "error path-missing $.storage.filesystems.1?device",
        ],
    ),
    // What needs a format.
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a","path":"/x"}"#),
        &["error format-missing $.storage.filesystems.0?format"],
    ),
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a","label":"a","format":""}"#),
        &[
            "error format-missing $.storage.filesystems.0.format",
            "error label-without-format $.storage.filesystems.0.label",
        ],
    ),
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a","uuid":"a"},{"device":"/b","wipeFilesystem":true},{"device":"/c","options":["a"]}"#),
        &[
            "error format-missing $.storage.filesystems.0?format",
            "error format-missing $.storage.filesystems.1?format",
            "error format-missing $.storage.filesystems.2?format",
        ],
    ),
    case(
        0..=0,
        of!(filesystems: r#"{"device":"/a","mountOptions":["a"]}"#),
        &["warning unused-key $.storage.filesystems.0.mountOptions"],
    ),
    case(
        1..=7,
        of!(filesystems: r#"{"device":"/a","mountOptions":["a"]},{"device":"/b","mountOptions":["a","a"],"options":["a","a"],"format":"xfs"}"#),
        &["error format-missing $.storage.filesystems.0?format"],
    ),
    // Labels are counted in bytes.
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a","format":"ext4","label":"é90123456789012345"},{"device":"/b","format":"xfs","label":"é901234567890"},{"device":"/c","format":"swap","label":"é90123456789012"},{"device":"/d","format":"vfat","label":"é9012345678"}"#),
        &[
            "error label-long $.storage.filesystems.0.label",
            "error label-long $.storage.filesystems.1.label",
            "error label-long $.storage.filesystems.2.label",
            "error label-long $.storage.filesystems.3.label",
        ],
    ),
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/a","format":"ext4","label":"é12345678901234"},{"device":"/b","format":"xfs","label":"é1234567890"},{"device":"/c","format":"swap","label":"é1234567890123"},{"device":"/d","format":"vfat","label":"é123456789"}"#),
        &[],
    ),
    case(
        0..=7,
        of!(filesystems: r#"{"device":"/d","format":"vfat","label":"123456789012"},{"device":"/e","format":"btrfs","label":"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"},{"device":"/f","format":"btrfs","label":"x0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"}"#),
        &[
            "error label-long $.storage.filesystems.0.label",
            "error label-long $.storage.filesystems.2.label",
        ],
    ),
    case(
        3..=7,
        of!(filesystems: r#"{"device":"/d","format":"none","label":"1234567890123456789012345678901234567890"}"#),
        &[],
    ),
    // On disks.
    case(
        0..=7,
        r#"{"storage":{"disks":[{"device":"/a","partitions":[{"number":1}]},{"device":"/b","wipeTable":true},{"device":"/c","wipeTable":true},{"device":"/d"}],"filesystems":[{"device":"/a","format":"xfs"},{"device":"/b","format":"xfs"},{"device":"/c","format":"xfs","wipeFilesystem":true},{"device":"/d","format":"xfs"}]}}"#,
        &[
            "warning filesystem-on-partitioned-disk $.storage.filesystems.0.device",
            "warning filesystem-wiped-with-table $.storage.filesystems.1.device",
        ],
    ),
];
