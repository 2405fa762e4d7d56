//! What is read from a files directory, and what is not.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;

fn directory() -> (tempfile::TempDir, FilesDir) {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("files");
    fs::create_dir_all(inner.join("sub")).unwrap();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    fs::write(inner.join("a"), "text").unwrap();
    fs::write(inner.join("sub/b"), "below").unwrap();
    fs::write(inner.join("latin"), b"\xe5").unwrap();
    symlink("a", inner.join("inside")).unwrap();
    symlink("../secret", inner.join("outside")).unwrap();
    symlink("../..", inner.join("sub/up")).unwrap();
    symlink("loop", inner.join("loop")).unwrap();
    let files = FilesDir::open(&inner).unwrap();
    (outer, files)
}

fn read(files: &FilesDir, local: &str) -> Result<String, &'static str> {
    let read = Files::new(Some(files)).read_text(local);
    read.map_err(|error| error.code())
}

#[test]
fn paths_stay_in_the_directory() {
    let (outer, files) = directory();
    let _socket = UnixListener::bind(outer.path().join("files/socket")).unwrap();
    let cases = [
        ("a", Ok("text")),
        ("./sub//../a", Ok("text")),
        ("/sub/b", Ok("below")),
        ("inside", Ok("text")),
        ("../secret", Err("files-dir-escape")),
        ("sub/../../secret", Err("files-dir-escape")),
        ("../files/a", Err("files-dir-escape")),
        ("outside", Err("files-dir-escape")),
        ("sub/up/secret", Err("files-dir-escape")),
        ("loop", Err("local-unreadable")),
        ("absent", Err("local-unreadable")),
        ("a\0b", Err("local-unreadable")),
        ("", Err("local-not-regular")),
        ("sub", Err("local-not-regular")),
        ("socket", Err("local-not-regular")),
        ("latin", Err("local-not-utf8")),
    ];
    for (local, expected) in cases {
        assert_eq!(read(&files, local), expected.map(String::from), "{local}");
    }
}

#[test]
fn without_a_directory_nothing_is_read() {
    let error = Files::new(None).read("a").unwrap_err();
    assert_eq!(error.code(), "no-files-dir");
    assert!(FilesDir::open("/nonexistent/directory").is_err());
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = FilesDir::open(file.path()).unwrap_err();
    assert!(matches!(error, FilesError::NotDirectory { .. }), "{error}");
}

#[test]
fn large_files_are_refused_without_being_read_whole() {
    let (outer, files) = directory();
    let large = File::create(outer.path().join("files/large")).unwrap();
    large.set_len(FILE_LIMIT + 1).unwrap();
    assert_eq!(read(&files, "large"), Err("local-too-large"));
    let mut files = Files::new(Some(&files));
    files.left = 6;
    assert_eq!(files.read("a").unwrap(), b"text");
    assert_eq!(files.read("a").unwrap_err().code(), "local-too-large");
}

#[test]
fn trees_are_walked_in_order_and_links_are_not_followed() {
    let (outer, files) = directory();
    let tree = outer.path().join("files/tree");
    fs::create_dir_all(tree.join("b/c")).unwrap();
    for name in ["b.d", "a", "b/z", "b/c/y", "b-e"] {
        fs::write(tree.join(name), name).unwrap();
    }
    fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o610)).unwrap();
    symlink("/etc", tree.join("link")).unwrap();
    let _socket = UnixListener::bind(tree.join("socket")).unwrap();
    let shown = |entry: Result<Entry, FilesError>| {
        let Entry { path, kind, .. } = entry.unwrap();
        match kind {
            EntryKind::Directory => format!("{path}/"),
            EntryKind::File { executable } => {
                format!("{path}{}", if executable { "*" } else { "" })
            }
            EntryKind::Link { target } => format!("{path}>{target}"),
            EntryKind::Other => format!("{path}?"),
        }
    };
    let walk = Files::new(Some(&files)).walk("tree").unwrap();
    let met: Vec<_> = walk.map(shown).collect();
    let expected = [
        "/",
        "a*",
        "b/",
        "b/c/",
        "b/c/y",
        "b/z",
        "b-e",
        "b.d",
        "link>/etc",
        "socket?",
    ];
    assert_eq!(met, expected);
    let code = |local| Files::new(Some(&files)).walk(local).unwrap_err().code();
    assert_eq!(code("a"), "tree-not-directory");
    assert_eq!(code("sub/up"), "files-dir-escape");
    assert_eq!(code("absent"), "local-unreadable");
}
