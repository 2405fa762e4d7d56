//! What an install leaves in the firmware: the boot entry of `--boot-entry`, by which the machine
//! then boots. The machine reads its firmware's variables itself and says what is in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tests::artifacts;
use tests::guest::{self, INSTALL_DONE};
use tests::programs::program;
use tests::vm::{Drive, Firmware};

use crate::bench::Bench;
use crate::case::{Case, Tier};

pub(crate) const CASES: &[Case] = &[Case {
    name: "installed_disk_boots_by_its_boot_entry",
    tier: Tier::Full,
    run: boot_entry,
}];

/// Begins the line with what the guest found.
const SAID: &str = "boot-entry: ";

/// Prints, as JSON, the option that the machine was booted by, the first of the order, and the
/// option's bytes: efivarfs has four bytes of attributes before the data.
const CONFIG: &str = r#"variant: fcos
version: 1.4.0
storage:
  files:
    - path: /usr/local/bin/boot-entry
      mode: 0755
      contents:
        inline: |
          #!/bin/sh
          variable() { echo "/sys/firmware/efi/efivars/$1-8be4df61-93ca-11d2-aa0d-00e098032b8c"; }
          number() { od -An -tx2 -j4 -N2 "$(variable "$1")" | tr -d ' \n' | tr a-f A-F; }
          current=$(number BootCurrent)
          option=$(od -An -v -tx1 -j4 "$(variable "Boot$current")" | tr -d ' \n')
          printf 'boot-entry: {"current":"%s","first":"%s","option":"%s"}\n' \
              "$current" "$(number BootOrder)" "$option" > /dev/ttyS0
systemd:
  units:
    - name: boot-entry.service
      enabled: true
      contents: |
        [Service]
        Type=oneshot
        ExecStart=/usr/local/bin/boot-entry
        [Install]
        WantedBy=multi-user.target
"#;

/// What the guest says.
#[derive(Debug, Deserialize)]
struct Said {
    current: String,
    first: String,
    option: String,
}

fn boot_entry(bench: &Bench) -> Result<()> {
    let iso = customised(bench)?;
    let disk = bench.empty_disk()?;
    // The disk is tried before the CD: the machine that has been installed boots it.
    let mut vm = bench
        .machine("machine", Firmware::Ovmf)
        .drive(Drive::Disk(disk))
        .drive(Drive::CdRom(iso))
        .start()?;
    bench.say("booting the ISO");
    vm.wait_for(INSTALL_DONE, bench.patience(150))?;
    bench.say("installed");
    let line = vm.wait_for(SAID, bench.patience(150))?;
    let said: Said = guest::read(&line, SAID)?;
    ensure!(
        said.current == said.first,
        "booted by Boot{}, but Boot{} is first",
        said.current,
        said.first
    );
    check_option(&said.option).with_context(|| format!("Boot{}: {}", said.current, said.option))
}

/// EFI_LOAD_OPTION (UEFI 2.10 section 3.1.3): attributes, length of the path, description, path. The
/// firmware's own entries for a disk begin with the way to it; ours is a partition and a file.
fn check_option(hex: &str) -> Result<()> {
    let digits = hex.as_bytes().chunks_exact(2);
    let bytes: Vec<u8> = digits
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect::<Result<_>>()?;
    let text = bytes.get(6..).context("the option is cut off")?;
    let end = text.chunks_exact(2).position(|unit| unit == [0, 0]);
    let path = text
        .get(end.context("the description has no end")? * 2 + 2..)
        .unwrap_or_default();
    // Hard drive, of 42 bytes; then a file path with a backslash first.
    ensure!(
        path.starts_with(&[4, 1, 42, 0]),
        "it does not begin with a partition"
    );
    let file = path.get(42..).unwrap_or_default();
    ensure!(
        file.starts_with(&[4, 4]) && file.get(4..6) == Some(&[b'\\', 0]),
        "it does not name a file"
    );
    Ok(())
}

/// A live ISO that installs to the first disk with a boot entry.
fn customised(bench: &Bench) -> Result<PathBuf> {
    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = bench.path(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    };
    let settings = write("boot-entry.yaml", "boot-entry: true\n")?;
    let config = write("boot-entry.bu", CONFIG)?;
    let iso = bench.path("machine.iso");
    let mut command = Command::new(program("coreos-installer")?);
    let options: [(&str, &Path); 4] = [
        ("--dest-device", Path::new("/dev/vda")),
        ("--dest-ignition", &config),
        ("--installer-config", &settings),
        ("--output", &iso),
    ];
    command.args(["iso", "customize"]);
    for (option, value) in options {
        command.arg(option).arg(value);
    }
    command.arg(bench.artifacts.iso()?);
    artifacts::run(
        command,
        "coreos-installer iso customize",
        &bench.logs.join("iso-customize.log"),
    )?;
    Ok(iso)
}
