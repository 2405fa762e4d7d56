//! The wire format of `coreos.report_url=`: one JSON document per event, posted by the live system
//! and by the first boot of the installed one; and of the answers to `coreos.discover=`.
//!
//! The receiver answers 204 once the event is durable; 409 when the event does not belong to the
//! machine's current install (the sender gives up on it); anything else is retried.

use serde::{Deserialize, Serialize};

use crate::digest::{Sha256Digest, Sha512Digest};
use crate::hardware::Hardware;

/// Version of this document.
pub const FORMAT: u32 = 1;
/// Largest report that a receiver reads, bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// One event in a machine's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Milliseconds since the kernel of the reporting system started.
    pub uptime_ms: u64,
}

impl Report {
    /// A report of `event` at `uptime_ms` after the kernel's start.
    pub fn new(event: Event, uptime_ms: u64) -> Self {
        Self {
            format: FORMAT,
            event,
            uptime_ms,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Event {
    /// The live system is up.
    Live,
    /// The install begins; from here on the disk's old content is gone.
    InstallStarted {
        /// Target device.
        device: String,
    },
    /// The install goes on.
    InstallProgress {
        /// 0 to 100.
        percent: u8,
    },
    /// The disk is complete and sealed.
    Installed,
    /// The install failed; the disk is as the reason says.
    InstallFailed {
        /// The error as printed on the machine, with the log's tail.
        reason: String,
    },
    /// First boot from the disk is done.
    Provisioned(Identity),
    /// What a machine consists of that nobody has a use for yet.
    Hardware {
        /// Its parts.
        hardware: Box<Hardware>,
    },
}

/// What a machine is told that nobody has a use for yet, whenever it asks at the URL of
/// `coreos.discover=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Orders {
    /// [`FORMAT`].
    pub format: u32,
    /// What the machine is called when it is claimed: its address, with colons.
    pub machine: String,
    /// What it shall do.
    pub next: Next,
}

/// What a waiting machine shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Ask again later.
    Wait,
    /// Boot again: there is something for it now.
    Boot,
}

/// What a first boot was given and what it made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// Digest of the config bytes as they were delivered.
    pub config_sha512: Sha512Digest,
    /// Digest over users, files, directories, links and units that the config made.
    pub result_sha256: Sha256Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_flat_and_stable() {
        let report = Report::new(Event::InstallProgress { percent: 40 }, 12_000);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"format":1,"event":"install-progress","percent":40,"uptime-ms":12000}"#
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let identity = Identity {
            config_sha512: Sha512Digest::of(b""),
            result_sha256: Sha256Digest::of(b""),
        };
        let report = Report::new(Event::Provisioned(identity), 1);
        let json = serde_json::to_string(&report).unwrap();
        assert!(
            json.starts_with(r#"{"format":1,"event":"provisioned","config-sha512":"cf83"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let hardware = Box::<Hardware>::default();
        let report = Report::new(Event::Hardware { hardware }, 1);
        let json = serde_json::to_string(&report).unwrap();
        assert!(
            json.starts_with(r#"{"format":1,"event":"hardware","hardware":{"system":{"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn orders_are_small() {
        let orders = Orders {
            format: FORMAT,
            machine: "52:54:00:12:34:56".to_owned(),
            next: Next::Wait,
        };
        assert_eq!(
            serde_json::to_string(&orders).unwrap(),
            r#"{"format":1,"machine":"52:54:00:12:34:56","next":"wait"}"#
        );
    }
}
