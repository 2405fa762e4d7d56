//! RAID arrays: level, devices and spares. Which levels there are is in the table.
//! Devices may be anything that has an absolute path: they need not exist yet.

use super::item::Item;
use super::{Report, codes, paths};
use crate::finding::quote;

/// Levels that lose their data with the first disk, so that a spare is of no use.
const WITHOUT_SPARES: [&str; 4] = ["linear", "raid0", "0", "stripe"];

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    for array in storage.items("raid") {
        let level = array.text("level").unwrap_or_default();
        if level.is_empty() {
            let at = array.at("level");
            report.error(codes::RAID_LEVEL_MISSING, at, "`level` is missing");
        }
        let spares = array.integer("spares").unwrap_or_default();
        if spares != 0 && WITHOUT_SPARES.contains(&level) {
            let message = format!("arrays of level {} have no spares", quote(level));
            report.error(codes::RAID_SPARES, array.at("level"), message);
        }
        let devices = array.object.items("devices");
        if devices.is_empty() {
            let at = array.at("devices");
            report.error(codes::RAID_DEVICES_MISSING, at, "array has no devices");
        }
        for device in devices {
            let path = device.as_text().unwrap_or_default();
            paths::value(path, device.span.into(), "device", report);
        }
    }
}
