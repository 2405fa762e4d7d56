#!/usr/bin/env bash
# Builds the programs and runs every benchmark (`make bench`). Prints tables and judges nothing:
# absolute times mean nothing on a shared machine, the ratios are of interleaved runs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --bins
cargo bench --locked -p tests "$@"
