#!/bin/bash
# shellcheck disable=SC2154 # dracut sets initdir, systemdutildir and kernel
# Runs last and takes out what no boot of this system uses: drivers, which BIOS GRUB fetches
# 64 KiB at a time, and dracut's own shell hooks, which cost an emulated processor 20 s to find
# nothing to do. systemd mounts the root, and coreos-live configures the network.
check() {
    return 255
}

depends() {
    echo ignition
}

install() {
    local net="$initdir/usr/lib/modules/$kernel/kernel/drivers/net" hooks="$initdir/usr/lib/dracut/hooks"
    rm -rf "$net"/{arcnet,can,fddi,hamradio,hyperv,usb,vmxnet3,wireless,wwan} \
        "$net"/ethernet/intel/{fm10k,i40e,ice,ixgbe} "$net"/ethernet/broadcom/{bnx2x,bnxt}
    [[ ! -d $net/ethernet ]] || find "$net/ethernet" -mindepth 1 -maxdepth 1 \
        ! -name broadcom ! -name intel ! -name realtek -exec rm -rf {} +
    rm -f "$initdir"/{usr/lib,etc}/udev/hwdb.bin "$initdir/usr/sbin/dhclient"

    rm -f "$hooks"/{cmdline,pre-udev,pre-mount,pre-pivot}/*.sh "$hooks"/initqueue/*/*.sh \
        "$initdir/usr/lib/dracut/need-initqueue" \
        "$initdir$systemdutildir"/system-generators/{dracut-rootfs,systemd-gpt-auto}-generator
    inst_simple /etc/systemd/system.conf.d/10-patience.conf
}
