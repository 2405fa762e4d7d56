//! Files beside the config: contents, keys, units and drop-ins.

use super::*;

fn directory() -> (tempfile::TempDir, FilesDir) {
    let outer = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a", "contents"),
        ("keys", "ssh-ed25519 one\n\n# note\r\nssh-rsa two"),
        ("more", "ssh-ed25519 three\n"),
        ("unit", "[Service]\nType=oneshot\n"),
        ("empty", ""),
    ] {
        std::fs::write(outer.path().join(name), text).unwrap();
    }
    std::fs::write(outer.path().join("binary"), b"\xff\x00").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", outer.path().join("outside")).unwrap();
    let files = FilesDir::open(outer.path()).unwrap();
    (outer, files)
}

#[test]
fn contents_of_any_bytes() {
    let (_outer, files) = directory();
    for (name, bytes) in [
        ("a", b"contents".as_slice()),
        ("binary", b"\xff\x00"),
        ("empty", b""),
    ] {
        let text = format!("storage: {{files: [{{path: /a, contents: {{local: {name}}}}}]}}");
        for target in ["fcos 1.1.0", "fcos 1.7.0", "flatcar 1.1.0", "fiot 1.0.0"] {
            let resource = body(target, &text, Some(&files)).value("/storage/files/0/contents");
            assert_eq!(contents(&resource), bytes, "{target} {name}");
            assert_eq!(resource["compression"], "", "{target} {name}");
        }
    }
}

#[test]
fn keys_are_lines_after_those_of_the_config() {
    let (_outer, files) = directory();
    let text = "
passwd:
  users:
  - {name: a, ssh_authorized_keys: [ssh-rsa own], ssh_authorized_keys_local: [keys, more]}
  - {name: b, ssh_authorized_keys_local: [more]}
";
    let users = body("fcos 1.5.0", text, Some(&files)).value("/passwd/users");
    let own = [
        "ssh-rsa own",
        "ssh-ed25519 one",
        "# note",
        "ssh-rsa two",
        "ssh-ed25519 three",
    ];
    let expected = serde_json::json!([
        {"name": "a", "sshAuthorizedKeys": own},
        {"name": "b", "sshAuthorizedKeys": ["ssh-ed25519 three"]},
    ]);
    assert_eq!(users, expected);
}

#[test]
fn units_and_dropins() {
    let (_outer, files) = directory();
    let text = "
systemd:
  units:
  - name: a.service
    contents_local: unit
    dropins: [{name: a.conf, contents_local: unit}, {name: b.conf, contents: '[Unit]'}]
  - {name: b.service, contents_local: ''}
";
    let units = body("fcos 1.5.0", text, Some(&files)).value("/systemd/units");
    let unit = "[Service]\nType=oneshot\n";
    let expected = serde_json::json!([
        {"name": "a.service", "contents": unit, "dropins": [
            {"name": "a.conf", "contents": unit},
            {"name": "b.conf", "contents": "[Unit]"},
        ]},
        {"name": "b.service"},
    ]);
    assert_eq!(units, expected);
}

#[test]
fn what_cannot_be_read_is_told_where_it_is_named() {
    let (_outer, files) = directory();
    let resource =
        |local: &str| format!("storage: {{files: [{{path: /a, contents: {{local: {local}}}}}]}}");
    let unit =
        |local: &str| format!("systemd: {{units: [{{name: a.service, contents_local: {local}}}]}}");
    let keys = |local: &str| {
        format!("passwd: {{users: [{{name: a, ssh_authorized_keys_local: [{local}]}}]}}")
    };
    let places = [
        "$.storage.files.0.contents.local",
        "$.systemd.units.0.contents_local",
        "$.passwd.users.0.ssh_authorized_keys_local.0",
    ];
    for (local, code) in [
        ("../a", "files-dir-escape"),
        ("outside", "files-dir-escape"),
        ("absent", "local-unreadable"),
        ("'.'", "local-not-regular"),
    ] {
        for (text, place) in [resource(local), unit(local), keys(local)]
            .iter()
            .zip(places)
        {
            let expected = [format!("error {code} {place}")];
            assert_eq!(
                body("fcos 1.5.0", text, Some(&files)).findings,
                expected,
                "{text}"
            );
        }
    }
    for (text, place) in [resource("a"), unit("a"), keys("a")].iter().zip(places) {
        let expected = [format!("error no-files-dir {place}")];
        assert_eq!(body("fcos 1.5.0", text, None).findings, expected, "{text}");
    }
    for (text, place) in [unit("binary"), keys("binary")].iter().zip(&places[1..]) {
        let expected = [format!("error local-not-utf8 {place}")];
        assert_eq!(
            body("fcos 1.5.0", text, Some(&files)).findings,
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_unit_has_one_text() {
    let text = "
systemd:
  units:
  - name: a.service
    contents: ''
    contents_local: unit
    dropins: [{name: a.conf, contents: '[Unit]', contents_local: ''}]
";
    let expected = [
        "error two-sources $.systemd.units.0.contents_local",
        "error two-sources $.systemd.units.0.dropins.0.contents_local",
    ];
    assert_eq!(body("fcos 1.5.0", text, None).findings, expected);
}

#[test]
fn older_versions_do_not_have_them() {
    let text = "
passwd: {users: [{name: a, ssh_authorized_keys_local: [keys]}]}
systemd: {units: [{name: a.service, contents_local: unit}]}
";
    let unused = [
        "warning unused-key $.passwd.users.0.ssh_authorized_keys_local",
        "warning unused-key $.systemd.units.0.contents_local",
    ];
    let used = [
        "error no-files-dir $.passwd.users.0.ssh_authorized_keys_local.0",
        "error no-files-dir $.systemd.units.0.contents_local",
    ];
    for target in ["fcos 1.0.0", "fcos 1.4.0", "flatcar 1.0.0", "r4e 1.0.0"] {
        assert_eq!(body(target, text, None).findings, unused, "{target}");
    }
    for target in ["fcos 1.5.0", "flatcar 1.1.0", "r4e 1.1.0", "fiot 1.0.0"] {
        assert_eq!(body(target, text, None).findings, used, "{target}");
    }
}
