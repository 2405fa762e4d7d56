#!/usr/bin/env bash
# Builds the programs and runs every benchmark (`make bench`). Prints tables and judges nothing:
# absolute times mean nothing on a shared machine, the ratios are of interleaved runs.
# The install is compared with upstream's released program, which is built once.
set -euo pipefail
cd "$(dirname "$0")/.."
peer=0.27.0
root=${CARGO_TARGET_DIR:-$PWD/target}/bench-peer
if [ ! -x "$root/bin/coreos-installer" ]; then
    cargo install coreos-installer --version "$peer" --locked --root "$root"
fi
if [ ! -x "$root/bin/tftpd" ]; then
    cargo install tftpd --version 1.0.0 --locked --root "$root"
fi
cargo build --release --locked --bins
cargo bench --locked -p tests "$@"
