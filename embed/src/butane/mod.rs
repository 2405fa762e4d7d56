//! Butane: configs as people write them, made into Ignition configs.
//!
//! `translate` is the order of the passes; each kind of sugar has a file of its own. Fields and
//! their spelling come from the schema, rules of the result are `ignition::rules`. Semantics:
//! Butane's published specifications of fcos, flatcar, openshift, r4e and fiot.

mod accept;
mod encode;
mod files;
mod filters;
mod mounts;
mod resource;
mod trees;
mod units;
mod users;

use crate::finding::Findings;
use crate::schema::{Target, Variant, version};
use crate::tree::Span;
use crate::tree::node::{Node, Object};

pub use accept::accept;
pub use files::{FilesDir, FilesError};

use files::Files;

/// What a conversion may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Where local files are; none: they are refused.
    pub files: Option<&'a FilesDir>,
    /// Take versions that are still under construction.
    pub experimental: bool,
}

/// What the passes of one conversion share.
#[derive(Debug)]
struct Context<'a> {
    target: &'static Target,
    files: Files<'a>,
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
    /// Errors and warnings, leading back to the text.
    pub findings: Findings,
}

/// Converts a typed tree.
pub fn convert_tree(tree: Node, target: &'static Target, options: &Options<'_>) -> Converted {
    let mut context = Context {
        target,
        files: Files::new(options.files),
        findings: Findings::new(),
    };
    let config = translate(tree, &mut context);
    let findings = context.findings;
    Converted {
        config: (!findings.has_errors()).then_some(config),
        target: Some(target),
        findings,
    }
}

/// Makes the typed tree of a Butane config an Ignition config of the target's spec.
///
/// The result is complete only if no error was found.
fn translate(mut config: Node, context: &mut Context<'_>) -> Node {
    let span = config.span;
    let Some(root) = config.as_object_mut() else {
        return config;
    };
    // 1. What is not in Ignition goes out.
    root.take("variant");
    let version_span = root.take("version").map_or(span, |version| version.span);
    // 2. Sugar that every variant has, each within its own section.
    resource::translate(root, context);
    users::translate(root, context);
    units::translate(root, context);
    mounts::translate(root, context);
    trees::translate(root, context);
    // 3. Sugar of single variants: quadlets, boot_device, grub; each takes its field out of `root`.
    // 4. The version, what the variant has not, and warnings.
    let number = Node::text(version_span, version(context.target.minor));
    root.object_mut("ignition", version_span)
        .put("version", version_span, number);
    filters::check(root, context);
    config
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
