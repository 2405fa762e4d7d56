//! `systemd.quadlets`: containers and such that Podman makes units of, written as files.
//!
//! Directories, suffixes and instances are those of podman-systemd.unit(5); the section is one of
//! Butane's experimental specifications of 2026. What is in a quadlet is not looked at.

use std::collections::HashSet;

use super::{Context, resource, units};
use crate::finding::quote;
use crate::tree::Span;
use crate::tree::node::{Node, Object, Value};

const ROOTFUL: &str = "/etc/containers/systemd";
const ROOTLESS: &str = "/etc/containers/systemd/users";
const SUFFIXES: [&str; 8] = [
    ".artifact",
    ".build",
    ".container",
    ".image",
    ".kube",
    ".network",
    ".pod",
    ".volume",
];
const FILE_MODE: i64 = 0o644;

/// Turns the quadlets into files and links.
pub(super) fn translate(root: &mut Object, context: &mut Context<'_>) {
    let systemd = root.get_mut("systemd").and_then(Node::as_object_mut);
    let Some(quadlets) = systemd.and_then(|systemd| systemd.take("quadlets")) else {
        return;
    };
    let Value::List(items) = quadlets.value else {
        return;
    };
    let mut writer = Writer {
        taken: paths(root),
        files: Vec::new(),
        links: Vec::new(),
    };
    for item in items {
        let span = item.span;
        if let Value::Object(quadlet) = item.value {
            writer.quadlet(quadlet, span, context);
        }
    }
    for (list, nodes) in [("files", writer.files), ("links", writer.links)] {
        if !nodes.is_empty() {
            let storage = root.object_mut("storage", quadlets.span);
            storage.items_mut(list, quadlets.span).extend(nodes);
        }
    }
}

/// The paths of all nodes that are written anyway.
fn paths(root: &Object) -> HashSet<String> {
    let storage = root.object("storage");
    let nodes = ["files", "directories", "links"]
        .into_iter()
        .flat_map(|list| {
            let items = storage.map(|storage| storage.items(list));
            items.unwrap_or_default()
        });
    nodes
        .filter_map(|node| node.as_object()?.text("path").map(str::to_owned))
        .collect()
}

/// The quadlet that `name` is an instance of: `web@.container` for `web@1.container`.
fn template(name: &str) -> Option<String> {
    let (base, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{base}@.{suffix}"))
}

struct Writer {
    taken: HashSet<String>,
    files: Vec<Node>,
    links: Vec<Node>,
}

impl Writer {
    fn quadlet(&mut self, mut quadlet: Object, span: Span, context: &mut Context<'_>) {
        let name_at = quadlet.get("name").map_or(span, |name| name.span);
        let name = quadlet.text("name").unwrap_or_default().to_owned();
        if !SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            let message = format!("{} has no suffix of a quadlet", quote(&name));
            context.findings.error("quadlet-suffix", name_at, message);
            let hint = format!("use one of {}", SUFFIXES.join(", "));
            context.findings.hint(hint);
            return;
        }
        let directory = if quadlet.is_true("rootful") {
            ROOTFUL
        } else {
            ROOTLESS
        };
        let path = format!("{directory}/{name}");
        units::dropins(&mut quadlet, context);
        let dropins = quadlet.take("dropins");
        match template(&name) {
            Some(template) => self.instance(&quadlet, span, &path, template, context),
            None => {
                units::contents(&mut quadlet, context);
                self.file(&quadlet, span, name_at, path.clone(), context);
            }
        }
        let dropins = dropins.as_ref().map(Node::items).unwrap_or_default();
        for node in dropins {
            let Some(dropin) = node.as_object() else {
                continue;
            };
            let name = dropin.text("name").unwrap_or_default();
            let name_at = dropin.get("name").map_or(node.span, |name| name.span);
            let path = format!("{path}.d/{name}");
            self.file(dropin, node.span, name_at, path, context);
        }
    }

    fn instance(
        &mut self,
        quadlet: &Object,
        span: Span,
        path: &str,
        template: String,
        context: &mut Context<'_>,
    ) {
        for field in ["contents", "contents_local"] {
            if let Some(contents) = quadlet.get(field) {
                let message = format!(
                    "an instance has no contents: it is a link to {}",
                    quote(&template)
                );
                let findings = &mut context.findings;
                findings.error("quadlet-instance-contents", contents.span, message);
            }
        }
        if self.claim(path, span, context) {
            let link = Object::from([
                ("path", Node::text(span, path)),
                ("target", Node::text(span, template)),
            ]);
            self.links.push(Node::object(span, link));
        }
    }

    fn file(
        &mut self,
        from: &Object,
        span: Span,
        name_at: Span,
        path: String,
        context: &mut Context<'_>,
    ) {
        if !self.claim(&path, span, context) {
            return;
        }
        let at = from.get("contents").map_or(span, |contents| contents.span);
        let text = from.text("contents").unwrap_or_default();
        let mut contents = Object::new();
        resource::fill(&mut contents, at, text.as_bytes(), context);
        let file = Object::from([
            ("path", Node::text(name_at, path)),
            ("contents", Node::object(at, contents)),
            ("mode", Node::integer(span, FILE_MODE)),
        ]);
        self.files.push(Node::object(span, file));
    }

    /// Whether nothing is at `path` yet; otherwise the collision is reported.
    fn claim(&mut self, path: &str, span: Span, context: &mut Context<'_>) -> bool {
        let is_free = self.taken.insert(path.to_owned());
        if !is_free {
            let message = format!("there is a file, directory or link {} already", quote(path));
            context.findings.error("node-exists", span, message);
        }
        is_free
    }
}

#[cfg(test)]
mod tests;
