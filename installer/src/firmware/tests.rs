//! Boot options in a directory that looks like efivarfs, for disks that are files with a real EFI
//! system partition.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use embed::gpt::{Entry, Table};
use fatfs::{FormatVolumeOptions, FsOptions};

use super::*;

const MIB: u64 = 1024 * 1024;
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// `/sys/firmware/efi` of a machine with these variables.
fn machine(variables: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let vars = dir.path().join("efivars");
    fs::create_dir(&vars).unwrap();
    fs::write(vars.join(format!("SecureBoot-{GLOBAL}")), [6, 0, 0, 0, 1]).unwrap();
    for (name, data) in variables {
        let bytes = [&[7, 0, 0, 0], *data].concat();
        fs::write(vars.join(format!("{name}-{GLOBAL}")), bytes).unwrap();
    }
    dir
}

/// Every variable with its bytes, but for the one that is always there.
fn variables(machine: &tempfile::TempDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(machine.path().join("efivars")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let name = name.strip_suffix(&format!("-{GLOBAL}")).unwrap().to_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name != "SecureBoot")
        .collect()
}

/// A disk whose partition 2, at 2 MiB, has these files.
fn disk(files: &[(&str, &[u8])], sector: SectorSize, kind: Uuid) -> tempfile::NamedTempFile {
    let mut esp = std::io::Cursor::new(vec![0u8; 4 << 20]);
    fatfs::format_volume(&mut esp, FormatVolumeOptions::new()).unwrap();
    let fs = fatfs::FileSystem::new(&mut esp, FsOptions::new()).unwrap();
    for (path, content) in files {
        let mut dir = fs.root_dir();
        let (parents, name) = path.rsplit_once('/').unwrap();
        for parent in parents.split('/') {
            dir = dir.create_dir(parent).unwrap();
        }
        dir.create_file(name).unwrap().write_all(content).unwrap();
    }
    fs.unmount().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let sectors = 8 * MIB / u64::from(sector.bytes());
    let entry = Entry {
        kind: kind.to_bytes_le(),
        guid: [0xab; 16],
        first: 2 * MIB / u64::from(sector.bytes()),
        last: 6 * MIB / u64::from(sector.bytes()) - 1,
        attributes: 0,
        name: [0; 72],
    };
    let table = Table {
        sector,
        disk_guid: [1; 16],
        last: sectors - 1,
        slots: 128,
        entries: [(2, entry)].into(),
    };
    let rendered = table.render(sectors).unwrap();
    let mut out = file.as_file();
    out.set_len(8 * MIB).unwrap();
    out.seek(SeekFrom::Start(sector.bytes().into())).unwrap();
    out.write_all(&rendered.primary).unwrap();
    out.seek(SeekFrom::Start(2 * MIB)).unwrap();
    out.write_all(&esp.into_inner()).unwrap();
    file
}

fn csv(text: &str) -> Vec<u8> {
    let units = text.encode_utf16();
    [0xfeff]
        .into_iter()
        .chain(units)
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn shim(vendor: &str) -> String {
    format!("EFI/{vendor}/shim{ARCH}.efi")
}

/// As the loader module has it.
const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "aa64"
} else {
    "x64"
};

fn boot_first(
    machine: &tempfile::TempDir,
    disk: &tempfile::NamedTempFile,
    sector: SectorSize,
) -> Result<BootEntry, FirmwareError> {
    Firmware::below(machine.path())?.boot_first_of(disk.path(), sector)
}

#[test]
fn an_entry_is_made_under_a_free_number_and_placed_first() {
    let other = LoadOption::new("Other", vec![0x7f, 0xff, 4, 0])
        .encode()
        .unwrap();
    let machine = machine(&[
        ("Boot0000", &other),
        ("Boot0002", b"no load option"),
        ("BootOrder", &[2, 0, 0, 0]),
    ]);
    let before = variables(&machine);
    let label = csv(&format!("shim{ARCH}.efi,Some OS,,comment\n"));
    let disk = disk(
        &[
            (&format!("EFI/BOOT/BOOT{ARCH}.EFI"), b"removable"),
            (&shim("vendor"), b"shim"),
            (&format!("EFI/vendor/boot{ARCH}.csv"), &label),
        ],
        SectorSize::B4096,
        ESP,
    );
    let entry = boot_first(&machine, &disk, SectorSize::B4096).unwrap();
    assert_eq!((entry.number, entry.name.as_str()), (1, "Some OS"));
    assert_eq!(entry.file, format!("\\EFI\\vendor\\shim{ARCH}.efi"));
    let mut after = variables(&machine);
    assert_eq!(after["BootOrder"], [7, 0, 0, 0, 1, 0, 2, 0, 0, 0]);
    let made = after.remove("Boot0001").unwrap();
    let path = FilePath {
        partition: 2,
        start: 512,
        sectors: 1024,
        guid: [0xab; 16],
        file: entry.file.clone(),
    };
    assert_eq!(made[..4], [7, 0, 0, 0]);
    let option = LoadOption::decode(&made[4..]).unwrap();
    assert_eq!(option, LoadOption::new("Some OS", path.encode().unwrap()));
    after.remove("BootOrder");
    assert!(after.iter().all(|(name, bytes)| before[name] == *bytes));

    // Once more: the same entry, and it is first again.
    let vars = machine.path().join("efivars");
    let order = vars.join(format!("BootOrder-{GLOBAL}"));
    fs::write(order, [7, 0, 0, 0, 0, 0, 1, 0]).unwrap();
    assert_eq!(
        boot_first(&machine, &disk, SectorSize::B4096).unwrap(),
        entry
    );
    let after = variables(&machine);
    assert_eq!(after["BootOrder"], [7, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(after.len(), 4);
}

#[test]
fn a_variable_that_the_kernel_protects_is_written_and_protected_again() {
    let machine = machine(&[("BootOrder", &[0, 0])]);
    let order = machine.path().join(format!("efivars/BootOrder-{GLOBAL}"));
    let order = fs::File::open(order).unwrap();
    if let Err(error) = crate::disk::sys::set_immutable(&order, true) {
        eprintln!("SKIP: firmware::tests: no immutable files here: {error}");
        return;
    }
    let disk = disk(&[(&shim("v"), b"shim")], SectorSize::B512, ESP);
    let made = boot_first(&machine, &disk, SectorSize::B512);
    let immutable = crate::disk::sys::is_immutable(&order).unwrap();
    crate::disk::sys::set_immutable(&order, false).unwrap();
    assert_eq!(made.unwrap().name, "v");
    assert!(immutable);
    let after = variables(&machine);
    assert_eq!(after["BootOrder"], [7, 0, 0, 0, 0, 0]);
}

#[test]
fn without_a_vendor_the_loader_for_removable_media_is_taken() {
    let machine = machine(&[]);
    let removable = format!("EFI/BOOT/BOOT{}.EFI", ARCH.to_ascii_uppercase());
    let disk = disk(
        &[(&removable, b"grub"), ("EFI/debian/grub.cfg", b"")],
        SectorSize::B512,
        ESP,
    );
    let entry = boot_first(&machine, &disk, SectorSize::B512).unwrap();
    assert_eq!((entry.number, entry.name.as_str()), (0, "CoreOS"));
    assert_eq!(entry.file, format!("\\{}", removable.replace('/', "\\")));
    assert_eq!(variables(&machine)["BootOrder"], [7, 0, 0, 0, 0, 0]);
}

#[test]
fn what_cannot_be_started_leaves_the_variables_alone() {
    let machine = machine(&[("BootOrder", &[0, 0])]);
    let before = variables(&machine);
    let empty = disk(&[("EFI/vendor/readme", b"")], SectorSize::B512, ESP);
    let error = boot_first(&machine, &empty, SectorSize::B512).unwrap_err();
    assert!(matches!(error, FirmwareError::NoLoader { .. }), "{error:?}");
    let linux = Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
    let other = disk(&[(&shim("v"), b"")], SectorSize::B512, linux);
    let error = boot_first(&machine, &other, SectorSize::B512).unwrap_err();
    assert!(
        matches!(error, FirmwareError::NoPartition { .. }),
        "{error:?}"
    );
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let error = boot_first(&machine, &nothing, SectorSize::B512).unwrap_err();
    assert!(
        matches!(error, FirmwareError::NoPartition { .. }),
        "{error:?}"
    );
    let esp = disk(&[(&shim("v"), b"")], SectorSize::B512, ESP);
    let mut file = esp.as_file();
    file.seek(SeekFrom::Start(2 * MIB)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    let error = boot_first(&machine, &esp, SectorSize::B512).unwrap_err();
    assert!(matches!(error, FirmwareError::Disk { .. }), "{error:?}");
    assert_eq!(variables(&machine), before);
}

#[test]
fn firmware_without_variables_is_told_from_no_firmware() {
    let dir = tempfile::tempdir().unwrap();
    let error = Firmware::below(&dir.path().join("efi")).unwrap_err();
    assert!(matches!(error, FirmwareError::NotUefi), "{error:?}");
    let error = Firmware::below(dir.path()).unwrap_err();
    assert!(
        matches!(error, FirmwareError::NoVariables { .. }),
        "{error:?}"
    );
    fs::create_dir(dir.path().join("efivars")).unwrap();
    let error = Firmware::below(dir.path()).unwrap_err();
    assert!(
        matches!(error, FirmwareError::NoVariables { .. }),
        "{error:?}"
    );
}
