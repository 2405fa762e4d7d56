//! What an initramfs has: the paths in it, and whether it is a system that a live module can be
//! added to.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::ops::ControlFlow;

use embed::contract::initrd as names;
use embed::initrd::{InitrdError, Limits, walk};

/// Where distributions put the same thing.
const NEEDS: [(&str, &[&str]); 4] = [
    (
        "systemd",
        &["usr/lib/systemd/systemd", "lib/systemd/systemd"],
    ),
    ("a shell", &["usr/bin/sh", "bin/sh"]),
    (
        "modprobe",
        &[
            "usr/sbin/modprobe",
            "sbin/modprobe",
            "usr/bin/modprobe",
            "bin/modprobe",
        ],
    ),
    (
        "Ignition",
        &["usr/bin/ignition", "bin/ignition", "usr/libexec/ignition"],
    ),
];
/// What NetworkManager reads the network's kernel arguments with.
const NETWORK: [&str; 3] = [
    "usr/libexec/nm-initrd-generator",
    "usr/lib/NetworkManager/nm-initrd-generator",
    "usr/lib/nm-initrd-generator",
];
/// Longest list of modules that are part of the kernel, bytes.
const MAX_BUILTIN: u64 = 1 << 20;

/// The paths of an initramfs.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    paths: BTreeSet<String>,
    /// Text of `modules.builtin`.
    pub(super) builtin: String,
}

impl Survey {
    /// Goes through an initramfs.
    pub fn of(initramfs: impl BufRead) -> Result<Self, InitrdError> {
        let mut found = Self::default();
        walk(initramfs, Limits::IMAGE, |entry, data| {
            let path = entry.name.trim_start_matches(['.', '/']).to_owned();
            if path.ends_with("/modules.builtin") && entry.size <= MAX_BUILTIN {
                let mut bytes = Vec::new();
                data.read_to_end(&mut bytes).map_err(InitrdError::Io)?;
                found.builtin = String::from_utf8_lossy(&bytes).into_owned();
            }
            found.paths.insert(path);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Whether the live program is in it.
    pub fn is_live(&self) -> bool {
        self.has(names::LIVE_PROGRAM)
    }

    /// Whether it can bring up a network that kernel arguments or keyfiles describe.
    pub fn has_network(&self) -> bool {
        NETWORK.iter().any(|path| self.has(path))
    }

    /// Whether it can make a deployment of an OSTree system the root.
    pub fn makes_deployments(&self) -> bool {
        self.has(names::OSTREE_PREPARE_ROOT)
    }

    /// What a live module needs of an initramfs and is not in this one.
    pub fn lacks(&self) -> Vec<&'static str> {
        let lacking = NEEDS
            .iter()
            .filter(|(_, places)| !places.iter().any(|path| self.has(path)));
        lacking.map(|(what, _)| *what).collect()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }
}
