//! The server's state, opened: in the state directory, or in the etcd of several servers.

use std::path::Path;
use std::sync::Arc;

use super::{ServeError, Settings};
use crate::machine::{Registry, Worker, orders_given};
use crate::site::DhcpMode;
use crate::store::{Embedded, Etcd, EtcdSettings, MachineStore, StoreError};

/// Where the state is.
#[derive(Clone, Debug)]
pub enum Store {
    /// In the state directory; no other server has it.
    Embedded,
    /// In etcd, shared with other servers.
    Etcd(EtcdSettings),
}

impl Store {
    fn open(&self, state: &Path) -> Result<Arc<dyn MachineStore>, StoreError> {
        Ok(match self {
            Self::Embedded => Arc::new(Embedded::open(state)?),
            Self::Etcd(settings) => Arc::new(Etcd::open(settings, state)?),
        })
    }
}

/// Opens the state, apart from where answers are given: that may wait for the network.
pub(super) async fn open(settings: &Settings) -> Result<(Registry, Worker), ServeError> {
    let (store, state) = (settings.store.clone(), settings.state.clone());
    let opened = tokio::task::spawn_blocking(move || Registry::start(store.open(&state)?)).await;
    let opened = opened.map_err(|error| ServeError::Socket(std::io::Error::other(error)))?;
    let (registry, worker) = opened.map_err(|source| ServeError::State {
        path: settings.state.clone(),
        source,
    })?;
    let orders = orders_given(&settings.state).map_err(ServeError::Orders)?;
    if !registry.is_shared() {
        registry.take_orders(orders);
    }
    Ok((registry, worker))
}

/// Leases are kept by one server.
pub(super) fn check(settings: &Settings, mode: DhcpMode) -> Result<(), ServeError> {
    match (&settings.store, mode) {
        (Store::Etcd(_), DhcpMode::Full) => Err(ServeError::SharedLeases),
        _ => Ok(()),
    }
}
