//! Encrypted volumes: name, device, label, key file, and that keys do not exclude each other.
//! Clevis itself is in [`super::clevis`].

use super::item::Item;
use super::{Report, clevis, codes, paths, resource};
use crate::finding::quote;

/// Bytes, without the terminating one.
const LABEL_MAX: usize = 47;

pub(super) fn check(storage: Item<'_>, report: &mut Report<'_>) {
    for volume in storage.items("luks") {
        if let Some(name) = volume.text("name").filter(|name| name.contains('/')) {
            let message = format!("volume name {} has a slash", quote(name));
            report.error(codes::LUKS_NAME_SLASH, volume.at("name"), message);
        }
        paths::required(volume, "device", report);
        if let Some(label) = volume.text("label").filter(|label| label.len() > LABEL_MAX) {
            let (label, bytes) = (quote(label), label.len());
            let message = format!("LUKS label {label} has {bytes} bytes, {LABEL_MAX} are allowed");
            report.error(codes::LUKS_LABEL_LONG, volume.at("label"), message);
        }
        if let Some(key) = volume.child("keyFile") {
            resource::reference(key, report);
        }
        let clevis = volume.child("clevis");
        if let Some(clevis) = clevis {
            clevis::check(clevis, report);
        }
        crypto_express(volume, clevis, report);
    }
}

fn crypto_express(volume: Item<'_>, clevis: Option<Item<'_>>, report: &mut Report<'_>) {
    let enabled = volume.child("cex").filter(|cex| cex.is_true("enabled"));
    let Some(card) = enabled else {
        return;
    };
    if clevis.is_some_and(clevis::is_used) {
        let message = "`cex` cannot be used together with `clevis`";
        report.error(codes::CEX_WITH_CLEVIS, card.span, message);
    }
    let key = volume.child("keyFile");
    if key.is_some_and(|key| key.filled("source").is_some()) {
        let message = "`cex` cannot be used together with `keyFile`";
        report.error(codes::CEX_WITH_KEY_FILE, card.span, message);
    }
}
