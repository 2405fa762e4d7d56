//! Images and machines that change under an install: files that grow or shrink while they are read,
//! and no room for temporary files.

use std::fs::File;
use std::process::Command;

use embed::progress::Progress;
use installer::cancel::Cancel;
use installer::install::{DiskState, InstallCause, install};
use installer::observe::Observer;
use installer::pipeline::ImageError;
use installer::seal::SealError;
use installer::source::SourceError;

use crate::disk::{LoopDisk, OLD, assert_unbootable};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request};

const MIB: usize = 1024 * 1024;
const DISK: usize = 64 * MIB;

/// Gives a file another length as soon as writing begins. By then the source is read no further
/// than what fits into buffers, which is less than half of the image.
struct Resize {
    file: File,
    len: usize,
}

impl Observer for Resize {
    fn event(&self, progress: Progress) {
        if matches!(progress, Progress::Started { .. }) {
            self.file.set_len(self.len as u64).unwrap();
        }
    }
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_read_leaves_the_disk_unbootable() {
    for len in [SIZE - MIB, SIZE + MIB] {
        let disk = or_skip!("resized", LoopDisk::new(DISK, 512));
        let signer = Signer::new();
        let bytes = raw(512);
        let published = Published::new("os.raw", &bytes, Some(&signer.sign(&bytes)), &signer);
        let file = File::options().write(true).open(&published.image).unwrap();
        let resize = Resize { file, len };
        let error = install(request(&published, &disk), &resize, &Cancel::new()).unwrap_err();
        match error.source {
            InstallCause::Seal(SealError::Image(ImageError::Source(SourceError::Length {
                want,
                got,
                ..
            }))) => {
                assert_eq!(want, SIZE as u64);
                assert!(got == len as u64 || (len > SIZE && got > want), "{got}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(error.state, DiskState::Unbootable { saved: 0 });
        assert_unbootable(&disk.bytes(), 512, &[]);
    }
}

/// Runs the command where temporary files have no room at all; status and what it says.
fn without_room(args: &[&str]) -> Option<(Option<i32>, String)> {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=4k,nr_inodes=1 none {0} || exit 77; TMPDIR={0} exec \"$@\"",
        dir.path().display()
    );
    let out = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(env!("CARGO_BIN_EXE_coreos-installer"))
        .args(args)
        .output();
    match out {
        Ok(out) if out.status.code() != Some(77) => {
            let said = String::from_utf8(out.stderr).unwrap();
            let dir = dir.path().to_str().unwrap();
            Some((out.status.code(), said.replace(dir, "/tmp")))
        }
        other => {
            eprintln!("SKIP: without_room: {other:?}");
            None
        }
    }
}

#[test]
fn a_full_temporary_directory_is_said_before_the_disk_is_touched() {
    let disk = or_skip!("full_temp", LoopDisk::new(DISK, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let published = Published::new("os.zst", &bytes, Some(&signer.sign(&bytes)), &signer);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (image, key, node) = (
        text(&published.image),
        text(&published.key),
        text(&disk.node),
    );
    let Some((status, said)) = without_room(&["install", "-f", &image, "--keyring", &key, &node])
    else {
        return;
    };
    assert_eq!(status, Some(1));
    let start = format!(
        "error: cannot install to {node}: the disk was not touched\n\
         cause: cannot make a temporary directory for the signature check: \
         No space left on device (os error 28)"
    );
    assert!(said.starts_with(&start), "{said}");
    let hint = "\nhint:  make room, or write to another file system\n";
    assert!(said.ends_with(hint), "{said}");
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));

    let Some((status, said)) = without_room(&["inspect", &image]) else {
        return;
    };
    let full = "cause: cannot write the unpacked image: No space left on device (os error 28)";
    assert_eq!(
        (status, said),
        (
            Some(1),
            format!("error: cannot unpack {image}\n{full}{hint}")
        )
    );
}
