//! Build-time variables: what `${{ name }}` in a Butane file stands for.
//!
//! Here they are collected from what the caller was given; [`substitute`] puts them into a tree,
//! [`Variables::redact`] keeps secret ones out of messages. No file and no environment is looked
//! at here: contents and a lookup function are handed in.

mod redact;
mod substitute;

pub use substitute::substitute;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::raw::{RawEntry, RawNode, RawValue, Scalar};
use super::{SourceId, yaml};
use crate::finding::{Finding, quote};

/// A value that is put where a config names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The value.
    pub value: String,
    /// Whether messages must not show it.
    pub secret: bool,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            f.write_str("[secret]")
        } else {
            self.value.fmt(f)
        }
    }
}

/// Variables by name. Of two values for one name, the one that was set later counts.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    all: BTreeMap<String, Variable>,
    given: bool,
}

/// Why a variable could not be set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableError {
    /// An assignment without `=`.
    #[error("{} is not of the form NAME=VALUE", quote(.0))]
    NoAssignment(String),
    /// A name with other characters than letters, digits, `_`, `-` and `.`.
    #[error("{} is no name of a variable: letters, digits, `_`, `-` and `.` are", quote(.0))]
    BadName(String),
    /// An environment variable that is not there, or not UTF-8.
    #[error("environment variable {} is not set to a text", quote(.0))]
    NotInEnvironment(String),
}

/// Splits `NAME=REST` and checks the name.
pub fn split_assignment(assignment: &str) -> Result<(&str, &str), VariableError> {
    let parts = assignment.split_once('=');
    let (name, rest) = parts.ok_or_else(|| VariableError::NoAssignment(assignment.into()))?;
    if !is_name(name) {
        return Err(VariableError::BadName(name.into()));
    }
    Ok((name, rest))
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(fits)
}

impl Variables {
    /// None, and none asked for: a config that names one keeps its text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether any source of variables was given, even an empty one.
    pub fn given(&self) -> bool {
        self.given
    }

    /// The variable of a name.
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.all.get(name)
    }

    /// The names of all variables, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, variable: Variable) -> Result<(), VariableError> {
        if !is_name(name) {
            return Err(VariableError::BadName(name.into()));
        }
        self.given = true;
        self.all.insert(name.into(), variable);
        Ok(())
    }

    /// Sets what `NAME=VALUE` says.
    pub fn assign(&mut self, assignment: &str) -> Result<(), VariableError> {
        let (name, value) = split_assignment(assignment)?;
        let value = value.into();
        let secret = false;
        self.set(name, Variable { value, secret })
    }

    /// Sets a secret to the contents of its file, without the newline at the end.
    pub fn set_secret(&mut self, name: &str, contents: &str) -> Result<(), VariableError> {
        let line = contents.strip_suffix('\n').unwrap_or(contents);
        let value = line.strip_suffix('\r').unwrap_or(line).into();
        let secret = true;
        self.set(name, Variable { value, secret })
    }

    /// Sets a variable to the environment variable of the same name, which `lookup` finds. It is
    /// kept secret: tokens come that way.
    pub fn set_from_environment(
        &mut self,
        name: &str,
        lookup: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), VariableError> {
        let value = lookup(name).ok_or_else(|| VariableError::NotInEnvironment(name.into()))?;
        let secret = true;
        self.set(name, Variable { value, secret })
    }

    /// Sets the variables of a YAML file: a map of scalars, or of such maps, whose keys are joined
    /// by `.`. Values keep the text that they are written with.
    pub fn add_file(&mut self, source: SourceId, text: &str) -> Result<(), Finding> {
        let root = yaml::read(source, text)?;
        let RawValue::Map(entries) = &root.value else {
            let message = format!("expected a map of variables, found {}", root.value.kind());
            return Err(Finding::error("variable-file", root.span, message));
        };
        self.given = true;
        self.add_entries("", entries, &mut BTreeSet::new())
    }

    fn add_entries(
        &mut self,
        prefix: &str,
        entries: &[RawEntry],
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Finding> {
        for entry in entries {
            if entry.key == yaml::MERGE && entry.value.is_null() {
                continue;
            }
            let name = format!("{prefix}{}", entry.key);
            if !is_name(&name) {
                let error = VariableError::BadName(name);
                let message = error.to_string();
                return Err(Finding::error("variable-name", entry.key_span, message));
            }
            if let RawValue::Map(inner) = &entry.value.value {
                self.add_entries(&format!("{name}."), inner, seen)?;
                continue;
            }
            if !seen.insert(name.clone()) {
                let message = format!("variable {} is set twice", quote(&name));
                return Err(Finding::error("variable-twice", entry.key_span, message));
            }
            let value = scalar(&name, &entry.value)?;
            let secret = false;
            self.all.insert(name, Variable { value, secret });
        }
        Ok(())
    }
}

fn scalar(name: &str, raw: &RawNode) -> Result<String, Finding> {
    match &raw.value {
        RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text)) => Ok(text.clone()),
        other => {
            let name = quote(name);
            let message = format!("variable {name} needs a scalar, found {}", other.kind());
            Err(Finding::error("variable-value", raw.span, message))
        }
    }
}

#[cfg(test)]
mod tests;
