//! Takes the values of secret variables out of messages and logs.
//!
//! Found are the value as it is, each of its lines, both as messages escape them, and the
//! beginning of one that a message cut short. Not found are other encodings of it (base64,
//! percent): a converted config holds the secret by purpose and is no message.

use super::Variables;
use crate::finding::{CUT, printable};

/// Shorter secrets are left: replacing each `on` or `1` would spoil every message, and would tell
/// the secret.
const SHORTEST: usize = 4;

impl Variables {
    /// `text` with each secret value replaced by `[secret NAME]`.
    pub fn redact(&self, text: &str) -> String {
        let needles = self.needles();
        if needles.is_empty() {
            return text.into();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let found = needles.iter().find_map(|(needle, name)| {
                let length = matched(rest, needle)?;
                Some((name, rest.get(length..)?))
            });
            if let Some((name, after)) = found {
                out.push_str(&format!("[secret {name}]"));
                rest = after;
            } else {
                out.push(letter);
                rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            }
        }
        out
    }

    /// The texts to look for, each with the name of its variable; the longest first.
    fn needles(&self) -> Vec<(String, &str)> {
        let mut needles = Vec::new();
        for (name, variable) in self.all.iter().filter(|(_, variable)| variable.secret) {
            let whole = variable.value.as_str();
            for part in std::iter::once(whole).chain(whole.lines()) {
                if part.trim().len() >= SHORTEST {
                    needles.push((part.to_owned(), name.as_str()));
                    needles.push((printable(part), name.as_str()));
                }
            }
        }
        needles.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
        needles.dedup();
        needles
    }
}

/// How many bytes at the start of `text` are `needle`, or its beginning where the text is cut.
fn matched(text: &str, needle: &str) -> Option<usize> {
    let same = text
        .bytes()
        .zip(needle.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let whole = same == needle.len();
    let cut = || same >= SHORTEST && text.get(same..).is_some_and(|rest| rest.starts_with(CUT));
    (whole || cut()).then_some(same)
}
