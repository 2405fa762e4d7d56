//! The identity of a first boot and the removal of its traces.

use super::*;

struct Given {
    dir: tempfile::TempDir,
}

impl Given {
    fn new(digest: Option<&str>, merged: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("digest", digest), ("merged", merged)] {
            if let Some(text) = text {
                fs::write(dir.path().join(name), text).unwrap();
            }
        }
        Self { dir }
    }

    fn identity(&self) -> Result<Option<Identity>, CompleteError> {
        let path = |name| self.dir.path().join(name);
        identity(&path("digest"), &path("merged"), self.dir.path())
    }
}

#[test]
fn identity_is_the_noted_digest_and_the_digest_of_the_description() {
    let noted = Sha512Digest::of(b"config");
    let given = Given::new(
        Some(&format!("{noted}\n")),
        Some(r#"{"storage":{"files":[{"path":"/etc/x"}]}}"#),
    );
    let want = Identity {
        config_sha512: noted,
        result_sha256: Sha256Digest::of(b"path /etc/x missing\n"),
    };
    assert_eq!(given.identity().unwrap(), Some(want));
}

#[test]
fn a_config_that_was_never_seen_has_no_identity() {
    assert_eq!(Given::new(None, Some("{}")).identity().unwrap(), None);
}

#[test]
fn damaged_notes_are_told_apart() {
    assert!(matches!(
        Given::new(Some("abc"), Some("{}")).identity(),
        Err(CompleteError::Digest(_))
    ));
    let noted = Sha512Digest::of(b"").to_string();
    assert!(matches!(
        Given::new(Some(&noted), Some("{")).identity(),
        Err(CompleteError::Merged(_))
    ));
    let missing = Given::new(Some(&noted), None).identity();
    assert!(matches!(missing, Err(CompleteError::Io { path, .. }) if path.ends_with("merged")));
}

#[test]
fn stamp_and_config_go_and_the_rest_of_boot_stays() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("ignition")).unwrap();
    for name in [boot::CONFIG, boot::FIRSTBOOT, "vmlinuz"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    remove_traces(dir.path()).unwrap();
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["vmlinuz"]);
    remove_traces(dir.path()).unwrap();
}

#[test]
fn a_stamp_that_cannot_be_removed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(boot::FIRSTBOOT)).unwrap();
    assert!(
        matches!(remove_traces(dir.path()), Err(CompleteError::Io { path, .. }) if path.ends_with(boot::FIRSTBOOT))
    );
}
