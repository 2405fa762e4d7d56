//! Every layout, every combination, every version boundary of `boot_device`.
//!
//! Expected values are written out by hand from the documented layouts, not made by the code here.

use serde_json::{Value as Json, json};

use crate::butane::sugar::tests::{check_findings, convert};

const MIRROR: &str = "mirror: {devices: [/dev/vda, /dev/vdb]}";

fn boot(body: &str) -> String {
    format!("boot_device: {{{body}}}")
}

/// The storage section that `body` gives in `target`, without any finding.
fn storage(target: &str, body: &str) -> Json {
    let outcome = convert(target, body);
    assert_eq!(outcome.findings, [] as [&str; 0], "{target}\n{body}");
    outcome.config()["storage"].take()
}

fn disk(device: &str, number: u8, first: Json, second: Json) -> Json {
    let named = |mut partition: Json| {
        let label = partition["label"].as_str().unwrap();
        partition["label"] = format!("{label}-{number}").into();
        partition
    };
    json!({
        "device": device,
        "wipeTable": true,
        "partitions": [
            named(first),
            named(second),
            {"label": format!("boot-{number}"), "sizeMiB": 384},
            {"label": format!("root-{number}")},
        ],
    })
}

fn fs(device: &str, format: &str, label: &str) -> Json {
    json!({"device": device, "format": format, "label": label, "wipeFilesystem": true})
}

#[test]
fn every_layout_has_the_partitions_of_its_images() {
    let bios = json!({"label": "bios", "sizeMiB": 1,
        "typeGuid": "21686148-6449-6E6F-744E-656564454649"});
    let prep = json!({"label": "prep", "sizeMiB": 4,
        "typeGuid": "9E1A2D38-C612-4316-AA26-8B49521E5A8B"});
    let reserved = json!({"label": "reserved", "sizeMiB": 1,
        "typeGuid": "8DA63339-0007-60C0-C436-083AC8230908"});
    let esp = json!({"label": "esp", "sizeMiB": 127,
        "typeGuid": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"});
    let layouts = [
        ("x86_64", bios, esp.clone(), true),
        ("aarch64", reserved.clone(), esp, true),
        ("ppc64le", prep, reserved, false),
    ];
    for target in ["fcos 1.3.0", "fcos 1.7.0"] {
        for (layout, first, second, has_esp) in &layouts {
            let got = storage(target, &boot(&format!("layout: {layout}, {MIRROR}")));
            let disks = json!([
                disk("/dev/vda", 1, first.clone(), second.clone()),
                disk("/dev/vdb", 2, first.clone(), second.clone()),
            ]);
            assert_eq!(got["disks"], disks, "{layout}");
            let mut filesystems = Vec::new();
            for number in [1, 2] {
                let label = format!("esp-{number}");
                let device = format!("/dev/disk/by-partlabel/{label}");
                filesystems.extend(has_esp.then(|| fs(&device, "vfat", &label)));
            }
            filesystems.push(fs("/dev/md/md-boot", "ext4", "boot"));
            filesystems.push(fs("/dev/md/md-root", "xfs", "root"));
            assert_eq!(got["filesystems"], Json::from(filesystems), "{layout}");
            assert_eq!(got.get("luks"), None);
        }
    }
}

#[test]
fn mirrors_are_two_arrays_of_which_boot_can_be_read_without_them() {
    let got = storage("fcos 1.4.0", &boot(&format!("layout: x86_64, {MIRROR}")));
    let members = |label: &str| {
        json!([
            format!("/dev/disk/by-partlabel/{label}-1"),
            format!("/dev/disk/by-partlabel/{label}-2"),
        ])
    };
    let expected = json!([
        {"name": "md-boot", "level": "raid1", "devices": members("boot"),
            "options": ["--metadata=1.0"]},
        {"name": "md-root", "level": "raid1", "devices": members("root")},
    ]);
    assert_eq!(got["raid"], expected);
}

#[test]
fn the_root_volume_is_where_the_layout_has_it() {
    let clevis = json!({"tang": [{"url": "http://t", "thumbprint": "x"}], "tpm2": true,
        "threshold": 2});
    let tang = "tang: [{url: 'http://t', thumbprint: x}], tpm2: true, threshold: 2";
    let cases = [
        (
            "fcos 1.3.0",
            String::new(),
            "",
            "/dev/disk/by-partlabel/root",
        ),
        (
            "fcos 1.3.0",
            format!("layout: x86_64, {MIRROR}, "),
            "",
            "/dev/md/md-root",
        ),
        (
            "fcos 1.6.0",
            "layout: s390x-virt, ".into(),
            "",
            "/dev/disk/by-partlabel/root",
        ),
        (
            "fcos 1.6.0",
            "layout: s390x-eckd, ".into(),
            ", device: /dev/dasda",
            "/dev/dasda2",
        ),
        (
            "fcos 1.6.0",
            "layout: s390x-zfcp, ".into(),
            ", device: /dev/sdb",
            "/dev/sdb4",
        ),
    ];
    for (target, layout, device, expected) in cases {
        let got = storage(target, &boot(&format!("{layout}luks: {{{tang}{device}}}")));
        let volume = json!([{"name": "root", "label": "luks-root", "device": expected,
            "wipeVolume": true, "clevis": clevis}]);
        assert_eq!(got["luks"], volume, "{target} {layout}");
        let filesystems = got["filesystems"].as_array().unwrap();
        let root = fs("/dev/mapper/root", "xfs", "root");
        assert_eq!(filesystems.last(), Some(&root), "{target} {layout}");
    }
}

#[test]
fn cex_takes_the_place_of_clevis_and_discard_is_passed_on() {
    let got = storage(
        "fcos 1.6.0",
        &boot(
            "layout: s390x-eckd, luks: {device: /dev/dasda, cex: {enabled: true}, discard: true}",
        ),
    );
    let volume = json!([{"name": "root", "label": "luks-root", "device": "/dev/dasda2",
        "wipeVolume": true, "cex": {"enabled": true}, "discard": true}]);
    assert_eq!(got["luks"], volume);
}

#[test]
fn nothing_is_made_of_what_asks_for_nothing() {
    for body in [
        "",
        "layout: aarch64",
        "luks: {threshold: 2}",
        "luks: {tpm2: false}",
        "luks: {tang: []}",
        "mirror: {devices: []}",
    ] {
        let outcome = convert("fcos 1.5.0", &boot(body));
        assert_eq!(outcome.findings, [] as [&str; 0], "{body}");
        assert_eq!(
            outcome.config(),
            json!({"ignition": {"version": "3.4.0"}}),
            "{body}"
        );
    }
}

#[test]
fn the_users_storage_is_merged_over_the_rendered_one() {
    let body = "
boot_device:
  layout: x86_64
  mirror: {devices: [/dev/vda, /dev/vdb]}
storage:
  disks:
    - device: /dev/vda
      partitions:
        - {label: root-1, size_mib: 20480}
        - {label: var-1}
  filesystems:
    - {device: /dev/md/md-root, format: btrfs, label: own}
    - {device: /dev/disk/by-partlabel/var-1, format: ext4}
";
    let got = storage("fcos 1.6.0", body);
    let partitions = got["disks"][0]["partitions"].as_array().unwrap();
    assert_eq!(got["disks"][0]["wipeTable"], true);
    assert_eq!(partitions[3], json!({"label": "root-1", "sizeMiB": 20480}));
    assert_eq!(partitions[4], json!({"label": "var-1"}));
    assert_eq!(got["disks"][1]["partitions"].as_array().unwrap().len(), 4);
    let filesystems = got["filesystems"].as_array().unwrap();
    assert_eq!(filesystems[3], fs("/dev/md/md-root", "btrfs", "own"));
    assert_eq!(filesystems[4]["format"], "ext4");
}

#[test]
fn the_section_comes_with_fcos_1_3_and_is_no_other_variants() {
    let body = "boot_device: {luks: {tpm2: true}}";
    for target in [
        "fcos 1.0.0",
        "fcos 1.2.0",
        "flatcar 1.1.0",
        "r4e 1.1.0",
        "fiot 1.0.0",
    ] {
        let outcome = convert(target, body);
        assert_eq!(
            outcome.findings,
            ["warning unused-key $.boot_device"],
            "{target}"
        );
        assert_eq!(outcome.config().get("storage"), None, "{target}");
    }
    let unknown = |field: &str| format!("warning unused-key $.boot_device.luks.{field}");
    for (target, body, field) in [
        ("fcos 1.4.0", "luks: {tpm2: true, discard: true}", "discard"),
        (
            "fcos 1.5.0",
            "luks: {tpm2: true, device: /dev/sda}",
            "device",
        ),
        (
            "fcos 1.5.0",
            "luks: {tpm2: true, cex: {enabled: true}}",
            "cex",
        ),
    ] {
        assert_eq!(
            convert(target, &boot(body)).findings,
            [unknown(field)],
            "{target}"
        );
    }
}

#[test]
fn mirrors_need_a_layout_and_two_disks() {
    let mirror = &boot(MIRROR);
    let doubtful: &[&str] = &["warning mirror-without-layout $.boot_device.mirror"];
    let refused: &[&str] = &["error mirror-without-layout $.boot_device.mirror"];
    check_findings(&[
        ("fcos 1.3.0", mirror, doubtful),
        ("fcos 1.6.0", mirror, doubtful),
        ("fcos 1.7.0", mirror, refused),
        ("fcos 1.8.0-experimental", mirror, refused),
        (
            "fcos 1.6.0",
            "boot_device: {layout: x86_64, mirror: {devices: [/dev/vda]}}",
            &["error mirror-too-small $.boot_device.mirror.devices"],
        ),
    ]);
}

#[test]
fn layouts_are_known_by_version() {
    let unknown: &[&str] = &["error layout-unknown $.boot_device.layout"];
    let virt = "boot_device: {layout: s390x-virt, luks: {tpm2: true}}";
    check_findings(&[
        ("fcos 1.5.0", virt, unknown),
        ("fcos 1.6.0", virt, &[]),
        ("fcos 1.7.0", "boot_device: {layout: sparc}", unknown),
        ("fcos 1.7.0", "boot_device: {layout: ''}", unknown),
    ]);
}

#[test]
fn layouts_of_s390x_need_their_disk_and_have_no_mirror() {
    let layout = |code: &str| format!("error {code} $.boot_device.layout");
    let missing: &[&str] = &[&layout("luks-device-missing")];
    let unfit: &[&str] = &[&layout("luks-device-unfit")];
    let mirrored: &[&str] = &[&layout("mirror-unsupported")];
    check_findings(&[
        ("fcos 1.6.0", "boot_device: {layout: s390x-eckd}", missing),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-zfcp, luks: {device: ''}}",
            missing,
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-eckd, luks: {device: /dev/sda, tpm2: true}}",
            unfit,
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-eckd, luks: {device: /dev/dasd, tpm2: true}}",
            unfit,
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-zfcp, luks: {device: /dev/sda1, tpm2: true}}",
            unfit,
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-virt, mirror: {devices: [/dev/vda, /dev/vdb]}}",
            mirrored,
        ),
    ]);
}

#[test]
fn ways_to_unlock_go_together_or_do_not() {
    let nothing = "boot_device: {luks: {device: /dev/sda}}";
    check_findings(&[
        ("fcos 1.6.0", nothing, &[]),
        (
            "fcos 1.7.0",
            nothing,
            &["error luks-method-missing $.boot_device.luks"],
        ),
        (
            "fcos 1.6.0",
            "boot_device: {luks: {cex: {enabled: true}}}",
            &["error cex-without-s390x $.boot_device.luks.cex"],
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: x86_64, luks: {cex: {enabled: true}}}",
            &["error cex-without-s390x $.boot_device.layout"],
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-virt, luks: {cex: {enabled: true}, tpm2: true}}",
            &["error cex-with-clevis $.boot_device.luks"],
        ),
        (
            "fcos 1.6.0",
            "boot_device: {layout: s390x-virt, luks: {cex: {enabled: true}, tang: [{url: 'http://t'}]}}",
            &["error cex-with-clevis $.boot_device.luks"],
        ),
    ]);
}

#[test]
fn everything_leads_back_to_what_asked_for_it() {
    let luks = "luks: {tang: [{url: 'http://t', thumbprint: x}], discard: true}";
    let outcome = convert(
        "fcos 1.6.0",
        &boot(&format!("layout: x86_64, {MIRROR}, {luks}")),
    );
    for (path, expected) in [
        ("storage.disks.1", "mirror.devices.1"),
        ("storage.disks.1.device", "mirror.devices.1"),
        ("storage.disks.1.partitions.3.label", "mirror.devices.1"),
        ("storage.filesystems.0.device", "mirror.devices.0"),
        ("storage.filesystems.2", "mirror"),
        ("storage.raid.1.level", "mirror"),
        ("storage.raid.1.devices.1", "mirror.devices.1"),
        ("storage.luks.0.device", "luks"),
        ("storage.luks.0.discard", "luks.discard"),
        ("storage.luks.0.clevis.tang.0.url", "luks.tang.0.url"),
    ] {
        let expected = format!("$.boot_device.{expected}");
        assert_eq!(outcome.origin(path), expected, "{path}");
    }
    assert_eq!(outcome.origin("storage.filesystems.3"), "$.boot_device");
    assert_eq!(outcome.origin("storage"), "$.boot_device");
}
