//! What the openshift variant refuses in the generated config, since the operator of the cluster
//! would not apply it, or would stop at it.
//!
//! Fields that are refused as such are a table; rules about values are functions below it.
//! Findings lead back to the sugar that the value was generated from, by its span.

use super::release;
use crate::butane::{Context, filters};
use crate::finding::{Findings, quote};
use crate::tree::node::{Node, Object};

/// A field that OpenShift versions `4.N` from `since` up to and without `until` refuse.
struct Refused {
    path: &'static [&'static str],
    since: u32,
    until: u32,
    /// What can be done instead.
    hint: Option<&'static str>,
}

const ALWAYS: u32 = u32::MAX;

const fn refused(path: &'static [&'static str]) -> Refused {
    Refused {
        path,
        since: 0,
        until: ALWAYS,
        hint: None,
    }
}

const REFUSED: &[Refused] = &[
    Refused {
        since: 14,
        hint: Some("use `openshift.kernel_arguments`"),
        ..refused(&["kernelArguments"])
    },
    refused(&["passwd", "groups"]),
    refused(&["passwd", "users", "gecos"]),
    refused(&["passwd", "users", "groups"]),
    refused(&["passwd", "users", "homeDir"]),
    refused(&["passwd", "users", "noCreateHome"]),
    refused(&["passwd", "users", "noLogInit"]),
    refused(&["passwd", "users", "noUserGroup"]),
    Refused {
        until: 13,
        ..refused(&["passwd", "users", "passwordHash"])
    },
    refused(&["passwd", "users", "primaryGroup"]),
    refused(&["passwd", "users", "shell"]),
    refused(&["passwd", "users", "shouldExist"]),
    refused(&["passwd", "users", "system"]),
    refused(&["passwd", "users", "uid"]),
    refused(&["storage", "directories"]),
    refused(&["storage", "files", "append"]),
    Refused {
        until: 10,
        ..refused(&["storage", "files", "contents", "compression"])
    },
    refused(&["storage", "files", "contents", "httpHeaders"]),
    Refused {
        hint: Some("trees with symbolic links cannot be used either"),
        ..refused(&["storage", "links"])
    },
];

/// Reports everything in `config` that the target refuses.
pub(in crate::butane) fn check(root: &Node, context: &mut Context<'_>) {
    let release = release(context.target);
    for row in REFUSED {
        if (row.since..row.until).contains(&release) {
            filters::refuse(root, row.path, row.hint, context);
        }
    }
    let Some(config) = root.as_object() else {
        return;
    };
    if let Some(storage) = config.object("storage") {
        check_storage(storage, release, &mut context.findings);
    }
    let users = config.object("passwd").map(|passwd| passwd.items("users"));
    for user in users.unwrap_or_default() {
        let name = user.as_object().and_then(|user| user.get("name"));
        let text = name.and_then(Node::as_text).unwrap_or_default();
        if text != "core" {
            let at = name.map_or(user.span, |name| name.span);
            let message = format!(
                "user {} cannot be used in openshift: only `core` can",
                quote(text)
            );
            context.findings.error("user-unsupported", at, message);
        }
    }
}

fn check_storage(storage: &Object, release: u32, findings: &mut Findings) {
    let filesystems = storage.items("filesystems").iter();
    for filesystem in filesystems.filter_map(Node::as_object) {
        let Some(format) = filesystem.get("format") else {
            continue;
        };
        match format.as_text() {
            Some(name) if name == "btrfs" || (name == "none" && release >= 14) => {
                let message = format!("format `{name}` cannot be used in openshift");
                findings.error("format-unsupported", format.span, message);
            }
            _ => {}
        }
    }
    for file in storage.items("files").iter().filter_map(Node::as_object) {
        let contents = file.object("contents");
        if let Some(source) = contents.and_then(|contents| contents.get("source")) {
            let url = source.as_text().unwrap_or_default();
            let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
            if !scheme.eq_ignore_ascii_case("data") {
                let message = "files cannot be fetched in openshift: only `data` URLs can be used";
                findings.error("source-unsupported", source.span, message);
                findings.hint("use `inline` or `local`");
            }
        }
        if let Some(mode) = file.get("mode") {
            let number = mode.as_integer().unwrap_or_default();
            if release >= 10 && number & !0o777 != 0 {
                let message = "setuid, setgid and sticky bits cannot be used in openshift";
                findings.error("mode-special-unsupported", mode.span, message);
            }
        }
    }
}
