#!/bin/bash
# image.sh TREE SECTOR OUT: assemble the disk image metal.raw from what tree.sh left in TREE, for
# disks with sectors of SECTOR bytes (512 or 4096).
# A file from start to end: no loop device, no mount, no root rights. Layout, names and
# GUIDs are those of CoreOS images: BIOS-BOOT, EFI-SYSTEM, boot, root (last, it is grown).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
tree=${1:?} sector=${2:?} out=${3:?}
image=$out/metal.raw
work=$out/work
kernel=$(<"$tree/kernel-version")
pcgrub=/usr/lib/grub/i386-pc
esp_mib=64 boot_mib=384
esp_at=2 boot_at=$((esp_at + esp_mib)) root_at=$((esp_at + esp_mib + boot_mib))
# A first boot replaces this disk GUID, so that no two machines keep the same one.
disk_guid=00000000-0000-4000-a000-000000000001
bios_boot=21686148-6449-6E6F-744E-656564454649
efi_system=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
linux_data=0FC63DAF-8483-4772-8E79-3D69D8477DE4

make_esp() {
    mkfs.vfat -S "$sector" -n EFI-SYSTEM -C "$work/esp.img" $((esp_mib * 1024)) >/dev/null
    mmd -i "$work/esp.img" ::/EFI ::/EFI/BOOT ::/EFI/debian
    mcopy -i "$work/esp.img" "$tree/efi/shimx64.efi" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$work/esp.img" "$tree/efi/grubx64.efi" ::/EFI/BOOT/grubx64.efi
    # the signed GRUB looks for its config here, by a path that is built into it
    mcopy -i "$work/esp.img" "$here/boot/esp.cfg" ::/EFI/debian/grub.cfg
}

# Kernel, initramfs and the boot loader entry that names them.
make_entry() {
    local boot=$1
    install -m 644 "$tree/vmlinuz" "$boot/vmlinuz-$kernel"
    install -m 644 "$tree/initramfs.img" "$boot/initramfs-$kernel.img"
    mkdir -p "$boot/loader/entries"
    cat >"$boot/loader/entries/coreos-1.conf" <<EOF
title coreos-metal reference OS
version $kernel
options root=LABEL=root rw \$ignition_firstboot ignition.platform.id=metal $(<"$here/boot/kargs")
linux /vmlinuz-$kernel
initrd /initramfs-$kernel.img
EOF
}

make_boot() {
    local boot=$work/boot
    mkdir -p "$boot"/{coreos,grub2/i386-pc}
    install -m 644 "$here/boot/grub.cfg" "$boot/grub2/grub.cfg"
    install -m 644 "$here/boot/platforms.json" "$boot/coreos/platforms.json"
    install -m 644 "$pcgrub"/*.mod "$pcgrub/moddep.lst" "$boot/grub2/i386-pc/"
    : >"$boot/ignition.firstboot"
    if [[ -d $tree/boot ]]; then
        cp -a "$tree/boot/." "$boot"
    else
        make_entry "$boot"
    fi
    truncate -s "${boot_mib}M" "$work/boot.img"
    mkfs.ext4 -q -b 4096 -L boot -O ^orphan_file,^metadata_csum_seed \
        -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 \
        -d "$boot" "$work/boot.img"
}

# Prints the line of a partition: start and size in MiB, type, name.
partition() {
    local unit=$((1048576 / sector))
    printf 'start=%s, size=%s, type=%s, name="%s"\n' $(($1 * unit)) $(($2 * unit)) "$3" "$4"
}

# Only fdisk makes tables in files for sectors that are not of 512 bytes.
make_table() {
    {
        printf 'label: gpt\nlabel-id: %s\n' $disk_guid
        partition 1 1 $bios_boot BIOS-BOOT
        partition $esp_at $esp_mib $efi_system EFI-SYSTEM
        partition $boot_at $boot_mib $linux_data boot
        partition $root_at "$root_mib" $linux_data root
    } >"$work/table"
    printf 'I\n%s\nw\n' "$work/table" | fdisk -b "$sector" "$image" >/dev/null
}

# Puts file $2 at MiB $1.
fill() {
    dd if="$2" of="$image" bs=1M seek="$1" conv=notrunc,sparse status=none
}

# BIOSes cannot start disks with other sectors.
# "(,gpt3)": partition 3 of the disk that the firmware started, whichever that is
make_bios() {
    grub-mkimage -O i386-pc -p '(,gpt3)/grub2' -o "$work/core.img" \
        biosdisk part_gpt ext2 normal configfile test regexp echo serial terminal minicmd
    "$here/scripts/grub-bios.sh" "$image" "$pcgrub/boot.img" "$work/core.img" 2048 2048
}

mkdir -p "$work"
make_esp
make_boot
root_mib=$(($(stat -c %s "$tree/root.ext4") / 1048576))
truncate -s $((root_at + root_mib + 1))M "$image"
make_table
fill $esp_at "$work/esp.img"
fill $boot_at "$work/boot.img"
fill $root_at "$tree/root.ext4"
[[ $sector != 512 ]] || make_bios
rm -rf "$work"
