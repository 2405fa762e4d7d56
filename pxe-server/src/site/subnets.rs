//! `dhcp` of `site.yaml` and `addresses` of groups: how DHCP is served, and what is leased. What is
//! wrong is told with its line.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Group, SiteError};
use crate::dhcp::{Range, Reservation, Subnet, SubnetError, SubnetParts, Subnets};
use crate::mac::MacAddr;
use crate::machine::host_name;
use crate::net::Net;

/// How long a lease lasts unless the site says so: a day's work goes on while the server is away.
const LEASE: Duration = Duration::from_secs(12 * 3600);

/// Whether and how DHCP is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DhcpMode {
    /// Boot options beside the LAN's own DHCP server.
    #[default]
    Proxy,
    /// Addresses and boot options; the LAN has no other DHCP server.
    Full,
    /// Not at all.
    Off,
}

/// `dhcp` in `site.yaml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct DhcpFile {
    pub(super) mode: DhcpMode,
    pub(super) ipxe_user_classes: Vec<String>,
    pub(super) subnets: SubnetList,
}

impl Default for DhcpFile {
    fn default() -> Self {
        Self {
            mode: DhcpMode::default(),
            ipxe_user_classes: ipxe(),
            subnets: SubnetList::default(),
        }
    }
}

/// The user classes of iPXE as it comes.
pub(super) fn ipxe() -> Vec<String> {
    vec!["iPXE".to_owned()]
}

/// All subnets, told apart.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Vec<SubnetEntry>")]
pub(super) struct SubnetList(Subnets);

impl TryFrom<Vec<SubnetEntry>> for SubnetList {
    type Error = SubnetError;

    fn try_from(entries: Vec<SubnetEntry>) -> Result<Self, SubnetError> {
        Subnets::new(entries.into_iter().map(|entry| entry.0).collect()).map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "SubnetFile")]
struct SubnetEntry(Subnet);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SubnetFile {
    network: Net,
    #[serde(default)]
    pools: Vec<Range>,
    gateway: Option<Ipv4Addr>,
    #[serde(default)]
    dns: Vec<Ipv4Addr>,
    domain: Option<String>,
    #[serde(default)]
    ntp: Vec<Ipv4Addr>,
    lease: Option<SignedDuration>,
}

impl TryFrom<SubnetFile> for SubnetEntry {
    type Error = SubnetError;

    fn try_from(file: SubnetFile) -> Result<Self, SubnetError> {
        let lease = match file.lease {
            None => LEASE,
            Some(lease) => Duration::try_from(lease).map_err(|_| SubnetError::Lease)?,
        };
        let parts = SubnetParts {
            network: file.network,
            pools: file.pools,
            gateway: file.gateway,
            dns: file.dns,
            domain: file.domain,
            ntp: file.ntp,
            lease,
        };
        Subnet::new(parts).map(Self)
    }
}

/// The address of one machine, in a group's `addresses`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MachineAddress {
    address: Spanned<Ipv4Addr>,
    hostname: Option<Spanned<String>>,
}

/// The addresses that a group's machines keep, by machine.
pub type Addresses = BTreeMap<MacAddr, MachineAddress>;

impl SubnetList {
    /// The subnets with what groups reserve in them.
    pub(super) fn with_reservations(
        self,
        dir: &Path,
        groups: &BTreeMap<String, Group>,
    ) -> Result<Arc<Subnets>, SiteError> {
        let Self(mut subnets) = self;
        for (name, group) in groups {
            let path = dir.join("groups").join(format!("{name}.yaml"));
            for (mac, kept) in &group.addresses {
                let refused = |at: &serde_saphyr::Location, reason: String| SiteError::Yaml {
                    path: path.clone(),
                    line: at.line(),
                    column: at.column(),
                    reason,
                };
                if let Some(called) = &kept.hostname
                    && host_name(&called.value).as_deref() != Some(called.value.as_str())
                {
                    let reason = format!("`{}` is no host name in lower case", called.value);
                    return Err(refused(&called.referenced, reason));
                }
                let reservation = Reservation {
                    mac: *mac,
                    address: kept.address.value,
                    host_name: kept.hostname.as_ref().map(|called| called.value.clone()),
                };
                let at = &kept.address.referenced;
                subnets
                    .reserve(reservation)
                    .map_err(|error| refused(at, error.to_string()))?;
            }
        }
        Ok(Arc::new(subnets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MAC, site_dir};
    use crate::site::Site;

    const DHCP: &str = "dhcp:\n  mode: full\n  subnets:\n    - network: 10.1.0.0/24\n      pools: [10.1.0.100-10.1.0.199]\n      gateway: 10.1.0.1\n      dns: [10.1.0.1]\n      lease: 90m\n";

    fn load(dhcp: &str, addresses: &str) -> Result<Site, SiteError> {
        let dir = site_dir();
        let write = |name: &str, text: String| {
            std::fs::write(dir.path().join("site").join(name), text).unwrap();
        };
        write(
            "site.yaml",
            format!("media: ../media\nipxe: {{dir: ../ipxe}}\n{dhcp}"),
        );
        let group = format!("profile: worker\nselector: {{mac: ['{MAC}']}}\n{addresses}");
        write("groups/rack.yaml", group);
        Site::load(&dir.path().join("site"))
    }

    #[test]
    fn subnets_and_reservations_are_read() {
        let addresses = format!("addresses:\n  {MAC}: {{address: 10.1.0.5, hostname: node-1}}\n");
        let site = load(DHCP, &addresses).unwrap();
        assert_eq!(site.dhcp_mode, DhcpMode::Full);
        let subnet = site.subnets.iter().next().unwrap();
        assert_eq!(subnet.parts().lease, Duration::from_secs(5400));
        let kept = subnet.reservation_of(MAC.parse().unwrap()).unwrap();
        assert_eq!(
            (kept.address, kept.host_name.as_deref()),
            (Ipv4Addr::new(10, 1, 0, 5), Some("node-1"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (dhcp, addresses, line, want) in [
            (DHCP.replace("/24", "/33"), "", 6, "is not a subnet"),
            (
                DHCP.replace(".199", ".300"),
                "",
                7,
                "is no range of addresses",
            ),
            (DHCP.replace("90m", "5s"), "", 6, "a lease lasts from"),
            (DHCP.replace("gateway", "router"), "", 8, "router"),
            (
                DHCP.to_owned(),
                "addresses: {'x': {address: 10.1.0.5}}\n",
                3,
                "not a MAC address",
            ),
            (
                DHCP.to_owned(),
                "addresses:\n  02:00:00:00:00:01:\n    address: 10.2.0.5\n",
                5,
                "no subnet",
            ),
            (
                DHCP.to_owned(),
                "addresses:\n  02:00:00:00:00:01:\n    address: 10.1.0.5\n    hostname: A b\n",
                6,
                "no host name",
            ),
        ] {
            let error = load(&dhcp, addresses).unwrap_err();
            let SiteError::Yaml {
                line: at, reason, ..
            } = &error
            else {
                panic!("{error:?}");
            };
            assert!(reason.contains(want), "{reason}");
            assert_eq!(*at, line, "{reason}");
        }
    }
}
