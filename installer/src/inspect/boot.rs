//! The boot partition: default boot entry, first-boot stamp, and what an install may have put
//! there.

use std::io::BufReader;
use std::ops::ControlFlow;

use embed::contract::{boot as names, karg};
use embed::digest::Sha512Digest;
use embed::initrd::{Limits, relative_path, walk};
use embed::kargs::Kargs;
use serde::Serialize;

use super::ext4::{Ext4ReadError, Files};
use super::partitions::Found;

/// Largest boot entry or stamp that is read, bytes.
const MAX_TEXT: u64 = 64 * 1024;
/// Largest config that is read, bytes.
const MAX_CONFIG: u64 = 64 * 1024 * 1024;
/// Where installers put keyfiles before there was an initramfs to append them to.
const NETWORK_DIR: &str = "/coreos-firstboot-network";
/// How the stamp sets the network arguments of the first boot.
const FIRSTBOOT_ARGS: &str = "set ignition_network_kcmdline=";

/// Whether the system was started yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstBootState {
    /// Never: the stamp is there, and Ignition is still to run.
    Pending,
    /// The stamp is gone.
    Done,
}

/// The default boot entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct EntryFound {
    /// File name.
    pub name: String,
    /// Title for a menu.
    pub title: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Kernel arguments.
    pub kargs: String,
}

impl EntryFound {
    fn parse(name: &str, text: &str) -> Self {
        let values = |key: &str| -> Vec<String> {
            text.lines()
                .filter_map(|line| line.trim().split_once(char::is_whitespace))
                .filter(|(found, _)| *found == key)
                .map(|(_, value)| value.trim().to_owned())
                .collect()
        };
        Self {
            name: name.to_owned(),
            title: values("title").pop(),
            version: values("version").pop(),
            kargs: values("options").join(" "),
        }
    }

    /// The value of the last kernel argument `key=…`.
    pub(super) fn karg(&self, key: &str) -> Option<String> {
        Kargs::parse(&self.kargs).last(key).map(str::to_owned)
    }
}

/// An embedded Ignition config. What it says is not shown: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ConfigFound {
    /// Bytes.
    pub size: u64,
    /// Digest of the bytes, as `ignition identity` prints it.
    pub sha512: Sha512Digest,
}

/// What is on the boot partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct BootFound {
    /// Number of the partition.
    pub partition: u32,
    /// Whether the system was started yet.
    pub first_boot: FirstBootState,
    /// The default boot entry.
    pub entry: Option<EntryFound>,
    /// Ignition platform ID of that entry.
    pub platform: Option<String>,
    /// The embedded Ignition config.
    pub config: Option<ConfigFound>,
    /// Names of the embedded network keyfiles.
    pub network: Vec<String>,
    /// Network arguments of the first boot.
    pub firstboot_args: Option<String>,
}

/// Reads the boot partition; why that does not work goes to `unread`.
pub(super) fn look(found: &Found, unread: &mut Vec<String>) -> Option<BootFound> {
    let partition = match found.labelled(names::LABEL).as_slice() {
        [] => {
            unread.push(format!(
                "there is no file system labelled `{}`",
                names::LABEL
            ));
            return None;
        }
        [one] => *one,
        more => {
            let numbers: Vec<String> = more.iter().map(|p| p.number.to_string()).collect();
            let numbers = numbers.join(", ");
            unread.push(format!(
                "the file systems of partitions {numbers} are all labelled `{}`",
                names::LABEL
            ));
            return None;
        }
    };
    let kind = partition.holds.as_ref().map_or("", |held| held.kind);
    if !kind.starts_with("ext") {
        unread.push(format!(
            "the boot partition is {kind}; only ext4 is read without mounting"
        ));
        return None;
    }
    let window = found.window(partition)?;
    match Files::open(window).and_then(|files| read(&files, partition.number, unread)) {
        Ok(boot) => Some(boot),
        Err(error) => {
            unread.push(format!("the boot partition: {error}"));
            None
        }
    }
}

fn read(
    files: &Files,
    partition: u32,
    unread: &mut Vec<String>,
) -> Result<BootFound, Ext4ReadError> {
    let entries = files.names(&at(names::ENTRIES))?;
    let newest = entries.iter().rfind(|name| name.ends_with(".conf"));
    let text = match newest {
        Some(name) => files.text(&format!("{}/{name}", at(names::ENTRIES)), MAX_TEXT)?,
        None => None,
    };
    let entry = newest
        .zip(text.as_deref())
        .map(|(name, text)| EntryFound::parse(name, text));
    let stamp = files.text(&at(names::FIRSTBOOT), MAX_TEXT)?;
    let config = files
        .read(&at(names::CONFIG), MAX_CONFIG)?
        .map(|bytes| ConfigFound {
            size: bytes.len() as u64,
            sha512: Sha512Digest::of(&bytes),
        });
    let mut network = files.names(NETWORK_DIR)?;
    let initrds = text.iter().flat_map(|text| text.lines());
    let initrds = initrds
        .filter_map(|line| line.trim().strip_prefix("initrd "))
        .flat_map(str::split_whitespace);
    for path in initrds {
        match keyfiles(files, path) {
            Ok(found) => network.extend(found),
            Err(reason) => unread.push(format!("{path} on the boot partition: {reason}")),
        }
    }
    network.sort_unstable();
    network.dedup();
    Ok(BootFound {
        partition,
        first_boot: match stamp {
            Some(_) => FirstBootState::Pending,
            None => FirstBootState::Done,
        },
        platform: entry.as_ref().and_then(|entry| entry.karg(karg::PLATFORM)),
        entry,
        config,
        network,
        firstboot_args: stamp.as_deref().and_then(firstboot_args),
    })
}

fn at(path: &str) -> String {
    format!("/{path}")
}

/// Names of the keyfiles in the initramfs at `path`.
fn keyfiles(files: &Files, path: &str) -> Result<Vec<String>, String> {
    let path = format!("/{}", path.trim_start_matches('/'));
    let Some((file, _)) = files.file(&path).map_err(|e| e.to_string())? else {
        return Err("it is not there".to_owned());
    };
    let mut names = Vec::new();
    let reader = BufReader::with_capacity(256 * 1024, file);
    let walked = walk(reader, Limits::IMAGE, |entry, _| {
        if entry.is_file()
            && let Ok(path) = relative_path(&entry.name)
            && embed::network::is_keyfile(path)
        {
            names.extend(path.rsplit('/').next().map(str::to_owned));
        }
        Ok(ControlFlow::Continue(()))
    });
    match walked {
        Ok(()) => Ok(names),
        Err(error) => Err(match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        }),
    }
}

/// The last setting in the stamp, out of GRUB's quotes.
fn firstboot_args(stamp: &str) -> Option<String> {
    let value = stamp
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(FIRSTBOOT_ARGS))?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let mut args = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => args.extend(chars.next()),
            c => args.push(c),
        }
    }
    Some(args)
}
