//! `inline`, `local` and `source` wherever the schema has a resource.

use super::*;

fn file(target: &str, contents: &str) -> Outcome {
    let text = format!("storage: {{files: [{{path: /a, contents: {contents}}}]}}");
    body(target, &text, None)
}

const FILE: &str = "/storage/files/0/contents";

#[test]
fn the_shortest_encoding_is_taken() {
    let long = "x".repeat(80);
    let cases: [(&str, &str, &str); 9] = [
        ("abc", "data:,abc", ""),
        ("", "data:,", ""),
        ("a b\n", "data:,a%20b%0A", ""),
        ("-_.!~*'()", "data:,-_.!~*'()", ""),
        ("åäö", "data:;base64,w6XDpMO2", ""),
        ("?\u{0}", "data:,%3F%00", ""),
        ("???", "data:,%3F%3F%3F", ""),
        // At equal length the readable form stays.
        ("????ab", "data:,%3F%3F%3F%3Fab", ""),
        (&long, "", "gzip"),
    ];
    for (text, url, compression) in cases {
        let quoted = serde_json::to_string(text).unwrap();
        let resource = file("fcos 1.5.0", &format!("{{inline: {quoted}}}")).value(FILE);
        assert_eq!(resource["compression"], compression, "{text}");
        assert_eq!(contents(&resource), text.as_bytes());
        if compression.is_empty() {
            assert_eq!(resource["source"], url, "{text}");
        }
    }
}

#[test]
fn the_first_version_only_escapes_and_says_no_compression() {
    let long = "x ".repeat(100);
    let resource = file("fcos 1.0.0", &format!("{{inline: '{long}'}}")).value(FILE);
    let escaped = format!("data:,{}", long.replace(' ', "%20"));
    assert_eq!(resource, serde_json::json!({ "source": escaped }));
}

#[test]
fn old_openshift_is_never_given_gzip() {
    let metadata = "metadata: {name: a, labels: {machineconfiguration.openshift.io/role: a}}";
    let text = format!(
        "{metadata}\nstorage: {{files: [{{path: /etc/a, contents: {{inline: '{}'}}}}]}}",
        "x".repeat(200)
    );
    for (version, compression) in [
        ("4.8.0", ""),
        ("4.9.0", ""),
        ("4.10.0", "gzip"),
        ("4.19.0", "gzip"),
    ] {
        let resource = body(&format!("openshift {version}"), &text, None).value(FILE);
        assert_eq!(resource["compression"], compression, "{version}");
        assert_eq!(contents(&resource).len(), 200);
    }
}

#[test]
fn what_the_user_compressed_is_not_compressed_again() {
    let long = "x".repeat(200);
    let packed = file(
        "fcos 1.5.0",
        &format!("{{inline: {long}, compression: gzip}}"),
    )
    .value(FILE);
    let expected = serde_json::json!({
        "source": format!("data:,{long}"), "compression": "gzip",
    });
    assert_eq!(packed, expected);
    let plain = file(
        "fcos 1.5.0",
        &format!("{{inline: {long}, compression: ''}}"),
    )
    .value(FILE);
    assert_eq!(plain["compression"], "gzip");
}

#[test]
fn every_kind_of_resource_can_be_inline() {
    let text = "
ignition:
  security: {tls: {certificate_authorities: [{inline: ca}]}}
storage:
  files: [{path: /a, append: [{inline: one}, {inline: two}]}]
  luks: [{name: l, device: /dev/l, key_file: {inline: key}}]
";
    let config = body("fcos 1.5.0", text, None).clean();
    let expect = |pointer: &str, text: &str| {
        let resource = config.pointer(pointer).unwrap();
        let url = format!("data:,{text}");
        let expected = serde_json::json!({"source": url, "compression": ""});
        assert_eq!(*resource, expected, "{pointer}");
    };
    expect("/ignition/security/tls/certificateAuthorities/0", "ca");
    expect("/storage/files/0/append/0", "one");
    expect("/storage/files/0/append/1", "two");
    expect("/storage/luks/0/keyFile", "key");
}

#[test]
fn a_source_and_what_belongs_to_it_stay_as_they_are() {
    let given = "{source: 'https://example.com/a', compression: gzip, http_headers: \
                 [{name: a, value: b}], verification: {hash: sha256-\
                 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}}";
    let expected = serde_json::json!({
        "source": "https://example.com/a",
        "compression": "gzip",
        "httpHeaders": [{"name": "a", "value": "b"}],
        "verification": {
            "hash": "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
    });
    assert_eq!(file("fcos 1.5.0", given).value(FILE), expected);
    let remote = file("fcos 1.5.0", "{source: 'https://example.com/a'}").value(FILE);
    assert_eq!(
        remote,
        serde_json::json!({"source": "https://example.com/a"})
    );
}

#[test]
fn only_one_source_can_be_given() {
    let at = |field: &str| {
        vec![format!(
            "error two-sources $.storage.files.0.contents.{field}"
        )]
    };
    let cases = [
        ("{inline: a, source: 'data:,a'}", "source"),
        ("{local: a, source: 'data:,a'}", "source"),
        ("{inline: a, local: a}", "inline"),
        ("{source: '', inline: '', local: ''}", "source"),
    ];
    for (contents, field) in cases {
        assert_eq!(
            file("fcos 1.5.0", contents).findings,
            at(field),
            "{contents}"
        );
    }
}

#[test]
fn the_first_version_has_inline_for_files_only() {
    let text = "
ignition: {config: {replace: {source: 'https://example.com/', inline: a}}}
storage: {files: [{path: /a, contents: {source: 'https://example.com/', local: a}}]}
";
    let expected = [
        "warning unused-key $.ignition.config.replace.inline",
        "warning unused-key $.storage.files.0.contents.local",
    ];
    assert_eq!(body("fcos 1.0.0", text, None).findings, expected);
}

/// The identity of a config is that of its bytes: a new encoder must not change them unnoticed.
#[test]
fn gzip_gives_the_same_bytes_everywhere() {
    let text = "0123456789".repeat(20);
    let resource = file("fcos 1.5.0", &format!("{{inline: '{text}'}}")).value(FILE);
    assert_eq!(
        resource["source"],
        "data:;base64,H4sIAAAAAAAC/zMwNDI2MTUzt7A0GNIsAECjKUHIAAAA"
    );
}
