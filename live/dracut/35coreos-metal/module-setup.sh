#!/bin/bash
# shellcheck disable=SC2154  # dracut sets initdir, moddir and systemdutildir
# dracut module of coreos-metal: puts coreos-live and its units into the initramfs, one and the
# same for disk and live boots. It only installs files; what a boot does is decided at run time
# by the generator. Ignition comes from the distribution's own module.

check() {
    require_binaries /usr/libexec/coreos-live || return 1
    return 0
}

depends() {
    echo systemd systemd-udevd dbus network-manager ignition
}

installkernel() {
    # Disks, CD drives and file systems that a medium may have; the network drivers come with
    # dracut's kernel-network-modules.
    hostonly='' instmods -c \
        loop squashfs overlay isofs ext4 xfs vfat \
        sd_mod sr_mod ahci ata_piix nvme usb-storage uas \
        virtio_pci virtio_blk virtio_scsi virtio_net qemu_fw_cfg \
        nls_ascii nls_cp437 nls_utf8
}

install() {
    inst /usr/libexec/coreos-live
    local link
    for link in "$systemdutildir/system-generators/coreos-live-generator" /usr/bin/is-live-image; do
        mkdir -p "$initdir${link%/*}"
        ln -sf /usr/libexec/coreos-live "$initdir$link"
    done

    local unit
    for unit in "$moddir"/*.service; do
        inst_simple "$unit" "/usr/lib/systemd/system/${unit##*/}"
    done

    # A user `core`, as every CoreOS-style system has one; a machine's config adds keys to it.
    inst_simple "$moddir/00-core.ign" /usr/lib/ignition/base.d/00-core.ign
    # Debian's Ignition is built to relabel for SELinux and fails without this command.
    inst_script "$moddir/setfiles" /usr/sbin/setfiles

    inst_multiple modprobe udevadm systemctl journalctl ip
    # For https:// rootfs and configs.
    inst_simple /etc/ssl/certs/ca-certificates.crt
    inst_simple /usr/lib/ssl/openssl.cnf

    # Every boot gets its own; it must exist, or dracut would write one into the image for all.
    : > "$initdir/etc/machine-id"
}
