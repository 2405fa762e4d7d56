//! Name and version of the operating system: os-release(5) of the root file system.

use serde::Serialize;

use super::ext4::Files;
use super::partitions::{Found, PartitionFound};

/// Largest os-release file that is read, bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Label of the root file system, and name of its partition.
const ROOT: &str = "root";

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct OsFound {
    /// `ID`
    pub id: Option<String>,
    /// `PRETTY_NAME`, else `NAME`.
    pub name: Option<String>,
    /// `OSTREE_VERSION`, else `VERSION_ID`.
    pub version: Option<String>,
}

/// Reads the root partition; why that does not work goes to `unread`. `ostree` is the deployment
/// that the boot entry names.
pub(super) fn look(
    found: &Found,
    ostree: Option<String>,
    unread: &mut Vec<String>,
) -> Option<OsFound> {
    let partition = root_of(found)?;
    let kind = partition.holds.as_ref().map_or("", |held| held.kind);
    if !kind.starts_with("ext") {
        let kind = if kind.is_empty() { "unknown" } else { kind };
        unread.push(format!(
            "the root partition is {kind}; only ext4 is read without mounting"
        ));
        return None;
    }
    let places = ["/usr/lib/os-release", "/etc/os-release"];
    let places: Vec<String> = match ostree {
        Some(path) => places.iter().map(|file| format!("{path}{file}")).collect(),
        None => places.iter().map(|file| (*file).to_owned()).collect(),
    };
    let files = Files::open(found.window(partition)?);
    let text = files.and_then(|files| {
        for place in &places {
            if let Some(text) = files.text(place, MAX_BYTES)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    });
    match text {
        Ok(Some(text)) => Some(parse(&text)),
        Ok(None) => {
            unread.push("the root partition has no os-release".to_owned());
            None
        }
        Err(error) => {
            unread.push(format!("the root partition: {error}"));
            None
        }
    }
}

fn root_of(found: &Found) -> Option<&PartitionFound> {
    match found.labelled(ROOT).as_slice() {
        [one] => Some(one),
        _ => found
            .partitions
            .iter()
            .find(|partition| partition.label == ROOT),
    }
}

/// Reads `KEY=VALUE` lines with the shell's quotes.
fn parse(text: &str) -> OsFound {
    let value = |key: &str| {
        text.lines()
            .filter_map(|line| line.trim().split_once('='))
            .filter(|(found, _)| *found == key)
            .map(|(_, value)| unquoted(value))
            .next_back()
            .filter(|value| !value.is_empty())
    };
    OsFound {
        id: value("ID"),
        name: value("PRETTY_NAME").or_else(|| value("NAME")),
        version: value("OSTREE_VERSION").or_else(|| value("VERSION_ID")),
    }
}

fn unquoted(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let mut out = String::new();
    let mut chars = inner.unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_out_of_their_quotes_and_the_last_one_counts() {
        let os = parse(
            "NAME=\"Some OS\"\nID=some\n# x\nVERSION_ID='40'\nPRETTY_NAME=\"A \\\"B\\\" C\"\nID=other\n",
        );
        assert_eq!(
            os,
            OsFound {
                id: Some("other".into()),
                name: Some("A \"B\" C".into()),
                version: Some("40".into()),
            }
        );
        let none = OsFound {
            id: None,
            name: None,
            version: None,
        };
        assert_eq!(parse("ID=\nnothing\n=x\n"), none);
    }
}
