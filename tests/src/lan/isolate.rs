//! Runs a program again in private network, mount and process namespaces.
//!
//! Whatever ends it, the first process of the new process namespace dies with it, the kernel
//! kills the rest and removes mounts and interfaces: nothing is left behind to clean up.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::mount::{MsFlags, mount};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Set for the process inside.
const VARIABLE: &str = "COREOS_METAL_ISOLATED";

/// How long an interrupted process inside may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// Whether this process is the one inside.
pub fn is_inside() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Runs this very program with `arguments` inside and waits for its end; `environment` is added.
/// When this process is interrupted or killed, so is the one inside; once interrupted, this
/// process starts no other.
pub fn run_self<S: AsRef<OsStr>>(
    arguments: &[S],
    environment: &[(&str, &str)],
) -> Result<ExitStatus> {
    let program = std::env::current_exe().context("finding this program's path")?;
    let interrupted = interrupted()?;
    ensure!(!interrupted.load(Ordering::Relaxed), "interrupted");
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL"])
        .args([
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
        ])
        .arg(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .env(VARIABLE, "1")
        .spawn()
        .context("starting unshare (package util-linux)")?;
    let mut deadline = None;
    loop {
        if let Some(status) = child
            .try_wait()
            .context("waiting for the isolated process")?
        {
            let killed = status.code().is_none() && interrupted.load(Ordering::Relaxed);
            ensure!(!killed, "interrupted");
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) {
            let at = *deadline.get_or_insert_with(|| Instant::now() + GOODBYE);
            if Instant::now() >= at {
                child.kill().context("killing the isolated process")?;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Becomes true with the first SIGINT or SIGTERM.
fn interrupted() -> Result<&'static AtomicBool> {
    static FLAG: OnceLock<std::io::Result<Arc<AtomicBool>>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::default();
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(flag)
    });
    flag.as_deref()
        .map_err(|error| anyhow!("installing a signal handler: {error}"))
}

/// To be called first inside: a private, writable `/run`, and a loopback that is up.
pub fn enter() -> Result<()> {
    ensure!(is_inside(), "not in private namespaces");
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755,size=90%"),
    )
    .context("mounting a private /run")?;
    super::ip(&["link", "set", "lo", "up"])
}

/// Calls `goodbye` on SIGINT and SIGTERM and then ends the process, and with it everything inside.
/// Needed because the first process of a namespace ignores signals that it does not handle.
pub fn end_on_signal(goodbye: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .context("installing a signal handler")?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            goodbye();
            #[expect(
                clippy::exit,
                reason = "ends the namespace from a thread; the kernel cleans up"
            )]
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}
