//! What may be given out: a subnet with its pools, its reservations, and what its clients are
//! told beside their address. Nothing here is about who has what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use crate::mac::MacAddr;
use crate::net::Net;

/// Shortest and longest lease.
const LEASE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 3600);
/// Longest list of servers in an answer.
const MAX_SERVERS: usize = 4;
/// Longest domain name.
const MAX_DOMAIN: usize = 200;
/// Most subnets, and most addresses in all pools: each takes memory once it is used.
const MAX_SUBNETS: usize = 256;
const MAX_ADDRESSES: u64 = 262_144;
/// Largest and smallest subnet, bits.
const BITS: std::ops::RangeInclusive<u8> = 16..=30;

/// Why subnets cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubnetError {
    /// The text is no range.
    #[error("`{0}` is no range of addresses; one is written 10.1.0.100-10.1.0.199")]
    Range(String),
    /// Too small or too large.
    #[error("{0} cannot be served; a subnet has 16 to 30 bits")]
    Bits(Net),
    /// Neither pools nor anything else that gives an address.
    #[error("the pool {pool} is not within the hosts of {network}")]
    Outside {
        /// The pool.
        pool: Range,
        /// Its subnet.
        network: Net,
    },
    /// Two pools have an address in common.
    #[error("the pools {0} and {1} overlap")]
    PoolsOverlap(Range, Range),
    /// An address that is not to be given out.
    #[error("{address}, the {what}, cannot be given out in {network}")]
    Taken {
        /// The address.
        address: Ipv4Addr,
        /// What it is.
        what: &'static str,
        /// The subnet.
        network: Net,
    },
    /// A gateway that clients cannot reach.
    #[error("the gateway {gateway} is not a host of {network}")]
    Gateway {
        /// The gateway.
        gateway: Ipv4Addr,
        /// The subnet.
        network: Net,
    },
    /// A lease too short or too long.
    #[error("a lease lasts from 60 seconds to 366 days")]
    Lease,
    /// A list too long for an answer.
    #[error("`{0}` lists more than {MAX_SERVERS} servers")]
    TooMany(&'static str),
    /// No name of a domain.
    #[error("`{0}` is no domain name")]
    Domain(String),
    /// Two subnets have an address in common.
    #[error("the subnets {0} and {1} overlap")]
    Overlap(Net, Net),
    /// More than is served.
    #[error("more than {MAX_SUBNETS} subnets, or more than {MAX_ADDRESSES} addresses in pools")]
    TooLarge,
    /// No subnet has this address.
    #[error("no subnet of `dhcp` in site.yaml has {0} as a host")]
    Nowhere(Ipv4Addr),
    /// One address for two machines.
    #[error("{address} is reserved for {other} already")]
    Reserved {
        /// The address.
        address: Ipv4Addr,
        /// Whose it is.
        other: MacAddr,
    },
    /// Two addresses in one subnet for one machine.
    #[error("{mac} has {other} reserved in this subnet already")]
    Twice {
        /// The machine.
        mac: MacAddr,
        /// Its address.
        other: Ipv4Addr,
    },
}

/// A range of addresses, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Range {
    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn contains(self, address: u32) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

impl FromStr for Range {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().ok().map(u32::from);
        match (address(first), address(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(SubnetError::Range(text.chars().take(60).collect())),
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, last] = [self.first, self.last].map(Ipv4Addr::from);
        write!(f, "{first}-{last}")
    }
}

impl<'de> serde::Deserialize<'de> for Range {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An address that is one machine's for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The machine.
    pub mac: MacAddr,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it is called, if it is told.
    pub host_name: Option<String>,
}

/// What a subnet consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubnetParts {
    /// Its addresses.
    pub network: Net,
    /// Those that anybody may get.
    pub pools: Vec<Range>,
    /// Option 3.
    pub gateway: Option<Ipv4Addr>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 15.
    pub domain: Option<String>,
    /// Option 42.
    pub ntp: Vec<Ipv4Addr>,
    /// Option 51.
    pub lease: Duration,
}

/// A subnet that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    parts: SubnetParts,
    reserved: BTreeMap<u32, Reservation>,
    of_machine: BTreeMap<MacAddr, u32>,
}

impl Subnet {
    /// Checks the parts.
    pub fn new(parts: SubnetParts) -> Result<Self, SubnetError> {
        let network = parts.network;
        if !BITS.contains(&network.bits) {
            return Err(SubnetError::Bits(network));
        }
        for (at, pool) in parts.pools.iter().enumerate() {
            if pool.first <= network.first || pool.last >= network.last() {
                return Err(SubnetError::Outside {
                    pool: *pool,
                    network,
                });
            }
            if let Some(other) = parts.pools.iter().take(at).find(|p| p.overlaps(*pool)) {
                return Err(SubnetError::PoolsOverlap(*other, *pool));
            }
        }
        if let Some(gateway) = parts.gateway {
            if !is_host(network, gateway.into()) {
                return Err(SubnetError::Gateway { gateway, network });
            }
            if parts.pools.iter().any(|p| p.contains(gateway.into())) {
                return Err(SubnetError::Taken {
                    address: gateway,
                    what: "gateway",
                    network,
                });
            }
        }
        if !LEASE.contains(&parts.lease) {
            return Err(SubnetError::Lease);
        }
        for (name, list) in [("dns", &parts.dns), ("ntp", &parts.ntp)] {
            if list.len() > MAX_SERVERS {
                return Err(SubnetError::TooMany(name));
            }
        }
        if let Some(domain) = parts.domain.as_deref()
            && (domain.len() > MAX_DOMAIN || crate::machine::host_name(domain).is_none())
        {
            return Err(SubnetError::Domain(domain.chars().take(60).collect()));
        }
        Ok(Self {
            parts,
            reserved: BTreeMap::new(),
            of_machine: BTreeMap::new(),
        })
    }

    fn reserve(&mut self, reservation: Reservation) -> Result<(), SubnetError> {
        let (mac, address) = (reservation.mac, u32::from(reservation.address));
        if self.parts.gateway == Some(reservation.address) {
            return Err(SubnetError::Taken {
                address: reservation.address,
                what: "gateway",
                network: self.parts.network,
            });
        }
        if let Some(other) = self.of_machine.get(&mac) {
            let other = Ipv4Addr::from(*other);
            return Err(SubnetError::Twice { mac, other });
        }
        if let Some(other) = self.reserved.get(&address) {
            return Err(SubnetError::Reserved {
                address: reservation.address,
                other: other.mac,
            });
        }
        self.of_machine.insert(mac, address);
        self.reserved.insert(address, reservation);
        Ok(())
    }

    /// What it consists of.
    pub fn parts(&self) -> &SubnetParts {
        &self.parts
    }

    /// What is reserved for a machine.
    pub fn reservation_of(&self, mac: MacAddr) -> Option<&Reservation> {
        self.reserved.get(self.of_machine.get(&mac)?)
    }

    /// Whether a machine may have an address at all.
    pub(super) fn may_have(&self, mac: MacAddr, address: u32) -> bool {
        match self.reserved.get(&address) {
            Some(reservation) => reservation.mac == mac,
            None => self.parts.pools.iter().any(|pool| pool.contains(address)),
        }
    }

    /// Whether anybody may get an address.
    pub(super) fn is_open(&self, address: u32) -> bool {
        let pooled = self.parts.pools.iter().any(|pool| pool.contains(address));
        pooled && !self.reserved.contains_key(&address)
    }

    /// The addresses that anybody may get.
    pub(super) fn open(&self) -> BTreeSet<u32> {
        let pools = self.parts.pools.iter();
        let all = pools.flat_map(|pool| pool.first..=pool.last);
        all.filter(|address| !self.reserved.contains_key(address))
            .collect()
    }
}

fn is_host(network: Net, address: u32) -> bool {
    network.contains(address) && address != network.first && address != network.last()
}

/// All subnets that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnets(Vec<Subnet>);

impl Subnets {
    /// Checks that they can be told apart.
    pub fn new(subnets: Vec<Subnet>) -> Result<Self, SubnetError> {
        for (at, subnet) in subnets.iter().enumerate() {
            let net = subnet.parts.network;
            let overlap = |other: &Net| other.contains(net.first) || net.contains(other.first);
            let mut before = subnets.iter().take(at).map(|other| other.parts.network);
            if let Some(other) = before.find(overlap) {
                return Err(SubnetError::Overlap(other, net));
            }
        }
        let pools = subnets.iter().flat_map(|subnet| &subnet.parts.pools);
        let addresses: u64 = pools
            .map(|pool| u64::from(pool.last - pool.first) + 1)
            .sum();
        if subnets.len() > MAX_SUBNETS || addresses > MAX_ADDRESSES {
            return Err(SubnetError::TooLarge);
        }
        Ok(Self(subnets))
    }

    /// Keeps an address for a machine.
    pub fn reserve(&mut self, reservation: Reservation) -> Result<(), SubnetError> {
        let address = reservation.address;
        let is_its = |subnet: &&mut Subnet| is_host(subnet.parts.network, address.into());
        let subnet = self.0.iter_mut().find(is_its);
        subnet
            .ok_or(SubnetError::Nowhere(address))?
            .reserve(reservation)
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Subnet> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
