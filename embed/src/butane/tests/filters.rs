//! What r4e, fiot and flatcar leave out.

use super::*;

const SECTIONS: [(&str, &str); 5] = [
    ("kernel_arguments", "kernel_arguments: {should_exist: [a]}"),
    (
        "storage.disks",
        "storage: {disks: [{device: /dev/a, wipe_table: true}]}",
    ),
    (
        "storage.filesystems",
        "storage: {filesystems: [{device: /dev/a, format: xfs}]}",
    ),
    (
        "storage.luks",
        "storage: {luks: [{name: a, device: /dev/a}]}",
    ),
    (
        "storage.raid",
        "storage: {raid: [{name: a, level: raid1, devices: [/dev/a]}]}",
    ),
];

#[test]
fn edge_and_iot_have_no_disks_and_kernel_arguments() {
    for (path, text) in SECTIONS {
        for target in [
            "r4e 1.0.0",
            "r4e 1.1.0",
            "r4e 1.2.0-experimental",
            "fiot 1.0.0",
            "fiot 1.1.0-experimental",
        ] {
            let expected = [format!("error field-unsupported $.{path}")];
            assert_eq!(
                body(target, text, None).findings,
                expected,
                "{target} {text}"
            );
        }
        for target in ["fcos 1.4.0", "fcos 1.7.0", "flatcar 1.0.0", "flatcar 1.1.0"] {
            assert_eq!(
                body(target, text, None).findings,
                [""; 0],
                "{target} {text}"
            );
        }
    }
}

#[test]
fn empty_sections_are_no_matter() {
    let text = "storage: {disks: [], luks: [], raid:}\nkernel_arguments: {}";
    assert_eq!(body("fiot 1.0.0", text, None).findings, [""; 0]);
}

#[test]
fn flatcar_has_clevis_only_in_its_newest_version_and_never_cex() {
    let luks = |field: &str| format!("storage: {{luks: [{{name: a, device: /dev/a, {field}}}]}}");
    let clevis = luks("clevis: {tpm2: true}");
    let expected = ["error field-unsupported $.storage.luks.0.clevis"];
    for target in ["flatcar 1.0.0", "flatcar 1.1.0"] {
        assert_eq!(body(target, &clevis, None).findings, expected);
    }
    assert_eq!(
        body("flatcar 1.2.0-experimental", &clevis, None).findings,
        [""; 0]
    );
    let cex = luks("cex: {enabled: true}");
    let expected = ["error field-unsupported $.storage.luks.0.cex"];
    assert_eq!(
        body("flatcar 1.2.0-experimental", &cex, None).findings,
        expected
    );
    assert_eq!(body("fcos 1.7.0", &cex, None).findings, [""; 0]);
}
