//! File systems labelled `boot` on other disks: found, told from the target and from members of a
//! RAID, and wiped only where they are.

use std::path::PathBuf;

use installer::disk::{StaleBoot, TargetError, WipeError, stale_boots};

use crate::disk::LoopDisk;
use crate::image::{SIZE, raw};
use crate::request::{or_skip, request, run};

const MIB: usize = 1024 * 1024;
/// Where the superblock of the boot partition has the UUID and the label.
const UUID: usize = 6 * MIB + 1128;
const LABEL: usize = 6 * MIB + 1144;

/// An image whose boot file system has another UUID.
fn other_image(uuid: u8) -> Vec<u8> {
    let mut image = raw(512);
    image[UUID..UUID + 16].fill(uuid);
    image
}

fn disk(content: &[u8]) -> Result<LoopDisk, String> {
    let disk = LoopDisk::new(64 * MIB, 512)?;
    disk.write(0, content);
    Ok(disk)
}

fn nodes(disks: &[&LoopDisk]) -> Vec<PathBuf> {
    disks.iter().map(|disk| disk.node.clone()).collect()
}

fn shown(found: &[StaleBoot]) -> Vec<Vec<String>> {
    let places = |stale: &StaleBoot| stale.places.iter().map(ToString::to_string).collect();
    found.iter().map(places).collect()
}

#[test]
fn each_file_system_counts_once_and_the_target_not_at_all() {
    let target = or_skip!("stale", disk(&raw(512)));
    let path_of_target = or_skip!("stale", disk(&raw(512)));
    let one = or_skip!("stale", disk(&other_image(1)));
    let path_of_one = or_skip!("stale", disk(&other_image(1)));
    let bare = or_skip!("stale", disk(&other_image(2)[6 * MIB..22 * MIB]));
    let empty = or_skip!("stale", LoopDisk::new(MIB, 512));
    let all = nodes(&[&target, &path_of_target, &one, &path_of_one, &bare, &empty]);
    let found = stale_boots(&all, &target.node);
    let third = |disk: &LoopDisk| format!("partition 3 of {}", disk.node.display());
    assert_eq!(
        shown(&found),
        [
            vec![third(&one), third(&path_of_one)],
            vec![bare.node.display().to_string()]
        ]
    );
    assert_eq!(found[0].uuid.as_bytes(), &[1; 16]);
}

#[test]
fn members_of_a_raid_are_none() {
    let target = or_skip!("stale_raid", LoopDisk::new(MIB, 512));
    let md = [0xfc, 0x4e, 0x2b, 0xa9];
    // By metadata 1.0 and 0.90, at the partition's end, and 1.2, near its start.
    for at in [22 * MIB - 8192, 22 * MIB - 65536, 6 * MIB + 4096] {
        let mut image = other_image(1);
        image[at..at + 4].copy_from_slice(&md);
        let member = or_skip!("stale_raid", disk(&image));
        assert_eq!(stale_boots(&nodes(&[&member]), &target.node), [], "{at}");
    }
    let member = or_skip!("stale_raid", disk(&other_image(1)));
    member.write((64 << 20) - 1024, b"Intel Raid ISM Cfg Sig. ");
    assert_eq!(stale_boots(&nodes(&[&member]), &target.node), []);
}

#[test]
fn wiping_takes_magic_and_label_and_leaves_every_other_byte() {
    let target = or_skip!("stale_wipe", disk(&raw(512)));
    let stale = or_skip!("stale_wipe", disk(&other_image(1)));
    let all = nodes(&[&target, &stale]);
    let found = stale_boots(&all, &target.node);
    let (before, of_target) = (stale.bytes(), target.bytes());

    let user = LoopDisk::over(&stale.node).unwrap();
    let error = found[0].wipe().unwrap_err();
    assert!(
        matches!(
            &error,
            WipeError::Target {
                source: TargetError::Busy { .. },
                ..
            }
        ),
        "{error:?}"
    );
    LoopDisk::detach(&user);
    assert!(stale.bytes() == before);

    found[0].wipe().unwrap();
    let mut want = before;
    want[6 * MIB + 1080..6 * MIB + 1082].fill(0);
    want[LABEL..LABEL + 16].fill(0);
    assert!(stale.bytes() == want);
    assert!(target.bytes() == of_target);
    assert_eq!(stale_boots(&all, &target.node), []);
}

/// What was found before an install is not there any more when the disk got another system since:
/// the target of an install, by a path that nobody knew of.
#[test]
fn a_disk_that_was_installed_to_since_is_not_wiped() {
    let target = or_skip!("stale_again", LoopDisk::new(64 * MIB, 512));
    let stale = or_skip!("stale_again", disk(&other_image(1)));
    let found = stale_boots(&nodes(&[&stale]), &target.node);
    assert_eq!(found.len(), 1);
    let signer = crate::image::Signer::new();
    let published =
        crate::image::Published::new("os.raw", &raw(512), Some(&signer.sign(&raw(512))), &signer);
    run(request(&published, &stale)).unwrap();
    found[0].wipe().unwrap();
    assert!(stale.bytes()[..SIZE] == raw(512)[..]);
}
