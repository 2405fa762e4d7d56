//! Osmet files: made of an image whose files are objects of its OSTree repository, taken apart
//! again, and installed from; with a repository that lacks or changed an object.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use embed::digest::Sha256Digest;
use embed::osmet::{Header, Osmet, OsmetError, Partition};
use installer::install::{DiskState, InstallCause, InstallError};
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::{Location, SourceError};
use installer::verify::{Trust, VerifyError};

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, Signer, raw};
use crate::request::{or_skip, request, run};
use crate::system::{BOOT, file_system};

const MIB: usize = 1024 * 1024;
const ROOT: std::ops::Range<usize> = 22 * MIB..38 * MIB;

/// An image, its repository and the osmet file.
struct Fixture {
    dir: tempfile::TempDir,
    image: Vec<u8>,
}

/// Bytes that do not compress well, another for each `seed`.
fn content(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn object(repository: &Path, content: &[u8]) -> PathBuf {
    // In a real repository the name covers owner and mode too.
    let name = Sha256Digest::of(&[content, b"meta"].concat()).to_string();
    let (folder, rest) = name.split_at(2);
    repository.join(format!("objects/{folder}/{rest}.file"))
}

fn fill_repository(repository: &Path) {
    for (length, seed) in [(3 * MIB, 1), (200_001, 2), (4096, 3), (10, 4), (0, 5)] {
        let content = content(length, seed);
        let path = object(repository, &content);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::write(repository.join("config"), "[core]\nmode=bare\n").unwrap();
}

impl Fixture {
    fn new() -> Result<Self, String> {
        LoopDisk::new(1 << 20, 512)?;
        let mut image = raw(512);
        image[BOOT].copy_from_slice(&file_system("boot", 16, |tree| {
            fs::create_dir_all(tree.join("ostree/os")).unwrap();
            fs::write(tree.join("ostree/os/vmlinuz"), content(200_001, 2)).unwrap();
            fs::write(tree.join("other"), content(200_001, 7)).unwrap();
        }));
        image[ROOT].copy_from_slice(&file_system("root", 16, |tree| {
            fs::create_dir_all(tree.join("ostree/repo/objects")).unwrap();
            fill_repository(&tree.join("ostree/repo"));
        }));
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("os.raw"), &image).unwrap();
        fs::create_dir_all(dir.path().join("repo/objects")).unwrap();
        fill_repository(&dir.path().join("repo"));
        Ok(Self { dir, image })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
            .current_dir(self.dir.path())
            .args(words.split(' '))
            .output()
            .unwrap()
    }

    fn pack(&self, sha256: Sha256Digest) -> Output {
        self.command(&format!(
            "pack osmet --output os.osmet --checksum {sha256} --description OS-40 --fast os.raw"
        ))
    }

    fn packed() -> Result<Self, String> {
        let f = Self::new()?;
        let out = f.pack(Sha256Digest::of(&f.image));
        assert!(out.status.success(), "{out:?}");
        Ok(f)
    }

    fn install(&self, disk: &LoopDisk) -> Result<Trust, Box<InstallError>> {
        let published = Published::new("none", b"", None, &Signer::new());
        let mut request = request(&published, disk);
        request.source = Location::Osmet {
            file: self.path("os.osmet"),
            repository: self.path("repo"),
        };
        run(request).map(|installed| installed.trust)
    }
}

#[test]
fn an_image_is_packed_by_its_objects_and_comes_out_again() {
    let f = or_skip!("osmet", Fixture::packed());
    let osmet = fs::read(f.path("os.osmet")).unwrap();
    let (header, osmet) = Osmet::read(osmet.as_slice()).unwrap();
    assert_eq!(
        (header.description.as_str(), header.sector_size),
        ("OS-40", 512)
    );
    // The kernel is in both file systems, the empty object nowhere.
    let kernel = 200_001;
    assert_eq!(osmet.shared(), 3 * MIB as u64 + 2 * kernel + 4096 + 10);
    assert_eq!(osmet.sha256, Sha256Digest::of(&f.image));

    let extract = "dev extract osmet --osmet os.osmet repo out.raw";
    let out = f.command(extract);
    assert!(out.status.success(), "{out:?}");
    assert!(fs::read(f.path("out.raw")).unwrap() == f.image);
    let again = f.command(extract);
    let error = String::from_utf8(again.stderr).unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(error.contains("File exists"), "{error}");
    assert!(
        fs::read(f.path("os.raw")).unwrap() == f.image,
        "it was changed"
    );
}

#[test]
fn another_image_than_the_one_meant_makes_no_file() {
    let f = or_skip!("osmet_other", Fixture::new());
    let (want, got) = (Sha256Digest([0; 32]), Sha256Digest::of(&f.image));
    let out = f.pack(want);
    assert_eq!(
        (out.status.code(), String::from_utf8(out.stderr).unwrap()),
        (
            Some(1),
            format!("error: os.raw has sha256 {got}, and not {want}\n")
        )
    );
    let mut names: Vec<_> = fs::read_dir(f.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["os.raw", "repo"]);
}

#[test]
fn an_install_makes_the_image_of_objects_and_believes_its_digest() {
    let f = or_skip!("osmet_install", Fixture::packed());
    let disk = or_skip!("osmet_install", LoopDisk::new(64 * MIB, 512));
    let trust = f.install(&disk).unwrap();
    assert_eq!(trust, Trust::Digest(Sha256Digest::of(&f.image)));
    assert!(disk.bytes()[..f.image.len()] == f.image);

    let onto = disk.node.display();
    let out = f.command(&format!("dev extract osmet --osmet os.osmet repo {onto}"));
    assert!(out.status.success(), "{out:?}");
    assert!(disk.bytes()[..f.image.len()] == f.image);

    let other = or_skip!("osmet_install", LoopDisk::new(64 * MIB, 4096));
    let error = f.install(&other).unwrap_err();
    assert_eq!(error.state, DiskState::Untouched);
    assert!(other.bytes().iter().all(|byte| *byte == OLD));
}

#[test]
fn an_object_that_is_missing_leaves_the_disk_unbootable() {
    let f = or_skip!("osmet_missing", Fixture::packed());
    let disk = or_skip!("osmet_missing", LoopDisk::new(64 * MIB, 512));
    let gone = object(&f.path("repo"), &content(3 * MIB, 1));
    fs::remove_file(&gone).unwrap();
    let error = f.install(&disk).unwrap_err();
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    let InstallCause::Seal(SealError::Image(ImageError::Source(SourceError::Osmet {
        source, ..
    }))) = error.source
    else {
        panic!("{error:?}");
    };
    let OsmetError::Object { object, source } = *source else {
        panic!("{source:?}");
    };
    assert!(gone.ends_with(format!("{}.file", &object.to_string()[2..])));
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert_unbootable(&disk.bytes(), 512, &[]);

    // A link in its place is not followed.
    std::os::unix::fs::symlink("/dev/zero", &gone).unwrap();
    let out = f.command("dev extract osmet --osmet os.osmet repo out.raw");
    let error = String::from_utf8(out.stderr).unwrap();
    assert!(error.contains("cannot read object"), "{error}");
    assert!(!f.path("out.raw").exists());
}

#[test]
fn an_object_that_was_changed_leaves_the_disk_unbootable() {
    let f = or_skip!("osmet_changed", Fixture::packed());
    let disk = or_skip!("osmet_changed", LoopDisk::new(64 * MIB, 512));
    let mut changed = content(3 * MIB, 1);
    let path = object(&f.path("repo"), &changed);
    changed[MIB] ^= 1;
    fs::write(path, changed).unwrap();
    let error = f.install(&disk).unwrap_err();
    assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
    assert!(
        matches!(
            &error.source,
            InstallCause::Seal(SealError::Image(ImageError::Verify(
                VerifyError::Digest { want, .. }
            ))) if *want == Sha256Digest::of(&f.image)
        ),
        "{error:?}"
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}

/// An osmet file that needs no objects: what is found is asked here, not what is made of it.
fn whole(image: &[u8], sector_size: u32) -> Vec<u8> {
    let partition = Partition {
        start: 0,
        end: image.len() as u64,
        mappings: Vec::new(),
    };
    let osmet = Osmet::of_image(std::io::Cursor::new(image), vec![partition]).unwrap();
    let header = Header {
        made_by: "1".into(),
        sector_size,
        description: "Some OS 40".into(),
        architecture: std::env::consts::ARCH.into(),
    };
    let mut file = Vec::new();
    let image = std::io::Cursor::new(image);
    osmet.write(&header, image, 0, &mut file).unwrap();
    file
}

/// Runs `install --dry-run ARGS` where `/run` holds nothing but the osmet files of `dir`.
fn in_live_system(dir: &Path, args: &str) -> Result<(Option<i32>, String, String), String> {
    let script = "mount -t tmpfs tmpfs /run && mkdir -p /run/coreos-installer && \
        cp -r \"$1\" /run/coreos-installer/osmet && shift && exec \"$@\"";
    let out = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(dir)
        .args([
            env!("CARGO_BIN_EXE_coreos-installer"),
            "install",
            "--dry-run",
        ])
        .args(args.split(' '))
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let error = text(out.stderr);
    if error.starts_with("unshare:") || error.starts_with("mount:") {
        return Err(error);
    }
    Ok((out.status.code(), text(out.stdout), error))
}

#[test]
fn a_live_system_installs_from_the_osmet_file_that_fits_the_disk() {
    let disk = or_skip!("osmet_live", LoopDisk::new(64 * MIB, 512));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("4k.osmet"), whole(&raw(4096), 4096)).unwrap();
    let node = disk.node.display();
    let image = "image     Some OS 40";
    let arch = std::env::consts::ARCH;

    let offline = format!("--offline {node}");
    let (status, out, error) = or_skip!("osmet_live", in_live_system(dir.path(), &offline));
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(
        error,
        format!(
            "error: cannot perform offline install; metadata missing: there is neither \
             /run/coreos-live/medium.json nor an osmet file for {arch} and sectors of 512 bytes in \
             /run/coreos-installer/osmet\n\
             hint:  `--offline` works in a live system; elsewhere use `--image-file`\n"
        )
    );
    fs::write(dir.path().join("512.osmet"), whole(&raw(512), 512)).unwrap();
    for args in [offline, node.to_string()] {
        let (status, out, error) = in_live_system(dir.path(), &args).unwrap();
        assert_eq!((status, error.as_str()), (Some(0), ""));
        let found = format!(
            "{image} {arch} (/run/coreos-installer/osmet/512.osmet) (40.00 MiB as published)"
        );
        assert!(out.contains(&found), "{out}");
        let digest = Sha256Digest::of(&raw(512));
        assert!(
            out.contains(&format!("checked   by sha256 {digest}\n")),
            "{out}"
        );
    }
    // A stream that is asked for by name, or a file, comes first.
    let file = dir.path().join("none.raw");
    let args = format!("--image-file {} {node}", file.display());
    let (status, _, error) = in_live_system(dir.path(), &args).unwrap();
    assert_eq!(status, Some(1));
    assert!(error.contains("none.raw: No such file"), "{error}");
    let args = format!("--stream none --stream-base-url http://127.0.0.1:1/ {node}");
    let (status, _, error) = in_live_system(dir.path(), &args).unwrap();
    assert_eq!(status, Some(1));
    assert!(error.contains("http://127.0.0.1:1/none.json"), "{error}");
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));
}
