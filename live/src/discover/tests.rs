//! Labels are found on devices and in raw tables; ambiguity and absence are said by name.

use super::*;

/// A directory that looks like sysfs and `/dev` with the given devices: name, content, whether it
/// is a partition.
fn devices(list: &[(&str, Vec<u8>, bool)]) -> (tempfile::TempDir, Devices) {
    let dir = tempfile::tempdir().unwrap();
    let devices = Devices {
        class_block: dir.path().join("class"),
        nodes: dir.path().join("dev"),
    };
    fs::create_dir_all(&devices.nodes).unwrap();
    for (name, content, partition) in list {
        fs::create_dir_all(devices.class_block.join(name)).unwrap();
        if *partition {
            fs::write(devices.class_block.join(name).join("partition"), "1\n").unwrap();
        }
        fs::write(devices.nodes.join(name), content).unwrap();
    }
    (dir, devices)
}

fn ext4(label: &str) -> Vec<u8> {
    let mut bytes = vec![0u8; 4096];
    bytes[1080..1082].copy_from_slice(&[0x53, 0xEF]);
    bytes[1144..1144 + label.len()].copy_from_slice(label.as_bytes());
    bytes
}

fn iso(label: &str) -> Vec<u8> {
    let mut bytes = vec![b' '; 40960];
    bytes[32768..32775].copy_from_slice(b"\x01CD001\x01");
    bytes[32808..32808 + label.len()].copy_from_slice(label.as_bytes());
    bytes
}

#[test]
fn the_labelled_partition_is_found_without_udev() {
    let (_dir, devices) = devices(&[
        ("vda", vec![0; 4096], false),
        ("vda3", ext4("boot"), true),
        ("vda4", ext4("root"), true),
        ("loop0", ext4("boot"), false),
    ]);
    let found = devices.wait("boot", Duration::ZERO).unwrap();
    assert_eq!(
        found,
        Found {
            device: devices.nodes.join("vda3"),
            inside: None,
            kind: Kind::Ext
        }
    );
}

#[test]
fn two_disks_with_the_label_are_refused_by_name() {
    let (_dir, devices) = devices(&[("sda1", ext4("boot"), true), ("sdb1", ext4("boot"), true)]);
    let both = vec![devices.nodes.join("sda1"), devices.nodes.join("sdb1")];
    let want = DiscoverError::Several {
        label: "boot".into(),
        devices: both,
    };
    assert_eq!(devices.wait("boot", Duration::ZERO), Err(want));
}

#[test]
fn a_hybrid_iso_seen_twice_is_one() {
    let (_dir, devices) = devices(&[
        ("sda", iso("os-live"), false),
        ("sda1", iso("os-live"), true),
    ]);
    assert_eq!(
        devices.wait("os-live", Duration::ZERO).unwrap().device,
        devices.nodes.join("sda")
    );
}

#[test]
fn what_is_not_there_is_said_with_the_devices_looked_at() {
    let (_dir, devices) = devices(&[("sr0", iso("other"), false)]);
    let error = devices.wait("os-live", Duration::ZERO).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no file system labelled `os-live` appeared in 0 s on {}",
            devices.nodes.join("sr0").display()
        )
    );
}

#[test]
fn partitions_that_the_kernel_does_not_show_are_found_in_the_table() {
    let mut disk = vec![0u8; 8 << 20];
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &disk).unwrap();
    let made = std::process::Command::new("sgdisk")
        .args(["-n", "1:2048:+1M", "-n", "2:0:+1M"])
        .arg(file.path())
        .output();
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP: discover::tests: sgdisk is needed: {made:?}");
        return;
    }
    disk.copy_from_slice(&fs::read(file.path()).unwrap());
    disk[2 << 20..(2 << 20) + 4096].copy_from_slice(&ext4("boot"));
    let (_dir, devices) = devices(&[("vda", disk, false)]);
    let found = devices.wait("boot", Duration::ZERO).unwrap();
    assert_eq!(
        found.inside,
        Some(Inside {
            start: 2 << 20,
            length: 1 << 20
        })
    );
}
