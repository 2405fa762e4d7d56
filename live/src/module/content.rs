//! The files of the live module: the same that `install.sh` and the dracut module put into an OS
//! tree, here part of the program, so that an archive always fits the program in it.

use std::collections::BTreeMap;

use embed::contract::initrd;

/// Directory of programs in the module.
pub(super) const PROGRAMS: &str = "bin";
/// Directory of their libraries.
pub(super) const LIBRARIES: &str = "lib";
/// The dynamic linker in [`LIBRARIES`].
pub(super) const LOADER: &str = "ld.so";
/// The live program and the installer, and where each is called in initramfs and root.
pub(super) const LIVE: &str = "coreos-live";
pub(super) const INSTALLER: &str = "coreos-installer";

const UNITS: &str = "usr/lib/systemd/system";
const GENERATORS: &str = "usr/lib/systemd/system-generators";

macro_rules! units {
    ($dir:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../units/", $dir, "/", $name)))),*]
    };
}

const INITRD_UNITS: &[(&str, &str)] = units!("initrd":
    "coreos-config.service",
    "coreos-grow.service",
    "coreos-live-root.service",
    "coreos-network-teardown.service",
    "coreos-network.service",
    "coreos-rootfs.service",
);
const FAILURE_UNIT: &str = "coreos-failure.service";
const SYSTEM_UNITS: &[(&str, &str)] = units!("system":
    "coreos-discover.service",
    "coreos-failure.service",
    "coreos-first-boot-complete.service",
    "coreos-installer-post.target",
    "coreos-installer-pre.target",
    "coreos-installer-reboot.service",
    "coreos-installer.service",
    "coreos-installer.target",
    "coreos-report.service",
);

/// What a live boot cannot do without: the medium is a loop device, a squashfs and an overlay.
const REQUIRED_MODULES: [&str; 3] = ["loop", "squashfs", "overlay"];
/// What some machines need: drives, file systems of media and images, networks of machines without
/// a physical one.
const WANTED_MODULES: [&str; 23] = [
    "isofs",
    "ext4",
    "xfs",
    "vfat",
    "sd_mod",
    "sr_mod",
    "ahci",
    "ata_piix",
    "nvme",
    "usb_storage",
    "uas",
    "xhci_pci",
    "ehci_pci",
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "virtio_net",
    "virtio_console",
    "qemu_fw_cfg",
    "nls_ascii",
    "nls_cp437",
    "nls_utf8",
    "af_packet",
];

/// One file or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Permissions and bytes.
    File(u32, Vec<u8>),
    /// Target of a symbolic link.
    Link(String),
}

/// Files and links by path.
pub(super) type Nodes = BTreeMap<String, Node>;

/// Everything but the programs and their libraries; `dynamic` says whether they have any.
pub(super) fn fixed(dynamic: bool) -> Nodes {
    let mut nodes = Nodes::new();
    let mut file = |path: String, mode, text: &str| {
        nodes.insert(path, Node::File(mode, text.as_bytes().to_vec()));
    };
    let root = initrd::MODULE_ROOT;
    for (name, text) in INITRD_UNITS {
        file(format!("{UNITS}/{name}"), 0o644, text);
    }
    for (name, text) in SYSTEM_UNITS {
        file(format!("{root}/{UNITS}/{name}"), 0o644, text);
        if *name == FAILURE_UNIT {
            file(format!("{UNITS}/{name}"), 0o644, text);
        }
    }
    // Every boot gets its own; it must exist.
    file("etc/machine-id".to_owned(), 0o444, "");
    file(
        "usr/lib/ignition/base.d/00-core.ign".to_owned(),
        0o644,
        include_str!("../../dracut/35coreos-metal/00-core.ign"),
    );
    file(
        "usr/sbin/setfiles".to_owned(),
        0o755,
        include_str!("../../dracut/35coreos-metal/setfiles"),
    );
    file(
        format!("{root}/etc/selinux/config"),
        0o644,
        "SELINUX=disabled\nSELINUXTYPE=none\n",
    );
    file(initrd::KERNEL_MODULES.to_owned(), 0o644, &kernel_modules());
    let live = initrd::LIVE_PROGRAM;
    file(live.to_owned(), 0o755, &starter(LIVE, dynamic));
    file(format!("{root}/{live}"), 0o755, &starter(LIVE, dynamic));
    let installer = starter(INSTALLER, dynamic);
    file(format!("{root}/usr/bin/{INSTALLER}"), 0o755, &installer);
    for link in [
        format!("{GENERATORS}/coreos-live-generator"),
        "usr/bin/is-live-image".to_owned(),
        format!("{root}/{GENERATORS}/coreos-boot-generator"),
    ] {
        nodes.insert(link, Node::Link(format!("/{live}")));
    }
    nodes
}

fn kernel_modules() -> String {
    let required = REQUIRED_MODULES
        .iter()
        .map(|name| format!("required {name}\n"));
    let wanted = WANTED_MODULES.iter().map(|name| format!("wanted {name}\n"));
    required.chain(wanted).collect()
}

/// A script in the program's place that runs it with its own libraries, whatever the system has,
/// and with the system's certificates, wherever they are.
fn starter(program: &str, dynamic: bool) -> String {
    let dir = format!("/{}", initrd::MODULE);
    let program = format!("{dir}/{PROGRAMS}/{program}");
    let run = match dynamic {
        true => format!(
            "{dir}/{LIBRARIES}/{LOADER} --argv0 \"$0\" --library-path {dir}/{LIBRARIES} {program}"
        ),
        false => program,
    };
    format!(
        "#!/bin/sh\n\
         for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do\n\
         \x20   if [ -z \"${{SSL_CERT_FILE-}}\" ] && [ -e \"$file\" ]; then\n\
         \x20       export SSL_CERT_FILE=\"$file\"\n\
         \x20   fi\n\
         done\n\
         exec {run} \"$@\"\n"
    )
}
