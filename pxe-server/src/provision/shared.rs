//! What all provisioners of a server have in common: the configs that were promised, and the means
//! to see who asks. Opened before the server is confined.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::issued::Issued;
use crate::mac::MacAddr;
use crate::net::Neighbours;
use crate::site::Proof;

/// What provisioners share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub(super) issued: Issued,
    /// None where the kernel's table cannot be read: then nobody is proven.
    neighbours: Option<Arc<Neighbours>>,
}

impl Shared {
    /// With nothing promised yet.
    pub fn open() -> Self {
        let neighbours = Neighbours::open().inspect_err(|error| {
            tracing::warn!(%error, "no machine can prove itself by its link");
        });
        Self {
            issued: Issued::default(),
            neighbours: neighbours.ok().map(Arc::new),
        }
    }

    /// Whether who asks from `peer` and says to be `mac` shows what `proof` demands.
    pub(super) fn is_proven(&self, proof: Option<Proof>, mac: MacAddr, peer: Ipv4Addr) -> bool {
        let holder = || self.neighbours.as_ref()?.holder_of(peer);
        match proof {
            None => true,
            Some(Proof::Link) => holder() == Some(mac),
        }
    }
}
