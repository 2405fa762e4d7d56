//! Quadlets become files and links; collisions, bad names and contents of instances are refused.
//!
//! All in experimental versions, the only ones that have the section.

use serde_json::json;

use super::template;
use crate::butane::sugar::tests::{check_findings, convert, convert_with};
use crate::butane::{FilesDir, Options};

const TARGET: &str = "fcos 1.8.0-experimental";

#[test]
fn quadlets_are_files_of_podman() {
    let body = "
systemd:
  quadlets:
    - {name: web@.container, rootful: true, contents: '[Container]'}
    - {name: web@1.container, rootful: true, dropins: [{name: a.conf, contents: x}]}
    - {name: mine.volume}
";
    let targets = [
        TARGET,
        "flatcar 1.2.0-experimental",
        "r4e 1.2.0-experimental",
    ];
    for target in targets {
        let outcome = convert(target, body);
        assert_eq!(outcome.findings, [] as [&str; 0], "{target}");
        let quadlet = "$.systemd.quadlets.0";
        let name = outcome.origin("storage.files.0.path");
        assert_eq!(name, format!("{quadlet}.name"));
        let contents = outcome.origin("storage.files.0.contents.source");
        assert_eq!(contents, format!("{quadlet}.contents"));
        let config = outcome.config();
        assert_eq!(config.get("systemd"), None, "{target}");
        let file = |path: &str, source: &str| {
            json!({"path": format!("/etc/containers/systemd/{path}"), "mode": 0o644,
                "contents": {"source": source, "compression": ""}})
        };
        let files = json!([
            file("web@.container", "data:,%5BContainer%5D"),
            file("web@1.container.d/a.conf", "data:,x"),
            file("users/mine.volume", "data:,"),
        ]);
        let links = json!([{"path": "/etc/containers/systemd/web@1.container",
            "target": "web@.container"}]);
        assert_eq!(
            config["storage"],
            json!({"files": files, "links": links}),
            "{target}"
        );
    }
}

#[test]
fn instances_are_known_by_what_is_between_at_and_suffix() {
    let cases = [
        ("web@1.container", Some("web@.container")),
        ("web@a.b.pod", Some("web@.pod")),
        ("web@.container", None),
        ("web.container", None),
        ("web@x", None),
    ];
    for (name, expected) in cases {
        assert_eq!(template(name).as_deref(), expected, "{name}");
    }
}

#[test]
fn bad_quadlets_are_refused_where_they_stand() {
    let quadlets = |items: &str| format!("systemd: {{quadlets: [{items}]}}");
    check_findings(&[
        (
            "fcos 1.7.0",
            &quadlets("{name: a.container}"),
            &["warning unused-key $.systemd.quadlets"],
        ),
        (
            TARGET,
            &quadlets("{name: a.service}"),
            &["error quadlet-suffix $.systemd.quadlets.0.name"],
        ),
        (
            TARGET,
            &quadlets("{rootful: true}"),
            &["error quadlet-suffix $.systemd.quadlets.0"],
        ),
        (
            TARGET,
            &quadlets("{name: a@1.pod, contents: x}"),
            &["error quadlet-instance-contents $.systemd.quadlets.0.contents"],
        ),
        (
            TARGET,
            &quadlets("{name: a@1.pod, contents_local: x}"),
            &["error quadlet-instance-contents $.systemd.quadlets.0.contents_local"],
        ),
        (
            TARGET,
            &quadlets("{name: a.pod, contents: x, contents_local: y}"),
            &["error two-sources $.systemd.quadlets.0.contents_local"],
        ),
        (
            TARGET,
            &quadlets("{name: a.pod}, {name: a.pod}"),
            &["error node-exists $.systemd.quadlets.1"],
        ),
        (
            TARGET,
            &format!(
                "{}\nstorage: {{links: [{{path: /etc/containers/systemd/users/a.pod, target: b}}]}}",
                quadlets("{name: a.pod}")
            ),
            &["error node-exists $.systemd.quadlets.0"],
        ),
        (
            TARGET,
            &quadlets("{name: a.pod, contents_local: x}"),
            &["error no-files-dir $.systemd.quadlets.0.contents_local"],
        ),
    ]);
    for suffix in super::SUFFIXES {
        assert_eq!(
            convert(TARGET, &quadlets(&format!("{{name: a{suffix}}}"))).findings,
            [] as [&str; 0]
        );
    }
}

#[test]
fn quadlets_and_their_dropins_come_from_local_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("unit"), "local").unwrap();
    let files = FilesDir::open(directory.path()).unwrap();
    let options = Options {
        files: Some(&files),
        ..Options::default()
    };
    let body = "systemd: {quadlets: [{name: a.pod, contents_local: unit, \
                dropins: [{name: b.conf, contents_local: unit}]}]}";
    let config = convert_with(TARGET, body, &options).config();
    for index in 0..2 {
        let contents = &config["storage"]["files"][index]["contents"];
        assert_eq!(contents["source"], "data:,local");
    }
}
