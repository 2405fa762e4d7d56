//! Where commands read configs from and write results to: standard input and output by default,
//! files that are never overwritten by surprise, and never binary data to a terminal.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::CliError;

/// Largest config that is read, bytes: far more than any embed area or initrd should carry.
const MAX_CONFIG: u64 = 64 * 1024 * 1024;

/// The text that stands for standard input or output.
const DASH: &str = "-";

/// Reads the config at `path`, or standard input when there is none.
pub(super) fn read_config(path: Option<&Path>) -> Result<Vec<u8>> {
    match path {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
            read_limited(file).with_context(|| format!("reading {}", path.display()))
        }
        None => read_limited(io::stdin().lock()).context("reading standard input"),
    }
}

fn read_limited(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_CONFIG + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(io::Error::other("larger than 64 MiB"));
    }
    Ok(bytes)
}

/// Opens `path` for reading; `-` or nothing is standard input.
pub(super) fn open_or_stdin(path: Option<&Path>) -> Result<Box<dyn Read>> {
    match path {
        Some(path) if path.as_os_str() != DASH => {
            let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
            Ok(Box::new(file))
        }
        _ => Ok(Box::new(io::stdin().lock())),
    }
}

/// Standard output for binary data.
pub(super) fn binary_stdout() -> Result<File> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(CliError::BinaryToTerminal.into());
    }
    let fd = stdout
        .as_fd()
        .try_clone_to_owned()
        .context("writing to standard output")?;
    Ok(File::from(fd))
}

/// Prints a report. A reader that closes the pipe ends the program silently, as SIGPIPE does.
pub(super) fn report(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE)
                .context("writing to standard output")
        }
        done => done.context("writing to standard output"),
    }
}

/// Prints a report as JSON.
pub(super) fn report_json(value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).context("writing JSON")?;
    text.push(b'\n');
    report(&text)
}

/// Where an edited image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Back to where it came from.
    InPlace,
    /// Standard output.
    Stdout,
    /// A file that must not exist.
    NewFile(PathBuf),
}

impl From<Option<PathBuf>> for Destination {
    fn from(output: Option<PathBuf>) -> Self {
        match output {
            None => Self::InPlace,
            Some(path) if path.as_os_str() == DASH => Self::Stdout,
            Some(path) => Self::NewFile(path),
        }
    }
}

/// Makes the file at `path` by `write`: under another name first, then renamed; an existing file
/// is an error and stays as it is.
pub(super) fn create_new(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    write_then_rename(path, write, |temp| temp.persist_noclobber(path))
}

/// Like [`create_new`], but an existing file is replaced.
pub(super) fn create_or_replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    write_then_rename(path, write, |temp| temp.persist(path))
}

fn write_then_rename(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<()>,
    rename: impl FnOnce(tempfile::NamedTempFile) -> Result<File, tempfile::PersistError>,
) -> Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let name = || format!("writing {}", path.display());
    let mut temp = tempfile::NamedTempFile::new_in(dir).with_context(name)?;
    write(temp.as_file_mut())?;
    temp.as_file().sync_all().with_context(name)?;
    rename(temp)
        .map_err(|error| error.error)
        .with_context(name)?;
    Ok(())
}
