//! `pack image` as those who publish images meet it: files, signatures that gpg itself accepts,
//! and errors.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::command::run;

/// A GnuPG home with keys of these users; its agent ends with it.
struct Home(TempDir);

impl Home {
    fn with(users: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let home = Self(home);
        for user in users {
            let made = home.gpg(&[
                "--passphrase",
                "",
                "--quick-gen-key",
                user,
                "ed25519",
                "sign",
            ]);
            assert!(made.status.success(), "{made:?}");
        }
        home
    }

    fn gpg<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        Command::new("gpg")
            .env("GNUPGHOME", self.0.path())
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback"])
            .args(args)
            .output()
            .unwrap()
    }

    /// Packs `os.raw` of `dir` and signs with `key`; status and standard error.
    fn pack(&self, dir: &Path, key: &str) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
            .args(["pack", "image", "os.raw", "--level", "1", "--sign", key])
            .env("GNUPGHOME", self.0.path())
            .current_dir(dir)
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), err)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--kill", "all"])
            .status();
    }
}

fn image() -> (TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let raw: Vec<u8> = (0..5_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    std::fs::write(dir.path().join("os.raw"), &raw).unwrap();
    (dir, raw)
}

fn count(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_signed_image_is_good_to_gpg_and_unpacked_by_zstd() {
    let (dir, raw) = image();
    let home = Home::with(&["Images <images@example.com>"]);
    let (status, err) = home.pack(dir.path(), "images@example.com");
    assert_eq!(status, Some(0), "{err}");
    assert!(err.contains("signed by "), "{err}");
    for name in ["os.raw.zst", "os.chunks.json"] {
        let path = dir.path().join(name);
        let signature = dir.path().join(format!("{name}.sig"));
        let verified = home.gpg(&[
            OsStr::new("--verify"),
            signature.as_os_str(),
            path.as_os_str(),
        ]);
        assert!(verified.status.success(), "{verified:?}");
    }
    let decoded = Command::new("zstd")
        .args(["-dc", "os.raw.zst"])
        .current_dir(dir.path())
        .output();
    match decoded {
        Ok(decoded) => assert!(decoded.stdout == raw, "zstd: {:?}", decoded.status),
        Err(error) => eprintln!("SKIP: pack_image_zstd: cannot run zstd: {error}"),
    }
}

#[test]
fn a_key_that_is_not_there_or_could_be_several_is_refused_before_any_work() {
    let (dir, _) = image();
    let home = Home::with(&["One <one@example.com>", "Two <two@example.com>"]);
    assert_eq!(
        home.pack(dir.path(), "three@example.com"),
        (
            Some(1),
            "error: cannot sign\n\
             cause: there is no secret key `three@example.com` that can sign\n\
             hint:  `gpg --list-secret-keys` shows what keys there are\n"
                .to_owned()
        )
    );
    assert_eq!(
        home.pack(dir.path(), "example.com"),
        (
            Some(1),
            "error: cannot sign\n\
             cause: `example.com` could be any of 2 secret keys\n\
             hint:  name it by its fingerprint\n"
                .to_owned()
        )
    );
    assert_eq!(count(dir.path()), 1);
}

#[test]
fn the_names_of_what_was_made_are_the_output_and_an_absent_signature_is_told() {
    let (dir, _) = image();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let ran = run(
        &[
            "pack",
            "image",
            &path("os.raw"),
            "-o",
            &path(""),
            "--level",
            "1",
        ],
        b"",
    );
    assert_eq!(ran.status, 0);
    assert_eq!(
        String::from_utf8(ran.out).unwrap(),
        format!("{}\n{}\n", path("os.raw.zst"), path("os.chunks.json"))
    );
    assert!(ran.err.contains("warning: not signed"), "{}", ran.err);
}

#[test]
fn what_cannot_be_packed_says_why_and_leaves_nothing() {
    let (dir, _) = image();
    let raw = dir.path().join("os.raw");
    std::fs::write(&raw, b"\x28\xb5\x2f\xfd....").unwrap();
    let raw = raw.to_str().unwrap();
    let out = dir.path().to_str().unwrap();
    run(&["pack", "image", raw, "-o", out], b"").fails(
        1,
        &format!(
            "error: {raw} is not a raw image but zstd data\n\
             hint:  unpack it first: an image is packed as it is on a disk\n"
        ),
    );
    for size in ["3MiB", "64MiB", "0MiB", "4", "4096"] {
        let ran = run(&["pack", "image", raw, "--chunk-size", size], b"");
        assert_eq!(ran.status, 2, "{size}");
        assert!(
            ran.err.contains("it is not 1, 2, 4, 8, 16 or 32MiB"),
            "{}",
            ran.err
        );
    }
    assert_eq!(count(dir.path()), 1);
}
