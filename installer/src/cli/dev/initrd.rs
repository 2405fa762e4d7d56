//! The initrd that a `dev` command reads, and which of its files.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::initrd::{InitrdError, Limits, walk};
use glob::Pattern;

use super::super::files;

/// An initrd, and patterns of the files in it.
#[derive(Args, Debug)]
pub(in crate::cli) struct InitrdArgs {
    /// Initrd to read, or `-` for standard input
    #[arg(value_name = "INITRD", value_hint = ValueHint::FilePath)]
    initrd: PathBuf,
    /// Only files that match one of these patterns; `*` matches `/` too
    #[arg(value_name = "GLOB")]
    globs: Vec<Pattern>,
}

impl InitrdArgs {
    /// Calls `visit` with the name and the data of each regular file that is wanted.
    pub(super) fn each_file(
        &self,
        mut visit: impl FnMut(&str, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let input = BufReader::new(files::open_or_stdin(Some(&self.initrd))?);
        let mut refused = None;
        let walked = walk(input, Limits::IMAGE, |entry, data| {
            if !entry.is_file() || !self.wants(&entry.name) {
                return Ok(std::ops::ControlFlow::Continue(()));
            }
            visit(&entry.name, data).map_err(|error| {
                refused = Some(error);
                InitrdError::Io(io::ErrorKind::Interrupted.into())
            })?;
            Ok(std::ops::ControlFlow::Continue(()))
        });
        match refused {
            Some(error) => Err(error),
            None => walked.with_context(|| format!("reading initrd {}", self.initrd.display())),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.matches(name))
    }
}
