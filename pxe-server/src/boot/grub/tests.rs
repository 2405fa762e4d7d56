//! The scripts word for word where it matters, and that GRUB's own parser takes them.

use std::process::Command;

use embed::digest::Sha512Digest;

use super::*;
use crate::boot::ConfigDelivery;
use crate::boot::script::tests::{ENDPOINT, MAC, manifest, profile};
use crate::machine::Ticket;
use crate::site::InstallImage;

fn install(config: ConfigDelivery) -> String {
    install_by(config, &Servers::alone(ENDPOINT))
}

fn install_by(config: ConfigDelivery, servers: &Servers) -> String {
    let (manifest, profile) = (manifest(), profile(InstallImage::Live));
    let parts = InstallScript {
        mac: MAC,
        profile: &profile,
        manifest: &manifest,
        config,
        ticket: Ticket([7; 16]),
        assets: "assets",
        servers,
    };
    install_script(&parts).unwrap()
}

#[test]
fn install_script_is_the_documented_text() {
    let want = r#"set answered=yes
echo "pxe-server: 52:54:00:12:34:56: profile worker"
echo "pxe-server: INSTALLING osevilx 1.2 on /dev/vda (its content will be lost)"
for source in (http,10.0.0.2:8080) (tftp,10.0.0.2); do
  echo "pxe-server: loading kernel vmlinuz from $source"
  if linux "$source/assets/vmlinuz" 'ignition.firstboot' 'ignition.platform.id=metal' 'mitigations=auto' 'console=ttyS0' 'coreos.live.rootfs_url=http://10.0.0.2:8080/assets/rootfs.img?mac=52-54-00-12-34-56' 'coreos.inst.install_dev=/dev/vda' 'coreos.report_url=http://10.0.0.2:8080/machines/52-54-00-12-34-56/report?ticket=07070707070707070707070707070707'; then
    echo "pxe-server: loading initramfs initrd.img"
    if initrd "$source/assets/initrd.img" "$source/machines/52-54-00-12-34-56/config.img?ticket=07070707070707070707070707070707"; then
      echo "pxe-server: starting the live system"
      boot
    fi
  fi
done
echo "pxe-server: could not load or start the live system; asking again in 10 s"
set pause=10
"#;
    assert_eq!(install(ConfigDelivery::Initrd), want);
    let url = install(ConfigDelivery::Url(Sha512Digest([0xab; 64])));
    assert!(url.contains("'coreos.inst.ignition_url=http://10.0.0.2:8080/machines/52-54-00-12-34-56/ignition?version=abababababababab' 'coreos.inst.ignition_hash=sha512-abab"));
    assert!(!url.contains("config.img"));
}

#[test]
fn only_the_install_script_boots_a_kernel() {
    let others = [
        first_script(&Servers::alone(ENDPOINT)),
        disk_script(MAC, "why"),
        held_script(MAC, "why"),
        unclaimed_script(MAC),
        waiting_script(MAC, "why"),
    ];
    for script in others {
        assert!(!script.contains("linux"), "{script}");
    }
}

#[test]
fn another_server_stands_in_wherever_one_may_be_gone() {
    let servers = Servers::new(ENDPOINT, &[[10, 0, 0, 3].into()]);
    let first = first_script(&servers);
    assert!(
        first.contains("for server in 10.0.0.2 10.0.0.3; do\n"),
        "{first}"
    );
    let script = install_by(ConfigDelivery::Initrd, &servers);
    let sources = "for source in (http,10.0.0.2:8080) (tftp,10.0.0.2) (http,10.0.0.3:8080) (tftp,10.0.0.3); do\n";
    assert!(script.contains(sources), "{script}");
}

#[test]
fn whatever_a_kernel_argument_holds_it_stays_one_word() {
    assert_eq!(quoted("a;b|c $d \"e\" {f}"), "'a;b|c $d \"e\" {f}'");
    assert_eq!(quoted("it's"), r"'it'\''s'");
}

#[test]
fn grub_takes_every_script() {
    let scripts = [
        first_script(&Servers::alone(ENDPOINT)),
        install(ConfigDelivery::Initrd),
        disk_script(MAC, "this machine is installed"),
        held_script(MAC, "its last install failed"),
        unclaimed_script(MAC),
        waiting_script(MAC, "other machines are installed first"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grub.cfg");
    for script in scripts {
        std::fs::write(&path, &script).unwrap();
        let checked = Command::new("grub-script-check")
            .arg(&path)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{script}{checked:?}");
    }
}
