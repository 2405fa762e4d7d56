//! The crash model: an install onto a disk that records every write and flush, and then every
//! state in which a power cut could have left it.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::OnceLock;

use ::gpt::disk::LogicalBlockSize;
use ::gpt::{GptConfig, mbr::ProtectiveMBR, partition::Partition, partition_types};
use embed::digest::Sha256Digest;

use super::*;
use crate::observe::Silent;
use crate::pipeline::{Decoding, Reading};
use crate::source::{DigestAuthority, ExpectedDigest, ImageStream, Signature};
use crate::verify::Check;

mod blocks;
mod faults;
mod packed;
mod recorder;

use recorder::{DiskFault, Op, Recorder, apply};

const MIB: usize = 1024 * 1024;
const IMAGE: usize = 7 * MIB;
const DISK: usize = 16 * MIB;
/// Where the test's configuration goes: somewhere in the image's boot partition.
const MARK_AT: usize = 3 * MIB;
const MARK: [u8; 512] = [0x77; 512];

/// A bootable disk of `len` bytes with these partitions (MiB), every one full of `fill`.
fn system(len: usize, fill: u8, parts: &[(&str, partition_types::Type, usize, usize)]) -> Vec<u8> {
    let mut cursor = Cursor::new(vec![0u8; len]);
    ProtectiveMBR::with_lb_size(u32::try_from(len / 512 - 1).unwrap())
        .overwrite_lba0(&mut cursor)
        .unwrap();
    let mut table = GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(cursor, None)
        .unwrap();
    let entries: BTreeMap<u32, Partition> = (1..)
        .zip(parts.iter().map(|(name, kind, from, to)| Partition {
            part_type_guid: kind.clone(),
            part_guid: uuid::Uuid::new_v4(),
            first_lba: (from * MIB / 512) as u64,
            last_lba: (to * MIB / 512 - 1) as u64,
            flags: 0,
            name: (*name).to_owned(),
        }))
        .collect();
    table.update_partitions(entries).unwrap();
    let mut bytes = table.write().unwrap().into_inner();
    for (_, _, from, to) in parts {
        bytes[from * MIB..to * MIB].fill(fill);
    }
    bytes[..440].fill(fill);
    bytes
}

/// The image to install, the same at every call.
fn image() -> Vec<u8> {
    static IMAGE_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE_BYTES.get_or_init(make_image).clone()
}

fn make_image() -> Vec<u8> {
    let efi = partition_types::EFI;
    let linux = partition_types::LINUX_FS;
    let mut bytes = system(
        IMAGE,
        0x11,
        &[
            ("ESP", efi, 1, 2),
            ("boot", linux.clone(), 2, 4),
            ("root", linux, 4, 5),
        ],
    );
    bytes[4 * MIB..4 * MIB + 300_000].fill(0);
    bytes
}

/// A disk with an old system, and `data` worth keeping; the same at every call.
fn old_disk() -> Vec<u8> {
    static DISK_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    DISK_BYTES.get_or_init(make_old_disk).clone()
}

fn make_old_disk() -> Vec<u8> {
    let (efi, linux) = (partition_types::EFI, partition_types::LINUX_FS);
    system(
        DISK,
        0x22,
        &[
            ("old-esp", efi, 1, 3),
            ("old-root", linux.clone(), 3, 9),
            ("data", linux, 10, 12),
        ],
    )
}

fn pipeline(bytes: Vec<u8>, sha256: Sha256Digest) -> Pipeline {
    let length = Some(bytes.len() as u64);
    pipeline_of(Box::new(Cursor::new(bytes)), length, sha256, &Cancel::new())
}

/// From a source that promises so many bytes.
fn pipeline_of(
    reader: Box<dyn Read + Send>,
    length: Option<u64>,
    sha256: Sha256Digest,
    cancel: &Cancel,
) -> Pipeline {
    let stream = ImageStream {
        length,
        reader,
        name: "image".into(),
        signature: Signature::Absent {
            looked_at: "nowhere".into(),
            status: None,
        },
        digest: Some(ExpectedDigest {
            sha256,
            authority: DigestAuthority::LiveMedium,
        }),
        sector_size: None,
        local: None,
        remote: None,
    };
    let check = Check::prepare(&stream, SignaturePolicy::Require, &Keyring::empty()).unwrap();
    Pipeline::start(stream, check, Reading::new(Decoding::Detect), cancel)
}

/// Writes [`MARK`] where a real editor would change files.
struct Marker;

impl Customise for Marker {
    fn customise(
        &mut self,
        disk: &dyn Disk,
        image: Result<&Table, &GptError>,
    ) -> Result<(), BootError> {
        assert_eq!(image.unwrap().entries.len(), 3);
        disk.write_at(MARK_AT as u64, &MARK)
            .map_err(|e| BootError::Edit(e.into()))
    }
}

fn run(disk: &Recorder, sha256: Sha256Digest, save: &str) -> Result<Sealed, Box<InstallError>> {
    run_pipeline(disk, pipeline(image(), sha256), save)
}

fn run_pipeline(disk: &Recorder, image: Pipeline, save: &str) -> Result<Sealed, Box<InstallError>> {
    let filters = if save.is_empty() {
        Vec::new()
    } else {
        SaveFilter::labels(save).unwrap()
    };
    let path = Path::new("/dev/test");
    let saved = Saved::select(disk, &filters)
        .map_err(|error| Box::new(untouched(path, InstallCause::Saved(error))))?;
    let target = Target {
        disk,
        path,
        saved: &saved,
        on_error: OnError::Clear,
    };
    target
        .run(image, Some(&mut Marker), &Silent)
        .map_err(Box::new)
}

/// Bytes that a library may only read.
#[derive(Debug)]
struct ReadOnly<'a>(Cursor<&'a [u8]>);

impl Read for ReadOnly<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Seek for ReadOnly<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Write for ReadOnly<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Partitions (name and place in bytes) in the table that firmware would use: the primary, or
/// else the backup.
fn table_of(bytes: &[u8]) -> Option<Vec<(String, Range<usize>)>> {
    let read = |bytes: &[u8]| {
        let config = GptConfig::new().logical_block_size(LogicalBlockSize::Lb512);
        let disk = config.open_from_device(ReadOnly(Cursor::new(bytes))).ok()?;
        let byte = |lba: u64| usize::try_from(lba * 512).unwrap();
        let part = |p: &Partition| (p.name.clone(), byte(p.first_lba)..byte(p.last_lba + 1));
        Some(disk.partitions().values().map(part).collect())
    };
    read(bytes).or_else(|| {
        // The library takes the backup if the primary header is damaged, but not if the primary's
        // entries are; firmware and kernel do (UEFI 2.10 section 5.3.2).
        let mut without_primary = bytes.to_vec();
        without_primary[512..1024].fill(0);
        read(&without_primary)
    })
}

fn boots(bytes: &[u8]) -> bool {
    let bios = bytes[510..512] == [0x55, 0xaa] && bytes[..440].iter().any(|b| *b != 0);
    let uefi = table_of(bytes).is_some_and(|parts| {
        parts
            .iter()
            .any(|(name, _)| name == "ESP" || name == "old-esp")
    });
    bios || uefi
}

/// What the disk may be after a cut: the old system as it was, the new one as a whole, or nothing
/// that boots. And the data is there in any case.
fn assert_safe(state: &[u8], done: &[u8], keeps_data: bool, what: &str) {
    if boots(state) {
        let old = state[MIB..9 * MIB] == old_disk()[MIB..9 * MIB];
        let new = state[MIB..IMAGE] == done[MIB..IMAGE];
        assert!(
            old || new,
            "{what}: boots, but is neither the old nor the new system"
        );
    }
    if keeps_data {
        let parts = table_of(state).unwrap_or_else(|| panic!("{what}: no table"));
        let data = parts.iter().find(|(name, _)| name == "data");
        let (_, place) = data.unwrap_or_else(|| panic!("{what}: data is not in the table"));
        assert_eq!(*place, 10 * MIB..12 * MIB, "{what}: data has moved");
        assert!(
            state[place.clone()].iter().all(|b| *b == 0x22),
            "{what}: data is lost"
        );
    }
}

/// Calls `check` on every state in which a cut may leave the disk: after every write, with it and
/// the others since the last flush there, missing, alone, or but for one, and with it torn.
fn for_every_cut(log: &[Op], mut check: impl FnMut(&[u8], &str)) {
    let mut durable = old_disk();
    let mut pending: Vec<&Op> = Vec::new();
    for (n, op) in log.iter().enumerate() {
        let Op::Write(at, data) = op else {
            pending.drain(..).for_each(|op| apply(&mut durable, op));
            check(&durable, &format!("operation {n}, a flush"));
            continue;
        };
        for part in [&data[..data.len() / 1024 * 512], &data[..512]] {
            let mut torn = durable.clone();
            pending.iter().for_each(|op| apply(&mut torn, op));
            apply(&mut torn, &Op::Write(*at, part.to_vec()));
            let len = part.len();
            check(&torn, &format!("operation {n}, torn after {len} bytes"));
        }
        pending.push(op);
        let count = pending.len();
        let all_but = |one| (0..count).filter(|i| *i != one).collect::<Vec<_>>();
        let mut subsets = vec![(0..count).collect(), vec![]];
        if count > 1 {
            subsets.extend((0..count).flat_map(|one| [vec![one], all_but(one)]));
        }
        for subset in subsets {
            let mut state = durable.clone();
            subset.iter().for_each(|i| apply(&mut state, pending[*i]));
            let what = format!("operation {n}, writes {subset:?} of {count} pending");
            check(&state, &what);
        }
    }
    assert!(pending.is_empty(), "the last write was not flushed");
}

#[test]
fn a_cut_at_any_time_leaves_nothing_bootable_or_all_of_it() {
    for save in ["", "data"] {
        let disk = Recorder::new(old_disk());
        run(&disk, Sha256Digest::of(&image()), save).unwrap();
        let done = disk.bytes();
        assert!(boots(&done));
        assert_eq!(done[MARK_AT..MARK_AT + 512], MARK);
        for_every_cut(&disk.log(), |state, what| {
            assert_safe(state, &done, !save.is_empty(), what)
        });
    }
}

#[test]
fn nothing_of_an_unverified_image_is_ever_bootable() {
    let disk = Recorder::new(old_disk());
    let error = run(&disk, Sha256Digest::of(b"another image"), "data").unwrap_err();
    assert!(
        matches!(
            error.source,
            InstallCause::Seal(SealError::Image(ImageError::Verify(
                VerifyError::Digest { .. }
            )))
        ),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Unbootable { saved: 1 });
    // No state is complete: only the old system may boot.
    for_every_cut(&disk.log(), |state, what| {
        assert_safe(state, &[0; DISK], true, what)
    });
    let left = disk.bytes();
    assert!(!boots(&left));
    let names: Vec<_> = table_of(&left)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["data"]);
}

#[test]
fn without_partitions_to_keep_the_disk_is_the_image_bit_by_bit() {
    let disk = Recorder::new(old_disk());
    run(&disk, Sha256Digest::of(&image()), "").unwrap();
    let mut expected = image();
    expected[MARK_AT..MARK_AT + 512].copy_from_slice(&MARK);
    assert!(disk.bytes()[..IMAGE] == expected[..]);
}

#[test]
fn a_disk_that_fails_at_any_write_never_boots_half_written() {
    let whole = Recorder::new(old_disk());
    run(&whole, Sha256Digest::of(&image()), "data").unwrap();
    let done = whole.bytes();
    for fail_from in 0..whole.log().len() {
        let disk = Recorder::new(old_disk()).breaking(fail_from, DiskFault::Dead);
        let error = run(&disk, Sha256Digest::of(&image()), "data").unwrap_err();
        assert!(
            matches!(
                &error.source,
                InstallCause::Seal(SealError::Disk { .. } | SealError::Boot(BootError::Edit(_)))
            ),
            "{error:?}"
        );
        assert_eq!(error.state, DiskState::Unknown);
        assert_safe(
            &disk.bytes(),
            &done,
            true,
            &format!("failing from operation {fail_from}"),
        );
    }
}

#[test]
fn the_state_after_a_failure_is_said_in_words() {
    let say = |state: DiskState| state.to_string();
    assert_eq!(say(DiskState::Untouched), "the disk was not touched");
    assert!(say(DiskState::Unbootable { saved: 2 }).contains("2 saved partitions are kept"));
}
