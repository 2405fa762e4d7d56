//! Whether hardware acceleration can be trusted, found out by booting a kernel with it.
//!
//! An openable `/dev/kvm` proves nothing: there are modules behind it on which firmware runs and
//! kernels stand still. The answer is handed to child processes by an environment variable.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Boot, Machine, OnReboot};

/// Environment variable that overrides the probe: `kvm` or `tcg`.
pub const VARIABLE: &str = "COREOS_METAL_ACCEL";

/// A kernel prints this far within a second or two where acceleration works.
const PATIENCE: Duration = Duration::from_secs(10);

/// How guest instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// By the processor.
    Kvm,
    /// By QEMU's translator: everywhere, and some twenty times slower.
    Tcg,
}

impl Accel {
    /// Takes [`VARIABLE`] when it is set, else boots `kernel` and watches; `reason` of the answer
    /// is for the reader of the log. `directory` takes the probe's log.
    pub fn probe(kernel: &Path, directory: &Path) -> Result<(Self, String)> {
        match std::env::var(VARIABLE).as_deref() {
            Ok("kvm") => return Ok((Self::Kvm, format!("{VARIABLE} says so"))),
            Ok("tcg") => return Ok((Self::Tcg, format!("{VARIABLE} says so"))),
            Ok(other) => bail!("{VARIABLE}={other}: `kvm` and `tcg` are known"),
            Err(_) => {}
        }
        if !Path::new("/dev/kvm").exists() {
            return Ok((Self::Tcg, "there is no /dev/kvm".into()));
        }
        // The last words of a kernel without a root: it ran its initialisation to the end.
        let boot = Boot::Kernel {
            kernel: kernel.into(),
            initrd: None,
            kargs: "console=ttyS0 panic=-1".into(),
        };
        let mut vm = Machine::new("probe", directory, Self::Kvm, boot)
            .memory_mib(256)
            .on_reboot(OnReboot::Exit)
            .start()
            .context("starting the self-test guest")?;
        match vm.wait_for("Unable to mount root fs", PATIENCE) {
            Ok(_) => Ok((Self::Kvm, "a kernel boots with it".into())),
            Err(error) => {
                let error = error.to_string();
                let why = error.split(" before a line").next().unwrap_or_default();
                Ok((
                    Self::Tcg,
                    format!("/dev/kvm is there, but no kernel boots with it ({why})"),
                ))
            }
        }
    }

    /// The value for [`VARIABLE`] that hands this answer on.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// `seconds`, which are meant for acceleration, stretched for translation.
    pub fn patience(self, seconds: u64) -> Duration {
        match self {
            Self::Kvm => Duration::from_secs(seconds.saturating_mul(2)),
            Self::Tcg => Duration::from_secs(seconds.saturating_mul(20)),
        }
    }

    /// Arguments for QEMU. Nehalem: every feature bit more is translated code that tests it.
    pub(super) fn arguments(self) -> Vec<OsString> {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"].map(Into::into).into(),
            Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "Nehalem"]
                .map(Into::into)
                .into(),
        }
    }
}
