#!/bin/bash
# cloud.sh METAL SECTOR OUT: the image, made for sectors of SECTOR bytes, as a cloud would get it: a
# copy whose boot entry names the platform `qemu`, so that Ignition takes its config from the
# hypervisor. debugfs edits the boot partition inside the file.
set -euo pipefail
metal=${1:?} sector=${2:?} out=${3:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp --reflink=auto --sparse=always "$metal" "$out"
start=$(fdisk --list --sector-size "$sector" -o Name,Start "$out" | awk '$1 == "boot" { print $2 }')
boot="$out?offset=$((start * sector))"
name=$(debugfs -R 'ls -p /loader/entries' "$boot" 2>/dev/null | awk -F/ '$6 ~ /[.]conf$/ { print $6 }')
entry=/loader/entries/$name
debugfs -R "dump $entry $work/entry" "$boot" 2>/dev/null
sed -i 's/\bignition\.platform\.id=metal\b/ignition.platform.id=qemu/' "$work/entry"
grep -q ignition.platform.id=qemu "$work/entry"
printf '%s\n' "rm $entry" "write $work/entry $entry" "sif $entry mode 0100644" |
    debugfs -w -f - "$boot" >/dev/null 2>&1
debugfs -R "dump $entry $work/written" "$boot" 2>/dev/null
cmp "$work/entry" "$work/written"
