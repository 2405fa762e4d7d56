//! The part that needs the outside world: root, packages from Debian, a place for logs. Ends by
//! running the rest in private namespaces.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tests::artifacts::{self, Flavour};
use tests::lan::isolate;
use tests::programs::repository;

use crate::Options;
use crate::narrate::{Narrator, failing};

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the demo needs root: it makes network namespaces and unpacks an operating system");
    }
    let logs = log_directory()?;
    let narrator = Narrator::new(&logs, 0)?;
    narrator.say("demo", format_args!("logs go to {}", logs.display()));
    let directory = match &options.artifacts {
        Some(directory) => directory
            .canonicalize()
            .with_context(|| format!("finding {}", directory.display()))?,
        None => failing(
            build(&narrator, &logs),
            "building the reference OS and its media",
            &logs,
        )?,
    };
    let mut arguments: Vec<OsString> = vec![
        "--artifacts".into(),
        directory.into(),
        "--logs".into(),
        (&logs).into(),
    ];
    arguments.extend([
        "--elapsed".into(),
        narrator.elapsed().as_secs().to_string().into(),
    ]);
    if let Some(way) = options.only {
        arguments.extend(["--only".into(), way.name().into()]);
    }
    let status = isolate::run_self(&arguments, &[]);
    let status = failing(status, "running in private namespaces", &logs)?;
    // What ended otherwise has said why.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Builds everything below `target/demo/artifacts`.
fn build(narrator: &Narrator, logs: &Path) -> Result<PathBuf> {
    let directory = repository().join("target/demo/artifacts");
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    narrator.say(
        "demo",
        "building the reference OS (minutes the first time, then cached)",
    );
    artifacts::build_os(&directory, Flavour::Own, &logs.join("reference-os.log"))?;
    narrator.say(
        "demo",
        "building live ISO and PXE set from its signed image",
    );
    artifacts::build_media(&directory, None, &logs.join("iso-builder.log"))?;
    Ok(directory)
}

/// A new directory named after the time.
fn log_directory() -> Result<PathBuf> {
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H-%M-%SZ")
        .to_string();
    let path = repository().join("target/demo").join(now);
    std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    Ok(path)
}
