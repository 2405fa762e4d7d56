//! What sugar is made into passes the rules of Ignition, whatever is combined.
//!
//! Not random: every layout with every way to unlock and every mirror, at every level of the
//! sugar. Sugar that is refused is refused by its own rules, in terms that its user wrote.

use super::{Outcome, convert};
use crate::finding::{Findings, Severity};
use crate::ignition::rules;
use crate::schema::Target;

const TARGETS: [&str; 10] = [
    "fcos 1.3.0",
    "fcos 1.4.0",
    "fcos 1.5.0",
    "fcos 1.6.0",
    "fcos 1.7.0",
    "fcos 1.8.0-experimental",
    "openshift 4.8.0",
    "openshift 4.14.0",
    "openshift 4.22.0",
    "openshift 4.23.0-experimental",
];
const LAYOUTS: [&str; 7] = [
    "",
    "layout: x86_64, ",
    "layout: aarch64, ",
    "layout: ppc64le, ",
    "layout: s390x-eckd, ",
    "layout: s390x-zfcp, ",
    "layout: s390x-virt, ",
];
const VOLUMES: [&str; 9] = [
    "",
    "luks: {}, ",
    "luks: {tpm2: true, threshold: 1}, ",
    "luks: {tang: [{url: 'http://t', thumbprint: x}, {url: 'http://u', thumbprint: x}], threshold: 2}, ",
    "luks: {tpm2: true, discard: true}, ",
    "luks: {tpm2: true, device: /dev/dasda}, ",
    "luks: {tpm2: true, device: /dev/sda}, ",
    "luks: {cex: {enabled: true}, device: /dev/sda}, ",
    "luks: {cex: {enabled: true}}, ",
];
const MIRRORS: [&str; 4] = [
    "",
    "mirror: {}",
    "mirror: {devices: [/dev/vda, /dev/vdb]}",
    "mirror: {devices: [/dev/vda, /dev/vdb, /dev/vdc]}",
];
const OPENSHIFT: &str = "
metadata: {name: x, labels: {machineconfiguration.openshift.io/role: worker}}
openshift: {fips: true, kernel_arguments: [rd.luks.key=/etc/luks/cex.key]}
";

/// What Ignition has against the config that `target` is converted to.
fn complaints(target: &str, outcome: &Outcome) -> Vec<String> {
    let (variant, version) = target.split_once(' ').unwrap();
    let minor = Target::find(variant, version).unwrap().minor;
    let mut findings = Findings::new();
    if let Some(tree) = &outcome.tree {
        rules::check(tree, minor, &mut findings);
    }
    let findings = findings.into_sorted().into_iter();
    findings
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| {
            let path = outcome.sources.path(finding.at.span);
            format!("{} {path}", finding.code)
        })
        .collect()
}

#[test]
fn accepted_boot_devices_are_sound() {
    let mut accepted = 0;
    for target in TARGETS {
        let more = if target.starts_with("openshift") {
            OPENSHIFT
        } else {
            ""
        };
        for layout in LAYOUTS {
            for volume in VOLUMES {
                for mirror in MIRRORS {
                    let body = format!("boot_device: {{{layout}{volume}{mirror}}}{more}");
                    let outcome = convert(target, &body);
                    accepted += usize::from(outcome.tree.is_some());
                    let found = complaints(target, &outcome);
                    assert_eq!(found, [] as [&str; 0], "{target}\n{body}");
                }
            }
        }
    }
    assert!(accepted > 500, "only {accepted} were accepted");
}

#[test]
fn other_sugar_is_sound() {
    for (target, body) in [
        ("fcos 1.5.0", "grub: {users: [{name: a, password_hash: b}]}"),
        (
            "fcos 1.8.0-experimental",
            "systemd: {quadlets: [{name: a@.pod, dropins: [{name: b.conf}]}, {name: a@1.pod}]}",
        ),
        (
            "openshift 4.23.0-experimental",
            &format!("{OPENSHIFT}grub: {{users: [{{name: a, password_hash: b}}]}}"),
        ),
    ] {
        let outcome = convert(target, body);
        assert!(outcome.tree.is_some(), "{target} {:?}", outcome.findings);
        assert_eq!(complaints(target, &outcome), [] as [&str; 0], "{target}");
    }
}

#[test]
fn ignitions_complaints_lead_back_to_the_sugar() {
    let boot = |body: &str| format!("boot_device: {{layout: x86_64, {body}}}");
    for (body, place) in [
        (
            "mirror: {devices: [/dev/vda, /dev/vda]}",
            "mirror.devices.1",
        ),
        ("mirror: {devices: [/dev/vda, vdb]}", "mirror.devices.1"),
        (
            "mirror: {devices: [/dev/vda, /dev/../dev/vdb]}",
            "mirror.devices.1",
        ),
        (
            "luks: {tang: [{url: 't:x', thumbprint: x}]}",
            "luks.tang.0.url",
        ),
        ("luks: {tang: [{url: 'http://t'}]}", "luks.tang.0"),
    ] {
        let outcome = convert("fcos 1.6.0", &boot(body));
        let found = complaints("fcos 1.6.0", &outcome);
        let place = format!(" $.boot_device.{place}");
        assert!(!found.is_empty(), "{body}");
        for complaint in found {
            assert!(complaint.ends_with(&place), "{body}: {complaint}");
        }
    }
}
