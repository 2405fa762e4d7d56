#!/bin/sh
# make demo: installs what is missing, builds, and runs the demo. Arguments go to the demo program
# (`--only pxe|cloud|iso`, `--artifacts DIR`).
set -eu
cd "$(dirname "$0")/../.."
tests/setup/install.sh
echo 'demo: building the programs'
cargo build --release --locked --workspace --quiet
if [ "$(id -u)" = 0 ]; then
    exec target/release/demo "$@"
fi
exec sudo target/release/demo "$@"
