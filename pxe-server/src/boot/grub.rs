//! GRUB scripts, for machines that start GRUB instead of iPXE: under Secure Boot, by a signed shim.
//! `grub.cfg` asks for the machine's own script until it is answered; what that says is done, or
//! asked again after `$pause` seconds.
//!
//! GRUB manual, "Shell-like scripting" and "Network". Signed builds load no modules: only commands
//! that those of Debian and Fedora have are relied on.

use std::fmt::Write as _;

use embed::manifest::Manifest;

use crate::boot::{CommandLineTooLong, DiscoveryScript, InstallScript, Servers};
use crate::mac::MacAddr;

/// The script that GRUB looks for by itself.
pub const CONFIG: &str = "grub.cfg";

/// SMBIOS strings that are told: name of the fact, structure type, place of the string's number.
const TOLD: [(&str, u8, u8); 4] = [
    ("serial", 1, 7),
    ("asset", 3, 8),
    ("manufacturer", 1, 4),
    ("product", 1, 5),
];

/// Boots the first disk that has the loader which removable media have, as installed systems do; where
/// that loader is not taken, what the disk's own GRUB would read; then whatever the firmware tries next.
///
/// `root` must be the disk: under Secure Boot Debian's GRUB tells a loader that it came from there,
/// whatever device its name has, and shim looks for GRUB where it came from.
const BOOT_DISK: &str = r#"echo "pxe-server: booting the disk"
if [ "$grub_platform" = efi ]; then
  set program=BOOTX64.EFI
  if [ "$grub_cpu" = arm64 ]; then set program=BOOTAA64.EFI; fi
  if search --no-floppy --label EFI-SYSTEM --set=root; then
    if chainloader ($root)/EFI/BOOT/$program; then boot; fi
  fi
  if search --no-floppy --file /EFI/BOOT/$program --set=root; then
    if chainloader ($root)/EFI/BOOT/$program; then boot; fi
  fi
  if search --no-floppy --label boot --set=root; then
    set prefix=($root)/grub2
    configfile $prefix/grub.cfg
  fi
  exit 1
else
  set root=(hd0)
  if chainloader +1; then boot; fi
fi
"#;

/// `grub.cfg`, the same for every machine: asks each server by TFTP, which every GRUB has that booted
/// from the network, for the script of the card that it booted from. Three failures boot the disk: a
/// server that is away must not keep an installed machine down.
pub fn first_script(servers: &Servers) -> String {
    let mut script = String::from("set said=\n");
    for (name, kind, place) in TOLD {
        let _ = writeln!(
            script,
            "if smbios --type {kind} --get-string {place} --set value; then set said=\"${{said}}&{name}=$value\"; fi"
        );
    }
    let addresses: Vec<String> = servers
        .all()
        .map(|server| server.address.to_string())
        .collect();
    let _ = write!(
        script,
        r#"while [ "$never" = "" ]; do
  set answered=
  for wait in 2 5 10; do
    for server in {addresses}; do
      if [ "$answered" = "" ]; then
        echo "pxe-server: asking $server what $net_default_mac shall boot"
        source "(tftp,$server)/machines/$net_default_mac/{CONFIG}?$said"
      fi
    done
    if [ "$answered" = "" ]; then
      echo "pxe-server: no usable answer; waiting $wait s"
      sleep $wait
    fi
  done
  if [ "$answered" = "" ]; then
    echo "pxe-server: giving up"
    {disk}
    set pause=30
  fi
  sleep $pause
done
"#,
        addresses = addresses.join(" "),
        disk = BOOT_DISK.trim_end().replace('\n', "\n    "),
    );
    script
}

/// Boots the disk.
pub fn disk_script(mac: MacAddr, why: &str) -> String {
    let disk = format!("echo \"pxe-server: {mac}: {why}\"\n{BOOT_DISK}");
    answer(&disk, 30)
}

/// Tells why the machine is held; touches nothing.
pub fn held_script(mac: MacAddr, why: &str) -> String {
    let text = [
        format!("pxe-server: {mac} is held: {why}"),
        "Its disk may be incomplete, and it is not installed again without being asked for."
            .to_owned(),
        "To allow one more install, run on the server:".to_owned(),
        format!("    pxe-server reinstall {mac}"),
    ];
    answer(&said(&text), 30)
}

/// Says that nobody has claimed the machine; touches nothing.
pub fn unclaimed_script(mac: MacAddr) -> String {
    let text = [
        format!(
            "pxe-server: {mac} waits: no group of this site matches it, and nobody has claimed it"
        ),
        "To give it a profile, run on the server:".to_owned(),
        format!("    pxe-server claim {mac} --profile NAME"),
    ];
    answer(&said(&text), 15)
}

/// Says why the machine is not installed now; touches nothing.
pub fn waiting_script(mac: MacAddr, why: &str) -> String {
    answer(
        &said(&[format!("pxe-server: {mac} waits to be installed: {why}")]),
        15,
    )
}

/// Boots the live system that installs the machine: its files by HTTP where this GRUB can, by TFTP
/// otherwise.
pub fn install_script(parts: &InstallScript<'_>) -> Result<String, CommandLineTooLong> {
    Ok(live_script(
        &parts.greeting(),
        parts.manifest,
        parts.assets,
        parts.config_path().as_deref(),
        &parts.kargs()?,
        parts.servers,
    ))
}

/// Boots the live system that finds out what the machine consists of.
pub fn discovery_script(parts: &DiscoveryScript<'_>) -> Result<String, CommandLineTooLong> {
    Ok(live_script(
        &parts.greeting(),
        parts.manifest,
        parts.assets,
        None,
        &parts.kargs()?,
        parts.servers,
    ))
}

fn live_script(
    greeting: &[String],
    manifest: &Manifest,
    assets: &str,
    config: Option<&str>,
    kargs: &[String],
    servers: &Servers,
) -> String {
    let greeting: Vec<String> = greeting
        .iter()
        .map(|text| format!("pxe-server: {text}"))
        .collect();
    let words: Vec<String> = kargs.iter().map(|word| quoted(word)).collect();
    let (kernel, initramfs) = (&manifest.kernel.file, &manifest.initramfs.file);
    let mut initrds = format!("\"$source/{assets}/{initramfs}\"");
    if let Some(path) = config {
        let _ = write!(initrds, " \"$source/{path}\"");
    }
    let sources: Vec<String> = servers
        .all()
        .map(|server| format!("(http,{0}:{1}) (tftp,{0})", server.address, server.port))
        .collect();
    let script = format!(
        r#"{greeting}for source in {sources}; do
  echo "pxe-server: loading kernel {kernel} from $source"
  if linux "$source/{assets}/{kernel}" {kargs}; then
    echo "pxe-server: loading initramfs {initramfs}"
    if initrd {initrds}; then
      echo "pxe-server: starting the live system"
      boot
    fi
  fi
done
echo "pxe-server: could not load or start the live system; asking again in 10 s"
"#,
        greeting = said(&greeting),
        sources = sources.join(" "),
        kargs = words.join(" "),
    );
    answer(&script, 10)
}

/// An answer: what is done, and in how many seconds the server is asked again if that returns.
fn answer(script: &str, pause: u32) -> String {
    format!("set answered=yes\n{script}set pause={pause}\n")
}

/// Lines on the screen.
fn said(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("echo \"{line}\"\n"))
        .collect()
}

/// One word of a command, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
