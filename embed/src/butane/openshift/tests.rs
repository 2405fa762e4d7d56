//! The sections that only openshift has, and what it changes in the config.
//!
//! What it refuses in the config is in `refused`, the text of a MachineConfig beside its writer.

mod refused;

use serde_json::json;

use crate::butane::sugar::tests::{Outcome, check_findings, convert, convert_raw};

const METADATA: &str =
    "metadata: {name: x, labels: {machineconfiguration.openshift.io/role: worker}}";

/// A body with the metadata that is required.
fn body(rest: &str) -> String {
    format!("{METADATA}\n{rest}")
}

fn convert_body(target: &str, rest: &str) -> Outcome {
    convert(target, &body(rest))
}

#[test]
fn metadata_is_required() {
    let no_role = "error metadata-role-missing $.metadata.labels";
    let no_name = "error metadata-name-missing $.metadata.name";
    for target in [
        "openshift 4.8.0",
        "openshift 4.22.0",
        "openshift 4.23.0-experimental",
    ] {
        check_findings(&[
            (target, METADATA, &[]),
            (
                target,
                "",
                &[
                    "error metadata-name-missing $.metadata",
                    "error metadata-role-missing $.metadata",
                ],
            ),
            (target, "metadata: {name: x}", &[no_role]),
            (target, "metadata: {name: x, labels: {}}", &[no_role]),
            (
                target,
                "metadata: {name: x, labels: {machineconfiguration.openshift.io/role: ''}}",
                &[no_role],
            ),
            (
                target,
                "metadata: {name: '', labels: {machineconfiguration.openshift.io/role: master}}",
                &[no_name],
            ),
        ]);
    }
    check_findings(&[(
        "fcos 1.6.0",
        "metadata: {name: x}\nopenshift: {fips: true}",
        &[
            "warning unused-key $.metadata",
            "warning unused-key $.openshift",
        ],
    )]);
}

#[test]
fn kernel_types_are_known() {
    let unknown: &[&str] = &["error kernel-type-unknown $.openshift.kernel_type"];
    for (kind, expected) in [
        ("default", &[][..]),
        ("realtime", &[]),
        ("''", &[]),
        ("fast", unknown),
    ] {
        let body = body(&format!("openshift: {{kernel_type: {kind}}}"));
        check_findings(&[("openshift 4.12.0", &body, expected)]);
    }
}

#[test]
fn grub_is_taken_from_4_23_on_and_written_whole() {
    let users = "grub: {users: [{name: root, password_hash: x}]}";
    let refused: &[&str] = &["error field-unsupported $.grub"];
    check_findings(&[
        (
            "openshift 4.13.0",
            &body(users),
            &["warning unused-key $.grub"],
        ),
        ("openshift 4.14.0", &body(users), refused),
        ("openshift 4.22.0", &body(users), refused),
        ("openshift 4.14.0", &body("grub: {}"), &[]),
    ]);
    let outcome = convert_body("openshift 4.23.0-experimental", users);
    assert_eq!(outcome.findings, [] as [&str; 0]);
    let file = outcome.config()["storage"]["files"][0].take();
    assert_eq!(file.get("append"), None);
    assert_eq!(file["contents"]["compression"], "");
    assert_eq!(file["path"], "/boot/grub2/user.cfg");
}

#[test]
fn fips_chose_a_cipher_until_4_20() {
    let volumes = |options: &str| {
        format!(
            "openshift: {{fips: true}}\n\
             storage: {{luks: [{{name: data, device: /dev/vdb{options}}}]}}\n\
             boot_device: {{luks: {{tpm2: true}}}}"
        )
    };
    let cipher = json!(["--cipher", "aes-cbc-essiv:sha256"]);
    for (target, chosen) in [
        ("openshift 4.8.0", true),
        ("openshift 4.19.0", true),
        ("openshift 4.20.0", false),
        ("openshift 4.23.0-experimental", false),
    ] {
        let luks = convert_body(target, &volumes("")).config()["storage"]["luks"].take();
        for volume in luks.as_array().unwrap() {
            assert_eq!(volume.get("options"), chosen.then_some(&cipher), "{target}");
        }
    }
    for own in ["[--cipher, x]", "[--cipher=x]", "[-c, x]"] {
        let options = format!(", options: {own}");
        let luks =
            convert_body("openshift 4.9.0", &volumes(&options)).config()["storage"]["luks"].take();
        let data = luks
            .as_array()
            .unwrap()
            .iter()
            .find(|luks| luks["name"] == "data");
        let count = data.unwrap()["options"].as_array().unwrap().len();
        assert_eq!(count, own.split(',').count(), "{own}");
    }
    let kept = convert_body("openshift 4.9.0", &volumes(", options: [--hash, x]"));
    let options = &kept.config()["storage"]["luks"][1]["options"];
    assert_eq!(
        *options,
        json!(["--hash", "x", "--cipher", "aes-cbc-essiv:sha256"])
    );
    let off = volumes("").replace("fips: true", "fips: false");
    let luks = convert_body("openshift 4.9.0", &off).config()["storage"]["luks"][0].take();
    assert_eq!(luks.get("options"), None);
}

#[test]
fn cex_on_the_root_volume_needs_its_kernel_argument() {
    let boot = "boot_device: {layout: s390x-virt, luks: {cex: {enabled: true}}}";
    let volume = |name: &str| {
        format!("storage: {{luks: [{{name: {name}, device: /dev/sda4, cex: {{enabled: true}}}}]}}")
    };
    let argument = "openshift: {kernel_arguments: [rd.luks.key=/etc/luks/cex.key]}";
    let code = "error cex-kernel-argument-missing $.openshift";
    for target in ["openshift 4.19.0", "openshift 4.23.0-experimental"] {
        check_findings(&[
            (target, &body(boot), &[code]),
            (target, &body(&format!("{boot}\n{argument}")), &[]),
            (target, &body(&volume("root")), &[code]),
            (target, &body(&volume("data")), &[]),
            (
                target,
                &body(&format!("{boot}\nopenshift: {{fips: false}}")),
                &[&format!("{code}.kernel_arguments")],
            ),
            (
                target,
                &body(&format!("{boot}\nopenshift: {{kernel_arguments: [quiet]}}")),
                &[&format!("{code}.kernel_arguments")],
            ),
        ]);
    }
    check_findings(&[("fcos 1.6.0", boot, &[])]);
}

#[test]
fn rules_of_fcos_alone_are_not_those_of_openshift() {
    let rest = "
storage:
  disks: [{device: /dev/vdb, partitions: [{label: var}]}]
  filesystems: [{device: /dev/vdb, format: ext4, path: /opt, with_mount_unit: true}]
";
    check_findings(&[("openshift 4.22.0", &body(rest), &[])]);
}

#[test]
fn plain_ignition_leaves_the_openshift_section_out() {
    let rest = "openshift: {fips: false, extensions: [usbguard], kernel_type: realtime, \
                kernel_arguments: [quiet]}";
    let outcome = convert_raw("openshift 4.12.0", &body(rest));
    let dropped = |name: &str| format!("warning field-dropped $.openshift.{name}");
    let names = ["fips", "extensions", "kernel_type", "kernel_arguments"];
    assert_eq!(outcome.findings, names.map(dropped));
    assert_eq!(outcome.config(), json!({"ignition": {"version": "3.2.0"}}));
    assert_eq!(outcome.machine, None);
}
