//! The default boot entry of an image (Boot Loader Specification, type 1) and edits of its
//! `options` line. Every other byte of the entry stays as it is.

use embed::contract::{boot, karg};
use embed::kargs::{Edit, Kargs};

use super::FirstBootError;
use super::root::BootRoot;

/// A boot entry: where it is and its text.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    rel: String,
    shown: std::path::PathBuf,
    text: String,
}

impl Entry {
    /// The lexically last entry, which is the one that a fresh image boots.
    pub(super) fn default_of(root: &BootRoot) -> Result<Self, FirstBootError> {
        let names = root.names(boot::ENTRIES)?;
        let name = names
            .iter()
            .rfind(|name| name.ends_with(".conf"))
            .ok_or_else(|| FirstBootError::NoEntry {
                path: root.show(boot::ENTRIES),
            })?;
        let rel = format!("{}/{name}", boot::ENTRIES);
        let text = root.require_text(&rel)?;
        Ok(Self {
            shown: root.show(&rel),
            rel,
            text,
        })
    }

    /// The entry with its kernel arguments edited.
    pub(super) fn edit(self, edit: &Edit) -> Result<Self, FirstBootError> {
        let kargs = edit
            .apply(&self.kargs()?)
            .map_err(|source| FirstBootError::Kargs {
                path: self.shown.clone(),
                source,
            })?;
        Ok(self.with_kargs(&kargs))
    }

    /// The entry with `ignition.platform.id` changed from `old` to `new`.
    pub(super) fn set_platform(self, old: &str, new: &str) -> Result<Self, FirstBootError> {
        let want = format!("{}={old}", karg::PLATFORM);
        let kargs = self.kargs()?;
        if !kargs.contains(&want) {
            return Err(FirstBootError::Platform {
                path: self.shown,
                want,
            });
        }
        let set = format!("{}={new}", karg::PLATFORM);
        let kargs: Kargs = kargs
            .iter()
            .map(|w| if w == want { set.as_str() } else { w })
            .collect();
        Ok(self.with_kargs(&kargs))
    }

    /// Path of the initramfs as the entry names it: from the root of the boot partition.
    pub(super) fn initrd(&self) -> Result<&str, FirstBootError> {
        let mut lines = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("initrd "));
        let found = self
            .text
            .lines()
            .filter(|line| line.starts_with("initrd "))
            .count();
        match (lines.next(), found) {
            (Some(path), 1) => Ok(path.trim()),
            _ => Err(FirstBootError::InitrdLine {
                path: self.shown.clone(),
                found,
            }),
        }
    }

    /// Writes the entry back.
    pub(super) fn store(&self, root: &BootRoot) -> Result<(), FirstBootError> {
        root.replace(&self.rel, self.text.as_bytes())
    }

    fn kargs(&self) -> Result<Kargs, FirstBootError> {
        let mut lines = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("options "));
        match (lines.next(), lines.count()) {
            (Some(options), 0) => Ok(Kargs::parse(options)),
            (None, _) => Err(FirstBootError::OptionsLine {
                path: self.shown.clone(),
                found: 0,
            }),
            (Some(_), more) => Err(FirstBootError::OptionsLine {
                path: self.shown.clone(),
                found: more + 1,
            }),
        }
    }

    fn with_kargs(mut self, kargs: &Kargs) -> Self {
        let line = |line: &str| match line.strip_prefix("options ") {
            Some(old) if old.ends_with('\n') => format!("options {kargs}\n"),
            Some(_) => format!("options {kargs}"),
            None => line.to_owned(),
        };
        self.text = self.text.split_inclusive('\n').map(line).collect();
        self
    }
}
