//! The wire format of `coreos.report_url=`: one JSON document per event, posted by the live system
//! and by the first boot of the installed one.
//!
//! The receiver answers 204 once the event is durable; 409 when the event does not belong to the
//! machine's current install (the sender gives up on it); anything else is retried.

use serde::{Deserialize, Serialize};

use crate::digest::{Sha256Digest, Sha512Digest};

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
    }
}
