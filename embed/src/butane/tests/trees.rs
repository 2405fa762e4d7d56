//! Directories made files, directories and links of the config.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// `a/b` a file, `a/x*` an executable, `a/l>target` a link, `a/` a directory.
fn directory(entries: &[&str]) -> (tempfile::TempDir, FilesDir) {
    let outer = tempfile::tempdir().unwrap();
    for entry in entries {
        let (name, target) = entry.split_once('>').unwrap_or((entry, ""));
        let path = outer.path().join(name.trim_end_matches('*'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if entry.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
        } else if !target.is_empty() {
            symlink(target, &path).unwrap();
        } else {
            fs::write(&path, name.trim_end_matches('*')).unwrap();
            let mode = if name.ends_with('*') { 0o710 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let files = FilesDir::open(outer.path()).unwrap();
    (outer, files)
}

fn file(path: &str, text: &str, mode: u32) -> Json {
    let source = format!("data:,{}", text.replace('/', "%2F"));
    serde_json::json!({
        "path": path, "mode": mode, "contents": {"source": source, "compression": ""},
    })
}

#[test]
fn files_and_links_come_in_the_order_of_their_names() {
    let (_outer, files) = directory(&[
        "tree/sub/deep/file",
        "tree/sub/run*",
        "tree/b",
        "tree/sub.d",
        "tree/sub/link>../b",
        "tree/dangling>/nowhere",
        "tree/empty/",
        "more/file",
    ]);
    let text = "storage: {trees: [{local: tree}, {local: ./more/, path: /etc//x/../y}]}";
    for target in [
        "fcos 1.1.0",
        "fcos 1.5.0",
        "fcos 1.7.0",
        "r4e 1.0.0",
        "fiot 1.0.0",
    ] {
        let storage = body(target, text, Some(&files)).value("/storage");
        let expected = serde_json::json!({
            "files": [
                file("/b", "tree/b", 0o644),
                file("/sub/deep/file", "tree/sub/deep/file", 0o644),
                file("/sub/run", "tree/sub/run", 0o755),
                file("/sub.d", "tree/sub.d", 0o644),
                file("/etc/y/file", "more/file", 0o644),
            ],
            "links": [
                {"path": "/dangling", "target": "/nowhere"},
                {"path": "/sub/link", "target": "../b"},
            ],
        });
        assert_eq!(storage, expected, "{target}");
    }
}

#[test]
fn entries_without_contents_receive_them() {
    let (_outer, files) = directory(&["tree/a*", "tree/b", "tree/l>b"]);
    let text = "
storage:
  trees: [{local: tree}]
  files:
  - {path: /b, user: {name: me}, contents: {source: ''}}
  - {path: /a, mode: 0600, contents: {compression: gzip}}
  links: [{path: /l, group: {id: 3}, overwrite: true}]
";
    let storage = body("fcos 1.5.0", text, Some(&files)).value("/storage");
    let mut packed = file("/a", "tree/a", 0o600);
    packed["contents"]["compression"] = "gzip".into();
    let mut owned = file("/b", "tree/b", 0o644);
    owned["user"] = serde_json::json!({"name": "me"});
    let expected = serde_json::json!({
        "files": [owned, packed],
        "links": [{"path": "/l", "group": {"id": 3}, "overwrite": true, "target": "b"}],
    });
    assert_eq!(storage, expected);
}

#[test]
fn what_is_there_already_collides() {
    let (_outer, files) = directory(&[
        "t0/file",
        "t1/directory",
        "t2/link",
        "t3/link-partial",
        "t4/tree",
        "t5/tree",
        "t6/file>x",
        "t7/directory>x",
        "t8/link>x",
        "t9/file-partial>x",
        "t10/tree>x",
    ]);
    let trees: Vec<_> = (0..=10)
        .map(|number| format!("{{local: t{number}}}"))
        .collect();
    let text = format!(
        "
storage:
  trees: [{}]
  files: [{{path: /file, contents: {{inline: x}}}}, {{path: /file-partial}}]
  directories: [{{path: /directory}}]
  links: [{{path: /link, target: x}}, {{path: /link-partial}}]
",
        trees.join(", ")
    );
    let expected: Vec<_> = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
        .map(|number| format!("error tree-collision $.storage.trees.{number}"))
        .to_vec();
    assert_eq!(body("fcos 1.5.0", &text, Some(&files)).findings, expected);
}

#[test]
fn newer_versions_can_set_owners_and_modes() {
    let (_outer, files) = directory(&["tree/sub/a*", "tree/l>x", "tree/old"]);
    let run = |target: &str, options: &str| {
        let text = format!(
            "
storage:
  trees: [{{local: tree, path: /etc, {options}}}]
  files: [{{path: /etc/old}}]
"
        );
        body(target, &text, Some(&files))
    };
    let owner = serde_json::json!({"name": "me"});
    let directory =
        |path: &str, mode: u32| serde_json::json!({"path": path, "mode": mode, "user": owner});
    let mut below = file("/etc/sub/a", "tree/sub/a", 0o755);
    below["user"] = owner.clone();
    let storage = run("fcos 1.7.0", "user: {name: me}").value("/storage");
    let expected = serde_json::json!({
        "files": [file("/etc/old", "tree/old", 0o644), below],
        "links": [{"path": "/etc/l", "target": "x", "user": owner}],
        "directories": [directory("/etc", 0o755), directory("/etc/sub", 0o755)],
    });
    assert_eq!(storage, expected);
    let storage = run("fcos 1.7.0", "dir_mode: 0700, file_mode: 0640").value("/storage");
    assert_eq!(
        storage["directories"][0],
        serde_json::json!({"path": "/etc", "mode": 0o700})
    );
    assert_eq!(storage["files"][0]["mode"], 0o640);
    assert_eq!(storage["files"][1]["mode"], 0o640);
    let storage = run("fcos 1.7.0", "file_mode: 0600, group: {}").value("/storage");
    assert!(storage.get("directories").is_none(), "{storage}");
    let unused = ["user", "group", "file_mode", "dir_mode"];
    let unused = unused.map(|field| format!("warning unused-key $.storage.trees.0.{field}"));
    let options = "user: {id: 1}, group: {id: 1}, file_mode: 1, dir_mode: 1";
    assert_eq!(run("fcos 1.6.0", options).findings, unused);
}

#[test]
fn directories_collide_only_where_they_are_made() {
    let (_outer, files) = directory(&["t1/sub/a", "t2/sub/b"]);
    let run = |options: &str| {
        let text = format!("storage: {{trees: [{{local: t1{options}}}, {{local: t2{options}}}]}}");
        body("fcos 1.7.0", &text, Some(&files)).findings
    };
    assert_eq!(run(""), [""; 0]);
    // The root itself, and `sub`; said in one place only once, by the same words.
    let collision = "error tree-collision $.storage.trees.1";
    assert_eq!(run(", dir_mode: 0755"), [collision, collision]);
}

#[test]
fn trees_that_cannot_be_copied_are_told_of_at_the_tree() {
    let (outer, files) = directory(&["file", "tree/a"]);
    let _socket = std::os::unix::net::UnixListener::bind(outer.path().join("tree/socket")).unwrap();
    symlink("/etc", outer.path().join("outside")).unwrap();
    let run = |tree: &str, files| {
        let text = format!("storage: {{trees: [{{{tree}}}]}}");
        body("fcos 1.5.0", &text, files).findings
    };
    let tree = |code: &str| vec![format!("error {code} $.storage.trees.0")];
    assert_eq!(run("local: tree", Some(&files)), tree("tree-file-type"));
    assert_eq!(run("local: file", Some(&files)), tree("tree-not-directory"));
    assert_eq!(run("local: absent", Some(&files)), tree("local-unreadable"));
    assert_eq!(run("local: ../x", Some(&files)), tree("files-dir-escape"));
    assert_eq!(
        run("local: outside", Some(&files)),
        tree("files-dir-escape")
    );
    assert_eq!(run("local: tree", None), tree("no-files-dir"));
    let missing = ["error tree-without-local $.storage.trees.0.local"];
    assert_eq!(run("path: /a", Some(&files)), missing);
    assert_eq!(run("local: ''", Some(&files)), missing);
}

#[test]
fn the_first_version_has_no_trees() {
    let expected = ["warning unused-key $.storage.trees"];
    assert_eq!(
        body("fcos 1.0.0", "storage: {trees: [{local: a}]}", None).findings,
        expected
    );
}

#[test]
fn ten_thousand_files_collide_or_come_through_quickly() {
    let outer = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        let directory = outer.path().join(format!("tree/{}", number / 100));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(number.to_string()), "some text").unwrap();
    }
    let files = FilesDir::open(outer.path()).unwrap();
    let once = body(
        "fcos 1.5.0",
        "storage: {trees: [{local: tree}]}",
        Some(&files),
    )
    .clean();
    assert_eq!(once["storage"]["files"].as_array().unwrap().len(), 10_000);
    let twice = "storage: {trees: [{local: tree}, {local: tree}]}";
    assert_eq!(body("fcos 1.5.0", twice, Some(&files)).findings.len(), 100);
}
