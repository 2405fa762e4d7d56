//! Kernel arguments as an ordered list of words: reading, and the edits that the installer and
//! the ISO tools make.
//!
//! Words are split as the kernel does (white space, except inside double quotes) and are kept as
//! they were written. Where the words lie (BLS entry, ISO area, `/proc/cmdline`) is not known here.

use std::fmt;

/// An ordered list of kernel arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kargs(Vec<String>);

impl Kargs {
    /// Splits `text` into words.
    pub fn parse(text: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quoted = false;
        for c in text.chars() {
            if c.is_whitespace() && !quoted {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            quoted ^= c == '"';
            word.push(c);
        }
        if !word.is_empty() {
            words.push(word);
        }
        Self(words)
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Value of the last `key=value`, without surrounding quotes. A bare `key` is no value.
    pub fn last(&self, key: &str) -> Option<&str> {
        self.iter().filter_map(|word| value_of(word, key)).last()
    }

    /// All values of `key=value`, in order.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter_map(move |word| value_of(word, key))
    }

    /// Where the last value that is not empty counts and those before it stand in for it: the values
    /// in the order in which they are tried, each once.
    pub fn tried(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().rev().filter_map(|word| value_of(word, key));
        let mut tried = Vec::new();
        for value in values.filter(|value| !value.is_empty()) {
            if !tried.contains(&value) {
                tried.push(value);
            }
        }
        tried
    }

    /// Whether the exact word is there.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|w| w == word)
    }

    /// Whether `key` is there, bare or with a value.
    pub fn mentions(&self, key: &str) -> bool {
        self.contains(key) || self.values(key).next().is_some()
    }

    /// The boolean reading that installer arguments have: the last value, false when it is absent,
    /// empty, `0`, `no` or `off`. A bare `key` is true.
    pub fn boolean(&self, key: &str) -> bool {
        match self.last(key) {
            Some(value) => !matches!(value, "" | "0" | "no" | "off"),
            None => self.contains(key),
        }
    }

    /// Adds a word at the end.
    pub fn push(&mut self, word: impl Into<String>) {
        self.0.push(word.into());
    }

    /// Keeps the words for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|word| keep(word));
    }
}

impl fmt::Display for Kargs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl<S: Into<String>> FromIterator<S> for Kargs {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

/// Why an edit was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KargsError {
    /// A replacement that is not `key=old=new`.
    #[error("replacement `{0}` is not of the form KEY=OLD=NEW")]
    Replacement(String),
    /// A replacement whose `key=old` is not there.
    #[error("no kernel argument `{0}` to replace")]
    Missing(String),
}

/// One edit; the parts are applied in the order of the fields, each to whole words and to every
/// occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Words to remove.
    pub delete: Vec<String>,
    /// Words to add at the end.
    pub append: Vec<String>,
    /// Words to add at the end unless they are there.
    pub append_if_missing: Vec<String>,
    /// `KEY=OLD=NEW`.
    pub replace: Vec<String>,
}

impl Edit {
    /// Whether the edit changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The list after the edit.
    pub fn apply(&self, kargs: &Kargs) -> Result<Kargs, KargsError> {
        let mut out = kargs.clone();
        out.retain(|word| !self.delete.iter().any(|d| d == word));
        for word in &self.append {
            out.push(word.as_str());
        }
        for word in &self.append_if_missing {
            if !out.contains(word) {
                out.push(word.as_str());
            }
        }
        for text in &self.replace {
            let (old, new) = split_replacement(text)?;
            if !out.contains(&old) {
                return Err(KargsError::Missing(old));
            }
            for word in out.0.iter_mut().filter(|word| **word == old) {
                word.clone_from(&new);
            }
        }
        Ok(out)
    }
}

fn value_of<'a>(word: &'a str, key: &str) -> Option<&'a str> {
    unquote(word)
        .strip_prefix(key)?
        .strip_prefix('=')
        .map(unquote)
}

fn unquote(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .unwrap_or(text)
}

fn split_replacement(text: &str) -> Result<(String, String), KargsError> {
    let mut parts = text.splitn(3, '=');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(key), Some(old), Some(new)) if !key.is_empty() => {
            Ok((format!("{key}={old}"), format!("{key}={new}")))
        }
        _ => Err(KargsError::Replacement(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values_flags_and_booleans() {
        let kargs = Kargs::parse("quiet a=1  a=2 \tb=off c=\"x y\" \"d=z w\"\n");
        assert_eq!(kargs.last("a"), Some("2"));
        assert_eq!(kargs.last("c"), Some("x y"));
        assert_eq!(kargs.last("d"), Some("z w"));
        assert_eq!(kargs.last("quiet"), None);
        assert_eq!(kargs.tried("a"), ["2", "1"]);
        assert_eq!(Kargs::parse("a=1 a=2 a= a=1").tried("a"), ["1", "2"]);
        assert!(kargs.mentions("quiet") && kargs.mentions("a") && !kargs.mentions("e"));
        assert!(
            kargs.boolean("quiet")
                && kargs.boolean("a")
                && !kargs.boolean("b")
                && !kargs.boolean("e")
        );
        assert_eq!(kargs.to_string(), "quiet a=1 a=2 b=off c=\"x y\" \"d=z w\"");
    }

    #[test]
    fn edits_delete_then_append_then_replace() {
        let edit = Edit {
            delete: vec!["a".into()],
            append: vec!["a".into(), "k=1".into()],
            append_if_missing: vec!["b".into(), "c".into()],
            replace: vec!["k=1=2=3".into()],
        };
        let out = edit.apply(&Kargs::parse("a b a")).unwrap();
        assert_eq!(out.to_string(), "b a k=2=3 c");
    }

    #[test]
    fn replacement_must_be_well_formed_and_present() {
        let edit = |r: &str| Edit {
            replace: vec![r.into()],
            ..Edit::default()
        };
        let kargs = Kargs::parse("a=1");
        assert_eq!(
            edit("a=1").apply(&kargs),
            Err(KargsError::Replacement("a=1".into()))
        );
        assert_eq!(
            edit("a=2=3").apply(&kargs),
            Err(KargsError::Missing("a=2".into()))
        );
    }
}
