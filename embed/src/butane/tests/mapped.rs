//! Rules of Ignition that the result breaks lead back to what the user wrote.

use super::*;

#[test]
fn two_units_of_one_name_lead_to_the_second_sugar() {
    let entry = |device: &str| {
        format!("{{device: {device}, path: /var/a, format: xfs, with_mount_unit: true}}")
    };
    let text = format!(
        "storage: {{filesystems: [{}, {}]}}",
        entry("/dev/a"),
        entry("/dev/b")
    );
    let expected = ["error duplicate $.storage.filesystems.1.with_mount_unit"];
    assert_eq!(body("fcos 1.5.0", &text, None).findings, expected);
}

#[test]
fn a_key_given_twice_leads_to_its_file() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("more"), "ssh-rsa one\n").unwrap();
    let files = FilesDir::open(outer.path()).unwrap();
    let text = "passwd: {users: [{name: a, ssh_authorized_keys_local: [more, more]}]}";
    let expected = ["error duplicate $.passwd.users.0.ssh_authorized_keys_local.1"];
    assert_eq!(body("fcos 1.5.0", text, Some(&files)).findings, expected);
}

#[test]
fn certificates_given_twice_are_found_by_their_urls() {
    let text = "
ignition: {security: {tls: {certificate_authorities: [{inline: same}, {inline: same}]}}}
";
    let expected = ["error duplicate $.ignition.security.tls.certificate_authorities.1"];
    assert_eq!(body("fcos 1.5.0", text, None).findings, expected);
}

#[test]
fn errors_of_the_result_lead_to_the_tree() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::create_dir(outer.path().join("tree")).unwrap();
    std::fs::write(outer.path().join("tree/a"), "text").unwrap();
    let files = FilesDir::open(outer.path()).unwrap();
    let text = "storage: {trees: [{local: tree, path: relative}]}";
    let expected = ["error path-relative $.storage.trees.0"];
    assert_eq!(body("fcos 1.5.0", text, Some(&files)).findings, expected);
}

#[test]
fn plain_values_are_checked_too() {
    let cases = [
        (
            "storage: {files: [{path: a}]}",
            "error path-relative $.storage.files.0.path",
        ),
        (
            "storage: {files: [{path: /a, mode: 010000}]}",
            "error mode-out-of-range $.storage.files.0.mode",
        ),
        (
            "storage: {links: [{path: /a}]}",
            "error link-target-missing $.storage.links.0.target",
        ),
        (
            "storage: {filesystems: [{device: /dev/a, path: /a}]}",
            "error format-missing $.storage.filesystems.0.format",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            body("fcos 1.5.0", text, None).findings,
            [expected],
            "{text}"
        );
    }
}

#[test]
fn a_generated_unit_is_checked_as_a_unit() {
    let fields = r#"device: /dev/a, path: "/var/a\n[x", format: xfs, with_mount_unit: true"#;
    let text = format!("storage: {{filesystems: [{{{fields}}}]}}");
    let expected = ["warning unit-without-install $.storage.filesystems.0.with_mount_unit"];
    assert_eq!(body("fcos 1.5.0", &text, None).findings, expected);
}

#[test]
fn errors_of_butane_come_before_those_of_the_result() {
    let text = "storage: {files: [{path: a, contents: {inline: a, local: a}}]}";
    let expected = ["error two-sources $.storage.files.0.contents.inline"];
    assert_eq!(body("fcos 1.5.0", text, None).findings, expected);
}

#[test]
fn rules_are_those_of_the_spec_that_is_made() {
    let text = "storage: {files: [{path: /a, mode: 04755}]}";
    let warning = ["warning mode-special-bits $.storage.files.0.mode"];
    assert_eq!(body("fcos 1.6.0", text, None).findings, warning);
    assert_eq!(body("fcos 1.7.0", text, None).findings, [""; 0]);
}
