//! Which layouts, mirrors and ways to unlock go together in `boot_device`.
//!
//! Rules of Butane's specification beyond those of Ignition; the fields themselves come and go by
//! version in the schema table, so that most rules need not ask for the version.

use crate::finding::{At, Findings, quote};
use crate::tree::node::{Node, Object};

use super::layout::Layout;
use super::{has_cex, method};

/// Reports what is wrong with `boot_device` in the fcos variant `1.{fcos}`.
pub(in crate::butane) fn check(butane: &Object, fcos: u8, findings: &mut Findings) {
    let Some(node) = butane.get("boot_device") else {
        return;
    };
    let Some(device) = node.as_object() else {
        return;
    };
    check_mirror(device, fcos, findings);
    if let Some(layout) = device.get("layout") {
        check_layout(layout, device, fcos, findings);
    }
    if let Some(luks) = device.get("luks") {
        check_luks(luks, device, fcos, findings);
    }
}

fn mirrored(device: &Object) -> &[Node] {
    let mirror = device.object("mirror");
    mirror
        .map(|mirror| mirror.items("devices"))
        .unwrap_or_default()
}

fn check_mirror(device: &Object, fcos: u8, findings: &mut Findings) {
    let (Some(mirror), disks) = (device.get("mirror"), mirrored(device)) else {
        return;
    };
    if !disks.is_empty() && device.get("layout").is_none() {
        let message = "a mirror without `boot_device.layout` is made for x86_64";
        if fcos >= 7 {
            let message = "`boot_device.layout` is required with a mirror";
            findings.error("mirror-without-layout", mirror.span, message);
        } else {
            findings.warning("mirror-without-layout", mirror.span, message);
        }
        findings.hint("add `layout: x86_64`, or the layout of the machine's architecture");
    }
    if disks.len() == 1 {
        let devices = mirror.as_object().and_then(|mirror| mirror.get("devices"));
        let at = devices.map_or(mirror.span, |devices| devices.span);
        let message = "a mirror needs two disks or more";
        findings.error("mirror-too-small", at, message);
    }
}

fn check_layout(layout: &Node, device: &Object, fcos: u8, findings: &mut Findings) {
    let name = layout.as_text().unwrap_or_default();
    let Some(known) = Layout::find(name, fcos) else {
        let message = format!("layout {} is unknown", quote(name));
        findings.error("layout-unknown", layout.span, message);
        findings.hint(format!("use one of {}", Layout::names(fcos)));
        return;
    };
    if let Some((disks, _)) = known.disk() {
        let given = device.object("luks").and_then(|luks| luks.text("device"));
        match given.filter(|given| !given.is_empty()) {
            None => {
                let message = format!("layout `{name}` needs `boot_device.luks.device`");
                findings.error("luks-device-missing", layout.span, message);
            }
            Some(given) if !is_disk(given, disks) => {
                let message = format!(
                    "layout `{name}` needs a whole disk `{disks}a` to `{disks}z`, not {}",
                    quote(given)
                );
                findings.error("luks-device-unfit", layout.span, message);
            }
            Some(_) => {}
        }
    }
    if known.is_s390x() && !mirrored(device).is_empty() {
        let message = format!("layout `{name}` cannot be mirrored");
        findings.error("mirror-unsupported", layout.span, message);
    }
}

/// Whether `given` is the prefix with one small letter after it.
fn is_disk(given: &str, prefix: &str) -> bool {
    given
        .strip_suffix(|letter: char| letter.is_ascii_lowercase())
        .is_some_and(|rest| rest.ends_with(prefix))
}

fn check_luks(node: &Node, device: &Object, fcos: u8, findings: &mut Findings) {
    let Some(luks) = node.as_object() else {
        return;
    };
    if has_cex(luks) {
        let message = "CEX is for layouts of s390x only";
        match device.get("layout") {
            None => {
                let cex = luks.get("cex").unwrap_or(node);
                findings.error("cex-without-s390x", cex.span, message);
            }
            Some(layout) if !layout.as_text().is_some_and(|l| l.starts_with("s390x")) => {
                findings.error("cex-without-s390x", layout.span, message);
            }
            Some(_) => {}
        }
        if luks.is_true("tpm2") || !luks.items("tang").is_empty() {
            let message = "CEX and Clevis (`tang`, `tpm2`) exclude each other";
            findings.error("cex-with-clevis", node.span, message);
        }
    }
    let named = luks.text("device").is_some_and(|device| !device.is_empty());
    if fcos >= 7 && named && !method(luks) {
        let message = "`boot_device.luks.device` is given, but no way to unlock it";
        findings.error("luks-method-missing", At::from(node.span), message);
        findings.hint("add `tang`, `tpm2` or `cex`");
    }
}
