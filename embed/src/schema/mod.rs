//! The one table of Ignition and Butane: which fields there are, of which type, since when, under
//! which name, and how lists are keyed.
//!
//! Readers, merge, upgrade, JSON Schema and docs are driven by it; rules that need a sentence of
//! code are in `ignition::rules` and `butane`. Source: Ignition's configuration specifications
//! 3.0.0 to 3.6.0 and Butane's, as published with both tools.

mod butane;
mod disks;
mod ignition;
pub mod json_schema;
mod nodes;
mod targets;

pub use ignition::ROOT;
pub use targets::{TARGETS, Target, Variant};

/// The `N` of an Ignition spec `3.N.0`. Butane's base of the same fields is `0.(N+1)`.
pub type Minor = u8;

/// The newest stable spec.
pub const NEWEST: Minor = 6;
/// The spec under construction, known as `3.7.0-experimental`.
pub const EXPERIMENTAL: Minor = 7;

/// The version that a config of this spec declares.
pub const fn version(minor: Minor) -> &'static str {
    match minor {
        0 => "3.0.0",
        1 => "3.1.0",
        2 => "3.2.0",
        3 => "3.3.0",
        4 => "3.4.0",
        5 => "3.5.0",
        6 => "3.6.0",
        _ => "3.7.0-experimental",
    }
}

/// An object type.
#[derive(Debug)]
pub struct Record {
    /// Its name in generated schemas: `file`, `partition`.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in Ignition, and in trees of either language; of sugar, the name in Butane.
    pub name: &'static str,
    /// The name in Butane.
    pub yaml: &'static str,
    /// The type.
    pub kind: Kind,
    /// The first spec that has it.
    pub since: Minor,
    /// Which languages have it.
    pub scope: Scope,
    /// Absent and zero are the same, and a merge takes the child's: the keys of lists, mostly.
    pub plain: bool,
    /// The strings it may hold, each with the first spec that knows it; empty: any.
    pub values: &'static [(&'static str, Minor)],
    /// One sentence for users.
    pub doc: &'static str,
}

/// A type.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A list.
    List(&'static List),
    /// An object.
    Object(&'static Record),
    /// A map of strings by free keys (labels).
    Labels,
}

/// A list type.
#[derive(Debug)]
pub struct List {
    /// The type of its items.
    pub item: Kind,
    /// What makes two items the same.
    pub key: ListKey,
    /// Lists of one space share their keys: a node has one path, whatever it is.
    pub space: Option<Space>,
}

/// What makes two items of a list the same, when duplicates are sought and lists are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKey {
    /// Nothing: merged lists are joined, duplicates are fine.
    Exempt,
    /// The string itself.
    Whole,
    /// A field of the item.
    Field(&'static str),
    /// A partition's number, or its label when the number is 0.
    Partition,
}

/// Lists that share their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Files, directories and links, by path.
    Nodes,
    /// Kernel arguments that should and should not exist.
    KernelArguments,
}

/// Which languages have a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Ignition and every Butane variant.
    Both,
    /// Ignition only.
    Ignition,
    /// Every Butane variant, as sugar.
    Butane,
    /// Butane variants built on the fcos variant `1.N` or later.
    Fcos(u8),
    /// Butane's openshift variant.
    Openshift,
}

/// A language and its version: decides which fields there are and how they are spelled.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    /// Ignition JSON of spec `3.N.0`.
    Ignition(Minor),
    /// Butane YAML of a variant and version.
    Butane(&'static Target),
}

impl Language {
    /// The Ignition spec: its own, or the one that is translated to.
    pub fn minor(self) -> Minor {
        match self {
            Self::Ignition(minor) => minor,
            Self::Butane(target) => target.minor,
        }
    }
}

impl Field {
    const fn new(name: &'static str, yaml: &'static str, kind: Kind) -> Self {
        Self {
            name,
            yaml,
            kind,
            since: 0,
            scope: Scope::Both,
            plain: false,
            values: &[],
            doc: "",
        }
    }

    const fn since(mut self, minor: Minor) -> Self {
        self.since = minor;
        self
    }

    const fn only(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    const fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    const fn one_of(mut self, values: &'static [(&'static str, Minor)]) -> Self {
        self.values = values;
        self
    }

    const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Whether `language` has this field.
    pub fn is_in(&self, language: Language) -> bool {
        let scope = match (self.scope, language) {
            (Scope::Both, _) | (Scope::Butane, Language::Butane(_)) => true,
            (Scope::Ignition, Language::Ignition(_)) => true,
            (Scope::Fcos(level), Language::Butane(target)) => {
                target.fcos.is_some_and(|fcos| fcos >= level)
            }
            (Scope::Openshift, Language::Butane(target)) => target.variant == Variant::Openshift,
            _ => false,
        };
        scope && self.since <= language.minor()
    }

    /// The name as users of `language` spell it.
    pub fn spelled(&self, language: Language) -> &'static str {
        match language {
            Language::Ignition(_) => self.name,
            Language::Butane(_) => self.yaml,
        }
    }
}

impl Record {
    /// The fields that `language` has.
    pub fn fields_of(&self, language: Language) -> impl Iterator<Item = &'static Field> {
        let fields = self.fields.iter();
        fields.filter(move |field| field.is_in(language))
    }

    /// The field of a name in the tree.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

#[cfg(test)]
mod tests;
