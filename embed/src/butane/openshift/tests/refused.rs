//! Every row of what openshift refuses, below and at the version where that changes.
//!
//! Each is tried in nine versions, so that a row cannot apply too early or too late.

use super::{body, convert_body};
use crate::butane::sugar::tests::check_findings;

const TARGETS: [&str; 9] = [
    "4.8.0",
    "4.9.0",
    "4.10.0",
    "4.12.0",
    "4.13.0",
    "4.14.0",
    "4.19.0",
    "4.22.0",
    "4.23.0-experimental",
];

/// Refused with `code` at `path` from `since` on and before `until`; elsewhere not a word.
fn refused(rest: &str, code: &str, path: &str, since: u32, until: u32) {
    for version in TARGETS {
        let release: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
        let finding = format!("error {code} {path}");
        let expected: &[&str] = if (since..until).contains(&release) {
            &[&finding]
        } else {
            &[]
        };
        check_findings(&[(&format!("openshift {version}"), &body(rest), expected)]);
    }
}

#[test]
fn fields_that_are_refused_in_every_version() {
    let always = |rest: &str, path: &str| refused(rest, "field-unsupported", path, 0, u32::MAX);
    always("passwd: {groups: [{name: a}]}", "$.passwd.groups");
    always(
        "storage: {directories: [{path: /a}]}",
        "$.storage.directories",
    );
    always(
        "storage: {links: [{path: /a, target: b}]}",
        "$.storage.links",
    );
    always(
        "storage: {files: [{path: /a, append: [{inline: b}]}]}",
        "$.storage.files.0.append",
    );
    always(
        "storage: {files: [{path: /a, contents: {source: 'data:,', http_headers: [{name: a}]}}]}",
        "$.storage.files.0.contents.http_headers",
    );
    for (field, value) in [
        ("gecos", "a"),
        ("groups", "[a]"),
        ("home_dir", "/a"),
        ("no_create_home", "false"),
        ("no_log_init", "true"),
        ("no_user_group", "true"),
        ("primary_group", "a"),
        ("shell", "''"),
        ("should_exist", "true"),
        ("system", "true"),
        ("uid", "0"),
    ] {
        let rest = format!("passwd: {{users: [{{name: core, {field}: {value}}}]}}");
        always(&rest, &format!("$.passwd.users.0.{field}"));
    }
}

#[test]
fn fields_that_are_refused_in_some_versions() {
    refused(
        "passwd: {users: [{name: core, password_hash: a}]}",
        "field-unsupported",
        "$.passwd.users.0.password_hash",
        0,
        13,
    );
    refused(
        "storage: {files: [{path: /a, contents: {source: 'data:,', compression: gzip}}]}",
        "field-unsupported",
        "$.storage.files.0.contents.compression",
        0,
        10,
    );
    let arguments = body("kernel_arguments: {should_exist: [a]}");
    check_findings(&[
        (
            "openshift 4.13.0",
            &arguments,
            &["warning unused-key $.kernel_arguments"],
        ),
        (
            "openshift 4.14.0",
            &arguments,
            &["error field-unsupported $.kernel_arguments"],
        ),
        (
            "openshift 4.22.0",
            &arguments,
            &["error field-unsupported $.kernel_arguments"],
        ),
    ]);
}

#[test]
fn values_that_are_refused() {
    let format =
        |name: &str| format!("storage: {{filesystems: [{{device: /dev/a, format: {name}}}]}}");
    let at = "$.storage.filesystems.0.format";
    refused(&format("btrfs"), "format-unsupported", at, 0, u32::MAX);
    refused(&format("none"), "format-unsupported", at, 14, u32::MAX);
    refused(&format("xfs"), "format-unsupported", at, 0, 0);
    for url in ["https://a/b", "s3://a/b", "''"] {
        refused(
            &format!("storage: {{files: [{{path: /a, contents: {{source: {url}}}}}]}}"),
            "source-unsupported",
            "$.storage.files.0.contents.source",
            0,
            u32::MAX,
        );
    }
    refused(
        "storage: {files: [{path: /a, contents: {source: 'DATA:,'}}]}",
        "",
        "",
        0,
        0,
    );
    for mode in ["01644", "02755", "04755"] {
        let rest = format!("storage: {{files: [{{path: /a, mode: {mode}}}]}}");
        let at = "$.storage.files.0.mode";
        refused(&rest, "mode-special-unsupported", at, 10, u32::MAX);
    }
    let users = "passwd: {users: [{name: core, ssh_authorized_keys: [a]}, {name: bovik}]}";
    refused(
        users,
        "user-unsupported",
        "$.passwd.users.1.name",
        0,
        u32::MAX,
    );
}

#[test]
fn empty_fields_are_not_refused() {
    let rest = "
passwd: {groups: [], users: [{name: core, groups: []}]}
storage:
  directories: []
  links: []
  files: [{path: /a, append: [], contents: {inline: a}}]
";
    for version in TARGETS {
        let outcome = convert_body(&format!("openshift {version}"), rest);
        assert_eq!(outcome.findings, [] as [&str; 0], "{version}");
    }
}

#[test]
fn files_are_not_compressed_before_4_10() {
    let long = "a".repeat(500);
    let rest = format!("storage: {{files: [{{path: /a, contents: {{inline: {long}}}}}]}}");
    for (version, compression) in [("4.8.0", ""), ("4.9.0", ""), ("4.10.0", "gzip")] {
        let outcome = convert_body(&format!("openshift {version}"), &rest);
        let config = outcome.config();
        let contents = &config["storage"]["files"][0]["contents"];
        assert_eq!(contents["compression"], compression, "{version}");
    }
}
