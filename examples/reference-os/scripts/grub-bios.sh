#!/bin/bash
# grub-bios.sh DISK BOOT.IMG CORE.IMG START SECTORS: embed GRUB for BIOS into a disk image file.
# boot.img goes into the first 440 bytes (disk signature and partition table stay), core.img into
# the BIOS-BOOT partition at sector START of SECTORS. Offsets: grub-core/boot/i386/pc/boot.S and
# diskboot.S, the same fields that grub-bios-setup fills in through a loop device.
set -euo pipefail
disk=${1:?} boot=${2:?} core=${3:?} start=${4:?} sectors=${5:?}

# Prints number $1 as $2 little-endian bytes.
le() {
    local value=$1 i
    for ((i = 0; i < $2; i++, value >>= 8)); do
        # shellcheck disable=SC2059 # the format is the byte
        printf "\\x$(printf %02x $((value & 255)))"
    done
}

# Writes stdin over DISK at byte $1.
poke() {
    dd of="$disk" bs=1 seek="$1" conv=notrunc status=none
}

core_sectors=$((($(stat -c %s "$core") + 511) / 512))
if ((core_sectors > sectors)); then
    echo "grub-bios.sh: core.img has $core_sectors sectors, its partition only $sectors" >&2
    exit 1
fi
dd if="$boot" of="$disk" bs=440 count=1 conv=notrunc status=none
le "$start" 8 | poke $((0x5c))         # kernel_sector: where core.img begins
printf '\x90\x90' | poke $((0x66))     # drive_check: trust the drive number of a hard disk's BIOS
dd if="$core" of="$disk" bs=512 seek="$start" conv=notrunc status=none
# block list at the end of core.img's first sector: where the rest is, and where it goes in memory
{
    le $((start + 1)) 8
    le $((core_sectors - 1)) 2
    le $((0x820)) 2
} | poke $((start * 512 + 500))
