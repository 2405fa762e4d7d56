//! The scripts that boot the live system on a machine that nobody has a use for yet: it reports
//! what the machine consists of, and waits. It installs nothing and gets no config.

use embed::contract::karg;
use embed::manifest::Manifest;

use super::script::{fitting, live_kargs, live_script, screen_text};
use super::{CommandLineTooLong, Servers};
use crate::mac::MacAddr;

/// Everything that the script is made of.
#[derive(Clone, Copy, Debug)]
pub struct DiscoveryScript<'a> {
    /// The machine.
    pub mac: MacAddr,
    /// The media that it boots.
    pub manifest: &'a Manifest,
    /// Kernel arguments, after the media's own.
    pub kargs: &'a [String],
    /// Where the server has the media's files, without slashes around it.
    pub assets: &'a str,
    /// The servers as the machine reaches them.
    pub servers: &'a Servers,
}

impl DiscoveryScript<'_> {
    /// What it says on the screen.
    pub(super) fn greeting(&self) -> [String; 2] {
        let source = &self.manifest.source;
        [
            format!(
                "{}: no group of this site matches this machine, and nobody has claimed it",
                self.mac
            ),
            format!(
                "booting {} {} to see what it consists of",
                screen_text(&source.name),
                screen_text(&source.version)
            ),
        ]
    }

    /// The kernel's arguments that do not depend on the boot loader.
    pub(super) fn kargs(&self) -> Result<Vec<String>, CommandLineTooLong> {
        let (servers, mac) = (self.servers, self.mac);
        let mut words = live_kargs(self.manifest, self.kargs, self.assets, servers, mac);
        for (key, path) in [(karg::DISCOVER, "orders"), (karg::REPORT_URL, "report")] {
            let path = format!("machines/{}/{path}", mac.dashed());
            words.extend(servers.kargs(key, &path));
        }
        fitting(words.join(" "))?;
        Ok(words)
    }
}

/// The script of iPXE.
pub fn discovery_script(parts: &DiscoveryScript<'_>) -> Result<String, CommandLineTooLong> {
    let words = parts.kargs()?.join(" ");
    let line = fitting(format!("initrd={} {words}", parts.manifest.initramfs.file))?;
    Ok(live_script(
        &parts.greeting(),
        parts.manifest,
        parts.assets,
        None,
        &line,
        parts.servers,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::{Endpoint, grub};
    use crate::fixture::site_dir;
    use crate::site::Site;

    #[test]
    fn discovery_installs_nothing_and_carries_no_ticket() {
        let dir = site_dir();
        let site = Site::load(&dir.path().join("site")).unwrap();
        let script = |kargs: &[String]| {
            let parts = DiscoveryScript {
                mac: MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]),
                manifest: &site.manifest,
                kargs,
                assets: "assets",
                servers: &Servers::alone(Endpoint::plain([10, 0, 0, 2].into(), 8080)),
            };
            let grub = grub::discovery_script(&parts);
            discovery_script(&parts).and_then(|ipxe| Ok([ipxe, grub?]))
        };
        let [text, grub] = script(&["console=ttyS0".to_owned()]).unwrap();
        let kernel = "kernel http://10.0.0.2:8080/assets/vmlinuz initrd=initrd.img ignition.firstboot ignition.platform.id=metal console=ttyS0 coreos.live.rootfs_url=http://10.0.0.2:8080/assets/rootfs.img?mac=52-54-00-12-34-56 coreos.discover=http://10.0.0.2:8080/machines/52-54-00-12-34-56/orders coreos.report_url=http://10.0.0.2:8080/machines/52-54-00-12-34-56/report || goto failed\n";
        assert!(text.contains(kernel), "{text}");
        let kernel = "  if linux \"$source/assets/vmlinuz\" 'ignition.firstboot' 'ignition.platform.id=metal' 'console=ttyS0' 'coreos.live.rootfs_url=";
        assert!(grub.contains(kernel), "{grub}");
        assert!(
            grub.contains(
                " 'coreos.discover=http://10.0.0.2:8080/machines/52-54-00-12-34-56/orders' "
            ),
            "{grub}"
        );
        assert!(
            grub.contains("if initrd \"$source/assets/initrd.img\"; then"),
            "{grub}"
        );
        for word in ["coreos.inst", "ticket", "INSTALLING", "/dev/"] {
            assert!(!text.contains(word), "{word} in {text}");
            assert!(!grub.contains(word), "{word} in {grub}");
        }
        let long = format!("x={}", "y".repeat(2048));
        assert!(matches!(script(&[long]), Err(CommandLineTooLong(n)) if n > 2048));
    }
}
