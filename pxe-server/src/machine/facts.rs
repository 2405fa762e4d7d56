//! What a machine is known by beside its address: what it told in DHCP, through its relay, and
//! what iPXE told in its query. Everything here was said by somebody on the network, and is kept
//! short and printable; it chooses a group, it proves nothing.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use embed::hardware::{self, Hardware, Text};
use serde::{Deserialize, Serialize};

use crate::boot::{Arch, Firmware};
use crate::mac::MacAddr;

/// Longest text that is kept of one fact, bytes.
const MAX_TEXT: usize = 128;
/// Most free labels of a machine.
const MAX_LABELS: usize = 32;
/// Words that are no free labels: they have fields of their own, or say how a request is meant.
const RESERVED: [&str; 5] = ["mac", "subnet", "platform", "ticket", "not"];

/// Labels that the machine's firmware gives, whoever tells them.
const OF_SYSTEM: [&str; 2] = ["manufacturer", "product"];

fn is_of_system(label: &str) -> bool {
    OF_SYSTEM.contains(&label)
}

/// Why something said about a machine is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactError {
    /// No name of a fact or label.
    #[error("`{0}` cannot be the name of a label: lower-case letters, digits, `.`, `_` and `-`")]
    Name(String),
    /// A value that this fact cannot have.
    #[error("`{value}` cannot be the {name} of a machine")]
    Value {
        /// The fact.
        name: String,
        /// What was said.
        value: String,
    },
    /// More labels than are kept.
    #[error("more than {MAX_LABELS} labels")]
    TooMany,
}

/// Facts about one machine; what was never said is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// SMBIOS UUID in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Asset tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Host name in lower case, from DHCP option 12 or as iPXE got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Firmware family, from DHCP.
    #[serde(default, rename = "arch", skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Processor architecture.
    #[serde(default, rename = "cpu", skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// An address in the machine's subnet: its relay's, ours on its link, or its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    /// The port that the relay heard it on (RFC 3046 sub-option 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_id: Option<String>,
    /// Everything else that its script's query said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Facts {
    /// Takes note of `name=value` as a query or a command line says it. An empty value says
    /// nothing.
    pub fn say(&mut self, name: &str, value: &str) -> Result<(), FactError> {
        let Some(text) = printable(value) else {
            return Ok(());
        };
        let wrong = || FactError::Value {
            name: name.to_owned(),
            value: text.clone(),
        };
        match name {
            "uuid" => self.uuid = known_uuid(&text),
            "serial" => self.serial = Some(text),
            "asset" => self.asset = Some(text),
            "hostname" => self.hostname = Some(host_name(&text).ok_or_else(wrong)?),
            "arch" => self.arch = Some(Arch::from_name(&text).ok_or_else(wrong)?),
            "address" => self.address = Some(text.parse().map_err(|_| wrong())?),
            "circuit-id" => self.circuit_id = Some(text),
            _ => self.label(name, text)?,
        }
        Ok(())
    }

    /// What a query says about its machine, beside its address. Of equal names the first counts;
    /// what cannot be is left out.
    pub fn of_query<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut facts = Self::default();
        let mut seen = HashSet::new();
        for (name, value) in said {
            if ["mac", "platform"].contains(&name) || !seen.insert(name) {
                continue;
            }
            if let Err(error) = facts.say(name, value) {
                tracing::debug!(%error, "left out of a query");
            }
        }
        facts
    }

    fn label(&mut self, name: &str, text: String) -> Result<(), FactError> {
        if RESERVED.contains(&name) || !is_label(name) {
            return Err(FactError::Name(name.chars().take(40).collect()));
        }
        if self.labels.len() >= MAX_LABELS && !self.labels.contains_key(name) {
            return Err(FactError::TooMany);
        }
        self.labels.insert(name.to_owned(), text);
        Ok(())
    }

    /// Puts what is newer over what was known. Labels come all together or not at all; those of the
    /// system itself stay.
    pub fn update(&mut self, newer: &Self) {
        fn take<T: Clone>(known: &mut Option<T>, newer: &Option<T>) {
            if newer.is_some() {
                known.clone_from(newer);
            }
        }
        take(&mut self.uuid, &newer.uuid);
        take(&mut self.serial, &newer.serial);
        take(&mut self.asset, &newer.asset);
        take(&mut self.hostname, &newer.hostname);
        take(&mut self.firmware, &newer.firmware);
        take(&mut self.arch, &newer.arch);
        take(&mut self.address, &newer.address);
        take(&mut self.circuit_id, &newer.circuit_id);
        if !newer.labels.is_empty() {
            let old = std::mem::replace(&mut self.labels, newer.labels.clone());
            let of_system = old.into_iter().filter(|(name, _)| is_of_system(name));
            for (name, value) in of_system {
                self.labels.entry(name).or_insert(value);
            }
        }
    }

    /// Takes from `hardware` what is not known yet.
    pub fn learn(&mut self, hardware: &Hardware) {
        let system = &hardware.system;
        let text = |told: &Option<Text>| Some(told.as_ref()?.as_str().to_owned());
        self.uuid = self
            .uuid
            .take()
            .or_else(|| known_uuid(&text(&system.uuid)?));
        self.serial = self.serial.take().or_else(|| text(&system.serial));
        self.asset = self.asset.take().or_else(|| text(&system.asset));
        for (name, told) in OF_SYSTEM
            .iter()
            .zip([&system.manufacturer, &system.product])
        {
            if let Some(value) = text(told).filter(|_| self.labels.len() < MAX_LABELS) {
                self.labels.entry((*name).to_owned()).or_insert(value);
            }
        }
    }
}

/// A machine as groups see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its address.
    pub mac: MacAddr,
    /// What else is known.
    pub facts: Facts,
    /// The profile that the operator chose for it.
    pub claim: Option<String>,
}

impl Subject {
    /// A machine of which only the address is known.
    pub fn new(mac: MacAddr) -> Self {
        Self {
            mac,
            facts: Facts::default(),
            claim: None,
        }
    }
}

/// Text of others: printable, short, and nothing rather than empty.
pub fn printable(text: &str) -> Option<String> {
    hardware::printable(text, MAX_TEXT)
}

/// Bytes of a relay as text, or as hexadecimal digits where they are none.
pub fn text_or_hex(bytes: &[u8]) -> Option<String> {
    let is_text = bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    let text = if is_text {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        format!("0x{}", hex::encode(bytes))
    };
    printable(&text)
}

/// A host name in lower case; none where it is no name.
pub fn host_name(text: &str) -> Option<String> {
    let name = text.trim_end_matches(['\0', '.']).to_ascii_lowercase();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (!name.is_empty() && name.len() <= MAX_TEXT && name.bytes().all(is_name)).then_some(name)
}

/// Boards without a UUID say so with all digits alike.
fn known_uuid(text: &str) -> Option<String> {
    let uuid = text.to_ascii_lowercase();
    let mut digits = uuid.bytes().filter(|b| *b != b'-');
    let first = digits.next()?;
    (!b"0f".contains(&first) || digits.any(|digit| digit != first)).then_some(uuid)
}

/// Names of labels as queries, selectors and templates write them.
pub(crate) fn is_label(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (name, value) in pairs {
            facts.say(name, value).unwrap();
        }
        facts
    }

    #[test]
    fn what_a_query_says_is_kept_in_one_form() {
        let facts = said(&[
            ("uuid", "AABB-01"),
            ("serial", " S\u{7}1\n"),
            ("asset", ""),
            ("hostname", "Web1.Example."),
            ("arch", "i386"),
            ("address", "10.1.2.3"),
            ("circuit-id", "eth 0/1"),
            ("rack", "r1"),
        ]);
        assert_eq!(facts.uuid.as_deref(), Some("aabb-01"));
        assert_eq!(facts.serial.as_deref(), Some("S1"));
        assert_eq!(facts.asset, None);
        assert_eq!(facts.hostname.as_deref(), Some("web1.example"));
        assert_eq!(facts.arch, Some(Arch::X86_64));
        assert_eq!(facts.address, Some(Ipv4Addr::new(10, 1, 2, 3)));
        assert_eq!(facts.circuit_id.as_deref(), Some("eth 0/1"));
        assert_eq!(facts.labels["rack"], "r1");
        let blank = "00000000-0000-0000-0000-000000000000";
        assert_eq!(said(&[("uuid", blank)]).uuid, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |name: &str, value: &str| Facts::default().say(name, value).unwrap_err();
        for name in ["mac", "Rack", "", "a b", "subnet"] {
            assert_eq!(refused(name, "x"), FactError::Name(name.into()));
        }
        for (name, value) in [("arch", "vax"), ("hostname", "a b"), ("address", "10.1")] {
            let (name, value) = (name.to_owned(), value.to_owned());
            assert_eq!(refused(&name, &value), FactError::Value { name, value });
        }
        let mut facts = Facts::default();
        for number in 0..MAX_LABELS {
            facts.say(&format!("l{number}"), "x").unwrap();
        }
        assert_eq!(facts.say("more", "x"), Err(FactError::TooMany));
        assert_eq!(facts.say("l0", "y"), Ok(()));
    }

    #[test]
    fn newer_facts_win_and_silence_takes_nothing_away() {
        let mut facts = said(&[("serial", "1"), ("asset", "a"), ("x", "1"), ("y", "2")]);
        facts.update(&said(&[("serial", "2")]));
        assert_eq!(
            facts,
            said(&[("serial", "2"), ("asset", "a"), ("x", "1"), ("y", "2")])
        );
        facts.update(&said(&[("x", "3")]));
        assert_eq!(facts.labels, said(&[("x", "3")]).labels);
    }

    #[test]
    fn what_a_machine_consists_of_tells_only_what_was_not_known() {
        let mut hardware = Hardware::default();
        hardware.system.serial = Text::of("S9");
        hardware.system.uuid = Text::of("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF");
        hardware.system.product = Text::of("R640");
        hardware.system.manufacturer = Text::of("Dell Inc.");
        let mut facts = said(&[("serial", "S1"), ("product", "R650"), ("rack", "r1")]);
        facts.learn(&hardware);
        let want = [
            ("serial", "S1"),
            ("product", "R650"),
            ("rack", "r1"),
            ("manufacturer", "Dell Inc."),
        ];
        assert_eq!(facts, said(&want));
        facts.update(&said(&[("rack", "r2")]));
        let labels = ["manufacturer", "product", "rack"].map(|name| facts.labels[name].as_str());
        assert_eq!(labels, ["Dell Inc.", "R650", "r2"]);
    }

    #[test]
    fn bytes_of_a_relay_are_text_or_digits() {
        assert_eq!(text_or_hex(b"Gi1/0/7").as_deref(), Some("Gi1/0/7"));
        assert_eq!(text_or_hex(&[0, 4, 0xff]).as_deref(), Some("0x0004ff"));
        assert_eq!(text_or_hex(b""), None);
    }
}
