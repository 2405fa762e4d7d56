#!/bin/bash
# image.sh TREE OUT: assemble the disk image metal.raw from what tree.sh left in TREE.
# A file from start to end: no loop device, no mount, no root rights. Layout, names and
# GUIDs are those of CoreOS images: BIOS-BOOT, EFI-SYSTEM, boot, root (last, it is grown).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
tree=${1:?} out=${2:?}
image=$out/metal.raw
work=$out/work
kernel=$(<"$tree/kernel-version")
pcgrub=/usr/lib/grub/i386-pc
esp_mib=64 boot_mib=384
# A first boot replaces this disk GUID, so that no two machines keep the same one.
disk_guid=00000000-0000-4000-a000-000000000001
bios_boot=21686148-6449-6E6F-744E-656564454649
efi_system=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
linux_data=0FC63DAF-8483-4772-8E79-3D69D8477DE4

make_esp() {
    mkfs.vfat -n EFI-SYSTEM -C "$work/esp.img" $((esp_mib * 1024)) >/dev/null
    mmd -i "$work/esp.img" ::/EFI ::/EFI/BOOT ::/EFI/debian
    mcopy -i "$work/esp.img" "$tree/efi/shimx64.efi" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$work/esp.img" "$tree/efi/grubx64.efi" ::/EFI/BOOT/grubx64.efi
    # the signed GRUB looks for its config here, by a path that is built into it
    mcopy -i "$work/esp.img" "$here/boot/esp.cfg" ::/EFI/debian/grub.cfg
}

make_boot() {
    local boot=$work/boot
    mkdir -p "$boot"/{coreos,grub2/i386-pc,loader/entries}
    install -m 644 "$tree/vmlinuz" "$boot/vmlinuz-$kernel"
    install -m 644 "$tree/initramfs.img" "$boot/initramfs-$kernel.img"
    install -m 644 "$here/boot/grub.cfg" "$boot/grub2/grub.cfg"
    install -m 644 "$here/boot/platforms.json" "$boot/coreos/platforms.json"
    install -m 644 "$pcgrub"/*.mod "$pcgrub/moddep.lst" "$boot/grub2/i386-pc/"
    : >"$boot/ignition.firstboot"
    cat >"$boot/loader/entries/coreos-1.conf" <<EOF
title coreos-metal reference OS
version $kernel
options root=LABEL=root rw \$ignition_firstboot ignition.platform.id=metal $(<"$here/boot/kargs")
linux /vmlinuz-$kernel
initrd /initramfs-$kernel.img
EOF
    truncate -s "${boot_mib}M" "$work/boot.img"
    mkfs.ext4 -q -b 4096 -L boot -O ^orphan_file,^metadata_csum_seed \
        -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0 \
        -d "$boot" "$work/boot.img"
}

# First sector of partition $1.
start_of() {
    sgdisk --info="$1" "$image" | awk '/^First sector:/ { print $3 }'
}

# Puts file $2 at the start of partition $1.
fill() {
    dd if="$2" of="$image" bs=1M seek=$(($(start_of "$1") / 2048)) conv=notrunc,sparse status=none
}

mkdir -p "$work"
make_esp
make_boot
root_mib=$(($(stat -c %s "$tree/root.ext4") / 1048576))
truncate -s $((2 + esp_mib + boot_mib + root_mib + 1))M "$image"
sgdisk --disk-guid="$disk_guid" \
    --new=1:2048:+1M --typecode=1:$bios_boot --change-name=1:BIOS-BOOT \
    --new=2:0:+${esp_mib}M --typecode=2:$efi_system --change-name=2:EFI-SYSTEM \
    --new=3:0:+${boot_mib}M --typecode=3:$linux_data --change-name=3:boot \
    --new=4:0:+${root_mib}M --typecode=4:$linux_data --change-name=4:root "$image" >/dev/null
fill 2 "$work/esp.img"
fill 3 "$work/boot.img"
fill 4 "$tree/root.ext4"
# "(,gpt3)": partition 3 of the disk that the firmware started, whichever that is
grub-mkimage -O i386-pc -p '(,gpt3)/grub2' -o "$work/core.img" \
    biosdisk part_gpt ext2 normal configfile test regexp echo serial terminal minicmd
"$here/scripts/grub-bios.sh" "$image" "$pcgrub/boot.img" "$work/core.img" "$(start_of 1)" 2048
rm -rf "$work"
