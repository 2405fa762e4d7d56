//! Trees as they were found in machines, and trees that lie.

use std::os::unix::fs::symlink;

use super::*;

/// A virtual machine: BIOS, a disk of virtio, a CD drive, one card, a bridge over it.
const VIRTUAL: &[(&str, &str)] = &[
    (
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: QEMU Virtual CPU version 2.5+\n",
    ),
    (
        "proc/meminfo",
        "MemTotal:        2031616 kB\nMemFree: 1 kB\n",
    ),
    ("sys/devices/system/cpu/online", "0-1\n"),
    ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
    (
        "sys/class/dmi/id/product_name",
        "Standard PC (Q35 + ICH9, 2009)\n",
    ),
    ("sys/class/dmi/id/product_serial", "\n"),
    ("sys/class/dmi/id/bios_vendor", "SeaBIOS\n"),
    ("sys/class/dmi/id/bios_version", "1.16.2-debian-1.16.2-1\n"),
    ("sys/block/loop0/size", "100\n"),
    ("sys/block/sr0/size", "2097151\n"),
    ("sys/block/sr0/device/model", "QEMU DVD-ROM\n"),
    ("sys/block/vda/size", "16777216\n"),
    ("sys/block/vda/serial", ""),
    ("sys/block/vda/queue/logical_block_size", "512\n"),
    ("sys/block/vda/queue/rotational", "1\n"),
    ("sys/block/vda/device/vendor", "0x1af4\n"),
    ("sys/class/net/lo/type", "772\n"),
    ("sys/class/net/br0/type", "1\n"),
    ("sys/class/net/br0/address", "52:54:00:12:34:56\n"),
    ("sys/class/net/ens3/type", "1\n"),
    ("sys/class/net/ens3/address", "52:54:00:12:34:56\n"),
    ("sys/class/net/ens3/carrier", "1\n"),
    ("sys/class/net/ens3/speed", "-1\n"),
    ("sys/class/net/ens3/device/uevent", "DRIVER=virtio_net\n"),
];

/// A server: UEFI with Secure Boot and TPM, NVMe with two paths, a SATA disk, an empty card reader.
const SERVER: &[(&str, &str)] = &[
    (
        "proc/cpuinfo",
        "model name : Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz\n",
    ),
    ("sys/devices/system/cpu/online", "0-39,41\n"),
    ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
    ("sys/class/dmi/id/product_name", "PowerEdge R640\n"),
    ("sys/class/dmi/id/product_serial", "ABC1234\n"),
    (
        "sys/class/dmi/id/product_uuid",
        "4c4c4544-0042-4310-8031-b4c04f313233\n",
    ),
    ("sys/class/dmi/id/chassis_asset_tag", "rack 7\n"),
    ("sys/class/dmi/id/bios_version", "2.19.1\n"),
    (SECURE_BOOT, "\u{6}\0\0\0\u{1}"),
    ("sys/class/tpm/tpm0/tpm_version_major", "2\n"),
    ("sys/block/nvme0n1/size", "3750748848\n"),
    ("sys/block/nvme0n1/queue/logical_block_size", "4096\n"),
    ("sys/block/nvme0n1/queue/rotational", "0\n"),
    (
        "sys/block/nvme0n1/device/model",
        "Dell Express Flash PM1725b 1.6TB SFF    \n",
    ),
    ("sys/block/nvme0n1/device/serial", "S4XANA0N700123\n"),
    ("sys/block/nvme0c0n1/size", "3750748848\n"),
    ("sys/block/nvme0c0n1/hidden", "1\n"),
    ("sys/block/nvme0c0n1/device/model", "Dell\n"),
    ("sys/block/sda/size", "1875385008\n"),
    ("sys/block/sda/queue/rotational", "1\n"),
    ("sys/block/sda/device/model", "ST960\n"),
    (
        "sys/block/sda/device/vpd_pg80",
        "\0\u{0}\0\u{8}  W46123trailing",
    ),
    ("sys/block/sdb/size", "0\n"),
    ("sys/block/sdb/device/model", "Card Reader\n"),
    ("sys/class/net/eno1/type", "1\n"),
    ("sys/class/net/eno1/address", "d0:94:66:00:00:01\n"),
    ("sys/class/net/eno1/carrier", "1\n"),
    ("sys/class/net/eno1/speed", "25000\n"),
    ("sys/class/net/eno1/device/uevent", ""),
    ("sys/class/net/eno2/type", "1\n"),
    ("sys/class/net/eno2/address", "d0:94:66:00:00:02\n"),
    ("sys/class/net/eno2/device/uevent", ""),
];

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn text(text: &str) -> Option<Text> {
    Some(Text::of(text).unwrap())
}

#[test]
fn a_virtual_machine_is_told_as_it_is() {
    let dir = tree(VIRTUAL);
    let driver = dir.path().join("sys/class/net/ens3/device/driver");
    symlink("../../../../bus/virtio/drivers/virtio_net", driver).unwrap();
    let hardware = gather(dir.path());
    assert_eq!(
        hardware.processor,
        Processor {
            model: text("QEMU Virtual CPU version 2.5+"),
            count: 2
        }
    );
    assert_eq!(hardware.memory, 2_031_616 * 1024);
    assert_eq!(hardware.firmware.kind, FirmwareKind::Bios);
    assert_eq!(hardware.firmware.vendor, text("SeaBIOS"));
    assert_eq!(
        (hardware.firmware.secure_boot, hardware.firmware.tpm),
        (None, None)
    );
    assert_eq!(hardware.system.manufacturer, text("QEMU"));
    assert_eq!(hardware.system.serial, None);
    let disks: Vec<_> = hardware
        .disks
        .iter()
        .map(|disk| {
            (
                disk.name.clone(),
                disk.size,
                disk.sector_size,
                disk.serial.clone(),
            )
        })
        .collect();
    assert_eq!(disks, [(text("vda"), 8 << 30, Some(512), None)]);
    let nic = embed::hardware::Nic {
        name: text("ens3"),
        mac: text("52:54:00:12:34:56"),
        driver: text("virtio_net"),
        link: true,
        speed: None,
    };
    assert_eq!(hardware.nics, [nic]);
}

#[test]
fn a_server_is_told_as_it_is() {
    let dir = tree(SERVER);
    let hardware = gather(dir.path());
    assert_eq!(hardware.processor.count, 41);
    assert_eq!(hardware.firmware.kind, FirmwareKind::Uefi);
    assert_eq!(hardware.firmware.secure_boot, Some(true));
    assert_eq!(hardware.firmware.tpm, text("2.0"));
    assert_eq!(hardware.system.serial, text("ABC1234"));
    assert_eq!(hardware.system.asset, text("rack 7"));
    let disks: Vec<_> = hardware
        .disks
        .iter()
        .map(|disk| {
            (
                disk.name.clone(),
                disk.rotational,
                disk.model.clone(),
                disk.serial.clone(),
            )
        })
        .collect();
    let nvme = text("Dell Express Flash PM1725b 1.6TB SFF");
    assert_eq!(
        disks,
        [
            (text("nvme0n1"), Some(false), nvme, text("S4XANA0N700123")),
            (text("sda"), Some(true), text("ST960"), text("W46123")),
        ]
    );
    let nics: Vec<_> = hardware
        .nics
        .iter()
        .map(|nic| (nic.name.clone(), nic.link, nic.speed))
        .collect();
    assert_eq!(
        nics,
        [
            (text("eno1"), true, Some(25_000)),
            (text("eno2"), false, None)
        ]
    );
}

#[test]
fn what_is_not_there_or_lies_is_not_told() {
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(gather(nothing.path()), Hardware::default());
    let endless = "x".repeat(100_000);
    let dir = tree(&[
        ("proc/meminfo", "MemTotal: 99999999999999999999 kB\n"),
        ("sys/devices/system/cpu/online", "7-3,0-4294967295,x,-\n"),
        ("sys/class/dmi/id/product_name", &endless),
        (SECURE_BOOT, "\u{6}\0"),
        ("sys/block/sda/size", "18446744073709551615\n"),
        ("sys/block/sda/device/model", "too large"),
        ("sys/block/sdb/size", "8\n"),
        ("sys/block/sdb/device/vpd_pg80", "\0\0\u{7f}\u{7f}short"),
        ("sys/class/net/eth0/type", "1"),
        ("sys/class/net/eth0/speed", "99999999999"),
        ("sys/class/net/eth0/device/uevent", ""),
    ]);
    let hardware = gather(dir.path());
    assert_eq!((hardware.memory, hardware.processor.count), (0, 0));
    let product = hardware.system.product.unwrap();
    assert_eq!(product.as_str().len(), 64);
    assert_eq!(hardware.firmware.secure_boot, None);
    assert_eq!((hardware.disks.len(), hardware.disks[0].size), (1, 4096));
    assert_eq!(hardware.disks[0].serial, None);
    assert_eq!((hardware.nics.len(), hardware.nics[0].speed), (1, None));
}
