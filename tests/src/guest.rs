//! What guests say about themselves on the serial line, read into values.

use anyhow::{Context, Result};
use embed::report::Identity;
use serde::Deserialize;

/// Begins the line that a first boot prints when it is done.
pub const PROVISIONED: &str = "coreos-metal: provisioned ";
/// Begins the line that the demo's own unit prints on every boot.
pub const DEMO: &str = "demo-machine: ";
/// The unattended install is done.
pub const INSTALL_DONE: &str = "coreos-metal: install: done";
/// The unattended install failed.
pub const INSTALL_FAILED: &str = "coreos-metal: install failed";

/// What the demo's unit found on the machine; see `examples/demo`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DemoMachine {
    /// How many boots this disk has had.
    pub boot: u32,
    /// Whether `ignition.firstboot` is on the kernel command line.
    pub firstboot: bool,
    /// Lines that Ignition wrote to the journal of this boot.
    pub ignition_lines: u32,
    /// Passwd entry of the config's user.
    pub user: String,
    /// Comments of the user's authorised ssh keys.
    pub ssh_keys: String,
    /// Mode, owner and content of the config's file.
    pub file: String,
    /// Whether the config's unit is enabled.
    pub unit: String,
}

/// Reads the JSON that follows `prefix` on `line`.
pub fn read<T: serde::de::DeserializeOwned>(line: &str, prefix: &str) -> Result<T> {
    let json = line
        .split_once(prefix)
        .map(|(_, json)| json)
        .context("a line without its prefix")?;
    serde_json::from_str(json.trim())
        .with_context(|| format!("parsing the guest's line `{}`", line.trim()))
}

/// Reads a [`PROVISIONED`] line.
pub fn identity(line: &str) -> Result<Identity> {
    read(line, PROVISIONED)
}
