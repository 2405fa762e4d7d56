#!/bin/bash
# ostree.sh OUT KERNEL KARG...: make OUT/tree the deployment of an OSTree system.
# Moves the tree to the layout of https://ostreedev.github.io/ostree/adapting-existing/, with the
# kernel and initramfs that lie in OUT, commits it to the repository of OUT/sysroot, the physical
# root, and deploys it there. What belongs on the boot partition is moved to OUT/boot.
# ostree runs out of the tree itself; mounts only in a namespace of its own.
set -euo pipefail
out=${1:?} kernel=${2:?}
shift 2
tree=$out/tree sysroot=$out/sysroot os=reference-os
state=$out/var # of all deployments

arrange() {
    local modules=$tree/usr/lib/modules/$kernel dir
    install -m 644 "$out/vmlinuz" "$modules/vmlinuz"
    install -m 644 "$out/initramfs.img" "$modules/initramfs.img"
    mv "$tree/etc" "$tree/usr/etc"
    mv "$tree/var" "$state"
    for dir in home mnt opt srv; do
        mv "$tree/$dir" "$state/$dir"
        ln -s "var/$dir" "$tree/$dir"
    done
    mv "$tree/root" "$state/roothome"
    ln -s var/roothome "$tree/root"
    mv "$tree/usr/local" "$state/usrlocal"
    ln -s ../var/usrlocal "$tree/usr/local"
    # Device nodes cannot be committed; every boot has its own.
    find "$tree/dev" -mindepth 1 -delete
    mkdir "$tree/var" "$tree/sysroot"
    ln -s sysroot/ostree "$tree/ostree"
}

deploy() {
    local kargs=("${@/#/--karg-append=}")
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private bash -euc '
        tree=$1 sysroot=$2 os=$3
        shift 3
        mount -t tmpfs tmpfs "$tree/run"
        mkdir "$tree/run/tree" "$tree/run/sysroot"
        mount --bind "$tree" "$tree/run/tree"
        mount --bind "$sysroot" "$tree/run/sysroot"
        mount --bind /dev "$tree/dev"
        mount -t proc proc "$tree/proc"
        run() { chroot "$tree" /usr/bin/ostree "$@"; }
        repo=--repo=/run/sysroot/ostree/repo
        run admin init-fs /run/sysroot
        run admin os-init --sysroot=/run/sysroot "$os"
        run config "$repo" set sysroot.bootloader none
        run commit "$repo" --branch="$os" --timestamp="@0" --tree=dir=/run/tree >/dev/null
        # Files that cannot be removed would stay behind in the build directory.
        export OSTREE_SYSROOT_DEBUG=mutable-deployments
        run admin deploy --sysroot=/run/sysroot --os="$os" "$@" "$os"
    ' deploy "$tree" "$sysroot" "$os" "${kargs[@]}"
}

arrange
mkdir "$sysroot"
deploy "$@"
rm -rf --one-file-system "$sysroot/ostree/deploy/$os/var"
mv "$state" "$sysroot/ostree/deploy/$os/var"
mv "$sysroot/boot" "$out/boot"
mkdir "$sysroot/boot"
