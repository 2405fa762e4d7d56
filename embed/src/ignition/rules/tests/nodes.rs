//! Files, directories and links, each by itself and together.
//! What files hold is in [`super::resources`].

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // Paths and owners.
    case(0..=7, of!(files: r#"{"path":"/"},{"path":"/a b/.c"}"#), &[]),
    case(
        0..=7,
        of!(files: r#"{"path":""},{"path":"a"},{"path":"/a/"},{"path":"/b/../c"}"#),
        &[
            "error path-missing $.storage.files.0.path",
            "error path-relative $.storage.files.1.path",
            "error path-unclean $.storage.files.2.path",
            "error path-unclean $.storage.files.3.path",
        ],
    ),
    case(
        0..=7,
        r#"{"storage":{"directories":[{}],"links":[{"path":"l","target":"x"}]}}"#,
        &[
            "error path-missing $.storage.directories.0?path",
            "error path-relative $.storage.links.0.path",
        ],
    ),
    case(
        0..=7,
        of!(files: "null"),
        &["error path-missing $.storage.files.0?path"],
    ),
    case(
        0..=7,
        of!(files: r#"{"path":"/a","user":{"id":0,"name":"x"},"group":{"id":1,"name":""}}"#),
        &["error owner-twice $.storage.files.0.user"],
    ),
    case(
        0..=7,
        of!(directories: r#"{"path":"/a","user":{"name":"x"},"group":{"id":1,"name":"x"}}"#),
        &["error owner-twice $.storage.directories.0.group"],
    ),
    // Modes.
    case(
        0..=7,
        of!(files: r#"{"path":"/a","mode":0},{"path":"/b","mode":511}"#),
        &[],
    ),
    case(
        0..=7,
        of!(files: r#"{"path":"/a","mode":4096},{"path":"/b","mode":-1}"#),
        &[
            "error mode-out-of-range $.storage.files.0.mode",
            "error mode-out-of-range $.storage.files.1.mode",
        ],
    ),
    case(
        0..=5,
        r#"{"storage":{"files":[{"path":"/a","mode":4095}],"directories":[{"path":"/b","mode":512}]}}"#,
        &[
            "warning mode-special-bits $.storage.files.0.mode",
            "warning mode-special-bits $.storage.directories.0.mode",
        ],
    ),
    case(
        6..=7,
        r#"{"storage":{"files":[{"path":"/a","mode":4095}],"directories":[{"path":"/b","mode":512}]}}"#,
        &[],
    ),
    // Overwriting.
    case(
        0..=7,
        of!(files: r#"{"path":"/a","overwrite":true},{"path":"/b","overwrite":true,"contents":{"source":""}},{"path":"/c","overwrite":true,"contents":{}}"#),
        &[
            "error overwrite-without-source $.storage.files.0.overwrite",
            "error overwrite-without-source $.storage.files.2.overwrite",
        ],
    ),
    case(0..=7, of!(files: r#"{"path":"/a","overwrite":false}"#), &[]),
    case(
        0..=7,
        of!(directories: r#"{"path":"/a","overwrite":true}"#),
        &[],
    ),
    case(
        0..=7,
        of!(links: r#"{"path":"/a","target":"/b","overwrite":true}"#),
        &[],
    ),
    // Links.
    case(
        0..=2,
        of!(links: r#"{"path":"/a"},{"path":"/b","target":""}"#),
        &[],
    ),
    case(
        3..=7,
        of!(links: r#"{"path":"/a"},{"path":"/b","target":""}"#),
        &[
            "error link-target-missing $.storage.links.0?target",
            "error link-target-missing $.storage.links.1.target",
        ],
    ),
    case(
        0..=7,
        r#"{"storage":{"directories":[{"path":"/d"}],"links":[{"path":"/a","hard":true,"target":"/x/../d/"},{"path":"/b","target":"/d"}]}}"#,
        &["error hard-link-to-directory $.storage.links.0"],
    ),
    case(
        0..=7,
        r#"{"storage":{"directories":[{"path":"/l/d"}],"links":[{"path":"/l","hard":true,"target":"d"}]}}"#,
        &[
            "error path-beneath-link $.storage.directories.0",
            "error hard-link-to-directory $.storage.links.0",
        ],
    ),
    case(
        0..=7,
        of!(links: r#"{"path":"/a","hard":true,"target":"/t","user":{"id":1},"group":{"name":""}},{"path":"/b","hard":true,"target":"/t","user":{"name":"x"},"group":{"id":1}},{"path":"/c","target":"/t","user":{"id":1}}"#),
        &[
            "warning hard-link-owner $.storage.links.0.user.id",
            "warning hard-link-owner $.storage.links.0.group.name",
            "warning hard-link-owner $.storage.links.1.user.name",
            "warning hard-link-owner $.storage.links.1.group.id",
        ],
    ),
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/l/f"},{"path":"/l.d/f"},{"path":"/l2/f"}],"directories":[{"path":"/l/d/e"}],"links":[{"path":"/l","target":"x"},{"path":"/l/l","target":"x"},{"path":"/l2","target":"x"}]}}"#,
        &[
            "error path-beneath-link $.storage.files.0",
            "error path-beneath-link $.storage.files.2",
            "error path-beneath-link $.storage.directories.0",
            "error path-beneath-link $.storage.links.1",
        ],
    ),
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/l-a"},{"path":"/l/a"},{"path":"/k/a"}],"links":[{"path":"/l","target":"x"},{"path":"/","target":"x"}]}}"#,
        &["error path-beneath-link $.storage.files.1"],
    ),
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/d/f"},{"path":"/g/h"}],"directories":[{"path":"/d"}]}}"#,
        &[],
    ),
    // Duplicates.
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/x"}],"directories":[{"path":"/x"}],"links":[{"path":"/x","target":"y"}]}}"#,
        &[
            "error duplicate $.storage.files.0",
            "error duplicate $.storage.links.0",
        ],
    ),
    case(
        0..=7,
        of!(files: r#"{"path":"/x"},{"path":"/y"},{"path":"/x"},{"path":"/x"}"#),
        &[
            "error duplicate $.storage.files.2",
            "error duplicate $.storage.files.3",
        ],
    ),
    // Units.
    case(
        0..=7,
        r#"{"storage":{"files":[{"path":"/etc/systemd/system/a.service"},{"path":"/etc/systemd/system/b.service"}],"directories":[{"path":"/etc/systemd/system/a.service.d/x.conf"}],"links":[{"path":"/etc/systemd/system/a.service.d/y.conf","target":"z"}]},"systemd":{"units":[{"name":"a.service","contents":"[A]","dropins":[{"name":"x.conf","contents":"[A]"},{"name":"y.conf","contents":"[A]"}]},{"name":"b.service","contents":""}]}}"#,
        &[
            "error path-is-unit $.storage.files.0.path",
            "error path-is-unit $.storage.directories.0.path",
            "error path-is-unit $.storage.links.0.path",
        ],
    ),
];
