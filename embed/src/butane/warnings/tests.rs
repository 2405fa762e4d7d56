//! Modes, partitions and mount points that are doubted, and those that are not.
//!
//! Each rule at the version before and the first version that has it.

use super::{digits_as_octal, is_usual};
use crate::butane::sugar::tests::{check_findings, convert};

const NONE: &[&str] = &[];

#[test]
fn a_mode_is_doubted_if_its_digits_make_a_better_one_in_octal() {
    let file: &[&str] = &["warning mode-decimal $.storage.files.0.mode"];
    let directory: &[&str] = &["warning mode-decimal $.storage.directories.0.mode"];
    let files = |mode: &str| format!("storage: {{files: [{{path: /f, mode: {mode}}}]}}");
    let directories =
        |mode: &str| format!("storage: {{directories: [{{path: /d, mode: {mode}}}]}}");
    for target in ["fcos 1.0.0", "fcos 1.7.0", "flatcar 1.1.0", "r4e 1.0.0"] {
        check_findings(&[
            (target, &files("644"), file),
            (target, &files("0644"), NONE),
            (target, &files("420"), NONE),
            (target, &files("0"), NONE),
            (target, &files("689"), NONE),
            (target, &files("10000"), NONE),
            (target, &directories("755"), directory),
            (target, &directories("0755"), NONE),
            (target, &directories("1777"), directory),
        ]);
    }
}

#[test]
fn usual_modes_give_the_owner_most() {
    for mode in [
        0, 0o600, 0o644, 0o640, 0o755, 0o750, 0o700, 0o400, 0o444, 0o4755, 0o2755,
    ] {
        assert!(is_usual(mode, false), "{mode:o}");
    }
    for mode in [
        0o1644,
        0o4644,
        0o4757,
        0o060,
        0o604,
        0o466,
        0o300,
        0o744 | 0o1000,
        0o754,
    ] {
        assert!(!is_usual(mode, false), "{mode:o}");
    }
    for mode in [0o755, 0o700, 0o1777, 0o2775, 0o555] {
        assert!(is_usual(mode, true), "{mode:o}");
    }
    for mode in [0o644, 0o4755, 0o1555, 0o777 & !0o100] {
        assert!(!is_usual(mode, true), "{mode:o}");
    }
}

#[test]
fn digits_are_octal_or_not() {
    assert_eq!(digits_as_octal(644), Some(0o644));
    assert_eq!(digits_as_octal(7777), Some(0o7777));
    assert_eq!(digits_as_octal(0), Some(0));
    for no in [-1, 8, 690, 7778, 10_000, i64::MAX, i64::MIN] {
        assert_eq!(digits_as_octal(no), None, "{no}");
    }
}

#[test]
fn partitions_without_numbers_are_doubted_on_disks_that_keep_their_table() {
    let disk = |disk: &str| format!("storage: {{disks: [{{{disk}}}]}}");
    let label = "partitions: [{label: var}]";
    let kept = &disk(&format!("device: /dev/vda, {label}"));
    let at: &[&str] = &["warning partition-by-label $.storage.disks.0.partitions.0.number"];
    check_findings(&[
        ("fcos 1.5.0", kept, NONE),
        ("fcos 1.6.0", kept, at),
        ("fcos 1.8.0-experimental", kept, at),
        ("flatcar 1.1.0", kept, NONE),
        (
            "fcos 1.6.0",
            &disk("device: /dev/vda, partitions: [{label: var, number: 0}]"),
            at,
        ),
        (
            "fcos 1.6.0",
            &disk("device: /dev/vda, partitions: [{label: var, number: 5}]"),
            NONE,
        ),
        (
            "fcos 1.6.0",
            &disk(&format!("device: /dev/vda, wipe_table: true, {label}")),
            NONE,
        ),
        (
            "fcos 1.6.0",
            &disk(&format!(
                "device: /dev/disk/by-id/coreos-boot-disk, {label}"
            )),
            NONE,
        ),
        (
            "fcos 1.6.0",
            &format!(
                "{}\nboot_device: {{layout: x86_64, mirror: {{devices: [/dev/vda, /dev/vdb]}}}}",
                disk(&format!("device: /dev/vda, {label}"))
            ),
            NONE,
        ),
    ]);
}

#[test]
fn well_known_labels_have_well_known_numbers() {
    let disk = |partition: &str, more: &str| {
        format!("storage: {{disks: [{{device: /dev/vda, partitions: [{{{partition}}}]{more}}}]}}")
    };
    let at: &[&str] = &["warning partition-number-unexpected $.storage.disks.0.partitions.0.label"];
    let labels = [
        ("BIOS-BOOT", 1),
        ("PowerPC-PReP-boot", 1),
        ("EFI-SYSTEM", 2),
        ("boot", 3),
        ("root", 4),
    ];
    for (label, number) in labels {
        let size = "size_mib: 9000";
        let right = &disk(&format!("label: {label}, number: {number}, {size}"), "");
        let wrong = &disk(&format!("label: {label}, number: 7, {size}"), "");
        let wiped = &disk(
            &format!("label: {label}, number: 7, {size}"),
            ", wipe_table: true",
        );
        for target in ["fcos 1.0.0", "fcos 1.7.0"] {
            check_findings(&[
                (target, right, NONE),
                (target, wrong, at),
                (target, wiped, NONE),
            ]);
        }
        check_findings(&[("flatcar 1.1.0", wrong, NONE)]);
    }
}

#[test]
fn root_needs_room() {
    let disk = |partitions: &str| {
        format!("storage: {{disks: [{{device: /dev/vda, partitions: [{partitions}]}}]}}")
    };
    let small: &[&str] = &["warning root-too-small $.storage.disks.0.partitions.0.size_mib"];
    let squeezed: &[&str] = &["warning root-squeezed $.storage.disks.0.partitions.0.label"];
    let sized = |size: &str| disk(&format!("{{label: root, number: 4, size_mib: {size}}}"));
    let after = |start: &str| {
        disk(&format!(
            "{{label: root, number: 4}}, {{label: var, number: 5{start}}}"
        ))
    };
    check_findings(&[
        ("fcos 1.2.0", &sized("4096"), NONE),
        ("fcos 1.3.0", &sized("4096"), small),
        ("fcos 1.7.0", &sized("8191"), small),
        ("fcos 1.7.0", &sized("8192"), NONE),
        ("fcos 1.7.0", &sized("0"), NONE),
        ("fcos 1.2.0", &after(""), NONE),
        ("fcos 1.3.0", &after(""), squeezed),
        ("fcos 1.7.0", &after(", start_mib: 0"), squeezed),
        ("fcos 1.7.0", &after(", start_mib: 20000"), NONE),
        (
            "fcos 1.7.0",
            &disk("{label: var, number: 5}, {label: root, number: 4}"),
            NONE,
        ),
    ]);
}

#[test]
fn mount_units_are_for_etc_and_var() {
    let at: &[&str] = &["error mount-point-forbidden $.storage.filesystems.0.path"];
    let mount = |path: &str| {
        format!(
            "storage: {{filesystems: [{{device: /dev/vdb, format: ext4, path: {path}, \
             with_mount_unit: true}}]}}"
        )
    };
    check_findings(&[
        ("fcos 1.5.0", &mount("/opt"), NONE),
        ("fcos 1.6.0", &mount("/opt"), at),
        ("fcos 1.7.0", &mount("/"), at),
        ("fcos 1.7.0", &mount("/varnish"), at),
        ("fcos 1.7.0", &mount("/opt/var"), at),
        ("fcos 1.7.0", &mount("/var"), NONE),
        ("fcos 1.7.0", &mount("/etc/x"), NONE),
        ("flatcar 1.1.0", &mount("/opt"), NONE),
    ]);
    let unmounted = mount("/opt").replace("true", "false");
    assert_eq!(convert("fcos 1.7.0", &unmounted).findings, NONE);
}
