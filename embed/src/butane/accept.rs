//! Which variant and version a Butane config is of, and whether that is one we translate.
//!
//! Both must be spelled exactly as published; what else is in the config is not looked at.

use crate::finding::{At, Findings, quote};
use crate::schema::{TARGETS, Target, Variant};
use crate::tree::Span;
use crate::tree::raw::{RawNode, RawValue, Scalar};

const VARIANTS: [Variant; 5] = [
    Variant::Fcos,
    Variant::Flatcar,
    Variant::Openshift,
    Variant::R4e,
    Variant::Fiot,
];

/// The target of a config that was read; none if it is refused, and then `findings` says why.
pub(super) fn accept(
    raw: &RawNode,
    experimental: bool,
    findings: &mut Findings,
) -> Option<&'static Target> {
    if matches!(raw.value, RawValue::Scalar(Scalar::Null)) {
        findings.error("empty", raw.span, "config is empty");
        return None;
    }
    let (variant_span, variant) = text(raw, "variant", findings)?;
    if variant == "rhcos" {
        let message = "variant `rhcos` was given up; its configs are `openshift` configs now";
        findings.error("variant-rhcos", variant_span, message);
        findings.hint("write `variant: openshift` and the version of the cluster, as `4.20.0`");
        return None;
    }
    if !VARIANTS.iter().any(|known| known.name() == variant) {
        let message = format!("there is no variant {}", quote(variant));
        findings.error("variant-unknown", variant_span, message);
        let names = VARIANTS.map(|known| format!("`{}`", known.name()));
        findings.hint(format!("known are {}", names.join(", ")));
        return None;
    }
    let (version_span, version) = text(raw, "version", findings)?;
    let Some(target) = Target::find(variant, version) else {
        let message = format!(
            "there is no version {} of variant `{variant}`",
            quote(version)
        );
        findings.error("version-unknown", version_span, message);
        findings.hint(near(variant, version));
        return None;
    };
    if target.is_experimental() && !experimental {
        let message = format!("version `{version}` is experimental and may change any day");
        findings.error("version-experimental", version_span, message);
        findings.hint("allow it with `--experimental`");
        return None;
    }
    Some(target)
}

fn text<'a>(
    raw: &'a RawNode,
    name: &'static str,
    findings: &mut Findings,
) -> Option<(Span, &'a str)> {
    let RawValue::Map(entries) = &raw.value else {
        findings.error("wrong-type", raw.span, "a config is a map of fields");
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == name);
    match entry.map(|entry| (&entry.value.value, entry.value.span)) {
        Some((RawValue::Scalar(Scalar::Text(text) | Scalar::Plain(text)), span)) => {
            Some((span, text.as_str()))
        }
        None | Some((RawValue::Scalar(Scalar::Null), _)) => {
            let (code, message) = match name {
                "variant" => ("variant-missing", "config does not say its `variant`"),
                _ => ("version-missing", "config does not say its `version`"),
            };
            findings.error(code, At::absent(raw.span, name), message);
            findings.hint("a config begins with lines as `variant: fcos` and `version: 1.5.0`");
            None
        }
        Some((_, span)) => {
            findings.error("wrong-type", span, format!("`{name}` must be a string"));
            None
        }
    }
}

/// What was probably meant: the version in full, or the stable ones.
fn near(variant: &str, version: &str) -> String {
    let of_variant = || {
        let targets = TARGETS.iter();
        targets.filter(|target| target.variant.name() == variant)
    };
    let full = format!("{version}.0");
    if of_variant().any(|target| target.version == full) {
        return format!("versions have three parts: `{full}`");
    }
    let stable: Vec<_> = of_variant()
        .filter(|target| !target.is_experimental())
        .map(|target| format!("`{}`", target.version))
        .collect();
    format!("known are {}", stable.join(", "))
}
