//! The same for a local xz file of several blocks: whatever order its pieces come in, the head is
//! last, and nothing of a damaged file boots.

use liblzma::stream::MtStreamBuilder;
use std::sync::Arc;

use super::*;
use crate::pipeline::Order;

fn compressed() -> Vec<u8> {
    let mut builder = MtStreamBuilder::new();
    let stream = builder
        .threads(1)
        .block_size(MIB as u64)
        .preset(0)
        .encoder();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream.unwrap());
    encoder.write_all(&image()).unwrap();
    encoder.finish().unwrap()
}

fn blocks(bytes: Vec<u8>) -> Pipeline {
    let mut local = tempfile::tempfile().unwrap();
    local.write_all(&bytes).unwrap();
    let stream = ImageStream {
        length: Some(bytes.len() as u64),
        digest: Some(ExpectedDigest {
            sha256: Sha256Digest::of(&bytes),
            authority: DigestAuthority::User,
        }),
        reader: Box::new(Cursor::new(bytes)),
        name: "image".into(),
        signature: Signature::Absent {
            looked_at: "nowhere".into(),
            status: None,
        },
        sector_size: None,
        local: Some(Arc::new(local)),
        remote: None,
    };
    let check = Check::prepare(&stream, SignaturePolicy::Require, &Keyring::empty()).unwrap();
    let reading = Reading {
        decoding: Decoding::Detect,
        order: Order::Any,
        memory: "64MiB".parse().unwrap(),
    };
    Pipeline::start(stream, check, reading, &Cancel::new())
}

#[test]
fn a_cut_at_any_time_leaves_nothing_bootable_or_all_of_an_image_in_blocks() {
    for save in ["", "data"] {
        let disk = Recorder::new(old_disk());
        let sealed = run_pipeline(&disk, blocks(compressed()), save).unwrap();
        assert_eq!(sealed.size, IMAGE as u64);
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
fn nothing_of_an_image_with_a_damaged_block_is_ever_bootable() {
    let mut bytes = compressed();
    let near_the_end = bytes.len() - 300;
    bytes[near_the_end] ^= 1;
    let disk = Recorder::new(old_disk());
    let error = run_pipeline(&disk, blocks(bytes), "data").unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Seal(SealError::Image(ImageError::Decode { .. }))
        ),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Unbootable { saved: 1 });
    for_every_cut(&disk.log(), |state, what| {
        assert_safe(state, &[0; DISK], true, what)
    });
    assert!(!boots(&disk.bytes()));
}
