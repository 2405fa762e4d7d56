//! iPXE scripts: the first one, which asks the server what this machine shall boot, and the three
//! possible answers (install, boot the disk, wait).
//!
//! A script says on the screen what it does, tries again after a failure with a pause, and comes
//! back to the server for a fresh answer instead of repeating a stale one. Only [`install_script`]
//! can lead to a disk being written.

use std::fmt::Write as _;

use embed::contract::karg;
use embed::digest::Sha512Digest;
use embed::manifest::Manifest;

use crate::boot::{Endpoint, Servers};
use crate::mac::MacAddr;
use crate::machine::Ticket;
use crate::site::{InstallImage, Profile};

/// Longest command line that an x86 kernel takes, with its NUL (`COMMAND_LINE_SIZE`).
const COMMAND_LINE_SIZE: usize = 2048;

/// iPXE's `${platform}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// `pcbios`
    PcBios,
    /// `efi`
    Efi,
    /// Not said: the script finds out by itself.
    Unknown,
}

impl Platform {
    /// Reads the variable's text.
    pub fn from_ipxe(text: Option<&str>) -> Self {
        match text {
            Some("pcbios") => Self::PcBios,
            Some("efi") => Self::Efi,
            _ => Self::Unknown,
        }
    }
}

/// How a machine that is installed gets its config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigDelivery {
    /// It fetches the config, which has this digest.
    Url(Sha512Digest),
    /// The config is in an initrd of its own.
    Initrd,
}

/// What a URL names a config's version by: enough of its digest to tell it from all others of one
/// machine.
pub fn config_version(digest: Sha512Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

/// Name of the initrd that carries a machine's config.
pub const CONFIG_INITRD: &str = "config.img";

/// Everything an install script is made of.
#[derive(Clone, Copy, Debug)]
pub struct InstallScript<'a> {
    /// The machine.
    pub mac: MacAddr,
    /// What it shall become.
    pub profile: &'a Profile,
    /// The media that it boots and installs.
    pub manifest: &'a Manifest,
    /// How it gets its config.
    pub config: ConfigDelivery,
    /// Single-use permission, carried in the report URL.
    pub ticket: Ticket,
    /// Where the server has the media's files, see [`crate::site::Site::assets`].
    pub assets: &'a str,
    /// The servers as the machine reaches them.
    pub servers: &'a Servers,
}

/// The script's kernel command line does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("kernel command line has {0} bytes; {max} fit", max = COMMAND_LINE_SIZE - 1)]
pub struct CommandLineTooLong(pub usize);

impl InstallScript<'_> {
    /// What it says on the screen.
    pub(super) fn greeting(&self) -> [String; 2] {
        let source = &self.manifest.source;
        [
            format!("{}: profile {}", self.mac, self.profile.name),
            format!(
                "INSTALLING {} {} on {} (its content will be lost)",
                screen_text(&source.name),
                screen_text(&source.version),
                self.profile.install.device
            ),
        ]
    }

    /// Path on the server of the initrd that carries the machine's config, if there is one.
    pub(super) fn config_path(&self) -> Option<String> {
        let (mac, ticket) = (self.mac.dashed(), self.ticket);
        (self.config == ConfigDelivery::Initrd)
            .then(|| format!("machines/{mac}/{CONFIG_INITRD}?ticket={ticket}"))
    }

    /// The kernel's arguments, one space between them.
    pub fn command_line(&self) -> Result<String, CommandLineTooLong> {
        // UEFI kernels load the initrds that their command line names, in this order.
        let mut words = vec![format!("initrd={}", self.manifest.initramfs.file)];
        if self.config == ConfigDelivery::Initrd {
            words.push(format!("initrd={CONFIG_INITRD}"));
        }
        words.extend(self.kargs()?);
        fitting(words.join(" "))
    }

    /// The kernel's arguments that do not depend on the boot loader.
    pub(super) fn kargs(&self) -> Result<Vec<String>, CommandLineTooLong> {
        let (mac, own) = (self.mac.dashed(), self.servers.own());
        let kargs = &self.profile.kargs;
        let mut words = live_kargs(self.manifest, kargs, self.assets, self.servers, self.mac);
        words.push(format!(
            "{}={}",
            karg::INST_DEV,
            self.profile.install.device
        ));
        if let ConfigDelivery::Url(digest) = self.config {
            let version = config_version(digest);
            let url = own.karg_url(&format!("machines/{mac}/ignition?version={version}"));
            words.push(format!("{}={url}", karg::INST_IGNITION_URL));
            words.push(format!("{}=sha512-{digest}", karg::INST_IGNITION_HASH));
        }
        let report = format!("machines/{mac}/report?ticket={}", self.ticket);
        words.extend(self.servers.kargs(karg::REPORT_URL, &report));
        if let (InstallImage::Published, Some(image)) =
            (self.profile.install.image, &self.manifest.image)
        {
            let url = own.karg_url(&format!("{}/{}", self.assets, image.artifact.file));
            words.push(format!("{}={url}", karg::INST_IMAGE_URL));
        }
        fitting(words.join(" "))?;
        Ok(words)
    }
}

/// The kernel's arguments of any live system on `mac`, with its rootfs among the `assets` of `servers`
/// and `kargs` beside those of the media.
pub(super) fn live_kargs(
    manifest: &Manifest,
    kargs: &[String],
    assets: &str,
    servers: &Servers,
    mac: MacAddr,
) -> Vec<String> {
    let mut words = vec![
        karg::FIRSTBOOT.to_owned(),
        format!("{}=metal", karg::PLATFORM),
    ];
    let given = manifest.kargs.iter().chain(kargs);
    words.extend(
        given
            .filter(|word| *word != karg::FIRSTBOOT && !word.starts_with(karg::PLATFORM))
            .cloned(),
    );
    let rootfs = format!("{assets}/{}?mac={}", manifest.rootfs.file, mac.dashed());
    words.extend(servers.kargs(karg::LIVE_ROOTFS_URL, &rootfs));
    words
}

/// The command line, if the kernel takes it.
pub(super) fn fitting(line: String) -> Result<String, CommandLineTooLong> {
    if line.len() < COMMAND_LINE_SIZE {
        Ok(line)
    } else {
        Err(CommandLineTooLong(line.len()))
    }
}

/// `/boot.ipxe`: asks `/ipxe` for the machine's own script, and the other servers if there is no answer,
/// three times, then boots the disk: a server that is away must not keep an installed machine down.
pub fn boot_script(others: &[Endpoint]) -> String {
    let query = "ipxe?mac=${netX/mac:hexhyp}&uuid=${uuid}&serial=${serial:uristring}&asset=${asset:uristring}&hostname=${hostname:uristring}&domain=${domain:uristring}&manufacturer=${manufacturer:uristring}&product=${product:uristring}&arch=${buildarch}&platform=${platform}";
    let mut script =
        String::from("#!ipxe\n:ask\necho pxe-server: asking what ${netX/mac} shall boot\n");
    for pause in [2, 5, 10] {
        let _ = writeln!(script, "chain --replace --autofree {query} ||");
        for other in others {
            let _ = write!(
                script,
                "echo pxe-server: no usable answer; asking {}\nchain --replace --autofree {} ||\n",
                other.address,
                other.script_url(query)
            );
        }
        let _ = write!(
            script,
            "echo pxe-server: no usable answer; waiting {pause} s\nsleep {pause}\n"
        );
    }
    script.push_str("echo pxe-server: giving up; booting the disk\n");
    script.push_str(&boot_disk(Platform::Unknown, "goto ask"));
    script
}

/// `autoexec.ipxe`: for an iPXE that looks beside its own program before it asks DHCP again.
pub fn autoexec_script(servers: &Servers) -> String {
    format!("#!ipxe\ndhcp ||\n{}\n", servers.begin_again())
}

/// Boots the disk, in the way that the firmware at hand understands.
pub fn disk_script(mac: MacAddr, why: &str, platform: Platform, servers: &Servers) -> String {
    format!(
        "#!ipxe\necho pxe-server: {mac}: {why}\necho pxe-server: booting the disk\n{}",
        boot_disk(platform, &servers.begin_again())
    )
}

/// Tells why the machine is held and asks again every 30 seconds; touches nothing.
pub fn held_script(mac: MacAddr, why: &str, servers: &Servers) -> String {
    let lines = [
        "#!ipxe".to_owned(),
        format!("echo pxe-server: {mac} is held: {why}"),
        "echo Its disk may be incomplete, and it is not installed again without being asked for."
            .to_owned(),
        "echo To allow one more install, run on the server:".to_owned(),
        format!("echo     pxe-server reinstall {mac}"),
        "echo Asking again in 30 s".to_owned(),
        "sleep 30".to_owned(),
        servers.begin_again(),
    ];
    lines.join("\n") + "\n"
}

/// Says that nobody has claimed the machine, and asks again every 15 seconds; touches nothing.
pub fn unclaimed_script(mac: MacAddr, servers: &Servers) -> String {
    let lines = [
        "#!ipxe".to_owned(),
        format!(
            "echo pxe-server: {mac} waits: no group of this site matches it, and nobody has claimed it"
        ),
        "echo To give it a profile, run on the server:".to_owned(),
        format!("echo     pxe-server claim {mac} --profile NAME"),
        "echo Asking again in 15 s".to_owned(),
        "sleep 15".to_owned(),
        servers.begin_again(),
    ];
    lines.join("\n") + "\n"
}

/// Says why the machine is not installed now, and asks again every 15 seconds; touches nothing.
pub fn waiting_script(mac: MacAddr, why: &str, servers: &Servers) -> String {
    let lines = [
        "#!ipxe".to_owned(),
        format!("echo pxe-server: {mac} waits to be installed: {why}"),
        "echo Asking again in 15 s".to_owned(),
        "sleep 15".to_owned(),
        servers.begin_again(),
    ];
    lines.join("\n") + "\n"
}

/// Boots the live system that installs the machine.
pub fn install_script(parts: &InstallScript<'_>) -> Result<String, CommandLineTooLong> {
    let line = parts.command_line()?;
    Ok(live_script(
        &parts.greeting(),
        parts.manifest,
        parts.assets,
        parts.config_path().as_deref(),
        &line,
        parts.servers,
    ))
}

/// The script that says `greeting` and boots the live system of the server's files in `assets` with the
/// command line `line`, and with the config at a path of it if there is one.
pub(super) fn live_script(
    greeting: &[String],
    manifest: &Manifest,
    assets: &str,
    config: Option<&str>,
    line: &str,
    servers: &Servers,
) -> String {
    let (kernel, initramfs) = (&manifest.kernel.file, &manifest.initramfs.file);
    let own = servers.own();
    let assets = own.script_url(assets);
    let mut lines = vec!["#!ipxe".to_owned()];
    let said = greeting.iter();
    lines.extend(said.map(|text| format!("echo pxe-server: {text}")));
    lines.extend([
        "imgfree".to_owned(),
        format!("echo pxe-server: loading kernel {kernel}"),
        format!("kernel {assets}/{kernel} {line} || goto failed"),
        format!("echo pxe-server: loading initramfs {initramfs}"),
        format!("initrd --name {initramfs} {assets}/{initramfs} || goto failed"),
    ]);
    if let Some(path) = config {
        let url = own.script_url(path);
        lines.push("echo pxe-server: loading this machine's config".to_owned());
        lines.push(format!(
            "initrd --name {CONFIG_INITRD} {url} || goto failed"
        ));
    }
    lines.extend([
        "echo pxe-server: starting the live system".to_owned(),
        "boot || goto failed".to_owned(),
        ":failed".to_owned(),
        "echo pxe-server: could not load or start the live system; asking again in 10 s".to_owned(),
        "sleep 10".to_owned(),
        servers.begin_again(),
    ]);
    lines.join("\n") + "\n"
}

/// BIOS: drive 0x80. UEFI: leave iPXE with a failure, since firmware stops at its menu after a
/// boot option that returned success and takes the next one otherwise.
fn boot_disk(platform: Platform, otherwise: &str) -> String {
    let bios = format!(
        "sanboot --no-describe --drive 0x80 ||\necho pxe-server: the disk does not boot; asking again in 30 s\nsleep 30\n{otherwise}\n"
    );
    match platform {
        Platform::Efi => "exit 1\n".to_owned(),
        Platform::PcBios => bios,
        Platform::Unknown => {
            format!("iseq ${{platform}} efi && goto firmware ||\n{bios}:firmware\nexit 1\n")
        }
    }
}

/// Text of others reduced to what a script line can carry without a meaning of its own.
pub(super) fn screen_text(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || " ._+:()-".contains(*c))
        .take(80)
        .collect()
}

#[cfg(test)]
pub(super) mod tests;
