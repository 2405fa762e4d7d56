#!/bin/bash
# Runs last and takes out what no first boot reads. It halves the initramfs, which BIOS
# GRUB fetches 64 KiB at a time and an emulated processor has to unpack.
check() {
    return 255
}

depends() {
    echo coreos-metal
}

install() {
    # shellcheck disable=SC2154 # dracut sets initdir and kernel
    local drivers="$initdir/usr/lib/modules/$kernel/kernel/drivers/net" net
    rm -f "$initdir"/{usr/lib,etc}/udev/hwdb.bin "$initdir/usr/sbin/dhclient"
    rm -rf "$drivers"/{arcnet,can,fddi,hamradio,hyperv,usb,vmxnet3,wireless,wwan}
    net="$drivers/ethernet"
    [[ ! -d $net ]] || find "$net" -mindepth 1 -maxdepth 1 \
        ! -name broadcom ! -name intel ! -name realtek -exec rm -rf {} +
    rm -rf "$net"/intel/{fm10k,i40e,ice,ixgbe} "$net"/broadcom/{bnx2x,bnxt}
    inst_simple /etc/systemd/system.conf.d/10-patience.conf
}
