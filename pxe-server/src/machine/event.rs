//! What can happen to a machine, as the store keeps it and the API shows it.
//!
//! Nothing secret is in here: a ticket is never part of an event.

use embed::digest::Sha512Digest;
use embed::report::Identity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine::Facts;

/// An event with its place and time in the machine's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts up from 1 for each machine.
    pub seq: u64,
    /// Wall clock, to the millisecond.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Who sent a boot request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootClient {
    /// Firmware's PXE.
    Firmware,
    /// Firmware's HTTP boot.
    HttpBoot,
    /// iPXE.
    Ipxe,
}

/// Protocol of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// TFTP
    Tftp,
    /// HTTP
    Http,
}

/// Which script a machine was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptKind {
    /// Boot the live system and install.
    Install,
    /// Boot the disk.
    Disk,
    /// Wait for the operator.
    Held,
    /// Wait: its profile's new version goes to others first.
    Waits,
    /// No group matches: whatever the site has for unknown machines.
    Unassigned,
}

/// One step in a machine's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Event {
    /// The machine was seen for the first time.
    Discovered,
    /// It belongs to this group and profile from now on.
    Matched {
        /// The group; none if the operator chose the profile.
        group: Option<String>,
        /// The profile.
        profile: String,
    },
    /// The operator chose a profile for it, or took that back.
    Claimed {
        /// The profile.
        profile: Option<String>,
    },
    /// A boot request was answered.
    DhcpDiscover {
        /// Who asked.
        client: BootClient,
        /// What it told, and its relay.
        #[serde(flatten)]
        facts: Facts,
    },
    /// The boot program was transferred to its end.
    NbpServed {
        /// File name.
        file: String,
        /// Size, bytes.
        bytes: u64,
        /// Protocol.
        via: Via,
    },
    /// A new install ticket was issued.
    TicketIssued,
    /// The machine was given its iPXE script.
    ScriptServed {
        /// Which one.
        script: ScriptKind,
        /// What iPXE told of the machine.
        #[serde(flatten)]
        facts: Facts,
    },
    /// The live rootfs was transferred to its end.
    RootfsServed {
        /// Size, bytes.
        bytes: u64,
    },
    /// The machine's config was given out.
    ConfigServed {
        /// Digest of its bytes.
        sha512: Sha512Digest,
    },
    /// The live system is up.
    Live {
        /// Milliseconds since its kernel started.
        uptime_ms: u64,
    },
    /// The install began; the ticket is used.
    InstallStarted {
        /// Target device.
        device: String,
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
    /// The install goes on.
    Progress {
        /// 0 to 100.
        percent: u8,
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
    /// The disk is complete.
    Installed {
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
    /// The install failed.
    InstallFailed {
        /// As the machine said it.
        reason: String,
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
    /// First boot from the disk is done.
    Provisioned {
        /// What was applied and what came of it.
        #[serde(flatten)]
        identity: Identity,
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
    /// The operator allowed one more install.
    ReinstallRequested,
    /// It told what it consists of, while nobody had a use for it.
    HardwareReported {
        /// Milliseconds since the kernel started.
        uptime_ms: u64,
    },
}

impl Event {
    /// Its name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Matched { .. } => "matched",
            Self::Claimed { .. } => "claimed",
            Self::DhcpDiscover { .. } => "dhcp-discover",
            Self::NbpServed { .. } => "nbp-served",
            Self::TicketIssued => "ticket-issued",
            Self::ScriptServed { .. } => "script-served",
            Self::RootfsServed { .. } => "rootfs-served",
            Self::ConfigServed { .. } => "config-served",
            Self::Live { .. } => "live",
            Self::InstallStarted { .. } => "install-started",
            Self::Progress { .. } => "progress",
            Self::Installed { .. } => "installed",
            Self::InstallFailed { .. } => "install-failed",
            Self::Provisioned { .. } => "provisioned",
            Self::ReinstallRequested => "reinstall-requested",
            Self::HardwareReported { .. } => "hardware-reported",
        }
    }

    /// The event that a machine's report stands for.
    pub fn from_report(report: &embed::report::Report) -> Self {
        use embed::report::Event as Reported;
        let uptime_ms = report.uptime_ms;
        match report.event.clone() {
            Reported::Live => Self::Live { uptime_ms },
            Reported::InstallStarted { device } => Self::InstallStarted { device, uptime_ms },
            Reported::InstallProgress { percent } => Self::Progress { percent, uptime_ms },
            Reported::Installed => Self::Installed { uptime_ms },
            Reported::InstallFailed { reason } => Self::InstallFailed { reason, uptime_ms },
            Reported::Provisioned(identity) => Self::Provisioned {
                identity,
                uptime_ms,
            },
            Reported::Hardware { .. } => Self::HardwareReported { uptime_ms },
        }
    }
}
