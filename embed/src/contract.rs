//! The names that an operating system, its live medium, the installer and the server agree on:
//! kernel arguments, places in an initrd, on the boot partition and in `/run`.
//!
//! Names only; what they mean and who reads them is `docs/src/os-contract.md`.

/// Kernel arguments. A value is read with [`crate::kargs::Kargs::last`]: the last one wins.
pub mod karg {
    /// Volume label of the ISO that holds the live root (`coreos.liveiso=LABEL`).
    pub const LIVE_ISO: &str = "coreos.liveiso";
    /// Where to fetch the live root (`coreos.live.rootfs_url=http://…`); given several times, the last
    /// is tried first.
    pub const LIVE_ROOTFS_URL: &str = "coreos.live.rootfs_url";
    /// Target of the unattended install; its presence starts one.
    pub const INST_DEV: &str = "coreos.inst.install_dev";
    /// Ignition config to put on the installed disk; `skip` means none.
    pub const INST_IGNITION_URL: &str = "coreos.inst.ignition_url";
    /// Digest that this config must have, `sha512-HEX` or `sha256-HEX`.
    pub const INST_IGNITION_HASH: &str = "coreos.inst.ignition_hash";
    /// Image to install instead of the live medium's own.
    pub const INST_IMAGE_URL: &str = "coreos.inst.image_url";
    /// Platform ID for the installed system.
    pub const INST_PLATFORM: &str = "coreos.inst.platform_id";
    /// Boolean: tolerate an absent image signature.
    pub const INST_INSECURE: &str = "coreos.inst.insecure";
    /// Boolean: stay in the live system after the install.
    pub const INST_SKIP_REBOOT: &str = "coreos.inst.skip_reboot";
    /// Labels of partitions to keep (comma list of globs).
    pub const INST_SAVE_PARTLABEL: &str = "coreos.inst.save_partlabel";
    /// Indexes of partitions to keep (comma list of numbers and ranges).
    pub const INST_SAVE_PARTINDEX: &str = "coreos.inst.save_partindex";
    /// Where [`crate::report::Report`]s are posted.
    pub const REPORT_URL: &str = "coreos.report_url";
    /// Starts the discovery: the live system reports what the machine consists of to
    /// [`REPORT_URL`], and asks here for its [`crate::report::Orders`].
    pub const DISCOVER: &str = "coreos.discover";
    /// Present on the boot that Ignition provisions.
    pub const FIRSTBOOT: &str = "ignition.firstboot";
    /// Ignition's platform (`metal`, `qemu`, …).
    pub const PLATFORM: &str = "ignition.platform.id";
    /// The deployment that an OSTree system boots, see [`crate::ostree`].
    pub const OSTREE: &str = "ostree";
}

/// Paths inside an initrd (relative, as cpio members are named).
pub mod initrd {
    /// The live system's program; an initramfs without it cannot become live media.
    pub const LIVE_PROGRAM: &str = "usr/libexec/coreos-live";
    /// Directory of a live module that was added to an initramfs which had none.
    pub const MODULE: &str = "usr/lib/coreos-live";
    /// Kernel modules that the live system needs, in [`MODULE`]: a line each of `required` or
    /// `wanted` and the module's name.
    pub const KERNEL_MODULES: &str = "usr/lib/coreos-live/kernel-modules";
    /// Tree in [`MODULE`] that the live system puts over its root.
    pub const MODULE_ROOT: &str = "usr/lib/coreos-live/root";
    /// Stamp of a live initramfs; its content is the version of the live set.
    pub const LIVE_STAMP: &str = "etc/coreos-live-initramfs";
    /// [`crate::stream_hash::StreamHash`] of the one rootfs file that belongs to this initramfs.
    pub const WANT_ROOTFS: &str = "etc/coreos-live-want-rootfs";
    /// JSON [`crate::medium::LiveImage`]: the image inside the rootfs.
    pub const LIVE_IMAGE: &str = "etc/coreos-live-image.json";
    /// Stamp carried by a rootfs archive; must equal [`LIVE_STAMP`]'s content.
    pub const ROOTFS_STAMP: &str = "etc/coreos-live-rootfs";
    /// First member of a rootfs archive.
    pub const SQUASHFS: &str = "root.squashfs";
    /// Offset in bytes of [`SQUASHFS`]' data in a rootfs archive: 110 bytes of newc header and the
    /// name with its NUL, padded to four. An ISO boot loop-mounts it in place.
    pub const SQUASHFS_OFFSET: u64 = 124;
    /// Path of the raw disk image inside the squashfs.
    pub const DISK_IMAGE: &str = "disk.raw";
    /// Ignition config for the live system.
    pub const CONFIG: &str = "config.ign";
    /// Directory of NetworkManager keyfiles applied before Ignition runs.
    pub const NETWORK_DIR: &str = "etc/coreos-firstboot-network";
    /// Feature flags of the live system (JSON), see [`super::iso::FEATURES`].
    pub const FEATURES: &str = "etc/coreos/features.json";
    /// The program that makes a deployment of an OSTree system the root.
    pub const OSTREE_PREPARE_ROOT: &str = "usr/lib/ostree/ostree-prepare-root";
}

/// Paths in the running live system.
pub mod run {
    /// Exists in every live system, from the initramfs on.
    pub const LIVE_DIR: &str = "/run/coreos-live";
    /// JSON [`crate::medium::LiveMedium`].
    pub const MEDIUM: &str = "/run/coreos-live/medium.json";
    /// Directory of osmet files, see [`crate::osmet`].
    pub const OSMET_DIR: &str = "/run/coreos-installer/osmet";
    /// OSTree repository of the running system, whose objects osmet files name.
    pub const OSTREE_REPO: &str = "/sysroot/ostree/repo";
    /// Physical root of a live OSTree system, before the deployment in it becomes the root.
    pub const PHYSICAL_ROOT: &str = "/run/coreos-live/sysroot";
    /// Directory of installer config files (YAML, lexical order).
    pub const INSTALLER_D: &str = "/etc/coreos/installer.d";
    /// Hex sha512 of the config bytes that Ignition was given, and a newline.
    pub const CONFIG_SHA512: &str = "/run/coreos-config.sha512";
}

/// Paths on the boot partition.
pub mod boot {
    /// Label of the boot file system.
    pub const LABEL: &str = "boot";
    /// First-boot stamp, sourced by GRUB.
    pub const FIRSTBOOT: &str = "ignition.firstboot";
    /// The machine's config.
    pub const CONFIG: &str = "ignition/config.ign";
    /// Boot loader entries; the lexically last is the default.
    pub const ENTRIES: &str = "loader/entries";
    /// Console table by platform.
    pub const PLATFORMS: &str = "coreos/platforms.json";
}

/// Paths on a live ISO.
pub mod iso {
    /// Where the initrd embed area is (JSON).
    pub const IGNINFO: &str = "coreos/igninfo.json";
    /// Where the kernel argument areas are (JSON).
    pub const KARGS: &str = "coreos/kargs.json";
    /// What the live system understands (JSON).
    pub const FEATURES: &str = "coreos/features.json";
    /// How to make a smaller ISO out of this one, see [`crate::iso::MinimalIso`].
    pub const MINISO: &str = "coreos/miniso.dat";
    /// Default place of the embed area.
    pub const IGNITION_IMG: &str = "images/ignition.img";
    /// Kernel, initramfs and rootfs.
    pub const PXEBOOT: &str = "images/pxeboot";
    /// Kernel in [`PXEBOOT`].
    pub const KERNEL: &str = "images/pxeboot/vmlinuz";
    /// Initramfs in [`PXEBOOT`].
    pub const INITRAMFS: &str = "images/pxeboot/initrd.img";
    /// Rootfs archive in [`PXEBOOT`].
    pub const ROOTFS: &str = "images/pxeboot/rootfs.img";
    /// FAT image that UEFI starts from.
    pub const EFI_IMAGE: &str = "images/efiboot.img";
    /// Size of the embed area that upstream's tools expect, bytes.
    pub const EMBED_AREA_SIZE: u64 = 256 * 1024;
}
