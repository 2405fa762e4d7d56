//! How encrypted volumes are unlocked: Tang servers, the TPM, pins of one's own.
//! The configuration of a custom pin is handed on unread.

use serde::de::IgnoredAny;

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::syntax::url::Url;

/// The pins that may be written as a custom one before any could.
const PINS: [&str; 3] = ["tpm2", "tang", "sss"];
/// The first spec that takes any pin.
const ANY_PIN_SINCE: u8 = 6;
/// In this spec alone, a custom pin counts as soon as its object is there.
const BARE_OBJECT: u8 = 2;

/// Whether a pin is given.
pub(super) fn is_used(clevis: Item<'_>) -> bool {
    let custom = clevis.child("custom");
    custom.is_some_and(|custom| custom.filled("pin").is_some()) || has_known_pin(clevis)
}

fn has_known_pin(clevis: Item<'_>) -> bool {
    let threshold = clevis.integer("threshold").unwrap_or_default();
    clevis.is_true("tpm2") || !clevis.object.items("tang").is_empty() || threshold != 0
}

pub(super) fn check(clevis: Item<'_>, report: &mut Report<'_>) {
    for server in clevis.items("tang") {
        check_tang(server, report);
    }
    if let Some(custom) = clevis.child("custom") {
        let is_custom = custom.filled("pin").is_some() || report.minor == BARE_OBJECT;
        if is_custom && has_known_pin(clevis) {
            let message = "`custom` cannot be used with `tang`, `tpm2` or `threshold`";
            report.error(codes::CLEVIS_CUSTOM_WITH_OTHERS, clevis.span, message);
        }
        check_custom(custom, report);
    }
}

fn check_custom(custom: Item<'_>, report: &mut Report<'_>) {
    let (pin, config) = (custom.filled("pin"), custom.filled("config"));
    let needs_network = custom.is_true("needsNetwork") && report.minor != BARE_OBJECT;
    if pin.is_none() && config.is_none() && !needs_network {
        return;
    }
    match pin {
        None => {
            let message = "custom clevis needs a `pin`";
            report.error(codes::CLEVIS_PIN_MISSING, custom.at("pin"), message);
        }
        Some(pin) if report.minor < ANY_PIN_SINCE && !PINS.contains(&pin) => {
            let message = format!("clevis pin {} is not known", quote(pin));
            report.error(codes::CLEVIS_PIN_UNKNOWN, custom.at("pin"), message);
            report.hint("before version 3.6.0, pins are tpm2, tang and sss");
        }
        Some(_) => {}
    }
    if config.is_none() {
        let message = "custom clevis needs a `config`";
        report.error(codes::CLEVIS_CONFIG_MISSING, custom.at("config"), message);
    }
}

fn check_tang(server: Item<'_>, report: &mut Report<'_>) {
    let text = server.text("url").unwrap_or_default();
    let at = server.at("url");
    match Url::parse(text) {
        Err(error) => {
            let message = format!("URL {} is malformed: {error}", quote(text));
            report.error(codes::URL_MALFORMED, at, message);
        }
        Ok(url) if matches!(url.scheme.as_str(), "http" | "https") => {}
        Ok(_) => {
            let message = format!(
                "URL {} of a Tang server is neither http nor https",
                quote(text)
            );
            report.error(codes::TANG_SCHEME, at, message);
        }
    }
    if server.filled("thumbprint").is_none() {
        let at = server.at("thumbprint");
        report.error(
            codes::TANG_THUMBPRINT_MISSING,
            at,
            "`thumbprint` is missing",
        );
    }
    let advertisement = server.filled("advertisement");
    if advertisement.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_err()) {
        let at = server.at("advertisement");
        report.error(codes::TANG_ADVERTISEMENT, at, "advertisement is not JSON");
    }
}
