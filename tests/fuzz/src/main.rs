//! libFuzzer's entry: feeds what it makes up to the target that `FUZZ_TARGET` names.

#![no_main]

#[path = "../../src/fuzz/mod.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|target| target.name == name);
    found.expect("FUZZ_TARGET names a target").run
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
