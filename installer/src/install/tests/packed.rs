//! The same for packed images: whatever is written was checked before, and the head is still last.

use std::path::PathBuf;

use super::*;
use crate::image::{OpenImage, SignaturePlace, Terms};
use crate::pack_image::{PackRequest, pack};
use crate::pipeline::Extent;
use crate::source::ManifestPlace;

/// [`image`] packed, in a directory of its own.
struct Packed {
    _dir: tempfile::TempDir,
    image: PathBuf,
    manifest: PathBuf,
}

fn packed() -> Packed {
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("os.raw");
    std::fs::write(&raw, image()).unwrap();
    let request = PackRequest {
        raw,
        dir: dir.path().to_owned(),
        chunk_size: u32::try_from(MIB).unwrap(),
        level: 1,
        key: None,
    };
    let made = pack(&request, &Silent, &Cancel::new()).unwrap();
    Packed {
        image: made.image,
        manifest: made.manifest,
        _dir: dir,
    }
}

impl Packed {
    fn list(&self) -> embed::chunks::Manifest {
        embed::chunks::Manifest::parse(&std::fs::read(&self.manifest).unwrap()).unwrap()
    }

    /// Flips a bit in the frame of the chunk with this number.
    fn flip(&self, number: usize) {
        let mut bytes = std::fs::read(&self.image).unwrap();
        let at = self.list().chunks()[number].frame_end() - 5;
        bytes[usize::try_from(at).unwrap()] ^= 1;
        std::fs::write(&self.image, bytes).unwrap();
    }

    fn pipeline(&self) -> Pipeline {
        self.open().start(Extent::Frames, &Cancel::new())
    }

    fn open(&self) -> OpenImage {
        let terms = Terms {
            manifest: &ManifestPlace::Beside,
            signature: SignaturePlace::Beside,
            digest: None,
            policy: SignaturePolicy::TolerateAbsent,
            keyring: &Keyring::empty(),
        };
        let source = Location::File(self.image.clone());
        let open = OpenImage::open(&source, &terms, &Silent, &Cancel::new()).unwrap();
        assert!(matches!(open, OpenImage::Listed(..)), "not by its manifest");
        open
    }
}

fn chunk_of(error: &InstallError) -> usize {
    match &error.source {
        InstallCause::Seal(SealError::Image(ImageError::Verify(VerifyError::Chunk {
            number,
            ..
        }))) => *number,
        other => panic!("not about a chunk: {other:?}"),
    }
}

#[test]
fn a_cut_at_any_time_leaves_nothing_bootable_or_all_of_a_packed_image() {
    let packed = packed();
    let kinds = packed.list();
    assert_eq!(kinds.parts().count(), 7, "data, a run of zeroes, data");
    assert_eq!(kinds.chunks().len(), 6);
    for save in ["", "data"] {
        let disk = Recorder::new(old_disk());
        run_pipeline(&disk, packed.pipeline(), save).unwrap();
        let streamed = Recorder::new(old_disk());
        run(&streamed, Sha256Digest::of(&image()), save).unwrap();
        let done = disk.bytes();
        // The head of a disk with kept partitions has a GUID of its own each time.
        let written = MIB..IMAGE;
        assert!(
            done[written.clone()] == streamed.bytes()[written],
            "not what the other way writes"
        );
        assert!(boots(&done));
        for_every_cut(&disk.log(), |state, what| {
            assert_safe(state, &done, !save.is_empty(), what)
        });
    }
}

#[test]
fn nothing_of_a_packed_image_with_a_bad_chunk_is_ever_bootable() {
    let packed = packed();
    packed.flip(5);
    let disk = Recorder::new(old_disk());
    let error = run_pipeline(&disk, packed.pipeline(), "data").unwrap_err();
    assert_eq!(chunk_of(&error), 5);
    assert_eq!(error.state, DiskState::Unbootable { saved: 1 });
    for_every_cut(&disk.log(), |state, what| {
        assert_safe(state, &[0; DISK], true, what)
    });
    assert!(!boots(&disk.bytes()));
    // Not a byte of the bad chunk was written: it was at the image's end.
    for op in disk.log() {
        if let Op::Write(at, data) = op {
            let bad = 6 * MIB..7 * MIB;
            assert!(at >= bad.end || at + data.len() <= bad.start, "{at}");
        }
    }
}

#[test]
fn a_bad_first_chunk_leaves_the_disk_as_it_was() {
    let packed = packed();
    packed.flip(0);
    let disk = Recorder::new(old_disk());
    let error = run_pipeline(&disk, packed.pipeline(), "").unwrap_err();
    assert_eq!(chunk_of(&error), 0);
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.log().is_empty());
}

#[test]
fn a_disk_that_fails_at_any_write_of_a_packed_image_never_boots_half_written() {
    let packed = packed();
    let whole = Recorder::new(old_disk());
    run_pipeline(&whole, packed.pipeline(), "data").unwrap();
    let done = whole.bytes();
    for fail_from in 0..whole.log().len() - 1 {
        let disk = Recorder::new(old_disk()).breaking(fail_from, DiskFault::Dead);
        let error = run_pipeline(&disk, packed.pipeline(), "data").unwrap_err();
        assert_eq!(error.state, DiskState::Unknown);
        let what = format!("failing from operation {fail_from}");
        assert_safe(&disk.bytes(), &done, true, &what);
    }
}

#[test]
fn no_verified_comes_out_before_all_of_a_packed_image_was_taken() {
    let packed = packed();
    let incomplete = |pipeline: Pipeline| {
        let error = pipeline.finish().unwrap_err();
        assert!(
            matches!(error, ImageError::Verify(VerifyError::Incomplete { .. })),
            "{error:?}"
        );
    };
    for taken in 0..IMAGE / MIB {
        let mut pipeline = packed.pipeline();
        for _ in 0..taken {
            assert!(pipeline.next(&Silent).unwrap().is_some());
        }
        incomplete(pipeline);
    }
    let mut pipeline = packed.pipeline();
    while pipeline.next(&Silent).unwrap().is_some() {}
    let verified = pipeline.finish().unwrap();
    assert_eq!(verified.source_bytes(), packed.list().file().size);
}

#[test]
fn a_packed_image_can_be_stopped_between_any_two_parts() {
    let packed = packed();
    for taken in 0..=IMAGE / MIB {
        let cancel = Cancel::new();
        let mut pipeline = packed.open().start(Extent::Frames, &cancel);
        for _ in 0..taken {
            assert!(pipeline.next(&Silent).unwrap().is_some());
        }
        cancel.cancel();
        let next = pipeline.next(&Silent).unwrap_err();
        assert!(matches!(next, ImageError::Cancelled(_)), "{next:?}");
        let end = pipeline.finish().unwrap_err();
        assert!(matches!(end, ImageError::Cancelled(_)), "{end:?}");
    }
}
