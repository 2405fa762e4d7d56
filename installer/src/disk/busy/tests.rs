//! Users of a disk, as a made-up kernel shows them.

use std::os::unix::fs::symlink;

use super::*;

/// A kernel with one disk `tdisk` (240:0) and its partition `tdisk1` (240:1), used by nobody.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let fake = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fake.write("sys/devices/tdisk/dev", "240:0\n");
        fake.write("sys/devices/tdisk/tdisk1/dev", "240:1\n");
        fake.write("sys/devices/tdisk/tdisk1/partition", "1\n");
        fake.write("sys/devices/tdisk/queue/rotational", "0\n");
        for (number, path) in [("240:0", "tdisk"), ("240:1", "tdisk/tdisk1")] {
            fs::create_dir_all(fake.path("sys/dev/block")).unwrap();
            symlink(
                fake.path("sys/devices").join(path),
                fake.path("sys/dev/block").join(number),
            )
            .unwrap();
        }
        fake.mounts("");
        fake
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn mounts(&self, lines: &str) {
        let root = "1 0 8:1 / / rw - ext4 /dev/other rw\n";
        self.write("proc/self/mountinfo", &format!("{root}{lines}"));
    }

    fn kernel(&self) -> Kernel {
        Kernel {
            sys: self.path("sys"),
            proc: self.path("proc"),
        }
    }

    fn uses(&self) -> Vec<Use> {
        self.kernel().uses("240:0").unwrap()
    }
}

fn device(name: &str) -> PathBuf {
    Path::new("/dev").join(name)
}

#[test]
fn a_disk_that_nobody_uses_has_no_uses() {
    let fake = Fake::new();
    assert_eq!(fake.uses(), []);
    fake.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/other2 partition 1 0 -2\n",
    );
    fake.write("sys/block/loop0/loop/backing_file", "/some/file\n");
    assert_eq!(fake.uses(), []);
}

#[test]
fn a_partition_is_told_from_a_disk() {
    let kernel = Fake::new();
    assert!(kernel.kernel().is_partition("240:1"));
    assert!(!kernel.kernel().is_partition("240:0"));
}

#[test]
fn mounts_are_found_by_number_and_by_source_with_their_point_unescaped() {
    let fake = Fake::new();
    fake.mounts(
        "30 1 240:1 / /mnt/my\\040data rw shared:1 - ext4 /dev/whatever rw\n\
         31 1 0:44 /sub /btrfs rw - btrfs /dev/tdisk1 rw\n",
    );
    let at = |point: &str| Use::Mounted {
        device: device("tdisk1"),
        at: point.into(),
    };
    assert_eq!(fake.uses(), [at("/mnt/my data"), at("/btrfs")]);
}

#[test]
fn swap_holders_and_loop_devices_are_found() {
    let fake = Fake::new();
    fake.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/tdisk1 partition 1 0 -2\n",
    );
    fake.write("sys/devices/tdisk/tdisk1/holders/dm-0", "");
    fake.write("sys/devices/tdisk/holders/md127", "");
    fake.write("sys/block/loop3/loop/backing_file", "/dev/tdisk\n");
    assert_eq!(
        fake.uses(),
        [
            Use::Swap {
                device: device("tdisk1")
            },
            Use::Holder {
                device: device("tdisk"),
                holder: device("md127")
            },
            Use::Holder {
                device: device("tdisk1"),
                holder: device("dm-0")
            },
            Use::Loop {
                device: device("tdisk"),
                by: device("loop3")
            },
        ]
    );
}

#[test]
fn names_with_a_slash_are_written_with_one() {
    assert_eq!(
        dev_path(Path::new("/sys/devices/x/cciss!c0d0")),
        Path::new("/dev/cciss/c0d0")
    );
}

/// A device-mapper device built on `tdisk`, with a node of its own.
fn mapped(fake: &Fake, name: &str, uuid: &str, below: &str) {
    fake.write(&format!("sys/devices/{name}/dev"), "253:0\n");
    fake.write(&format!("sys/devices/{name}/dm/name"), "mpatha\n");
    fake.write(&format!("sys/devices/{name}/dm/uuid"), &format!("{uuid}\n"));
    let holders = fake.path("sys/devices").join(below).join("holders");
    fs::create_dir_all(&holders).unwrap();
    symlink(fake.path("sys/devices").join(name), holders.join(name)).unwrap();
}

#[test]
fn a_path_of_a_multipath_device_says_which_device_stands_for_the_disk() {
    let fake = Fake::new();
    mapped(&fake, "dm-0", "mpath-3600", "tdisk");
    let uses = fake.uses();
    assert_eq!(
        uses,
        [Use::Path {
            device: device("tdisk"),
            of: device("dm-0"),
            name: "mpatha".to_owned()
        }]
    );
    assert_eq!(
        uses[0].to_string(),
        "/dev/tdisk is a path of the multipath device /dev/dm-0 (mpatha), which stands for the disk"
    );
}

#[test]
fn partitions_that_kpartx_mapped_are_partitions_and_no_use() {
    let fake = Fake::new();
    fake.write("sys/devices/tdisk/dm/name", "mpatha\n");
    fake.write("sys/devices/tdisk/dm/uuid", "mpath-3600\n");
    mapped(&fake, "dm-1", "part1-mpath-3600", "tdisk");
    fs::write(fake.path("sys/devices/dm-1/dev"), "253:1\n").unwrap();
    symlink(
        fake.path("sys/devices/dm-1"),
        fake.path("sys/dev/block/253:1"),
    )
    .unwrap();
    let kernel = fake.kernel();
    assert_eq!(fake.uses(), []);
    assert!(kernel.has_mapped_partitions("240:0").unwrap());
    assert!(kernel.is_partition("253:1") && !kernel.is_partition("240:0"));
    // But what uses them uses the disk.
    fake.mounts("30 1 253:1 / /mnt rw - ext4 /dev/dm-1 rw\n");
    mapped(&fake, "dm-2", "LVM-x", "dm-1");
    assert_eq!(
        fake.uses(),
        [
            Use::Mounted {
                device: device("dm-1"),
                at: "/mnt".into()
            },
            Use::Holder {
                device: device("dm-1"),
                holder: device("dm-2")
            },
        ]
    );
}

#[test]
fn a_mapped_partition_of_another_device_is_a_use() {
    let fake = Fake::new();
    fake.write("sys/devices/tdisk/dm/name", "linear\n");
    mapped(&fake, "dm-1", "part1-mpath-3601", "tdisk");
    let holder = Use::Holder {
        device: device("tdisk"),
        holder: device("dm-1"),
    };
    assert_eq!(fake.uses(), [holder]);
    assert!(!fake.kernel().has_mapped_partitions("240:0").unwrap());
}
