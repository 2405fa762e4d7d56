//! Configs of either language, as commands take them: read, converted, merged and checked, with
//! every finding kept until it is shown.
//!
//! [`Desk`] is where that happens. What is wrong with a config is `embed`'s business, how findings
//! look is [`findings`]', where results go [`output`]'s.

mod delivery;
mod findings;
mod options;
mod output;

use std::path::{Path, PathBuf};

use anyhow::Result;
use embed::butane::{self, FilesDir};
use embed::config::{self, Loaded, Written};
use embed::finding::{Findings, Renderer};
use embed::ignition::network::Need;
use embed::ignition::{self, ReadOptions, Tree};
use embed::schema::{EXPERIMENTAL, Minor, version};
use embed::tree::Sources;
use embed::tree::variables::Variables;

pub(super) use delivery::{DeliveryArgs, Doubt};
pub(super) use findings::{Count, FindingArgs, JsonTo};
pub(super) use options::InputArgs;
pub(super) use output::OutputArgs;

use super::{CliError, files};

/// What standard input is called.
const STDIN: &str = "-";

/// Where configs are read: what they may use, their texts, and what was found.
#[derive(Debug, Default)]
pub(super) struct Desk {
    files: Option<FilesDir>,
    variables: Variables,
    experimental: bool,
    /// Make a MachineConfig where the variant has that.
    wrap: bool,
    sources: Sources,
    findings: Findings,
}

/// The values of a config that is to be worked on.
fn into_tree(loaded: Loaded) -> Result<Tree> {
    let version = loaded.config.version();
    let newer = || CliError::NewerSpec(version.to_owned());
    Ok(loaded.tree.ok_or_else(newer)?)
}

/// What is written for a config.
pub(super) fn text(loaded: &Loaded, pretty: bool) -> Vec<u8> {
    match (&loaded.tree, &loaded.machine_config) {
        (Some(tree), Some(machine)) => machine.to_yaml(tree.root()).into_bytes(),
        (Some(tree), None) if pretty => tree.to_json(true).into_bytes(),
        _ => loaded.config.bytes().to_vec(),
    }
}

impl Desk {
    /// Makes MachineConfigs, where the variant has those.
    #[must_use]
    pub(super) fn wrapping(mut self, wrap: bool) -> Self {
        self.wrap = wrap;
        self
    }

    /// Reads the configs at `paths`, or standard input if there are none, and merges them in
    /// order. None if there are errors.
    pub(super) fn read_merged(
        &mut self,
        paths: &[PathBuf],
        default: Written,
    ) -> Result<Option<Loaded>> {
        let loaded = self.read_all(paths, default)?;
        let mut all = loaded.into_iter().collect::<Option<Vec<_>>>();
        match &mut all {
            None => Ok(None),
            Some(only) if only.len() == 1 => Ok(only.pop()),
            Some(_) => self.merged(all.unwrap_or_default()),
        }
    }

    /// Reads the configs at `paths`, or standard input if there are none. None stands for one
    /// with errors.
    pub(super) fn read_all(
        &mut self,
        paths: &[PathBuf],
        default: Written,
    ) -> Result<Vec<Option<Loaded>>> {
        if paths.is_empty() {
            return Ok(vec![self.read(Path::new(STDIN), default)?]);
        }
        paths.iter().map(|path| self.read(path, default)).collect()
    }

    /// Reads the config at `path`.
    fn read(&mut self, path: &Path, default: Written) -> Result<Option<Loaded>> {
        let stdin = path.as_os_str() == STDIN;
        let bytes = files::read_config((!stdin).then_some(path))?;
        Ok(self.take(&path.display().to_string(), bytes, default))
    }

    /// Takes the config that consists of `bytes`.
    pub(super) fn take(&mut self, name: &str, bytes: Vec<u8>, default: Written) -> Option<Loaded> {
        let options = butane::Options {
            files: self.files.as_ref(),
            experimental: self.experimental,
            raw: !self.wrap,
            variables: Some(&self.variables),
        };
        let (loaded, found) = config::read(&mut self.sources, name, bytes, default, &options);
        self.findings.append(found);
        loaded
    }

    /// Merges configs that were read, each over those before it, and checks the result.
    fn merged(&mut self, all: Vec<Loaded>) -> Result<Option<Loaded>> {
        if all.iter().any(|loaded| loaded.machine_config.is_some()) {
            return Err(CliError::SeveralMachineConfigs.into());
        }
        let trees: Vec<Tree> = all.into_iter().map(into_tree).collect::<Result<_>>()?;
        Ok(ignition::combine(trees, &mut self.findings).map(Loaded::of_tree))
    }

    /// The config brought to spec `minor`, and checked there.
    pub(super) fn upgraded(&mut self, loaded: Loaded, minor: Minor) -> Result<Option<Loaded>> {
        let tree = into_tree(loaded)?;
        if tree.minor() > minor {
            let (from, to) = (version(tree.minor()), version(minor));
            return Err(CliError::Downgrade { from, to }.into());
        }
        if minor == EXPERIMENTAL && !self.experimental {
            return Err(CliError::Experimental(version(minor)).into());
        }
        let tree = [tree.upgraded(minor)];
        Ok(ignition::combine(tree, &mut self.findings).map(Loaded::of_tree))
    }

    /// The config with those that it holds, and a line for each thing that needs the network.
    pub(super) fn rendered(&mut self, loaded: Loaded) -> Result<Option<(Loaded, String)>> {
        let tree = into_tree(loaded)?;
        let name = self.sources.get(tree.root().span.source);
        let name = name.map_or_else(String::new, |source| source.name.clone());
        let options = self.read_options();
        let (rendered, found) = ignition::render::render(&mut self.sources, &name, tree, &options);
        self.findings.append(found);
        let Some(rendered) = rendered else {
            return Ok(None);
        };
        let redact = |text: &str| self.variables.redact(text);
        let renderer = Renderer::new(&self.sources).redacting(&redact);
        let line = |need: &Need| {
            let place = renderer.place(need.at);
            format!("needs the network: {place}: {}\n", need.reason)
        };
        let needs = rendered.needs.iter().map(line).collect();
        Ok(Some((Loaded::of_tree(rendered.tree), needs)))
    }

    fn read_options(&self) -> ReadOptions {
        let experimental = self.experimental;
        ReadOptions { experimental }
    }

    /// Shows all that was found; an error if it makes one.
    pub(super) fn settle(self, args: &FindingArgs, json: JsonTo) -> Result<()> {
        args.settle(self.findings, &self.sources, &self.variables, json)
    }
}
