//! The scripts word for word, and what no script may ever hold.

use std::net::Ipv4Addr;

use embed::digest::{Sha256Digest, Sha512Digest};
use embed::manifest::{Artifact, FORMAT, ImageArtifact};
use embed::medium::LiveImage;

use super::*;
use crate::site::{Delivery, Install, Metadata};

pub(in crate::boot) const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
pub(in crate::boot) const ENDPOINT: Endpoint = Endpoint::plain(Ipv4Addr::new(10, 0, 0, 2), 8080);

pub(in crate::boot) fn manifest() -> Manifest {
    let artifact = |file: &str| Artifact {
        file: file.into(),
        size: 1,
        sha256: Sha256Digest::of(b"x"),
    };
    Manifest {
        format: FORMAT,
        source: LiveImage {
            name: "os${evil}||x".into(),
            version: "1.2".into(),
            architecture: "x86_64".into(),
            sector_size: 512,
            size: 1,
            sha256: Sha256Digest::of(b"x"),
        },
        kargs: vec!["mitigations=auto".into(), "ignition.firstboot".into()],
        kernel: artifact("vmlinuz"),
        initramfs: artifact("initrd.img"),
        rootfs: artifact("rootfs.img"),
        iso: None,
        image: Some(ImageArtifact {
            artifact: artifact("os.raw.xz"),
            signature: Some("os.raw.xz.sig".into()),
            chunks: None,
        }),
    }
}

pub(in crate::boot) fn profile(image: InstallImage) -> Profile {
    Profile {
        name: "worker".into(),
        install: Install {
            device: "/dev/vda".into(),
            image,
        },
        kargs: vec!["console=ttyS0".into()],
        ignition: "worker.ign".into(),
        config_delivery: Some(Delivery::Url),
        proof: None,
        metadata: Metadata::new(),
        rollout: None,
    }
}

fn parts<'a>(
    manifest: &'a Manifest,
    profile: &'a Profile,
    config: ConfigDelivery,
    servers: &'a Servers,
) -> InstallScript<'a> {
    InstallScript {
        mac: MAC,
        profile,
        manifest,
        config,
        ticket: Ticket([7; 16]),
        assets: "assets",
        servers,
    }
}

#[test]
fn install_script_is_the_documented_text() {
    let servers = Servers::alone(ENDPOINT);
    let (manifest, profile) = (manifest(), profile(InstallImage::Live));
    let parts = parts(
        &manifest,
        &profile,
        ConfigDelivery::Url(Sha512Digest([0xab; 64])),
        &servers,
    );
    let want = "#!ipxe
echo pxe-server: 52:54:00:12:34:56: profile worker
echo pxe-server: INSTALLING osevilx 1.2 on /dev/vda (its content will be lost)
imgfree
echo pxe-server: loading kernel vmlinuz
kernel http://10.0.0.2:8080/assets/vmlinuz initrd=initrd.img ignition.firstboot ignition.platform.id=metal mitigations=auto console=ttyS0 coreos.live.rootfs_url=http://10.0.0.2:8080/assets/rootfs.img?mac=52-54-00-12-34-56 coreos.inst.install_dev=/dev/vda coreos.inst.ignition_url=http://10.0.0.2:8080/machines/52-54-00-12-34-56/ignition?version=abababababababab coreos.inst.ignition_hash=sha512-HASH coreos.report_url=http://10.0.0.2:8080/machines/52-54-00-12-34-56/report?ticket=07070707070707070707070707070707 || goto failed
echo pxe-server: loading initramfs initrd.img
initrd --name initrd.img http://10.0.0.2:8080/assets/initrd.img || goto failed
echo pxe-server: starting the live system
boot || goto failed
:failed
echo pxe-server: could not load or start the live system; asking again in 10 s
sleep 10
chain --replace --autofree http://10.0.0.2:8080/boot.ipxe
";
    let want = want.replace("HASH", &"ab".repeat(64));
    assert_eq!(install_script(&parts).unwrap(), want);
}

#[test]
fn a_config_in_an_initrd_is_loaded_with_the_ticket_and_not_fetched_again() {
    let servers = Servers::alone(ENDPOINT);
    let (manifest, profile) = (manifest(), profile(InstallImage::Live));
    let parts = parts(&manifest, &profile, ConfigDelivery::Initrd, &servers);
    let script = install_script(&parts).unwrap();
    assert!(
        script.contains("/vmlinuz initrd=initrd.img initrd=config.img ignition.firstboot "),
        "{script}"
    );
    let initrd = format!(
        "initrd --name config.img http://10.0.0.2:8080/machines/52-54-00-12-34-56/config.img?ticket={} || goto failed\n",
        "07".repeat(16)
    );
    assert!(script.contains(&initrd), "{script}");
    assert!(
        !script.contains("ignition_url") && !script.contains("ignition_hash"),
        "{script}"
    );
}

#[test]
fn published_image_is_named_by_url() {
    let servers = Servers::alone(ENDPOINT);
    let (manifest, profile) = (manifest(), profile(InstallImage::Published));
    let parts = parts(
        &manifest,
        &profile,
        ConfigDelivery::Url(Sha512Digest([0; 64])),
        &servers,
    );
    assert!(
        parts
            .command_line()
            .unwrap()
            .ends_with(" coreos.inst.image_url=http://10.0.0.2:8080/assets/os.raw.xz")
    );
}

#[test]
fn a_command_line_that_the_kernel_would_cut_is_refused() {
    let servers = Servers::alone(ENDPOINT);
    let (manifest, mut profile) = (manifest(), profile(InstallImage::Live));
    profile.kargs = vec![format!("x={}", "y".repeat(2048))];
    let parts = parts(
        &manifest,
        &profile,
        ConfigDelivery::Url(Sha512Digest([0; 64])),
        &servers,
    );
    assert!(matches!(install_script(&parts), Err(CommandLineTooLong(n)) if n > 2048));
}

#[test]
fn only_the_install_script_names_a_device_or_a_kernel() {
    let alone = Servers::alone(ENDPOINT);
    let scripts = [
        boot_script(&[]),
        held_script(MAC, "its install was interrupted", &alone),
        disk_script(MAC, "installed", Platform::PcBios, &alone),
        disk_script(MAC, "installed", Platform::Efi, &alone),
        disk_script(MAC, "installed", Platform::Unknown, &alone),
    ];
    for script in scripts {
        assert!(script.starts_with("#!ipxe\n"), "{script}");
        assert!(
            !script.contains("kernel") && !script.contains("coreos.inst"),
            "{script}"
        );
    }
}

#[test]
fn the_disk_is_booted_as_the_platform_needs_it() {
    let alone = Servers::alone(ENDPOINT);
    assert!(disk_script(MAC, "x", Platform::Efi, &alone).ends_with("booting the disk\nexit 1\n"));
    let bios = disk_script(MAC, "x", Platform::PcBios, &alone);
    assert!(
        bios.contains("sanboot --no-describe --drive 0x80 ||\n") && !bios.contains("exit"),
        "{bios}"
    );
    assert!(
        disk_script(MAC, "x", Platform::Unknown, &alone)
            .contains("iseq ${platform} efi && goto firmware ||\n")
    );
}

#[test]
fn another_server_stands_in_wherever_one_may_be_gone() {
    let servers = Servers::new(ENDPOINT, &[[10, 0, 0, 3].into()]);
    let (manifest, profile) = (manifest(), profile(InstallImage::Live));
    let parts = parts(&manifest, &profile, ConfigDelivery::Initrd, &servers);
    let script = install_script(&parts).unwrap();
    // The live system tries the last one first.
    for (key, path) in [
        (
            "coreos.live.rootfs_url",
            "assets/rootfs.img?mac=52-54-00-12-34-56".to_owned(),
        ),
        (
            "coreos.report_url",
            format!("machines/52-54-00-12-34-56/report?ticket={}", parts.ticket),
        ),
    ] {
        let words =
            format!(" {key}=http://10.0.0.3:8080/{path} {key}=http://10.0.0.2:8080/{path} ");
        assert!(script.contains(&words), "{words} in {script}");
    }
    let again = "chain --replace --autofree http://10.0.0.2:8080/boot.ipxe ||\nchain --replace --autofree http://10.0.0.3:8080/boot.ipxe\n";
    for script in [
        script,
        autoexec_script(&servers),
        waiting_script(MAC, "why", &servers),
        disk_script(MAC, "why", Platform::PcBios, &servers),
    ] {
        assert!(script.ends_with(again), "{script}");
    }
    let first = boot_script(servers.others());
    let asked = "&platform=${platform} ||\necho pxe-server: no usable answer; asking 10.0.0.3\nchain --replace --autofree http://10.0.0.3:8080/ipxe?mac=${netX/mac:hexhyp}";
    assert_eq!(first.matches(asked).count(), 3, "{first}");
}
