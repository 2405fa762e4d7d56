//! One address and who has it until when; and the part of that which outlives the server.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mac::MacAddr;

/// Seconds on the leases' clock, which begins near the Unix epoch and never goes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// So much later, to the second.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_secs()))
    }
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Holder {
    /// It is about to be offered to this client, once nobody answers from it.
    Probing {
        /// The client.
        mac: MacAddr,
    },
    /// It was offered to this client.
    Offered {
        /// The client.
        mac: MacAddr,
    },
    /// It is this client's.
    Leased {
        /// The client.
        mac: MacAddr,
    },
    /// Somebody uses it who has no lease.
    Quarantined,
}

impl Holder {
    /// The client that has it.
    pub fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Probing { mac } | Self::Offered { mac } | Self::Leased { mac } => Some(mac),
            Self::Quarantined => None,
        }
    }
}

/// Who has an address, and until when. After that it is everybody's, and its last holder's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Who.
    pub holder: Holder,
    /// Since when.
    pub since: Moment,
    /// The end; not his any more from this moment on.
    pub until: Moment,
    /// What the client calls itself.
    pub host_name: Option<String>,
}

impl Binding {
    /// Whether it is over.
    pub fn is_over(&self, now: Moment) -> bool {
        self.until <= now
    }
}

/// A lease, its end, or a quarantine, as it is kept; one for each address, the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaseRecord {
    /// The address.
    pub address: Ipv4Addr,
    /// Leased or quarantined.
    #[serde(flatten)]
    pub holder: Holder,
    /// When this was written.
    pub since: Moment,
    /// The end.
    pub until: Moment,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
}

impl LeaseRecord {
    /// What is kept of `binding`.
    pub(super) fn of(address: u32, binding: &Binding) -> Self {
        Self {
            address: address.into(),
            holder: binding.holder,
            since: binding.since,
            until: binding.until,
            host_name: binding.host_name.clone(),
        }
    }

    /// What it says.
    pub(super) fn binding(self) -> Binding {
        Binding {
            holder: self.holder,
            since: self.since,
            until: self.until,
            host_name: self.host_name,
        }
    }
}
