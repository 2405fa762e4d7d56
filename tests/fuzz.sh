#!/usr/bin/env bash
# fuzz.sh [TARGET [SECONDS]]: searches for inputs that break a promise, guided by coverage, with
# libFuzzer on the stable compiler. Without TARGET each gets SECONDS (60) in turn. What is found
# is kept as a seed: give it the name of the attack and commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/fuzz"
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=${RUSTFLAGS//$'\n'/ }
host=$(rustc -vV | sed -n 's/^host: //p')
# The versions that are shipped are the ones to search in.
cp ../../Cargo.lock .
# With a target named, build scripts stay without instrumentation.
built=../../target/fuzz
cargo build --release --target "$host" --target-dir "$built"
seconds=${2:-60}
if (($#)) && [[ $1 ]]; then targets=("$1"); else mapfile -t targets < <(ls seeds); fi
for target in "${targets[@]}"; do
    corpus=$built/corpus/$target
    mkdir -p "$corpus"
    echo "fuzz: $target for $seconds s"
    FUZZ_TARGET=$target "$built/$host/release/fuzz" "$corpus" "seeds/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="seeds/$target/found-" 2> >(grep -vE 'NEW|REDUCE|RELOAD|pulse' >&2)
done
