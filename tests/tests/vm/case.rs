//! A case: what decides whether it runs, and its way into private namespaces and back.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Failed, Trial};
use tests::artifacts::{self, Artifacts, Flavour};
use tests::lan::isolate;
use tests::programs::repository;
use tests::vm::{Accel, probe};

use crate::bench::Bench;

/// Names the case that the isolated copy of this program is to run.
const VARIABLE: &str = "COREOS_METAL_CASE";
/// The case that only finds out what machines can be run with.
const PROBE: &str = "probe";

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

/// The case for the test runner; it runs in a process of its own.
pub(crate) fn trial(case: Case) -> Trial {
    let skip = reason_to_skip(case.tier);
    let left_out = skip.is_some();
    if let Some(reason) = skip {
        note(format_args!("SKIP: {}: {reason}", case.name));
    }
    Trial::test(case.name, move || {
        let accel = prepared().as_ref().map_err(Failed::from)?;
        let status = isolate::run_self::<&str>(
            &[],
            &[(VARIABLE, case.name), (probe::VARIABLE, accel.name())],
        )?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} failed ({status}), see above", case.name).into())
        }
    })
    .with_ignored_flag(left_out)
}

fn reason_to_skip(tier: Tier) -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root for network namespaces");
    }
    (tier == Tier::Full && !full_matrix())
        .then_some("part of the larger matrix; `make test-vm` runs it")
}

fn full_matrix() -> bool {
    std::env::var_os("COREOS_METAL_VM").is_some_and(|value| value == "full")
}

/// Writes a line to stderr, past the test runner's own output.
pub(crate) fn note(line: impl Display) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where logs and artifacts of all cases are.
pub(crate) fn directory() -> PathBuf {
    repository().join("target/vm")
}

/// What all cases need, made once by whichever comes first: artifacts, and how machines run.
fn prepared() -> &'static Result<Accel, String> {
    static PREPARED: OnceLock<Result<Accel, String>> = OnceLock::new();
    PREPARED.get_or_init(|| prepare().map_err(|error| format!("{error:#}")))
}

/// Flavours of the OS that only cases of the larger matrix boot.
const OTHERS: [Flavour; 4] = [
    Flavour::Foreign,
    Flavour::Sectors4096,
    Flavour::OsTree,
    Flavour::ForeignOsTree,
];

/// Directory with the artifacts of a flavour of the OS.
pub(crate) fn artifacts_of(flavour: Flavour) -> PathBuf {
    directory().join(flavour.name())
}

fn prepare_other(flavour: Flavour) -> Result<()> {
    note(format_args!(
        "building the reference OS `{}`, and its media",
        flavour.name()
    ));
    let made = artifacts_of(flavour);
    let log = made.with_extension("log");
    std::fs::create_dir_all(&made).with_context(|| format!("creating {}", made.display()))?;
    artifacts::build_os(&made, flavour, &log)?;
    let module = match flavour.is_foreign() {
        true => Some(artifacts::pack_module(&made, &log)?),
        false => None,
    };
    artifacts::build_media(&made, module.as_deref(), &log)
}

fn prepare() -> Result<Accel> {
    let directory = directory();
    let artifacts = artifacts_of(Flavour::Own);
    std::fs::create_dir_all(&artifacts)
        .with_context(|| format!("creating {}", artifacts.display()))?;
    note("building the reference OS (minutes the first time, then cached)");
    artifacts::build_os(
        &artifacts,
        Flavour::Own,
        &directory.join("reference-os.log"),
    )?;
    note("building live ISO and PXE set");
    artifacts::build_media(&artifacts, None, &directory.join("iso-builder.log"))?;
    if full_matrix() {
        OTHERS.into_iter().try_for_each(prepare_other)?;
    }
    let status = isolate::run_self::<&str>(&[], &[(VARIABLE, PROBE)])?;
    ensure!(
        status.success(),
        "the acceleration probe failed ({status}), see above"
    );
    let answer = std::fs::read_to_string(directory.join(PROBE).join("answer"))?;
    let (name, reason) = answer
        .split_once('\n')
        .context("reading the probe's answer")?;
    note(format_args!("machines run with {name}: {}", reason.trim()));
    Ok(if name == Accel::Kvm.name() {
        Accel::Kvm
    } else {
        Accel::Tcg
    })
}

/// Runs, in private namespaces, the case that the environment names.
pub(crate) fn run_inside(cases: &[Case]) -> ExitCode {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let result = isolate::enter()
        .and_then(|()| isolate::end_on_signal(|| {}))
        .and_then(|()| {
            if name == PROBE {
                return probe();
            }
            let case = cases
                .iter()
                .find(|case| case.name == name)
                .context("there is no such case")?;
            Bench::new(case.name)?.run(case.run)
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("{name}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn probe() -> Result<()> {
    let logs = empty(&directory().join(PROBE))?;
    let artifacts = Artifacts::open(&artifacts_of(Flavour::Own))?;
    let (accel, reason) = Accel::probe(&artifacts.kernel(), &logs)?;
    Ok(std::fs::write(
        logs.join("answer"),
        format!("{}\n{reason}\n", accel.name()),
    )?)
}

/// Makes `directory` an empty one.
pub(crate) fn empty(directory: &Path) -> Result<PathBuf> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("emptying {}", directory.display()))?;
    }
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    Ok(directory.to_owned())
}
