//! Butane: configs as people write them, made into Ignition configs.
//!
//! [`convert`] reads, translates and checks; `translate` is the order of the passes; each kind of sugar has a file of its own. Fields and
//! their spelling come from the schema, rules of the result are `ignition::rules`. Semantics:
//! Butane's published specifications of fcos, flatcar, openshift, r4e and fiot.

mod accept;
mod boot_device;
mod child;
mod encode;
mod files;
mod filters;
mod grub;
mod mounts;
mod openshift;
mod quadlets;
mod resource;
mod sugar;
mod trees;
mod units;
mod users;
mod warnings;

use crate::finding::{Findings, quote};
use crate::ignition::rules;
use crate::schema::{Language, Target, Variant, version};
use crate::tree::node::{Node, Object};
use crate::tree::variables::{Variables, substitute};
use crate::tree::{Sources, Span, typed, yaml};

use accept::accept;
use child::Child;
pub use files::{FilesDir, FilesError};
pub use openshift::MachineConfig;

use files::Files;

/// What a conversion may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Where local files are; none: they are refused.
    pub files: Option<&'a FilesDir>,
    /// Take versions that are still under construction.
    pub experimental: bool,
    /// Give a plain Ignition config even where the variant wraps it (openshift).
    pub raw: bool,
    /// What `${{ name }}` stands for.
    pub variables: Option<&'a Variables>,
}

/// What the passes of one conversion share.
#[derive(Debug)]
struct Context<'a> {
    target: &'static Target,
    raw: bool,
    files: Files<'a>,
    /// Configs within the config, to be checked by themselves.
    children: Vec<Child>,
    findings: Findings,
}

impl Context<'_> {
    /// Says why a local file was not read.
    fn refuse(&mut self, at: Span, error: &FilesError) {
        self.findings.error(error.code(), at, error.message());
        if matches!(error, FilesError::NoDir { .. }) {
            self.findings
                .hint("name the directory with `--files-dir`; local paths are relative to it");
        }
    }

    /// Whether contents may be compressed where the user did not ask for it.
    fn may_gzip(&self) -> bool {
        let old = ["4.8.0", "4.9.0"].contains(&self.target.version);
        !(self.target.variant == Variant::Openshift && old)
    }
}

/// What became of a config.
#[derive(Debug)]
pub struct Converted {
    /// The Ignition config; none if there are errors.
    pub config: Option<Node>,
    /// The variant and version; none if they were refused.
    pub target: Option<&'static Target>,
    /// What the config is wrapped in, for openshift and unless a plain config was asked for.
    pub machine_config: Option<MachineConfig>,
    /// Errors and warnings, leading back to the text.
    pub findings: Findings,
}

/// Converts the Butane config `text`, which the user calls `name`.
pub fn convert(sources: &mut Sources, name: &str, text: &str, options: &Options<'_>) -> Converted {
    let mut findings = Findings::new();
    let typed = read(sources, name, text, options, &mut findings);
    let target = typed.as_ref().map(|(target, _)| *target);
    let Some((target, tree)) = typed.filter(|_| !findings.has_errors()) else {
        return Converted {
            config: None,
            target,
            machine_config: None,
            findings,
        };
    };
    let (mut converted, children) = convert_tree(tree, target, options);
    findings.append(std::mem::take(&mut converted.findings));
    if let Some(config) = &converted.config {
        rules::check(config, target.minor, &mut findings);
    }
    child::check(children, target.minor, sources, &mut findings);
    if findings.has_errors() {
        (converted.config, converted.machine_config) = (None, None);
    }
    Converted {
        findings,
        ..converted
    }
}

/// Converts a typed tree; gives the configs within it, too, which are not checked here.
fn convert_tree(
    tree: Node,
    target: &'static Target,
    options: &Options<'_>,
) -> (Converted, Vec<Child>) {
    let mut context = Context {
        target,
        raw: options.raw,
        files: Files::new(options.files),
        children: Vec::new(),
        findings: Findings::new(),
    };
    sugar::check(&tree, &mut context);
    let (config, machine_config) = translate(tree, &mut context);
    let usable = !context.findings.has_errors();
    let converted = Converted {
        config: usable.then_some(config),
        target: Some(target),
        machine_config: machine_config.filter(|_| usable),
        findings: context.findings,
    };
    (converted, context.children)
}

/// The text as the schema sees it; none if it is no config of a target that we take.
fn read(
    sources: &mut Sources,
    name: &str,
    text: &str,
    options: &Options<'_>,
    findings: &mut Findings,
) -> Option<(&'static Target, Node)> {
    let source = match sources.add(name, text) {
        Ok(source) => source,
        Err(error) => {
            let message = format!("{}: {error}", quote(name));
            findings.error("too-much-text", Span::default(), message);
            return None;
        }
    };
    let mut raw = match yaml::read(source, text) {
        Ok(raw) => raw,
        Err(finding) => {
            findings.add(finding);
            return None;
        }
    };
    match options.variables {
        Some(variables) => substitute(&mut raw, variables, findings),
        None => substitute(&mut raw, &Variables::new(), findings),
    }
    let target = accept(&raw, options.experimental, findings);
    let typed = target.map(|target| {
        let language = Language::Butane(target);
        (target, typed::read(&raw, language, findings))
    });
    sources.set_tree(source, raw);
    typed
}

/// Makes the typed tree of a Butane config an Ignition config of the target's spec.
///
/// The result is complete only if no error was found.
fn translate(mut config: Node, context: &mut Context<'_>) -> (Node, Option<MachineConfig>) {
    let span = config.span;
    let Some(root) = config.as_object_mut() else {
        return (config, None);
    };
    // 1. What is not in Ignition goes out.
    let sections = sugar::take(root);
    root.take("variant");
    let version_span = root.take("version").map_or(span, |version| version.span);
    // 2. Sugar that every variant has, each within its own section.
    resource::translate(root, context);
    users::translate(root, context);
    units::translate(root, context);
    mounts::translate(root, context);
    trees::translate(root, context);
    quadlets::translate(root, context);
    // 3. The version, what is merged under all this, and what the variant has not.
    let number = Node::text(version_span, version(context.target.minor));
    root.object_mut("ignition", version_span)
        .put("version", version_span, number);
    let config = sugar::apply(config, &sections, context);
    filters::check(&config, context);
    let machine_config = sugar::machine_config(&sections, context);
    (config, machine_config)
}

/// The objects of list `section.list`, to be changed.
fn items_mut<'a>(
    root: &'a mut Object,
    section: &str,
    list: &str,
) -> impl Iterator<Item = (Span, &'a mut Object)> {
    let items = root
        .get_mut(section)
        .and_then(Node::as_object_mut)
        .and_then(|section| section.get_mut(list))
        .map(Node::items_mut)
        .unwrap_or_default();
    items
        .iter_mut()
        .filter_map(|item| Some((item.span, item.as_object_mut()?)))
}

#[cfg(test)]
mod tests;
