//! A config with the configs that it refers to: what the machine would make of `config.merge` and
//! `config.replace`, as far as that is possible without the network.
//!
//! Each child is read, checked and rendered on its own before it is merged, from left to right.
//! Only `data:` URLs are looked into; depth, number and size of the children are bounded.

use super::contents::{BYTES, contents};
use super::network::{self, Need};
use super::read::{self, ReadOptions};
use super::tree::Tree;
use crate::finding::{Finding, Findings};
use crate::tree::Sources;
use crate::tree::node::{Node, Object, Value};

/// How deep children may be nested.
const DEPTH: usize = 16;
/// How many children there may be, at all depths.
const CHILDREN: usize = 1_000;

/// A rendered config.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The config. References to children that are part of it now are gone; those that could not
    /// be rendered are still there, and so are all that follow one, since order counts.
    pub tree: Tree,
    /// What of it needs the network, whatever it lies in.
    pub needs: Vec<Need>,
}

/// Renders `tree`, which the user calls `name`. Children are kept in `sources`, as `merge[0] of
/// NAME` and `replace of NAME`. The result is checked again, at the newest spec of all that went
/// into it, and given unless there are errors among the findings.
pub fn render(
    sources: &mut Sources,
    name: &str,
    tree: Tree,
    options: &ReadOptions,
) -> (Option<Rendered>, Findings) {
    within(BYTES, sources, name, tree, options)
}

fn within(
    budget: usize,
    sources: &mut Sources,
    name: &str,
    tree: Tree,
    options: &ReadOptions,
) -> (Option<Rendered>, Findings) {
    let mut renderer = Renderer {
        sources,
        options,
        findings: Findings::new(),
        needs: Vec::new(),
        children: 0,
        budget,
    };
    let outcome = renderer.config(name, tree, 0);
    let Renderer {
        mut findings,
        mut needs,
        ..
    } = renderer;
    let rendered = outcome.map(|outcome| {
        if outcome.merged {
            outcome.tree.check(&mut findings);
        }
        let tree = outcome.tree;
        needs.extend(tree.needs());
        Rendered { tree, needs }
    });
    (rendered.filter(|_| !findings.has_errors()), findings)
}

struct Renderer<'a> {
    sources: &'a mut Sources,
    options: &'a ReadOptions,
    findings: Findings,
    /// Of children that stay in their URLs.
    needs: Vec<Need>,
    children: usize,
    /// How many bytes further children may have.
    budget: usize,
}

/// A config after its children were merged.
struct Outcome {
    tree: Tree,
    /// Whether no reference is left in it.
    whole: bool,
    /// Whether anything was merged.
    merged: bool,
}

/// What a reference leads to.
enum Child {
    /// To a config.
    Config(Tree),
    /// To one that we cannot have, or do not understand.
    Unknown,
    /// To something bad, which was reported.
    Bad,
}

impl Renderer<'_> {
    fn config(&mut self, name: &str, tree: Tree, depth: usize) -> Option<Outcome> {
        let references = references(&tree);
        let replace = references.and_then(|references| references.get("replace"));
        if let Some(replace) = replace.filter(|replace| source(replace).is_some()) {
            let name = format!("replace of {name}");
            return match self.child(&name, replace, depth) {
                Child::Config(child) => self.config(&name, child, depth + 1),
                Child::Unknown => Some(Outcome {
                    tree,
                    whole: false,
                    merged: false,
                }),
                Child::Bad => None,
            };
        }
        let references = references.map(|references| references.items("merge"));
        let children = references.unwrap_or_default().to_vec();
        self.merge(name, tree, &children, depth)
    }

    /// Merges `children` over `tree` until one comes that is unknown; looks at all of them.
    fn merge(
        &mut self,
        name: &str,
        tree: Tree,
        children: &[Node],
        depth: usize,
    ) -> Option<Outcome> {
        let mut tree = Some(tree);
        let mut merged = 0;
        let mut whole = true;
        for (index, reference) in children.iter().enumerate() {
            let name = format!("merge[{index}] of {name}");
            let child = match self.child(&name, reference, depth) {
                Child::Config(child) => self.config(&name, child, depth + 1),
                Child::Unknown => {
                    whole = false;
                    continue;
                }
                Child::Bad => None,
            };
            match child {
                None => tree = None,
                Some(child) if whole && child.whole => {
                    tree = tree.map(|tree| tree.merged(child.tree));
                    merged += 1;
                }
                Some(child) => {
                    whole = false;
                    self.needs.extend(child.tree.needs());
                }
            }
        }
        let mut tree = tree?;
        drop_references(&mut tree, merged);
        let merged = merged > 0;
        Some(Outcome {
            tree,
            whole,
            merged,
        })
    }

    fn child(&mut self, name: &str, reference: &Node, depth: usize) -> Child {
        let (Some(resource), Some(source)) = (reference.as_object(), source(reference)) else {
            return Child::Unknown;
        };
        if source.as_text().is_none_or(network::is_remote) {
            return Child::Unknown;
        }
        match self.bytes(resource, source, depth) {
            Ok(bytes) => {
                let (child, findings) = read::read(self.sources, name, bytes, self.options);
                self.findings.append(findings);
                match child {
                    Some(child) => child.tree.map_or(Child::Unknown, Child::Config),
                    None => Child::Bad,
                }
            }
            Err(finding) => {
                // One is enough: all further children are too many, too.
                if self.children <= CHILDREN + 1 {
                    self.findings.add(finding);
                }
                Child::Bad
            }
        }
    }

    fn bytes(
        &mut self,
        resource: &Object,
        source: &Node,
        depth: usize,
    ) -> Result<Vec<u8>, Finding> {
        let too_much = |message: String| Err(Finding::error("too-much", source.span, message));
        self.children += 1;
        if self.children > CHILDREN {
            return too_much(format!("more than {CHILDREN} configs are referred to"));
        }
        if depth >= DEPTH {
            return too_much(format!("configs are nested more than {DEPTH} deep"));
        }
        contents(resource, source, &mut self.budget)
    }
}

/// `ignition.config`.
fn references(tree: &Tree) -> Option<&Object> {
    tree.root()
        .as_object()?
        .object("ignition")?
        .object("config")
}

fn source(reference: &Node) -> Option<&Node> {
    reference.as_object()?.get("source")
}

/// Takes the first `count` references to configs to merge out of `tree`.
fn drop_references(tree: &mut Tree, count: usize) {
    let root = tree.root_mut().as_object_mut();
    let ignition = root.and_then(|root| root.get_mut("ignition")?.as_object_mut());
    let config = ignition.and_then(|ignition| ignition.get_mut("config")?.as_object_mut());
    let merge = config.and_then(|config| config.get_mut("merge"));
    if let Some(Value::List(items)) = merge.map(|merge| &mut merge.value) {
        items.drain(..count.min(items.len()));
    }
}

#[cfg(test)]
mod tests;
