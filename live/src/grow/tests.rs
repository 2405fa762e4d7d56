//! Growing a written image, checked by sgdisk, and what is left when it cannot be done.

use super::*;
use embed::gpt::SectorSize;
use std::process::Command;

const MIB: u64 = 1024 * 1024;
const NEW_GUID: Uuid = Uuid::from_u128(0x1234);

fn sgdisk(path: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("sgdisk").args(arguments).arg(path).output() {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        other => {
            eprintln!("SKIP: grow::tests: sgdisk is needed: {other:?}");
            None
        }
    }
}

/// An image of 16 MiB as it was written to a disk of 64 MiB.
fn written_image(partitions: &[&str]) -> Option<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(16 * MIB).unwrap();
    let guid = IMAGE_DISK_GUID.to_string();
    let mut arguments = vec!["-U", &guid];
    arguments.extend(partitions);
    sgdisk(file.path(), &arguments)?;
    file.as_file().set_len(64 * MIB).unwrap();
    Some(file)
}

fn grow(file: &tempfile::NamedTempFile, number: u32) -> Result<Grown, MoveError> {
    let size = file.as_file().metadata().unwrap().len();
    grow_table(file.as_file(), 512, size, number, NEW_GUID)
}

const IMAGE: [&str; 8] = [
    "-n",
    "1:2048:+1M",
    "-n",
    "3:0:+2M",
    "-A",
    "3:set:2",
    "-n",
    "4:0:+3M",
];

#[test]
fn root_takes_the_rest_of_the_disk_and_sgdisk_finds_no_problem() {
    let Some(file) = written_image(&IMAGE) else {
        return;
    };
    let before = sgdisk(file.path(), &["-i", "3"]).unwrap();
    let grown = grow(&file, 4).unwrap();
    assert!(grown.moved && grown.renamed);
    let root = grown.partition.unwrap();
    assert_eq!(
        (root.number, root.start, root.length),
        (4, 4 * MIB, 59 * MIB)
    );
    let verdict = sgdisk(file.path(), &["-v"]).unwrap();
    assert!(verdict.contains("No problems found"), "{verdict}");
    let info = sgdisk(file.path(), &["-p", "-i", "4"]).unwrap();
    assert!(
        info.contains("00000000-0000-0000-0000-000000001234"),
        "{info}"
    );
    assert!(info.contains("Last sector: 129023"), "{info}");
    assert_eq!(sgdisk(file.path(), &["-i", "3"]).unwrap(), before);
}

#[test]
fn a_second_run_writes_nothing() {
    let Some(file) = written_image(&IMAGE) else {
        return;
    };
    grow(&file, 4).unwrap();
    let before = fs::read(file.path()).unwrap();
    assert_eq!(grow(&file, 4).unwrap(), Grown::default());
    assert!(fs::read(file.path()).unwrap() == before);
}

#[test]
fn a_partition_behind_root_is_left_alone() {
    let Some(file) = written_image(&["-n", "4:2048:+1M", "-n", "9:0:+1M"]) else {
        return;
    };
    let grown = grow(&file, 4).unwrap();
    assert_eq!((grown.moved, grown.partition), (true, None));
    assert!(
        sgdisk(file.path(), &["-v"])
            .unwrap()
            .contains("No problems found")
    );
}

#[test]
fn numbers_with_gaps_stay() {
    let Some(file) = written_image(&["-n", "2:2048:+1M", "-n", "8:0:+1M"]) else {
        return;
    };
    assert_eq!(grow(&file, 8).unwrap().partition.unwrap().number, 8);
    assert!(
        sgdisk(file.path(), &["-i", "2"])
            .unwrap()
            .contains("First sector: 2048")
    );
}

#[test]
fn a_disk_guid_of_its_own_stays() {
    let Some(file) = written_image(&IMAGE) else {
        return;
    };
    sgdisk(file.path(), &["-U", "11111111-2222-4333-8444-555555555555"]).unwrap();
    assert!(!grow(&file, 4).unwrap().renamed);
    assert!(
        sgdisk(file.path(), &["-p"])
            .unwrap()
            .contains("11111111-2222-4333-8444-555555555555")
    );
}

#[test]
fn a_disk_shorter_than_its_partitions_is_refused_and_untouched() {
    let Some(file) = written_image(&IMAGE) else {
        return;
    };
    file.as_file().set_len(6 * MIB).unwrap();
    let before = fs::read(file.path()).unwrap();
    let error = grow(&file, 4).unwrap_err();
    assert!(
        matches!(
            error,
            MoveError::Fit(GptError::DiskTooSmall {
                disk: 12288,
                needed: 14369
            })
        ),
        "{error:?}"
    );
    assert!(fs::read(file.path()).unwrap() == before);
}

#[test]
fn cut_between_the_two_tables_leaves_one_whole() {
    let Some(file) = written_image(&IMAGE) else {
        return;
    };
    let size = file.as_file().metadata().unwrap().len();
    let mut table = table::read(file.as_file(), 512, size).unwrap();
    table.fit(size).unwrap();
    write_backup(file.as_file(), &table.render(table.last + 1).unwrap()).unwrap();
    let first = fs::read(file.path()).unwrap();
    assert_eq!(
        Table::of_image(&first, SectorSize::B512).unwrap().last,
        32767
    );
    file.as_file().write_all_at(&[0; 512], 512).unwrap();
    let backup = table::read(file.as_file(), 512, size).unwrap();
    let partitions = backup.partitions().collect::<Vec<_>>();
    assert_eq!(partitions.len(), 3);
}

#[test]
fn the_disk_of_a_partition_is_its_parent_in_sysfs() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("devices/nvme0n1/nvme0n1p4")).unwrap();
    fs::write(path("devices/nvme0n1/nvme0n1p4/partition"), "4\n").unwrap();
    fs::create_dir_all(path("class")).unwrap();
    std::os::unix::fs::symlink("../devices/nvme0n1/nvme0n1p4", path("class/nvme0n1p4")).unwrap();
    fs::create_dir(path("dev")).unwrap();
    fs::write(path("dev/nvme0n1p4"), "").unwrap();
    std::os::unix::fs::symlink("nvme0n1p4", path("dev/root")).unwrap();
    let place = Place::of(&path("dev/root"), &path("class")).unwrap();
    assert_eq!(
        place,
        Place {
            disk: fs::canonicalize(path("dev")).unwrap().join("nvme0n1"),
            number: 4
        }
    );
}
