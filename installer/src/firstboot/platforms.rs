//! `coreos/platforms.json`: which console arguments and GRUB commands belong to which platform,
//! and the edits that lead from one platform, or from its defaults, to another.

use std::collections::BTreeMap;

use embed::contract::boot;
use embed::kargs::Edit;
use serde::Deserialize;

use super::FirstBootError;
use super::console::Console;
use super::root::BootRoot;

/// One platform's consoles.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Platform {
    grub_commands: Vec<String>,
    kernel_arguments: Vec<String>,
}

/// The image's table; empty when the image has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(BTreeMap<String, Platform>);

/// Edits of boot entry and GRUB configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConsoleSettings {
    pub(super) kargs: Edit,
    pub(super) grub_commands: Vec<String>,
}

impl Table {
    /// Reads the table of the image.
    pub(super) fn read(root: &BootRoot) -> Result<Self, FirstBootError> {
        let Some(text) = root.read_text(boot::PLATFORMS)? else {
            return Ok(Self::default());
        };
        serde_json::from_str(&text)
            .map(Self)
            .map_err(|source| FirstBootError::PlatformTable {
                path: root.show(boot::PLATFORMS),
                source,
            })
    }

    /// From the defaults of platform `old` to those of `new`; `None` when the table knows neither.
    pub(super) fn switch(&self, old: &str, new: &str) -> Option<ConsoleSettings> {
        if !self.0.contains_key(old) && !self.0.contains_key(new) {
            return None;
        }
        let to = self.0.get(new).cloned().unwrap_or_default();
        let kargs = Edit {
            delete: self.kargs_of(old),
            append: to.kernel_arguments,
            ..Edit::default()
        };
        Some(ConsoleSettings {
            kargs,
            grub_commands: to.grub_commands,
        })
    }

    /// From the defaults of platform `old` to `consoles`.
    pub(super) fn explicit(&self, old: &str, consoles: &[Console]) -> ConsoleSettings {
        let mut grub_commands: Vec<String> =
            consoles.iter().filter_map(Console::grub_command).collect();
        let mut terminals: Vec<&str> = consoles.iter().map(Console::grub_terminal).collect();
        terminals.sort_unstable();
        terminals.dedup();
        let terminals = terminals.join(" ");
        grub_commands.push(format!("terminal_input {terminals}"));
        grub_commands.push(format!("terminal_output {terminals}"));
        let append = consoles.iter().map(Console::karg).collect();
        let kargs = Edit {
            delete: self.kargs_of(old),
            append,
            ..Edit::default()
        };
        ConsoleSettings {
            kargs,
            grub_commands,
        }
    }

    fn kargs_of(&self, platform: &str) -> Vec<String> {
        self.0
            .get(platform)
            .map(|p| p.kernel_arguments.clone())
            .unwrap_or_default()
    }
}
