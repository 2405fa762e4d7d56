//! The same image gives the same bytes, wherever, whenever and by whomever media are built; and a
//! build that is ended leaves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::image::Recipe;
use crate::{Case, list};

/// Digests of everything in `dir`, by name.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(dir.join(&name)).unwrap();
        (name, bytes)
    };
    list(dir).into_iter().map(read).collect()
}

/// Builds in a directory of its own, under this `umask`, with other directories for everything.
fn build_elsewhere(case: &Case, name: &str, umask: &str, epoch: Option<&str>) -> PathBuf {
    let place = case.dir.path().join(name);
    let (out, temporary) = (place.join("deep/out"), place.join("tmp"));
    fs::create_dir_all(&temporary).unwrap();
    let script = format!("umask {umask}; exec \"$@\"");
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &script,
            "sh",
            env!("CARGO_BIN_EXE_iso-builder"),
            "build",
        ])
        .arg("--image")
        .arg(&case.image)
        .args(["--name", "os", "--version", "1.0", "--keyring"])
        .arg(&case.keys)
        .arg("-o")
        .arg(&out)
        .env_remove("SOURCE_DATE_EPOCH")
        .env("TMPDIR", &temporary)
        .env("TZ", if umask == "077" { "Asia/Tokyo" } else { "UTC" })
        .current_dir(&place);
    if let Some(epoch) = epoch {
        command.env("SOURCE_DATE_EPOCH", epoch);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

fn same(a: &Path, b: &Path) {
    let (a, b) = (contents(a), contents(b));
    assert_eq!(a.len(), b.len());
    for ((name, one), (other, two)) in a.iter().zip(&b) {
        assert_eq!(name, other);
        assert!(one == two, "{name} differs");
    }
}

#[test]
fn place_time_umask_and_time_zone_are_not_in_the_media() {
    let case = Case::new(&Recipe::default());
    let first = build_elsewhere(&case, "one", "022", None);
    // What was made from the same bytes at another time: the file's own times are another matter.
    let image = fs::File::options().write(true).open(&case.image).unwrap();
    image
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .unwrap();
    let second = build_elsewhere(&case, "two/with/a/longer/path", "077", None);
    same(&first, &second);
    let dated = build_elsewhere(&case, "three", "022", Some("1700000000"));
    let again = build_elsewhere(&case, "four", "077", Some("1700000000"));
    same(&dated, &again);
    assert!(
        fs::read(dated.join("os-live.iso")).unwrap()
            != fs::read(first.join("os-live.iso")).unwrap()
    );
}

#[test]
fn a_build_that_is_ended_leaves_nothing() {
    let case = Case::new(&Recipe::default());
    // Stands in for a long compression, so that the end comes at a known moment.
    let bin = case.dir.path().join("bin");
    let (marker, slow) = (case.dir.path().join("marker"), bin.join("mksquashfs"));
    fs::create_dir(&bin).unwrap();
    let script = format!("#!/bin/sh\n: > {}\nexec sleep infinity\n", marker.display());
    fs::write(&slow, script).unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    for signal in ["TERM", "INT"] {
        let path = std::env::var("PATH").unwrap();
        let child = case
            .builder()
            .env("PATH", format!("{}:{path}", bin.display()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while !marker.exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("error: interrupted; nothing was changed in"),
            "{stderr}"
        );
        assert_eq!(list(&case.out()), Vec::<String>::new());
        fs::remove_file(&marker).unwrap();
    }
}
