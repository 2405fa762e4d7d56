//! The versions of the store's documents about leases, and the changes that are made of decisions:
//! each is done only if nobody else has touched its documents since it was decided.
//!
//! Several servers keep a document for each client of a subnet beside that of each address, so that
//! no client gets two addresses from two servers at once. One server alone needs none.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::basis::{Basis, Change, Part};
use super::{Holder, LeaseRecord};
use crate::mac::MacAddr;
use crate::net::Net;
use crate::store::{LeaseDocument, LeaseKey, LeaseValue, LeaseWrite, Revision};

/// Whose leases the store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Servers {
    /// This server's.
    One,
    /// Those of several servers that lease from the same pools.
    Several,
}

type Client = (Net, MacAddr);

/// What is known of all documents.
#[derive(Debug)]
pub(super) struct Ledger {
    servers: Servers,
    addresses: HashMap<Ipv4Addr, Page>,
    /// The address that each client's document names, if it has one.
    clients: HashMap<Client, (Option<Ipv4Addr>, Basis)>,
    /// Everything up to this version was told at once.
    told: Revision,
}

/// What is known of an address.
#[derive(Debug, Default)]
struct Page {
    basis: Basis,
    /// The client whose document names it.
    client: Option<Client>,
}

impl Ledger {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            addresses: HashMap::new(),
            clients: HashMap::new(),
            told: Revision::default(),
        }
    }

    /// Takes up everything that there is.
    pub(super) fn replace(&mut self, documents: &[LeaseDocument], revision: Revision) {
        *self = Self::new(self.servers);
        for document in documents {
            self.take(document);
        }
        self.told = revision;
    }

    /// Takes up what somebody has written. False if that is known already, or older.
    pub(super) fn learn(&mut self, document: &LeaseDocument) -> bool {
        let known = match document.key {
            LeaseKey::Address(address) => {
                let page = self.addresses.get(&address);
                page.and_then(|page| page.basis.revision())
            }
            LeaseKey::Client(network, mac) => {
                let client = self.clients.get(&(network, mac));
                client.and_then(|(_, basis)| basis.revision())
            }
        };
        let newer = document.revision > self.told.max(known.unwrap_or_default());
        if newer {
            self.take(document);
        }
        newer
    }

    fn take(&mut self, document: &LeaseDocument) {
        let basis = match document.value {
            Some(_) => Basis::Known(document.revision),
            None => Basis::default(),
        };
        match (document.key, &document.value) {
            (LeaseKey::Address(address), _) => {
                self.addresses.entry(address).or_default().basis = basis;
            }
            (LeaseKey::Client(network, mac), Some(LeaseValue::Address(address))) => {
                self.name((network, mac), *address, basis);
            }
            (LeaseKey::Client(network, mac), _) => {
                self.unname((network, mac));
                self.clients.remove(&(network, mac));
            }
        }
    }

    /// The client's document names this address now.
    fn name(&mut self, client: Client, address: Ipv4Addr, basis: Basis) {
        self.unname(client);
        self.clients.insert(client, (Some(address), basis));
        self.addresses.entry(address).or_default().client = Some(client);
    }

    fn unname(&mut self, client: Client) {
        let named = self.clients.get(&client).and_then(|(address, _)| *address);
        if let Some(page) = named.and_then(|address| self.addresses.get_mut(&address))
            && page.client == Some(client)
        {
            page.client = None;
        }
    }

    /// Another address than this one that the client's document names.
    pub(super) fn other(&self, network: Net, mac: MacAddr, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let (named, _) = self.clients.get(&(network, mac))?;
        named.filter(|named| *named != address)
    }

    /// Writes down who has an address in `network` from now on, and that the client has no longer
    /// what `ended` was.
    pub(super) fn write(
        &mut self,
        network: Net,
        record: &LeaseRecord,
        ended: Option<LeaseRecord>,
    ) -> Change {
        // In this order: what is told last is where the client is.
        let mut parts: Vec<Part> = ended.map(|ended| self.put(ended)).into_iter().collect();
        parts.push(self.put(record.clone()));
        if self.servers == Servers::Several {
            match record.holder {
                Holder::Leased { mac } if record.until > record.since => {
                    parts.extend(self.move_client((network, mac), record.address));
                }
                Holder::Leased { .. } => {}
                _ => parts.extend(self.turn_out(record.address)),
            }
        }
        Change::new(parts)
    }

    /// Finds out whether an address still is as it is known to be.
    pub(super) fn check(&self, address: Ipv4Addr) -> Change {
        let basis = self.addresses.get(&address).map(|page| page.basis.clone());
        let key = LeaseKey::Address(address);
        let (part, _) = Part::new(key, &basis.unwrap_or_default(), LeaseWrite::Leave);
        Change::new(vec![part])
    }

    fn put(&mut self, record: LeaseRecord) -> Part {
        let address = record.address;
        let page = self.addresses.entry(address).or_default();
        let value = LeaseWrite::Put(LeaseValue::Record(record));
        let (part, basis) = Part::new(LeaseKey::Address(address), &page.basis, value);
        page.basis = basis;
        part
    }

    /// A client that has its address already keeps its document, which must not have changed.
    fn move_client(&mut self, client: Client, address: Ipv4Addr) -> Vec<Part> {
        let (named, basis) = self.clients.get(&client).cloned().unwrap_or_default();
        let key = LeaseKey::Client(client.0, client.1);
        if named == Some(address) {
            return vec![Part::new(key, &basis, LeaseWrite::Leave).0];
        }
        let mut parts = self.turn_out(address);
        let value = LeaseWrite::Put(LeaseValue::Address(address));
        let (part, basis) = Part::new(key, &basis, value);
        self.name(client, address, basis);
        parts.push(part);
        parts
    }

    /// The document of the client that had an address before goes.
    fn turn_out(&mut self, address: Ipv4Addr) -> Vec<Part> {
        let page = self.addresses.get_mut(&address);
        let Some(client) = page.and_then(|page| page.client.take()) else {
            return Vec::new();
        };
        let Some((named, basis)) = self.clients.get_mut(&client) else {
            return Vec::new();
        };
        let key = LeaseKey::Client(client.0, client.1);
        let (part, next) = Part::new(key, basis, LeaseWrite::Delete);
        (*named, *basis) = (None, next);
        vec![part]
    }
}
