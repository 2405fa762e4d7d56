//! Choosing the target by what it is instead of by a name that may change (`--dest-match`): rules
//! that all must hold, for exactly one disk.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use glob::{MatchOptions, Pattern};
use indicatif::BinaryBytes;
use serde::Deserialize;

use super::inventory::DiskInfo;

/// Names of people's disks differ in case and nothing else only by mistake.
const LOOSE: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// One rule, `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DiskRule {
    text: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Model(Pattern),
    Serial(Pattern),
    Wwn(Pattern),
    Transport(Pattern),
    /// Device node or one of udev's links, whole or by its last part.
    Path(Pattern),
    /// Inclusive bounds, bytes.
    Size(u64, u64),
    SectorSize(u64),
    Rotational(bool),
    Removable(bool),
}

/// Why a rule could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskRuleError {
    /// No `=`.
    #[error("a rule is written KEY=VALUE, for example `size=>=100GiB`")]
    Form,
    /// A key that is not known.
    #[error(
        "unknown key `{0}`; there are model, serial, wwn, transport, path, size, sector-size, \
         rotational and removable"
    )]
    Key(String),
    /// Not a glob.
    #[error("`{0}` is not a valid pattern")]
    Pattern(String),
    /// Not a size.
    #[error("`{0}` is no size; write `>=100GiB`, `<2TB`, `100GB..2TB` or `512110190592`")]
    Size(String),
    /// Neither yes nor no.
    #[error("`{0}` is neither `yes` nor `no`")]
    YesNo(String),
}

impl TryFrom<String> for DiskRule {
    type Error = DiskRuleError;
    fn try_from(text: String) -> Result<Self, DiskRuleError> {
        text.parse()
    }
}

impl FromStr for DiskRule {
    type Err = DiskRuleError;
    fn from_str(text: &str) -> Result<Self, DiskRuleError> {
        let (key, value) = text.split_once('=').ok_or(DiskRuleError::Form)?;
        let pattern = || {
            // The empty pattern would match what is not there.
            Pattern::new(value)
                .ok()
                .filter(|_| !value.is_empty())
                .ok_or_else(|| DiskRuleError::Pattern(value.to_owned()))
        };
        let test = match key {
            "model" => Test::Model(pattern()?),
            "serial" => Test::Serial(pattern()?),
            "wwn" => Test::Wwn(pattern()?),
            "transport" => Test::Transport(pattern()?),
            "path" => Test::Path(pattern()?),
            "size" => size_range(value)?,
            // `size>=100GiB`, as one is tempted to write.
            "size>" => size_range(&format!(">={value}"))?,
            "size<" => size_range(&format!("<={value}"))?,
            "sector-size" => Test::SectorSize(size(value)?),
            "rotational" => Test::Rotational(yes(value)?),
            "removable" => Test::Removable(yes(value)?),
            _ => return Err(DiskRuleError::Key(key.to_owned())),
        };
        Ok(Self {
            text: text.to_owned(),
            test,
        })
    }
}

impl fmt::Display for DiskRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn yes(value: &str) -> Result<bool, DiskRuleError> {
    match value {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(DiskRuleError::YesNo(value.to_owned())),
    }
}

fn size_range(value: &str) -> Result<Test, DiskRuleError> {
    let wrong = || DiskRuleError::Size(value.to_owned());
    let (least, most) = if let Some(least) = value.strip_prefix(">=") {
        (size(least)?, u64::MAX)
    } else if let Some(most) = value.strip_prefix("<=") {
        (0, size(most)?)
    } else if let Some(below) = value.strip_prefix('>') {
        (size(below)?.checked_add(1).ok_or_else(wrong)?, u64::MAX)
    } else if let Some(above) = value.strip_prefix('<') {
        (0, size(above)?.checked_sub(1).ok_or_else(wrong)?)
    } else if let Some((least, most)) = value.split_once("..") {
        (size(least)?, size(most)?)
    } else {
        (size(value)?, size(value)?)
    };
    if least > most {
        return Err(wrong());
    }
    Ok(Test::Size(least, most))
}

fn size(value: &str) -> Result<u64, DiskRuleError> {
    crate::size::parse(value).ok_or_else(|| DiskRuleError::Size(value.to_owned()))
}

impl DiskRule {
    fn holds(&self, disk: &DiskInfo) -> bool {
        let like = |pattern: &Pattern, text: Option<&str>| {
            text.is_some_and(|text| pattern.matches_with(text, LOOSE))
        };
        match &self.test {
            Test::Model(pattern) => like(pattern, disk.model.as_deref()),
            Test::Serial(pattern) => like(pattern, disk.serial.as_deref()),
            Test::Wwn(pattern) => {
                let made_of = disk.made_of.as_ref();
                let wwid = made_of.and_then(|made_of| made_of.wwid.as_deref());
                like(pattern, disk.wwn.as_deref()) || like(pattern, wwid)
            }
            Test::Transport(pattern) => like(pattern, disk.transport),
            Test::Path(pattern) => disk.links.iter().chain([&disk.path]).any(|path| {
                let name = path.file_name().map(|name| name.to_string_lossy());
                pattern.matches_path(path) || like(pattern, name.as_deref())
            }),
            Test::Size(least, most) => (*least..=*most).contains(&disk.size),
            Test::SectorSize(bytes) => u64::from(disk.sector_size) == *bytes,
            Test::Rotational(wanted) => disk.rotational == *wanted,
            Test::Removable(wanted) => disk.removable == *wanted,
        }
    }
}

/// Why no disk was chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// None is as the rules say.
    #[error("no disk matches {rules}; there {}", are(seen))]
    None {
        /// The rules.
        rules: String,
        /// Every disk of this machine, one line each.
        seen: Vec<String>,
    },
    /// Several are.
    #[error("{} disks match {rules}: {}", found.len(), found.join("; "))]
    Several {
        /// The rules.
        rules: String,
        /// Those disks, one line each.
        found: Vec<String>,
    },
}

fn are(seen: &[String]) -> String {
    match seen {
        [] => "are no disks at all".to_owned(),
        seen => format!("are: {}", seen.join("; ")),
    }
}

/// The one disk of `disks` for which all `rules` hold. Disks in use count as well: the rules must
/// say which is meant, not what happens to be free. Several paths to a disk are one disk, that of
/// their multipath device.
pub fn choose(rules: &[DiskRule], disks: &[DiskInfo]) -> Result<PathBuf, ChooseError> {
    let found: Vec<&DiskInfo> = disks
        .iter()
        .filter(|disk| disk.path_of.is_none())
        .filter(|disk| rules.iter().all(|rule| rule.holds(disk)))
        .collect();
    let text: Vec<String> = rules.iter().map(|rule| format!("`{rule}`")).collect();
    let rules = text.join(" and ");
    match found.as_slice() {
        [disk] => Ok(disk.path.clone()),
        [] => Err(ChooseError::None {
            rules,
            seen: disks.iter().map(DiskInfo::in_one_line).collect(),
        }),
        several => Err(ChooseError::Several {
            rules,
            found: several.iter().map(|disk| disk.in_one_line()).collect(),
        }),
    }
}

impl DiskInfo {
    /// What identifies it, for people.
    pub fn in_one_line(&self) -> String {
        let mut parts = vec![BinaryBytes(self.size).to_string()];
        let named = |name, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
        parts.extend(self.transport.map(str::to_owned));
        parts.extend(self.made_of.as_ref().map(|made_of| match &made_of.name {
            Some(name) => format!("{} {name}", made_of.kind),
            None => made_of.kind.clone(),
        }));
        parts.extend(self.model.clone());
        parts.extend(named("serial", &self.serial));
        parts.extend(named("wwn", &self.wwn));
        format!("{} ({})", self.path.display(), parts.join(", "))
    }
}

#[cfg(test)]
mod tests;
