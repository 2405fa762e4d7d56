//! Warnings: things that are allowed and that the user should know.

use embed::ignition::{Config, IgnitionError};

use crate::ui;

/// Warns when bytes that are embedded as they are do not look like an Ignition config.
pub(super) fn warn_about_config(bytes: &[u8]) {
    match Config::parse(bytes) {
        Ok(config) => warn_if_newer(&config),
        Err(IgnitionError::Butane) => {
            ui::warn("this is a Butane config; older systems only understand Ignition's JSON");
        }
        Err(error) => ui::warn(&format!(
            "not an Ignition config that any 3.x system takes: {error}"
        )),
    }
}

/// Warns when the config's spec is newer than ours; it is handed on unchanged.
pub(super) fn warn_if_newer(config: &Config) {
    if config.is_newer_than_known() {
        let version = config.version();
        ui::warn(&format!(
            "Ignition spec {version} is newer than this program; passed on unchecked"
        ));
    }
}
