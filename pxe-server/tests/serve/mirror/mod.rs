//! `mirror`: what it fetches, keeps, refuses and leaves behind.

mod bundle;
mod faults;
mod publisher;
mod site;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use embed::digest::Sha256Digest;
use embed::manifest::Manifest;
use serde_json::{Value, json};

use publisher::{Fault, PARTS, Publisher};

/// Runs a command that must succeed; what it says.
fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail; what it says of that.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.starts_with("error: "), "{said}");
    said
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn shelf(mirror: &Path) -> std::path::PathBuf {
    mirror.join("stable/x86_64")
}

/// What the index says: the current build and the others.
fn index(mirror: &Path) -> (String, Vec<String>) {
    let text = fs::read(shelf(mirror).join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let older = index["older"].as_array().unwrap().iter().map(text);
    (text(&index["current"]), older.collect())
}

/// The mirror holds these builds and nothing else, each whole and what was published.
fn assert_holds(mirror: &Path, current: &str, older: &[&str]) {
    let shelf = shelf(mirror);
    let older_names = older.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(index(mirror), (current.to_owned(), older_names));
    let mut expected: Vec<String> = older.iter().map(|name| (*name).to_owned()).collect();
    expected.extend([
        current.to_owned(),
        ".lock".to_owned(),
        "index.json".to_owned(),
    ]);
    expected.sort();
    assert_eq!(names(&shelf), expected);
    for release in older.iter().chain([&current]) {
        assert_whole(&shelf.join(release), release);
    }
}

/// A build is what was published, with its signatures and a manifest that fits.
fn assert_whole(dir: &Path, release: &str) {
    let manifest = Manifest::parse(&fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (
            manifest.source.name.as_str(),
            manifest.source.version.as_str()
        ),
        ("stable", release)
    );
    let image = manifest.image.as_ref().unwrap();
    let parts = [
        &manifest.kernel,
        &manifest.initramfs,
        &manifest.rootfs,
        &image.artifact,
    ];
    let mut expected = vec!["manifest.json".to_owned()];
    for (artifact, (_, part)) in parts.into_iter().zip(PARTS) {
        let content = Publisher::content(release, part);
        assert_eq!(artifact.file, Publisher::name(release, part));
        assert_eq!(artifact.sha256, Sha256Digest::of(&content));
        assert_eq!(artifact.size, content.len() as u64);
        assert_eq!(fs::read(dir.join(&artifact.file)).unwrap(), content);
        expected.extend([artifact.file.clone(), format!("{}.sig", artifact.file)]);
    }
    expected.sort();
    assert_eq!(names(dir), expected);
    let raw = format!("disk of {release}\n").repeat(3_000);
    assert_eq!(manifest.source.sha256, Sha256Digest::of(raw.as_bytes()));
    assert_eq!(manifest.source.size, raw.len() as u64);
}

#[test]
fn a_stream_is_mirrored_once_and_found_there_from_then_on() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    publisher.publish("1");
    let said = done(&mut publisher.mirror(dir.path()));
    assert!(said.starts_with("1 is verified and current: "), "{said}");
    assert_holds(dir.path(), "1", &[]);
    publisher.asked();
    let said = done(&mut publisher.mirror(dir.path()));
    assert!(said.starts_with("1 was there already: "), "{said}");
    assert_eq!(
        publisher.asked(),
        [("/streams/stable.json".to_owned(), None)]
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
    command.args([
        "mirror",
        "--progress",
        "json",
        "--url",
        &publisher.url(),
        "--into",
    ]);
    let said = done(command.arg(dir.path()));
    let result: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(result["result"]["current"], "1", "{said}");
    assert_holds(dir.path(), "1", &[]);
}

#[test]
fn the_newest_builds_are_kept_and_a_stream_that_goes_back_is_followed() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    for release in ["1", "2", "3"] {
        publisher.publish(release);
        done(&mut publisher.mirror(dir.path()));
    }
    assert_holds(dir.path(), "3", &["2"]);
    publisher.describe(&publisher.metadata("2"));
    let said = done(publisher.mirror(dir.path()).args(["--keep", "3"]));
    assert!(said.starts_with("2 was there already: "), "{said}");
    assert_holds(dir.path(), "2", &["3"]);
    let said = done(publisher.mirror(dir.path()).args(["--keep", "1"]));
    assert!(said.ends_with("\n3 is removed\n"), "{said}");
    assert_holds(dir.path(), "2", &[]);
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_did() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    publisher.publish("1");
    publisher.fault("1-rootfs", Fault::Cut(100_000));
    done(publisher.mirror(dir.path()).args(["--fetch-retries", "2"]));
    let again = (
        "/builds/os-1-rootfs".to_owned(),
        Some("bytes=100000-".to_owned()),
    );
    assert!(publisher.asked().contains(&again));
    assert_holds(dir.path(), "1", &[]);
}

#[test]
fn builds_that_a_killed_run_has_named_or_begun_to_remove_are_settled_by_the_next() {
    let (publisher, dir) = (Publisher::new(), tempfile::tempdir().unwrap());
    let shelf = shelf(dir.path());
    for release in ["1", "2"] {
        publisher.publish(release);
        done(&mut publisher.mirror(dir.path()));
    }
    // As a kill leaves it after a build got its name, and before the index knew it.
    let before = json!({"format": 1, "current": "1", "older": ["0"]});
    fs::write(shelf.join("index.json"), before.to_string()).unwrap();
    // And while build 0 and a new index were under way.
    fs::create_dir(shelf.join(".removed-0")).unwrap();
    fs::write(shelf.join(".removed-0/manifest.json"), "{}").unwrap();
    fs::write(shelf.join(".index-abc"), "{").unwrap();
    publisher.publish("3");
    done(publisher.mirror(dir.path()).args(["--keep", "3"]));
    assert_holds(dir.path(), "3", &["2", "1"]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for words in [
        &["--stream", "../x"][..],
        &["--arch", "a/b"],
        &["--keep", "0"],
        &["--mirror", "http://h/file"],
        &["--site", "s", "--into", "m"],
        &["--export", "a", "--from", "b"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pxe-server"));
        let output = command.arg("mirror").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}
