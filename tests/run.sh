#!/usr/bin/env bash
# run.sh [CARGO-TEST-ARGUMENT...]: installs what is missing, builds, runs the tests, and says at
# the end what was skipped and why. Arguments choose tests as for `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/setup/install.sh
# Tests call the programs by their place in target/release.
cargo build --release --locked --workspace
if [[ $(id -u) != 0 ]]; then
    # Loop devices and namespaces need root; compiling does not.
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='sudo --preserve-env'
fi
(($#)) || set -- --workspace

# Passing tests say what they skipped; captured, nobody would see it.
export RUST_TEST_NOCAPTURE=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --release --locked --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
skips=$(grep '^SKIP: ' "$log" | sort -u || true)
count=0
[[ -z $skips ]] || count=$(wc -l <<<"$skips")
printf '\nskips: %s\n' "$count"
[[ -z $skips ]] || printf '%s\n' "${skips//SKIP: /  }"
exit "$status"
