//! The openshift variant: a config that is wrapped in a MachineConfig of the OpenShift API.
//!
//! What the cluster's operator would refuse is refused here (see [`filters`]); what the wrapper
//! itself must have is checked here. Source: Butane's specifications openshift 4.8 and later.

mod filters;
mod yaml;

use std::collections::BTreeMap;

use super::grub::USER_CFG;
use crate::finding::{At, Findings, quote};
use crate::schema::Target;
use crate::tree::Span;
use crate::tree::node::{Node, Object};

pub(super) use filters::check as check_config;

const ROLE: &str = "machineconfiguration.openshift.io/role";
/// What tells the initramfs to unlock a volume whose key is in a CEX card.
const CEX_ARGUMENT: &str = "rd.luks.key=/etc/luks/cex.key";

/// What a MachineConfig has beside the Ignition config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineConfig {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.kernelArguments`.
    pub kernel_arguments: Vec<String>,
    /// `spec.extensions`.
    pub extensions: Vec<String>,
    /// `spec.fips`.
    pub fips: Option<bool>,
    /// `spec.kernelType`.
    pub kernel_type: Option<String>,
}

/// The `N` of an OpenShift version `4.N.0`.
fn release(target: &Target) -> u32 {
    let second = target.version.split('.').nth(1);
    second
        .and_then(|second| second.parse().ok())
        .unwrap_or_default()
}

/// Whether the operator takes what the `grub` sugar is made of.
pub(super) fn has_grub(target: &Target) -> bool {
    release(target) >= 23
}

/// Reports what is wrong with the sections that only this variant has, and with their neighbours.
pub(super) fn check_source(root: &Node, target: &Target, findings: &mut Findings) {
    let Some(butane) = root.as_object() else {
        return;
    };
    check_metadata(root.span, butane, findings);
    let openshift = butane.object("openshift");
    if let Some(kind) = openshift.and_then(|openshift| openshift.get("kernel_type")) {
        let text = kind.as_text().unwrap_or_default();
        if !["", "default", "realtime"].contains(&text) {
            let message = format!("kernel type {} is unknown", quote(text));
            findings.error("kernel-type-unknown", kind.span, message);
            findings.hint("use `default` or `realtime`");
        }
    }
    if release(target) >= 19 {
        check_cex(root.span, butane, findings);
    }
    if !has_grub(target) {
        let grub = butane.get("grub");
        let is_set = |grub: &&Node| grub.as_object().is_some_and(|grub| !grub.is_empty());
        if let Some(grub) = grub.filter(is_set) {
            let message = format!("`grub` cannot be used in openshift {}", target.version);
            findings.error("field-unsupported", grub.span, message);
        }
    }
}

fn check_metadata(root: Span, butane: &Object, findings: &mut Findings) {
    let node = butane.get("metadata");
    let metadata = node.and_then(Node::as_object);
    let place = |field: &'static str| match (node, metadata.and_then(|m| m.get(field))) {
        (_, Some(value)) => At::from(value.span),
        (Some(node), None) => At::absent(node.span, field),
        (None, None) => At::absent(root, "metadata"),
    };
    let name = metadata.and_then(|metadata| metadata.text("name"));
    if name.unwrap_or_default().is_empty() {
        let message = "`metadata.name` is required";
        findings.error("metadata-name-missing", place("name"), message);
    }
    let labels = metadata.map(labels_of).unwrap_or_default();
    if labels.get(ROLE).is_none_or(String::is_empty) {
        let message = format!("label `{ROLE}` is required");
        findings.error("metadata-role-missing", place("labels"), message);
        findings.hint(format!("add `{ROLE}: worker` to `metadata.labels`"));
    }
}

fn check_cex(root: Span, butane: &Object, findings: &mut Findings) {
    let enabled = |holder: &Object| {
        let cex = holder.object("cex");
        cex.is_some_and(|cex| cex.is_true("enabled"))
    };
    let boot = butane.object("boot_device").and_then(|b| b.object("luks"));
    let volumes = butane
        .object("storage")
        .map(|storage| storage.items("luks"))
        .unwrap_or_default();
    let mut volumes = volumes.iter().filter_map(Node::as_object);
    let root_volume = |luks: &Object| luks.text("name") == Some("root") && enabled(luks);
    if !boot.is_some_and(enabled) && !volumes.any(root_volume) {
        return;
    }
    let node = butane.get("openshift");
    let openshift = node.and_then(Node::as_object);
    let arguments = openshift.and_then(|openshift| openshift.get("kernel_arguments"));
    let given = arguments.map(Node::items).unwrap_or_default();
    if given
        .iter()
        .any(|argument| argument.as_text() == Some(CEX_ARGUMENT))
    {
        return;
    }
    let at = match (node, arguments) {
        (_, Some(arguments)) => At::from(arguments.span),
        (Some(node), None) => At::absent(node.span, "kernel_arguments"),
        (None, None) => At::absent(root, "openshift"),
    };
    let message =
        format!("kernel argument `{CEX_ARGUMENT}` is required for CEX on the boot device");
    findings.error("cex-kernel-argument-missing", at, message);
    findings.hint(format!(
        "add `{CEX_ARGUMENT}` to `openshift.kernel_arguments`"
    ));
}

/// Changes in the generated config that this variant makes.
pub(super) fn adapt(config: &mut Node, butane: &Object, target: &Target) {
    let Some(config) = config.as_object_mut() else {
        return;
    };
    let Some(storage) = config.get_mut("storage").and_then(Node::as_object_mut) else {
        return;
    };
    if has_grub(target) {
        write_grub_whole(storage);
    }
    let fips = butane.object("openshift").and_then(|o| o.get("fips"));
    if let Some(fips) = fips.filter(|fips| fips.as_bool() == Some(true) && release(target) < 20) {
        set_fips_cipher(storage, fips.span);
    }
}

/// The operator cannot append to files: what `grub` would append becomes the whole file.
fn write_grub_whole(storage: &mut Object) {
    let Some(files) = storage.get("files") else {
        return;
    };
    let span = files.span;
    let files = storage.items_mut("files", span).iter_mut();
    let mut files = files.filter_map(Node::as_object_mut);
    let Some(file) = files.find(|file| file.text("path") == Some(USER_CFG)) else {
        return;
    };
    if let [only] = file.items("append") {
        let contents = only.clone();
        file.take("append");
        file.set("contents", contents);
    }
}

/// FIPS 140-2 was read as forbidding the default cipher mode, until OpenShift 4.20.
fn set_fips_cipher(storage: &mut Object, span: Span) {
    let Some(at) = storage.get("luks").map(|luks| luks.span) else {
        return;
    };
    let volumes = storage.items_mut("luks", at).iter_mut();
    for volume in volumes.filter_map(Node::as_object_mut) {
        let chosen = volume.items("options").iter().filter_map(Node::as_text);
        let mut chosen = chosen.filter(|option| {
            *option == "--cipher" || *option == "-c" || option.starts_with("--cipher=")
        });
        if chosen.next().is_none() {
            let cipher = ["--cipher", "aes-cbc-essiv:sha256"];
            let options = volume.items_mut("options", span);
            options.extend(cipher.map(|option| Node::text(span, option)));
        }
    }
}

/// Warns of everything that a plain Ignition config has no place for.
pub(super) fn check_raw(butane: &Object, findings: &mut Findings) {
    let Some(openshift) = butane.object("openshift") else {
        return;
    };
    for (name, member) in openshift.members() {
        let message = format!("`openshift.{name}` is left out of a plain Ignition config");
        findings.warning("field-dropped", member.node.span, message);
    }
}

fn labels_of(metadata: &Object) -> BTreeMap<String, String> {
    let labels = metadata.get("labels").and_then(Node::as_labels);
    let labels = labels.into_iter().flatten();
    labels
        .map(|(key, value)| (key.clone(), value.as_text().unwrap_or_default().to_owned()))
        .collect()
}

impl MachineConfig {
    pub(super) fn of(butane: &Object) -> Self {
        let metadata = butane.object("metadata");
        let openshift = butane.object("openshift");
        let strings = |name| {
            let items = openshift.map(|openshift| openshift.items(name));
            let texts = items.unwrap_or_default().iter().filter_map(Node::as_text);
            texts.map(str::to_owned).collect()
        };
        let name = metadata.and_then(|metadata| metadata.text("name"));
        let kernel_type = openshift.and_then(|openshift| openshift.text("kernel_type"));
        Self {
            name: name.unwrap_or_default().to_owned(),
            labels: metadata.map(labels_of).unwrap_or_default(),
            kernel_arguments: strings("kernel_arguments"),
            extensions: strings("extensions"),
            fips: openshift
                .and_then(|openshift| openshift.get("fips"))
                .and_then(Node::as_bool),
            kernel_type: kernel_type.map(str::to_owned),
        }
    }

    /// The MachineConfig around `config` as YAML, keys sorted, ending in one newline.
    pub fn to_yaml(&self, config: &Node) -> String {
        yaml::write(self, config)
    }
}

#[cfg(test)]
mod tests;
