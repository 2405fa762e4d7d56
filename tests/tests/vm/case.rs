//! A case, what it is given, and what decides whether it runs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use tests::lan::isolate;
use tests::programs;
use tests::scratch::Scratch;

const GIB: u64 = 1 << 30;

/// Which runs a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// `make test`.
    Small,
    /// `make test-vm` only.
    Full,
}

/// One case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The behaviour that it shows.
    pub(crate) name: &'static str,
    /// When it runs.
    pub(crate) tier: Tier,
    /// What it does.
    pub(crate) run: fn(&Bench) -> Result<()>,
}

/// What a running case works with.
pub(crate) struct Bench {
    /// For disks and sockets; gone after the case.
    pub(crate) scratch: Scratch,
    /// For logs; stays.
    pub(crate) logs: PathBuf,
    name: &'static str,
    start: Instant,
}

impl Bench {
    /// Says what the case is doing, for a reader of the live log.
    pub(crate) fn say(&self, what: &str) {
        eprintln!(
            "[{:4} s] {}: {what}",
            self.start.elapsed().as_secs(),
            self.name
        );
    }
}

/// Why a case of `tier` does not run here, if it does not.
pub(crate) fn reason_to_skip(tier: Tier) -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root for network namespaces");
    }
    let full = std::env::var_os("COREOS_METAL_VM").is_some_and(|value| value == "full");
    (tier == Tier::Full && !full).then_some("part of the larger matrix; `make test-vm` runs it")
}

/// Runs `case` in the namespaces that this process is in.
pub(crate) fn run(case: &Case) -> Result<()> {
    isolate::enter()?;
    isolate::end_on_signal(|| {})?;
    let logs = programs::repository().join("target/vm").join(case.name);
    if logs.exists() {
        std::fs::remove_dir_all(&logs).with_context(|| format!("emptying {}", logs.display()))?;
    }
    std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
    let scratch = Scratch::new(4 * GIB, 3 * GIB, Path::new(&logs))?;
    let bench = Bench {
        scratch,
        logs,
        name: case.name,
        start: Instant::now(),
    };
    let result =
        (case.run)(&bench).with_context(|| format!("logs are in {}", bench.logs.display()));
    bench.say(if result.is_ok() { "done" } else { "failed" });
    result
}
