//! `butane schema`: JSON Schema of both languages, for editors and for those who write configs by
//! program. The documents are `embed::schema::json_schema`'s.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueHint};
use embed::schema::{EXPERIMENTAL, Language, TARGETS, Target, json_schema, version};

use super::{CliError, files};

/// Options of `butane schema`.
#[derive(Args, Debug)]
#[command(after_help = "\
Editors: map `*.bu` to DIR/butane.json and `*.ign` to DIR/ignition.json of
`--all DIR`; these follow what a config declares. A YAML language server also
takes a first line `# yaml-language-server: $schema=DIR/butane.json`.")]
pub(super) struct SchemaArgs {
    /// Variant of Butane
    #[arg(long, value_name = "NAME", default_value = "fcos")]
    variant: String,
    /// Version of the variant [default: its newest stable one]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// The schema of this version of Ignition instead
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["variant", "version"])]
    ignition: Option<String>,
    /// Write the schemas of all variants and versions to a directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath,
          conflicts_with_all = ["variant", "version", "ignition"])]
    all: Option<PathBuf>,
    /// With --all: experimental versions too
    #[arg(long)]
    experimental: bool,
}

impl SchemaArgs {
    pub(super) fn run(self) -> Result<()> {
        if let Some(dir) = &self.all {
            return write_all(dir, self.experimental);
        }
        let document = json_schema::document(self.language()?);
        let text = format!("{document:#}\n");
        files::report(text.as_bytes())
    }

    fn language(&self) -> Result<Language, CliError> {
        if let Some(wanted) = &self.ignition {
            let minor = (0..=EXPERIMENTAL).find(|minor| version(*minor) == wanted);
            return minor
                .map(Language::Ignition)
                .ok_or_else(|| no_schema("Ignition", wanted, (0..=EXPERIMENTAL).map(version)));
        }
        let of_variant = || {
            let targets = TARGETS.iter();
            targets.filter(|target| target.variant.name() == self.variant)
        };
        let target = match &self.version {
            Some(version) => Target::find(&self.variant, version),
            None => of_variant().rfind(|target| !target.is_experimental()),
        };
        target.map(Language::Butane).ok_or_else(|| {
            let wanted = self.version.as_deref().unwrap_or_default();
            let versions = of_variant().map(|target| target.version);
            no_schema(&self.variant, wanted, versions)
        })
    }
}

fn no_schema<'a>(of: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let known: Vec<&str> = known.collect();
    CliError::NoSchema {
        wanted: format!("{of} {wanted}").trim_end().to_owned(),
        known: match known.is_empty() {
            true => "variants are fcos, flatcar, openshift, r4e and fiot".to_owned(),
            false => format!("versions are {}", known.join(", ")),
        },
    }
}

fn write_all(dir: &Path, experimental: bool) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    for file in json_schema::all(experimental) {
        let path = dir.join(&file.name);
        fs::write(&path, format!("{:#}\n", file.document))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
