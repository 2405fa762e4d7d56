//! A machine that is on: wait for its lines, press its power button, switch it off.
//!
//! QEMU dies with the thread that started it (`setpriv --pdeathsig`) and when the value is
//! dropped, whichever comes first.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::qmp;
use super::serial::Serial;

/// Lines that the message of a failed wait shows.
const CONTEXT_LINES: usize = 15;

/// How long a guest that gave up is listened to.
const LAST_WORDS: Duration = Duration::from_secs(3);

const POLL: Duration = Duration::from_millis(100);

/// Lines after which nothing good comes from a guest.
const FATAL: [&str; 7] = [
    "Kernel panic",
    "coreos-metal: install failed",
    "Entering emergency mode",
    "Press Enter for maintenance",
    "Failed to boot both default and fallback entries",
    "No bootable device",
    "BdsDxe: No bootable option or device was found",
];

/// A machine that is on.
#[derive(Debug)]
pub struct Vm {
    name: String,
    child: Child,
    serial: Serial,
    transcript: Vec<String>,
    qmp: PathBuf,
    errors: PathBuf,
}

impl Vm {
    pub(super) fn spawn(
        name: &str,
        directory: &Path,
        arguments: &[OsString],
        serial: &Path,
        qmp: &Path,
    ) -> Result<Self> {
        let errors = directory.join(format!("{name}.qemu.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&errors)
            .with_context(|| format!("opening {}", errors.display()))?;
        // A second start follows the serial log from its present end.
        let mut follower = Serial::follow(serial);
        while follower.next_line()?.is_some() {}
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(arguments);
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting qemu-system-x86_64 (package qemu-system-x86)")?;
        std::fs::write(
            directory.join(format!("{name}.command")),
            format!("{command:?}\n"),
        )
        .context("writing the command line to the log directory")?;
        Ok(Self {
            name: name.to_owned(),
            child,
            serial: follower,
            transcript: Vec::new(),
            qmp: qmp.to_owned(),
            errors,
        })
    }

    /// Waits until a line with `wanted` comes and returns that line.
    pub fn wait_for(&mut self, wanted: &str, timeout: Duration) -> Result<String> {
        let [line] = self.wait_for_all([wanted], timeout, || Ok(()))?;
        Ok(line)
    }

    /// Waits until each of `wanted` was on a line, in whatever order, and returns those lines.
    /// `meanwhile` is called again and again. A guest that panics, gives up or ends before is an
    /// error at once, not after the timeout.
    pub fn wait_for_all<const N: usize>(
        &mut self,
        wanted: [&str; N],
        timeout: Duration,
        mut meanwhile: impl FnMut() -> Result<()>,
    ) -> Result<[String; N]> {
        let deadline = Instant::now() + timeout;
        let mut found = [const { None }; N];
        loop {
            let ended = self.child.try_wait().context("waiting for QEMU")?;
            while let Some(line) = self.serial.next_line()? {
                self.transcript.push(line.clone());
                if let Some((_, place)) = wanted
                    .iter()
                    .zip(&mut found)
                    .find(|(text, place)| place.is_none() && line.contains(**text))
                {
                    *place = Some(line);
                    if found.iter().all(Option::is_some) {
                        return Ok(found.map(Option::unwrap_or_default));
                    }
                } else if FATAL.iter().any(|text| line.contains(text)) {
                    // What it says after that is often the reason.
                    std::thread::sleep(LAST_WORDS);
                    while let Some(line) = self.serial.next_line()? {
                        self.transcript.push(line);
                    }
                    return Err(self.unfulfilled("the guest gave up", &wanted));
                }
            }
            if let Some(status) = ended {
                return Err(self.unfulfilled(&format!("QEMU ended ({status})"), &wanted));
            }
            if Instant::now() >= deadline {
                return Err(self.unfulfilled(&format!("{} s went by", timeout.as_secs()), &wanted));
            }
            meanwhile()?;
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the guest has switched itself off.
    pub fn wait_off(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let ended = self.child.try_wait().context("waiting for QEMU")?;
            while let Some(line) = self.serial.next_line()? {
                self.transcript.push(line);
            }
            if let Some(status) = ended {
                return self.check(status);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{}: still on after {} s{}",
                    self.name,
                    timeout.as_secs(),
                    self.tail()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Presses the power button and waits for the guest to switch itself off.
    pub fn power_off(&mut self, timeout: Duration) -> Result<()> {
        qmp::power_button(&self.qmp)?;
        self.wait_off(timeout)
    }

    /// Whether a line with `text` has come since this machine was switched on.
    pub fn saw(&self, text: &str) -> bool {
        self.transcript.iter().any(|line| line.contains(text))
    }

    fn unfulfilled(&self, what: &str, wanted: &[&str]) -> anyhow::Error {
        anyhow::anyhow!(
            "{}: {what} before a line with `{}` came{}",
            self.name,
            wanted.join("` or `"),
            self.tail()
        )
    }

    fn check(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("{}: QEMU ended with {status}{}", self.name, self.tail());
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let mut text = format!("; last lines of {}:\n", self.serial.path().display());
        let spoken: Vec<&String> = self
            .transcript
            .iter()
            .filter(|line| !line.trim().is_empty())
            .collect();
        for line in spoken
            .iter()
            .skip(spoken.len().saturating_sub(CONTEXT_LINES))
        {
            text.push_str(&format!("  | {line}\n"));
        }
        let unfinished = self.serial.unfinished();
        if !unfinished.trim().is_empty() {
            text.push_str(&format!("  | {unfinished}\n"));
        }
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        if !errors.trim().is_empty() {
            text.push_str("QEMU said:\n");
            text.push_str(errors.trim_end());
        }
        text
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Already ended is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
