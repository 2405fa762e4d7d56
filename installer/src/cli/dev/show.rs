//! `dev show iso|initrd|fiemap`.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueHint};
use embed::iso::{IsoReader, LiveIso};
use serde_json::{Value, json};

use super::super::{files, iso};
use super::fiemap::FiemapArgs;
use super::initrd::InitrdArgs;

/// Subcommands of `dev show`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ShowCommand {
    /// Show volume descriptors and files of an ISO image, or its areas, as JSON
    Iso(IsoArgs),
    /// List the files of an initrd
    Initrd(InitrdArgs),
    /// Show where the data of a file lies on its file system, as JSON
    Fiemap(FiemapArgs),
}

/// Options of `dev show iso`.
#[derive(Args, Debug)]
pub(in crate::cli) struct IsoArgs {
    /// Show the embed area of a live ISO image
    #[arg(long, conflicts_with = "kargs")]
    ignition: bool,
    /// Show the kernel argument areas of a live ISO image
    #[arg(long)]
    kargs: bool,
    /// ISO image
    #[arg(value_name = "ISO", value_hint = ValueHint::FilePath)]
    input: PathBuf,
}

impl ShowCommand {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Iso(args) => args.run(),
            Self::Initrd(args) => show_initrd(&args),
            Self::Fiemap(args) => args.run(),
        }
    }
}

impl IsoArgs {
    fn run(self) -> Result<()> {
        let value = if self.ignition {
            let area = iso::open(&self.input)?.embed_area();
            json!({"offset": area.offset, "length": area.length})
        } else if self.kargs {
            kargs(&iso::open(&self.input)?)?
        } else {
            self.inspect()?
        };
        files::report(format!("{value:#}\n").as_bytes())
    }

    fn inspect(&self) -> Result<Value> {
        let name = || format!("reading ISO image {}", self.input.display());
        let file = File::open(&self.input).with_context(name)?;
        let mut iso = IsoReader::open(file).with_context(name)?;
        let descriptors = iso.descriptors().with_context(name)?;
        let tree = iso.tree().with_context(name)?;
        let records: Vec<String> = tree.into_iter().map(|entry| entry.path).collect();
        Ok(json!({"header": {"descriptors": descriptors}, "records": records}))
    }
}

/// `null` for an image without areas.
fn kargs(iso: &LiveIso<File>) -> Result<Value> {
    if !iso.has_kargs() {
        return Ok(Value::Null);
    }
    let places = iso.kargs_places()?;
    Ok(json!({
        "length": places.first().map(|place| place.length),
        "default": iso.default_kargs()?.to_string(),
        "kargs": places,
    }))
}

fn show_initrd(args: &InitrdArgs) -> Result<()> {
    let mut names = BTreeSet::new();
    args.each_file(|name, _| {
        names.insert(name.trim_start_matches("./").to_owned());
        Ok(())
    })?;
    let text: String = names
        .into_iter()
        .flat_map(|name| [name, "\n".into()])
        .collect();
    files::report(text.as_bytes())
}
