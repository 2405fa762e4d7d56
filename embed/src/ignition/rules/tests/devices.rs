//! Disks, partitions, arrays and encrypted volumes.
//! Formats of what is on them are in [`super::filesystems`].

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // Disks.
    case(0..=7, of!(disks: r#"{"device":"/dev/sda"}"#), &[]),
    case(
        0..=7,
        of!(disks: r#"{},{"device":"a"},{"device":"/a/"},{"device":"/a/"}"#),
        &[
            "error path-missing $.storage.disks.0?device",
            "error path-relative $.storage.disks.1.device",
            "error path-unclean $.storage.disks.2.device",
            "error path-unclean $.storage.disks.3.device",
            "error duplicate $.storage.disks.3",
        ],
    ),
    // Numbers and labels.
    case(
        0..=7,
        of!(partitions: r#"{"number":1},{"label":""},{"number":2,"label":"a"}"#),
        &[],
    ),
    case(
        0..=7,
        of!(partitions: r#"{},{"number":0}"#),
        &[
            "error partition-unnamed $.storage.disks.0.partitions.0",
            "error partition-unnamed $.storage.disks.0.partitions.1",
        ],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"label":"a"},{"number":1,"label":"a"},{"number":2},{"number":2,"label":"b"}"#),
        &[
            "error partition-number-twice $.storage.disks.0.partitions.1",
            "error partition-number-twice $.storage.disks.0.partitions.3",
        ],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"label":"a"},{"label":"a"},{"label":"a","number":2},{"label":"b"}"#),
        &[
            "error partition-label-twice $.storage.disks.0.partitions.1",
            "error partition-label-twice $.storage.disks.0.partitions.2",
        ],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"label":"","number":1},{"label":"","number":2}"#),
        &["error partition-label-twice $.storage.disks.0.partitions.1"],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"label":"ééééééééééééééééééa"},{"label":"a:b"},{"label":"éééééééééééééééééé"}"#),
        &[
            "error partition-label-long $.storage.disks.0.partitions.0.label",
            "error partition-label-colon $.storage.disks.0.partitions.1.label",
        ],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"label":"a","guid":"","typeGuid":"x"},{"label":"b","guid":"01234567-89AB-CDEF-EDCB-A98765432101\n","typeGuid":"0fc63daf-8483-4772-8e79-3d69d8477de4"}"#),
        &[
            "error guid-malformed $.storage.disks.0.partitions.0.typeGuid",
            "error guid-malformed $.storage.disks.0.partitions.1.guid",
        ],
    ),
    // Places on the disk.
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"startMiB":1,"sizeMiB":10},{"number":2,"startMiB":5,"sizeMiB":0},{"number":3,"startMiB":11,"sizeMiB":2},{"number":4,"startMiB":12}"#),
        &["error partitions-overlap $.storage.disks.0.partitions.1"],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"startMiB":5,"sizeMiB":2},{"number":2,"startMiB":1,"sizeMiB":20}"#),
        &["error partitions-overlap $.storage.disks.0.partitions.1"],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"startMiB":10,"sizeMiB":-5},{"number":2,"startMiB":6,"sizeMiB":1}"#),
        &["error partitions-overlap $.storage.disks.0.partitions.1"],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"startMiB":9223372036854775807,"sizeMiB":9223372036854775807},{"number":2,"startMiB":0,"sizeMiB":1},{"number":3,"startMiB":0,"sizeMiB":1}"#),
        &[],
    ),
    // Deletion.
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"shouldExist":false,"guid":"","typeGuid":"","wipePartitionEntry":true}"#),
        &[],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"shouldExist":false,"label":""},{"number":2,"shouldExist":false,"startMiB":0},{"number":3,"shouldExist":false,"sizeMiB":0},{"number":4,"shouldExist":false,"guid":"01234567-89AB-CDEF-EDCB-A98765432101"},{"number":5,"shouldExist":false,"typeGuid":"01234567-89AB-CDEF-EDCB-A98765432101"}"#),
        &[
            "error partition-deleted-with-others $.storage.disks.0.partitions.0",
            "error partition-deleted-with-others $.storage.disks.0.partitions.1",
            "error partition-deleted-with-others $.storage.disks.0.partitions.2",
            "error partition-deleted-with-others $.storage.disks.0.partitions.3",
            "error partition-deleted-with-others $.storage.disks.0.partitions.4",
        ],
    ),
    case(
        0..=7,
        of!(partitions: r#"{"number":1,"shouldExist":false},{"label":"a"}"#),
        &["error partition-deleted-with-unnumbered $.storage.disks.0.partitions"],
    ),
    // Arrays.
    case(
        0..=7,
        of!(raid: r#"{"name":"a","level":"raid1","devices":["/x","/y"],"spares":1,"options":["a","a"]},{"name":"b","level":"10","devices":["/x"]},{"name":"c","level":"stripe","devices":["/x"],"spares":0}"#),
        &[],
    ),
    case(
        0..=7,
        of!(raid: r#"{},{"name":"a","level":"","devices":["/x","/x"]},{"name":"a","level":"raid7","devices":["x",""]}"#),
        &[
            "error raid-level-missing $.storage.raid.0?level",
            "error raid-devices-missing $.storage.raid.0?devices",
            "error raid-level-missing $.storage.raid.1.level",
            "error duplicate $.storage.raid.1.devices.1",
            "error duplicate $.storage.raid.2",
            "error value-unknown $.storage.raid.2.level",
            "error path-relative $.storage.raid.2.devices.0",
            "error path-missing $.storage.raid.2.devices.1",
        ],
    ),
    case(
        0..=7,
        of!(raid: r#"{"name":"c","level":"0","devices":["/a/"],"spares":1},{"name":"d","level":"linear","devices":["/a"],"spares":-1},{"name":"e","level":"raid0","devices":[],"spares":2}"#),
        &[
            "error raid-spares $.storage.raid.0.level",
            "error path-unclean $.storage.raid.0.devices.0",
            "error raid-spares $.storage.raid.1.level",
            "error raid-spares $.storage.raid.2.level",
            "error raid-devices-missing $.storage.raid.2.devices",
        ],
    ),
    // Encrypted volumes.
    case(
        0..=1,
        of!(luks: r#""wipeVolume":true"#),
        &["warning unused-key $.storage.luks"],
    ),
    case(
        2..=7,
        of!(luks: r#""wipeVolume":true,"label":"12345678901234567890123456789012345678901234567","options":["a","a"]"#),
        &[],
    ),
    case(
        2..=7,
        of!(luks: r#""label":"123456789012345678901234567890123456789012345678""#),
        &["error luks-label-long $.storage.luks.0.label"],
    ),
    case(
        2..=7,
        of!(luks: r#""clevis":{}},{"name":"a/b"},{"name":"b","device":""},{"name":"b","device":"d""#),
        &[
            "error luks-name-slash $.storage.luks.1.name",
            "error path-missing $.storage.luks.1?device",
            "error path-missing $.storage.luks.2.device",
            "error path-relative $.storage.luks.3.device",
            "error duplicate $.storage.luks.3",
        ],
    ),
    case(
        4..=7,
        of!(luks: r#""openOptions":["a","b","a"]"#),
        &["error duplicate $.storage.luks.0.openOptions.2"],
    ),
    // Clevis.
    case(
        2..=7,
        of!(luks: r#""clevis":{"custom":{"pin":"sss","config":"{}","needsNetwork":true},"threshold":0}"#),
        &[],
    ),
    case(
        2..=7,
        of!(luks: r#""clevis":{"tpm2":true,"custom":{"pin":"tpm2","config":"x"}}"#),
        &["error clevis-custom-with-others $.storage.luks.0.clevis"],
    ),
    case(
        2..=7,
        of!(luks: r#""clevis":{"threshold":1,"custom":{"pin":"tpm2","config":"x"}}"#),
        &["error clevis-custom-with-others $.storage.luks.0.clevis"],
    ),
    case(
        2..=2,
        of!(luks: r#""clevis":{"tpm2":true,"custom":{}}"#),
        &["error clevis-custom-with-others $.storage.luks.0.clevis"],
    ),
    case(
        3..=7,
        of!(luks: r#""clevis":{"tpm2":true,"custom":{}}"#),
        &[],
    ),
    case(
        2..=7,
        of!(luks: r#""clevis":{"custom":{"config":"x"}}"#),
        &["error clevis-pin-missing $.storage.luks.0.clevis.custom?pin"],
    ),
    case(
        2..=2,
        of!(luks: r#""clevis":{"custom":{"needsNetwork":true}}"#),
        &[],
    ),
    case(
        3..=7,
        of!(luks: r#""clevis":{"custom":{"needsNetwork":true,"config":""}}"#),
        &[
            "error clevis-pin-missing $.storage.luks.0.clevis.custom?pin",
            "error clevis-config-missing $.storage.luks.0.clevis.custom.config",
        ],
    ),
    case(
        2..=5,
        of!(luks: r#""clevis":{"custom":{"pin":"yubikey","config":"x"}}"#),
        &["error clevis-pin-unknown $.storage.luks.0.clevis.custom.pin"],
    ),
    case(
        6..=7,
        of!(luks: r#""clevis":{"custom":{"pin":"yubikey","config":"x"}}"#),
        &[],
    ),
    case(
        2..=7,
        of!(luks: r#""clevis":{"tang":[{"url":"https://a","thumbprint":"x"},{"thumbprint":"x"},{"url":"http://a b","thumbprint":""},{"url":"x"},{"url":"x","thumbprint":"x"}]}"#),
        &[
            "error tang-scheme $.storage.luks.0.clevis.tang.1?url",
            "error url-malformed $.storage.luks.0.clevis.tang.2.url",
            "error tang-thumbprint-missing $.storage.luks.0.clevis.tang.2.thumbprint",
            "error tang-scheme $.storage.luks.0.clevis.tang.3.url",
            "error tang-thumbprint-missing $.storage.luks.0.clevis.tang.3?thumbprint",
            "error tang-scheme $.storage.luks.0.clevis.tang.4.url",
            "error duplicate $.storage.luks.0.clevis.tang.4",
        ],
    ),
    case(
        4..=7,
        of!(luks: r#""clevis":{"tang":[{"url":"http://a","thumbprint":"x","advertisement":"{\"a\":1}"},{"url":"http://b","thumbprint":"x","advertisement":""},{"url":"http://c","thumbprint":"x","advertisement":"{"}]}"#),
        &["error tang-advertisement $.storage.luks.0.clevis.tang.2.advertisement"],
    ),
    // Crypto Express.
    case(
        5..=7,
        of!(luks: r#""cex":{"enabled":true},"keyFile":{"source":""}"#),
        &[],
    ),
    case(
        5..=7,
        of!(luks: r#""cex":{"enabled":false},"clevis":{"tpm2":true}"#),
        &[],
    ),
    case(
        5..=7,
        of!(luks: r#""cex":{"enabled":true},"clevis":{"tpm2":true},"keyFile":{"source":"data:,x"}"#),
        &[
            "error cex-with-clevis $.storage.luks.0.cex",
            "error cex-with-key-file $.storage.luks.0.cex",
        ],
    ),
];
