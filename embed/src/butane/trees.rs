//! `storage.trees`: every file and link of a directory beside the config.
//!
//! Entries come in the order of their names, each directory where its name stands. One file is in
//! memory at a time, beside the config that is made. An entry of the config at the same path that
//! has no contents yet receives them and keeps its owner and mode.

use std::collections::HashMap;

use super::files::{Entry, EntryKind};
use super::resource::fill;
use super::{Context, FilesError};
use crate::finding::{At, quote};
use crate::tree::Span;
use crate::tree::node::{Node, Object};

/// Errors of one tree that are told; a tree that collides everywhere is not told of file by file.
const TOLD: usize = 100;

const FILE_MODE: i64 = 0o644;
const EXECUTABLE_MODE: i64 = 0o755;
const DIRECTORY_MODE: i64 = 0o755;

pub(super) fn translate(root: &mut Object, context: &mut Context<'_>) {
    let Some(storage) = root.get_mut("storage").and_then(Node::as_object_mut) else {
        return;
    };
    let Some(trees) = storage.take("trees") else {
        return;
    };
    let mut nodes = Nodes::new(storage);
    for node in trees.items() {
        let Some(tree) = Tree::new(node, context) else {
            continue;
        };
        match context.files.walk(tree.local) {
            Ok(walk) => copy(&tree, walk, storage, &mut nodes, context),
            Err(error) => {
                context.refuse(tree.span, &error);
                if matches!(error, FilesError::NoDir { .. }) {
                    return;
                }
            }
        }
    }
}

/// One tree as the config gives it.
struct Tree<'a> {
    span: Span,
    local: &'a str,
    destination: &'a str,
    user: Option<&'a Node>,
    group: Option<&'a Node>,
    file_mode: Option<i64>,
    directory_mode: Option<i64>,
}

impl<'a> Tree<'a> {
    fn new(node: &'a Node, context: &mut Context<'_>) -> Option<Self> {
        let object = node.as_object()?;
        let given = |name| object.text(name).filter(|text| !text.is_empty());
        let Some(local) = given("local") else {
            let at = At::absent(node.span, "local");
            let message = "a tree needs `local`, the directory that it is made of";
            context.findings.error("tree-without-local", at, message);
            return None;
        };
        let owner = |name| {
            let node = object.get(name)?;
            let owner = node.as_object()?;
            (!owner.is_empty()).then_some(node)
        };
        let mode = |name| object.get(name).and_then(Node::as_integer);
        let directory_mode = mode("dir_mode");
        let (user, group) = (owner("user"), owner("group"));
        let wants_directories = directory_mode.is_some() || user.is_some() || group.is_some();
        Some(Self {
            span: node.span,
            local,
            destination: given("path").unwrap_or("/"),
            user,
            group,
            file_mode: mode("file_mode"),
            directory_mode: wants_directories.then_some(directory_mode.unwrap_or(DIRECTORY_MODE)),
        })
    }

    /// A new entry at `path`, owned as the tree says.
    fn entry(&self, path: &str) -> Object {
        let mut object = Object::new();
        object.set("path", Node::text(self.span, path));
        for (name, owner) in [("user", self.user), ("group", self.group)] {
            if let Some(owner) = owner {
                object.set(name, owner.clone());
            }
        }
        object
    }
}

fn copy(
    tree: &Tree<'_>,
    walk: impl Iterator<Item = Result<Entry, FilesError>>,
    storage: &mut Object,
    nodes: &mut Nodes,
    context: &mut Context<'_>,
) {
    let mut told = 0;
    for entry in walk {
        let done = entry
            .map_err(Refused::Files)
            .and_then(|entry| put(tree, &entry, storage, nodes, context));
        match done {
            Ok(()) => continue,
            Err(Refused::Files(error)) => context.refuse(tree.span, &error),
            Err(Refused::Exists(path)) => {
                let message = format!("{} of the tree is in the config already", quote(&path));
                context.findings.error("tree-collision", tree.span, message);
            }
            Err(Refused::Kind(path)) => {
                let message = format!(
                    "{} of the tree is neither a file, a directory nor a symlink",
                    quote(&path)
                );
                context.findings.error("tree-file-type", tree.span, message);
            }
        }
        told += 1;
        if told == TOLD {
            return;
        }
    }
}

/// Why an entry is not in the config.
enum Refused {
    Files(FilesError),
    Exists(String),
    Kind(String),
}

fn put(
    tree: &Tree<'_>,
    entry: &Entry,
    storage: &mut Object,
    nodes: &mut Nodes,
    context: &mut Context<'_>,
) -> Result<(), Refused> {
    let path = join(tree.destination, &entry.path);
    match &entry.kind {
        EntryKind::Directory => {
            let Some(mode) = tree.directory_mode else {
                return Ok(());
            };
            if nodes.holds(&path) {
                return Err(Refused::Exists(path));
            }
            let mut directory = tree.entry(&path);
            directory.set("mode", Node::integer(tree.span, mode));
            nodes.add(storage, Kind::Directory, path, tree.span, directory);
        }
        EntryKind::File { executable } => {
            let file = nodes.take(storage, Kind::File, tree, &path, "contents")?;
            let contents = file.object_mut("contents", tree.span);
            let shown = format!("{}/{}", tree.local, entry.path);
            let bytes = context
                .files
                .read_path(&entry.real, &shown)
                .map_err(Refused::Files)?;
            fill(contents, tree.span, &bytes, context);
            if file.get("mode").is_none() {
                let own = if *executable {
                    EXECUTABLE_MODE
                } else {
                    FILE_MODE
                };
                let mode = tree.file_mode.unwrap_or(own);
                file.set("mode", Node::integer(tree.span, mode));
            }
        }
        EntryKind::Link { target } => {
            let link = nodes.take(storage, Kind::Link, tree, &path, "target")?;
            link.set("target", Node::text(tree.span, target.as_str()));
        }
        EntryKind::Other => return Err(Refused::Kind(path)),
    }
    Ok(())
}

/// `path` below `base`, cleaned of `.`, `..` and double slashes.
fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let absolute = base.starts_with('/');
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

/// The three kinds of entries that have a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Link,
}

impl Kind {
    const ALL: [Self; 3] = [Self::File, Self::Directory, Self::Link];

    fn list(self) -> &'static str {
        match self {
            Self::File => "files",
            Self::Directory => "directories",
            Self::Link => "links",
        }
    }
}

/// Which paths the config has, and where.
struct Nodes(HashMap<String, Vec<(Kind, usize)>>);

impl Nodes {
    fn new(storage: &Object) -> Self {
        let mut nodes: HashMap<String, Vec<(Kind, usize)>> = HashMap::new();
        for kind in Kind::ALL {
            for (index, item) in storage.items(kind.list()).iter().enumerate() {
                let path = item.as_object().and_then(|item| item.text("path"));
                let found = nodes.entry(path.unwrap_or_default().to_owned());
                found.or_default().push((kind, index));
            }
        }
        Self(nodes)
    }

    fn holds(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn add(&mut self, storage: &mut Object, kind: Kind, path: String, span: Span, object: Object) {
        let list = storage.items_mut(kind.list(), span);
        self.0.entry(path).or_default().push((kind, list.len()));
        list.push(Node::object(span, object));
    }

    /// The entry of `kind` at `path`, made if there is none. One whose `field` is filled already,
    /// and an entry of another kind, is a collision.
    fn take<'a>(
        &mut self,
        storage: &'a mut Object,
        kind: Kind,
        tree: &Tree<'_>,
        path: &str,
        field: &str,
    ) -> Result<&'a mut Object, Refused> {
        let exists = || Refused::Exists(path.to_owned());
        let found = self.0.get(path);
        let own = found.and_then(|found| found.iter().find(|(other, _)| *other == kind));
        let index = match (own, found) {
            (Some((_, index)), _) => *index,
            (None, Some(_)) => return Err(exists()),
            (None, None) => {
                let index = storage.items(kind.list()).len();
                let object = tree.entry(path);
                self.add(storage, kind, path.to_owned(), tree.span, object);
                index
            }
        };
        let list = storage.items_mut(kind.list(), tree.span);
        let entry = list.get_mut(index).and_then(Node::as_object_mut);
        let entry = entry.ok_or_else(exists)?;
        let filled = match entry.get(field) {
            Some(node) => node
                .as_text()
                .or_else(|| node.as_object()?.text("source"))
                .is_some_and(|text| !text.is_empty()),
            None => false,
        };
        if filled { Err(exists()) } else { Ok(entry) }
    }
}
