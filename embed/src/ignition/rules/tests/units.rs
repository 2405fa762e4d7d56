//! Units, users, groups and kernel arguments.
//! Users, groups and arguments have no rules but duplicates.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // Names.
    case(
        0..=7,
        of!(units: r#"{"name":"a.service"},{"name":".socket"},{"name":"a.device"},{"name":"a.mount"},{"name":"a.automount"},{"name":"a.swap"},{"name":"a.target"},{"name":"a.path"},{"name":"a.timer"},{"name":"a.snapshot"},{"name":"a.slice"},{"name":"x/a.scope"}"#),
        &[],
    ),
    case(
        0..=7,
        of!(units: r#"{},{"name":"a"},{"name":"a.foo"},{"name":"a.service/b"},{"name":"a.service."}"#),
        &[
            "error unit-suffix $.systemd.units.0?name",
            "error unit-suffix $.systemd.units.1.name",
            "error unit-suffix $.systemd.units.2.name",
            "error unit-suffix $.systemd.units.3.name",
            "error unit-suffix $.systemd.units.4.name",
        ],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","dropins":[{"name":"x"},{"name":"y.conf","contents":"[a"},{"name":"y.conf","contents":"[a]\nb=c"}]},{"name":"a.service"}"#),
        &[
            "error dropin-suffix $.systemd.units.0.dropins.0.name",
            "error unit-malformed $.systemd.units.0.dropins.1.contents",
            "error duplicate $.systemd.units.0.dropins.2",
            "error duplicate $.systemd.units.1",
        ],
    ),
    // Contents.
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","contents":""}"#),
        &[],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","contents":"[Unit]\na=b\\\n c\n"}"#),
        &[],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","contents":"[Unit]\nfoo"},{"name":"b.service","contents":"[Unit] x"}"#),
        &[
            "error unit-malformed $.systemd.units.0.contents",
            "error unit-malformed $.systemd.units.1.contents",
        ],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","contents":"a=b\n[Unit]\nc=d"}"#),
        &["warning unit-stray-text $.systemd.units.0.contents"],
    ),
    // Enabling.
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","enabled":true,"contents":"[Install]\nWantedBy=x"},{"name":"b.service","enabled":true},{"name":"c.service","enabled":true,"contents":""},{"name":"d.service","enabled":false,"contents":"[Unit]\na=b"},{"name":"e.service","contents":"[Unit]\na=b"}"#),
        &[],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","enabled":true,"contents":"[Unit]\na=b"},{"name":"b.service","enabled":true,"contents":"[Install]"},{"name":"c.service","enabled":true,"contents":"\n"},{"name":"d.service","enabled":true,"contents":"[x"}"#),
        &[
            "warning unit-without-install $.systemd.units.0.contents",
            "warning unit-without-install $.systemd.units.1.contents",
            "warning unit-without-install $.systemd.units.2.contents",
            "error unit-malformed $.systemd.units.3.contents",
        ],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a@b.service","enabled":true},{"name":"a@.service","contents":"[Unit]\na=b"},{"name":"b@c.service","enabled":true},{"name":"b@.service","contents":"[Install]\na=b"},{"name":"c@d.service"},{"name":"c@.service","contents":"[Unit]\na=b"},{"name":"d@e.socket","enabled":true},{"name":"d@.socket","contents":"[Unit]\na=b"},{"name":"e@f.service","enabled":true},{"name":"@.service","contents":"[Unit]\na=b"},{"name":"@x.service","enabled":true}"#),
        &["warning template-without-install $.systemd.units.0?contents"],
    ),
    case(
        0..=7,
        of!(units: r#"{"name":"a.service","enabled":true,"contents":"[Install]\nWantedBy=x"},{"name":"a.service","enabled":true,"contents":"[Unit]\na=b"}"#),
        &[
            "error duplicate $.systemd.units.1",
            "warning unit-without-install $.systemd.units.1.contents",
        ],
    ),
    // Users and groups have no rules but this.
    case(
        0..=7,
        r#"{"passwd":{"users":[{"name":""},{"name":""},{"name":"a","sshAuthorizedKeys":["k","k"],"groups":["g","g"]}],"groups":[{"name":"g"},{"name":"g"}]}}"#,
        &[
            "error duplicate $.passwd.users.1",
            "error duplicate $.passwd.users.2.sshAuthorizedKeys.1",
            "error duplicate $.passwd.users.2.groups.1",
            "error duplicate $.passwd.groups.1",
        ],
    ),
    // Kernel arguments share their keys.
    case(
        3..=7,
        r#"{"kernelArguments":{"shouldExist":["a","b","a"],"shouldNotExist":["c","b"]}}"#,
        &[
            "error duplicate $.kernelArguments.shouldExist.2",
            "error duplicate $.kernelArguments.shouldNotExist.1",
        ],
    ),
];
