//! What a machine consists of, as a live system finds it and reports it: processors, memory, disks,
//! network cards, and what its firmware says of itself. How it is found is the live system's; this
//! is the document, whose texts are short and printable and whose lists end, whoever sent it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Longest text, characters.
const MAX_TEXT: usize = 64;
/// Most disks, and most network cards.
const MAX_PARTS: usize = 32;

/// Text of a machine's firmware or devices: printable ASCII, at most 64 characters, never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// What of `text` can be kept, if anything.
    pub fn of(text: &str) -> Option<Self> {
        printable(text, MAX_TEXT).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text of others: its printable ASCII, at most `longest` characters, without spaces around it; nothing
/// rather than empty.
pub fn printable(text: &str, longest: usize) -> Option<String> {
    let kept: String = text
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(longest)
        .collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Of a text whatever can be kept.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|text| Text::of(&text)))
}

/// Of a list its beginning.
fn parts<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let mut parts = Vec::deserialize(from)?;
    parts.truncate(MAX_PARTS);
    Ok(parts)
}

/// A machine's parts. What could not be found out is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hardware {
    /// SMBIOS.
    #[serde(default)]
    pub system: System,
    /// Its firmware.
    #[serde(default)]
    pub firmware: Firmware,
    /// Its processors.
    #[serde(default)]
    pub processor: Processor,
    /// Memory that the kernel manages, bytes.
    #[serde(default)]
    pub memory: u64,
    /// Disks, by name.
    #[serde(default, deserialize_with = "parts")]
    pub disks: Vec<Disk>,
    /// Network cards, by name.
    #[serde(default, deserialize_with = "parts")]
    pub nics: Vec<Nic>,
}

/// What SMBIOS says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct System {
    /// Who made it.
    #[serde(default, deserialize_with = "text")]
    pub manufacturer: Option<Text>,
    /// The model.
    #[serde(default, deserialize_with = "text")]
    pub product: Option<Text>,
    /// Serial number.
    #[serde(default, deserialize_with = "text")]
    pub serial: Option<Text>,
    /// UUID.
    #[serde(default, deserialize_with = "text")]
    pub uuid: Option<Text>,
    /// Asset tag of the chassis.
    #[serde(default, deserialize_with = "text")]
    pub asset: Option<Text>,
}

/// What starts the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Firmware {
    /// Which kind booted the live system.
    #[serde(default)]
    pub kind: FirmwareKind,
    /// Who made it.
    #[serde(default, deserialize_with = "text")]
    pub vendor: Option<Text>,
    /// Its version.
    #[serde(default, deserialize_with = "text")]
    pub version: Option<Text>,
    /// Whether UEFI starts signed programs only.
    #[serde(default)]
    pub secure_boot: Option<bool>,
    /// Version of the TPM: `1.2`, `2.0`.
    #[serde(default, deserialize_with = "text")]
    pub tpm: Option<Text>,
}

/// Kinds of firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareKind {
    /// BIOS, or none that the kernel knows.
    #[default]
    Bios,
    /// UEFI.
    Uefi,
}

/// All processors, which are taken to be alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Processor {
    /// The model.
    #[serde(default, deserialize_with = "text")]
    pub model: Option<Text>,
    /// How many the kernel runs programs on: threads of cores.
    #[serde(default)]
    pub count: u32,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disk {
    /// The kernel's name, below `/dev`.
    #[serde(default, deserialize_with = "text")]
    pub name: Option<Text>,
    /// Size, bytes.
    pub size: u64,
    /// Size of a logical sector, bytes.
    #[serde(default)]
    pub sector_size: Option<u32>,
    /// Whether it turns.
    #[serde(default)]
    pub rotational: Option<bool>,
    /// The model.
    #[serde(default, deserialize_with = "text")]
    pub model: Option<Text>,
    /// Serial number.
    #[serde(default, deserialize_with = "text")]
    pub serial: Option<Text>,
}

/// A network card's port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Nic {
    /// The interface's name.
    #[serde(default, deserialize_with = "text")]
    pub name: Option<Text>,
    /// Address, with colons.
    #[serde(default, deserialize_with = "text")]
    pub mac: Option<Text>,
    /// Its driver.
    #[serde(default, deserialize_with = "text")]
    pub driver: Option<Text>,
    /// Whether there is a link.
    #[serde(default)]
    pub link: bool,
    /// Speed of the link, Mbit/s.
    #[serde(default)]
    pub speed: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_short_and_printable() {
        assert_eq!(Text::of(" R640\u{7}\n").unwrap().as_str(), "R640");
        assert_eq!(Text::of("\u{1b}\u{fc} \0"), None);
        let long = "x".repeat(1000);
        assert_eq!(Text::of(&long).unwrap().as_str().len(), MAX_TEXT);
        let system: System =
            serde_json::from_str(&format!(r#"{{"serial":"{long}","asset":" \t"}}"#)).unwrap();
        assert_eq!(system.serial.unwrap().as_str().len(), MAX_TEXT);
        assert_eq!((system.asset, system.product), (None, None));
    }

    #[test]
    fn lists_of_others_end() {
        let disks = vec![r#"{"size":1}"#; 1000].join(",");
        let hardware: Hardware =
            serde_json::from_str(&format!(r#"{{"disks":[{disks}]}}"#)).unwrap();
        assert_eq!(hardware.disks.len(), MAX_PARTS);
        assert_eq!(hardware.nics, []);
        assert!(serde_json::from_str::<Hardware>(r#"{"disks":[{"size":-1}]}"#).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let hardware = Hardware {
            memory: 1 << 40,
            firmware: Firmware {
                kind: FirmwareKind::Uefi,
                secure_boot: Some(false),
                tpm: Text::of("2.0"),
                ..Firmware::default()
            },
            nics: vec![Nic {
                name: Text::of("eth0"),
                mac: Text::of("52:54:00:12:34:56"),
                driver: None,
                link: true,
                speed: Some(10_000),
            }],
            ..Hardware::default()
        };
        let json = serde_json::to_string(&hardware).unwrap();
        assert!(
            json.contains(r#""firmware":{"kind":"uefi","vendor":null,"version":null,"secure-boot":false,"tpm":"2.0"}"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Hardware>(&json).unwrap(), hardware);
    }
}
