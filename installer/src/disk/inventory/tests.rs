//! Disks of several kinds, as a made-up sysfs shows them.

use std::os::unix::fs::symlink;

use super::*;

struct Sys(tempfile::TempDir);

impl Sys {
    /// A disk of 8 GiB at `way` below the devices, with these files.
    fn disk(&self, way: &str, files: &[(&str, &[u8])]) {
        let dir = self.0.path().join("devices").join(way);
        let all = [
            ("size", &b"16777216\n"[..]),
            ("queue/logical_block_size", b"4096\n"),
            ("removable", b"0\n"),
        ];
        for (name, bytes) in all.iter().chain(files) {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let block = self.0.path().join("block");
        fs::create_dir_all(&block).unwrap();
        symlink(&dir, block.join(dir.file_name().unwrap())).unwrap();
    }

    fn disks(&self) -> Vec<DiskInfo> {
        let kernel = Kernel {
            sys: self.0.path().to_owned(),
            proc: self.0.path().to_owned(),
        };
        kernel.disks().unwrap()
    }
}

fn sys() -> Sys {
    Sys(tempfile::tempdir().unwrap())
}

#[test]
fn a_sata_disk_is_known_by_its_vital_product_data() {
    let sys = sys();
    sys.disk(
        "pci0000:00/ata3/host2/target2:0:0/2:0:0:0/block/testa",
        &[
            ("device/model", b"TESTDISK 1      \n"),
            ("device/vpd_pg80", b"\0\x80\0\x08  Z1AB  "),
            ("device/wwid", b"naa.5000c500a1b2c3d4\n"),
            ("queue/rotational", b"1\n"),
        ],
    );
    let disk = &sys.disks()[0];
    assert_eq!(disk.path, Path::new("/dev/testa"));
    assert_eq!((disk.size, disk.sector_size), (8 << 30, 4096));
    assert_eq!(disk.model.as_deref(), Some("TESTDISK 1"));
    assert_eq!(disk.serial.as_deref(), Some("Z1AB"));
    assert_eq!(disk.wwn.as_deref(), Some("0x5000c500a1b2c3d4"));
    assert_eq!(disk.transport, Some("sata"));
    assert!(disk.rotational && !disk.removable && !disk.read_only);
    // There is no such device node.
    assert_eq!(disk.content, None);
}

#[test]
fn transports_are_told_apart() {
    let sys = sys();
    for way in [
        "a/usb2/2-1/host9/target/block/testusb",
        "a/virtio1/block/testvirtio",
        "a/host1/session1/target/block/testiscsi",
        "a/host1/rport-1:0-0/target/block/testfc",
        "a/host1/port-1:0/end_device-1:0/block/testsas",
        "a/ata_port/block/testnone",
    ] {
        sys.disk(way, &[]);
    }
    sys.disk(
        "a/nvme/nvme0/nvme0n1",
        &[("device/transport", b"pcie\n"), ("wwid", b"eui.01\n")],
    );
    sys.disk(
        "a/nvme/nvme1/nvme1n1",
        &[("device/transport", b"tcp\n"), ("wwid", b"nvme.x\n")],
    );
    let found: Vec<_> = sys
        .disks()
        .into_iter()
        .map(|disk| {
            let name = disk
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (name, disk.transport, disk.wwn)
        })
        .collect();
    let expected = [
        ("nvme0n1", Some("nvme"), Some("eui.01")),
        ("nvme1n1", Some("nvme-tcp"), None),
        ("testfc", Some("fc"), None),
        ("testiscsi", Some("iscsi"), None),
        ("testnone", None, None),
        ("testsas", Some("sas"), None),
        ("testusb", Some("usb"), None),
        ("testvirtio", Some("virtio"), None),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, transport, wwn)| (name.to_owned(), transport, wwn.map(str::to_owned)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_disk_or_has_no_medium_is_left_out() {
    let sys = sys();
    sys.disk("virtual/block/zram0", &[]);
    sys.disk("virtual/block/dm-0", &[]);
    sys.disk("ata1/block/sr0", &[]);
    sys.disk("usb1/block/testempty", &[("size", b"0\n")]);
    sys.disk("usb1/block/testbroken", &[("size", b"many\n")]);
    sys.disk(
        "usb1/block/testhuge",
        &[("size", b"18446744073709551615\n")],
    );
    assert_eq!(sys.disks(), []);
}

#[test]
fn hostile_vital_product_data_is_bounded() {
    let sys = sys();
    for (n, page) in [
        &b""[..],
        b"\0\x80\0",
        b"\0\x80\xff\xffAB",
        b"\0\x80\0\x04\x1b[2J",
    ]
    .into_iter()
    .enumerate()
    {
        sys.disk(&format!("a/block/test{n}"), &[("device/vpd_pg80", page)]);
    }
    let serials: Vec<_> = sys.disks().into_iter().map(|disk| disk.serial).collect();
    assert_eq!(
        serials,
        [None, None, Some("AB".to_owned()), Some("[2J".to_owned())]
    );
}

/// Makes the disk with the directory name `below` a part of the one named `above`.
fn build_on(sys: &Sys, below: &str, above: &str) {
    let dir = |name: &str| fs::canonicalize(sys.0.path().join("block").join(name)).unwrap();
    for (of, kind, name) in [(above, "slaves", below), (below, "holders", above)] {
        let link = dir(of).join(kind);
        fs::create_dir_all(&link).unwrap();
        symlink(dir(name), link.join(name)).unwrap();
    }
}

#[test]
fn a_multipath_device_is_listed_as_what_its_paths_are_and_they_name_it() {
    let sys = sys();
    for (way, name) in [("rport-1:0-0", "testa"), ("rport-2:0-0", "testb")] {
        sys.disk(
            &format!("pci/host1/{way}/target/block/{name}"),
            &[
                ("device/model", b"LUN\n"),
                ("device/vpd_pg80", b"\0\x80\0\x04Z1AB"),
                ("device/wwid", b"naa.5000c500a1b2c3d4\n"),
            ],
        );
    }
    let (name, uuid) = (&b"mpatha\n"[..], &b"mpath-35000c500a1b2c3d4\n"[..]);
    sys.disk(
        "virtual/block/dm-0",
        &[("dm/name", name), ("dm/uuid", uuid)],
    );
    build_on(&sys, "testa", "dm-0");
    build_on(&sys, "testb", "dm-0");
    let disks = sys.disks();
    let [dm, a, b] = disks.as_slice() else {
        panic!("{disks:?}");
    };
    assert_eq!(
        dm.made_of,
        Some(Composed {
            kind: "multipath".into(),
            name: Some("mpatha".into()),
            wwid: Some("35000c500a1b2c3d4".into()),
            parts: vec!["/dev/testa".into(), "/dev/testb".into()],
        })
    );
    assert_eq!(dm.path, Path::new("/dev/dm-0"));
    assert_eq!((dm.size, dm.transport), (8 << 30, Some("fc")));
    assert_eq!(dm.model.as_deref(), Some("LUN"));
    assert_eq!(dm.serial.as_deref(), Some("Z1AB"));
    assert_eq!(dm.wwn.as_deref(), Some("0x5000c500a1b2c3d4"));
    assert_eq!(dm.path_of, None);
    for path in [a, b] {
        assert_eq!(path.path_of.as_deref(), Some(Path::new("/dev/dm-0")));
        assert_eq!(path.wwn, dm.wwn);
        assert_eq!(path.made_of, None);
    }
}

#[test]
fn raids_are_disks_and_other_mapped_devices_are_not() {
    let sys = sys();
    sys.disk("ata1/block/testa", &[]);
    sys.disk("virtual/block/md127", &[("md/level", b"raid1\n")]);
    sys.disk(
        "virtual/block/md126",
        &[("md/level", b"container\n"), ("size", b"0\n")],
    );
    sys.disk(
        "virtual/block/dm-0",
        &[("dm/name", b"vg-lv\n"), ("dm/uuid", b"LVM-x\n")],
    );
    sys.disk(
        "virtual/block/dm-1",
        &[("dm/name", b"p\n"), ("dm/uuid", b"part1-mpath-3600\n")],
    );
    build_on(&sys, "testa", "md127");
    let found: Vec<_> = sys
        .disks()
        .into_iter()
        .map(|disk| (disk.path, disk.made_of.map(|m| (m.kind, m.parts))))
        .collect();
    let raid = ("raid1".to_owned(), vec![PathBuf::from("/dev/testa")]);
    assert_eq!(
        found,
        [
            ("/dev/md127".into(), Some(raid)),
            ("/dev/testa".into(), None)
        ]
    );
}
