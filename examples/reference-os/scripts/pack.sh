#!/bin/bash
# pack.sh TREE KEYDIR SECTOR OUT: the image stage as a whole: assemble metal.raw for disks with
# sectors of SECTOR bytes, compress, sign, hash.
# pack.sh xz KEYDIR OUT: add metal.raw.xz to a finished stage, for those who ask for it.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
from=${1:?} keys=${2:?} out=${*: -1}

# Signs $1 and notes its digest beside it.
seal() {
    "$scripts/sign.sh" file "$keys" "$1"
    sha256sum "$1" | cut -d ' ' -f 1 >"$1.sha256"
}

if [[ $from == xz ]]; then
    [[ ! -s $out/metal.raw.xz.sha256 ]] || exit 0
    xz --threads=0 -3 --stdout "$out/metal.raw" >"$out/metal.raw.xz"
    seal "$out/metal.raw.xz"
else
    "$scripts/image.sh" "$from" "${3:?}" "$out"
    sha256sum "$out/metal.raw" | cut -d ' ' -f 1 >"$out/metal.raw.sha256"
    zstd --quiet --threads=0 -6 "$out/metal.raw" -o "$out/metal.raw.zst"
    seal "$out/metal.raw.zst"
fi
