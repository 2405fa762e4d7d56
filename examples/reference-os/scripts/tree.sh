#!/bin/bash
# tree.sh ROOT.tar BIN KEY VERSION LIVE OSTREE OUT: make the Debian tree a CoreOS-style system.
# Adds the overlay, the live glue, our programs and the image signing key, builds the one
# initramfs that disk and live boots share, and leaves in OUT: vmlinuz, initramfs.img,
# kernel-version, efi/ (signed loaders), root.ext4. Mounts only in a namespace of its own.
# With LIVE `no`, neither live glue nor programs: an image of somebody who does not know them.
# With OSTREE `yes`, root.ext4 holds the tree as a deployment, and boot/ what belongs to it there.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
repo=$(cd "$here/../.." && pwd)
root_tar=${1:?} bin=${2:?} key=${3:?} version=${4:?} live=${5:?} ostree=${6:?} out=${7:?}
tree=$out/tree

unpack() {
    mkdir -p "$tree"
    tar -C "$tree" --numeric-owner --xattrs --xattrs-include='*' -xf "$root_tar"
    # as root's own files with plain modes, whatever the checkout's umask and owner are
    tar -C "$here/overlay" --owner=0 --group=0 --mode=u=rwX,go=rX -c . |
        tar -C "$tree" --no-overwrite-dir -x
}

add_programs() {
    if [[ $live == yes ]]; then
        "$repo/live/install.sh" "$tree" "$bin/coreos-live"
        install -m 755 "$bin/coreos-installer" "$tree/usr/bin/coreos-installer"
    else
        rm "$tree/usr/lib/dracut/dracut.conf.d/60-live.conf"
    fi
    install -D -m 644 "$key" "$tree/usr/lib/coreos/keys.d/reference-os.gpg"
    rm -f "$tree/etc/os-release"
    ln -s ../usr/lib/os-release "$tree/etc/os-release"
    cat >"$tree/usr/lib/os-release" <<EOF
ID=coreos-metal-reference
ID_LIKE=debian
NAME="coreos-metal reference OS"
PRETTY_NAME="coreos-metal reference OS $version"
VERSION="$version"
VERSION_ID=$version
VARIANT_ID=coreos
EOF
}

# What belongs to one machine, or to the host that built the tree, is not baked in. A config
# may write the host name without `overwrite` only if there is no such file.
make_pristine() {
    echo uninitialized >"$tree/etc/machine-id"
    rm -f "$tree"/etc/{hostname,resolv.conf} "$tree"/etc/ssh/ssh_host_* \
        "$tree/var/lib/dbus/machine-id" "$tree"/{vmlinuz,initrd.img}{,.old}
    find "$tree/var/log" -type f -delete
    chroot "$tree" systemctl --quiet preset-all
}

# The chroot sees /dev, /proc and /sys through mounts that vanish with the process.
build_initramfs() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private bash -euc '
        for dir in dev proc sys; do mount --rbind "/$dir" "$1/$dir"; done
        chroot "$1" dracut --quiet --force --kver "$2" /boot/initramfs.img
    ' build_initramfs "$tree" "$kernel"
}

unpack
add_programs
make_pristine
kernel=$(basename "$tree"/lib/modules/*)
echo "$kernel" >"$out/kernel-version"
build_initramfs
mv "$tree/boot/initramfs.img" "$out/initramfs.img"
mv "$tree/boot/vmlinuz-$kernel" "$out/vmlinuz"
mv "$tree/usr/lib/efi" "$out/efi"
rm -f "$tree"/boot/*

root=$tree
if [[ $ostree == yes ]]; then
    read -ra kargs <"$here/boot/kargs"
    # shellcheck disable=SC2016 # GRUB's variable
    "$here/scripts/ostree.sh" "$out" "$kernel" root=LABEL=root rw '$ignition_firstboot' \
        ignition.platform.id=metal "${kargs[@]}"
    root=$out/sysroot
fi

# Room to grow into before the first boot has enlarged the partition, and for log files.
size_mib=$(($(du -sm --apparent-size "$root" | cut -f1) * 115 / 100 + 128))
# Tables are written now (as holes of the file), not by the kernel in the background of a first
# boot; GRUB 2.06 reads neither of the two features.
truncate -s "${size_mib}M" "$out/root.ext4"
mkfs.ext4 -q -L root -O ^orphan_file,^metadata_csum_seed \
    -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 -d "$root" "$out/root.ext4"
rm -rf --one-file-system "$tree" "$root"
