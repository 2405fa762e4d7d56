//! A site over a mirror of two builds: what it serves, and what it keeps from being removed.

use super::*;
use crate::fixture::site_dir;
use crate::site::Watch;

/// A mirror in which build 2 is current and 1 is beside it.
fn fill(dir: &Path) {
    let shelf = dir.join("mirror/stable/x86_64");
    for release in ["1", "2"] {
        let build = shelf.join(release);
        std::fs::create_dir_all(&build).unwrap();
        for entry in std::fs::read_dir(dir.join("media")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, build.join(path.file_name().unwrap())).unwrap();
        }
        let path = build.join(MANIFEST);
        let text = std::fs::read_to_string(&path).unwrap();
        let version = format!("\"version\": \"{release}\"");
        std::fs::write(path, text.replace("\"version\": \"1\"", &version)).unwrap();
    }
    let index = r#"{"format":1,"current":"2","older":["1","0"]}"#;
    std::fs::write(shelf.join(Index::FILE), index).unwrap();
}

fn serve_mirror(dir: &Path) {
    let file = "media: {mirror: ../mirror, stream: stable}\nipxe: {dir: ../ipxe}\n";
    std::fs::write(dir.join("site/site.yaml"), file).unwrap();
}

/// A site over that mirror.
fn site() -> (tempfile::TempDir, Site) {
    let dir = site_dir();
    fill(dir.path());
    serve_mirror(dir.path());
    let site = Site::load(&dir.path().join("site")).unwrap();
    (dir, site)
}

#[test]
fn a_server_whose_site_waits_for_a_mirror_takes_up_its_first_build() {
    let dir = site_dir();
    let (current, mut watch) = Watch::begin(&dir.path().join("site")).unwrap();
    serve_mirror(dir.path());
    watch.look(true);
    let refused = current.status().refused.unwrap();
    assert_eq!(refused.line, Some(1), "{refused:?}");
    assert!(
        refused.error.contains("no build is mirrored in"),
        "{refused:?}"
    );
    assert!(current.get().mirrored.is_none());
    fill(dir.path());
    watch.look(false);
    watch.look(false);
    let status = current.status();
    assert_eq!((status.generation, status.refused), (2, None));
    assert_eq!(current.get().manifest.source.version, "2");
}

#[test]
fn files_of_a_build_are_found_by_its_name_and_only_those_that_its_manifest_names() {
    let (dir, site) = site();
    assert_eq!(site.assets(), "assets/2");
    let shelf = dir.path().join("site/../mirror/stable/x86_64");
    let path = |release, file| site.asset(release, file).map(|asset| asset.path);
    assert_eq!(path(None, "vmlinuz"), Some(shelf.join("2/vmlinuz")));
    assert_eq!(path(Some("2"), "vmlinuz"), Some(shelf.join("2/vmlinuz")));
    assert_eq!(path(Some("1"), "vmlinuz"), Some(shelf.join("1/vmlinuz")));
    assert!(site.asset(Some("1"), "rootfs.img").unwrap().is_rootfs);
    for (release, file) in [
        ("1", MANIFEST),
        ("0", "vmlinuz"),
        ("..", "vmlinuz"),
        ("1", "../2/vmlinuz"),
    ] {
        assert_eq!(path(Some(release), file), None, "{release} {file}");
    }
}

#[test]
fn a_build_is_held_as_long_as_machines_are_installed_with_it() {
    let (dir, site) = site();
    let shelf = dir.path().join("mirror/stable/x86_64");
    let is_held = |release: &str| {
        let file = std::fs::File::open(shelf.join(release).join(MANIFEST)).unwrap();
        matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
    };
    let current = site.versions["worker"].clone();
    let beside = site.mirrored.as_ref().unwrap().beside.values().next();
    let older = beside.unwrap().versions.first().unwrap().clone();
    assert_ne!(current, older);
    let set = |versions: &[&String]| versions.iter().map(|version| (*version).clone()).collect();
    site.release_builds(&set(&[&current, &older]));
    assert!(is_held("1") && site.holds_builds());
    site.release_builds(&set(&[&"of an earlier profile".to_owned()]));
    assert!(is_held("1"), "nobody knows which build that is of");
    site.release_builds(&set(&[&current]));
    assert!(!is_held("1") && !site.holds_builds());
    assert!(is_held("2"), "it is served");
    drop(site);
    assert!(!is_held("2"));
}
