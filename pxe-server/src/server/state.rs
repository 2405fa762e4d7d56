//! The server's state, opened: in the state directory, or in the etcd of several servers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::bound::retry;
use super::{ServeError, Settings};
use crate::dhcp::{EchoSocket, LeaseServer, Leasing, Subnets};
use crate::machine::{Registry, Worker, orders_given};
use crate::store::{Embedded, Etcd, EtcdSettings, LeaseStore, Leases, MachineStore, StoreError};

/// Where the state is.
#[derive(Clone, Debug)]
pub enum Store {
    /// In the state directory; no other server has it.
    Embedded,
    /// In etcd, shared with other servers.
    Etcd(EtcdSettings),
}

/// What finding and trusting the members of etcd reads, where it is there.
const RESOLVING: [&str; 10] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/usr/lib",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

impl Store {
    /// The files that it reads beside the state directory.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let Self::Etcd(settings) = self else {
            return Vec::new();
        };
        let identity = settings.identity.iter();
        let identity = identity.flat_map(|(certificate, key)| [certificate, key]);
        let own = settings
            .ca
            .iter()
            .chain(&settings.credentials)
            .chain(identity);
        let resolving = RESOLVING.iter().map(PathBuf::from);
        let resolving = resolving.filter(|path| path.exists());
        own.cloned().chain(resolving).collect()
    }

    fn open(&self, state: &Path) -> Result<Arc<dyn MachineStore>, StoreError> {
        Ok(match self {
            Self::Embedded => Arc::new(Embedded::open(state)?),
            Self::Etcd(settings) => Arc::new(Etcd::open(settings, state)?),
        })
    }
}

/// Opens the state, apart from where answers are given: that may wait for the network, and until
/// `patience` for another server.
pub(super) async fn open(
    settings: &Settings,
    patience: Instant,
) -> Result<(Arc<dyn MachineStore>, Registry, Worker), ServeError> {
    let (store, state) = (settings.store.clone(), settings.state.clone());
    let open = move || {
        let failed = |source| failed(&state, source);
        let store = retry(patience, || store.open(&state).map_err(failed))?;
        let (registry, worker) = Registry::start(store.clone()).map_err(failed)?;
        Ok((store, registry, worker))
    };
    let (store, registry, worker) = apart(open).await?;
    let orders = orders_given(&settings.state).map_err(ServeError::Orders)?;
    if !registry.is_shared() {
        registry.take_orders(orders);
    }
    Ok((store, registry, worker))
}

/// Leases addresses, if there is a socket to probe them, from what `shared` keeps, or else the state
/// directory.
pub(super) async fn leasing(
    shared: Option<Arc<dyn LeaseStore>>,
    settings: &Settings,
    subnets: Arc<Subnets>,
    echo: Option<io::Result<EchoSocket>>,
    patience: Instant,
) -> Result<Option<Leasing>, ServeError> {
    let Some(echo) = echo else {
        return Ok(None);
    };
    let state = settings.state.clone();
    let open = move || {
        let failed = |source| failed(&state, source);
        let own = || retry(patience, || Leases::open(&state).map_err(failed));
        let store = match shared {
            Some(shared) => shared,
            None => Arc::new(own()?),
        };
        let (server, answers) = LeaseServer::start(store, subnets, echo).map_err(failed)?;
        Ok(Some(Leasing { server, answers }))
    };
    apart(open).await
}

/// The state of a server that ends.
pub(super) struct Held {
    pub(super) registry: Registry,
    pub(super) worker: Worker,
    pub(super) store: Arc<dyn MachineStore>,
}

impl Held {
    /// Lets another server have it, and leases; what is observed from now on is left in the state
    /// directory `state`. What others can write, too, is written until the end, and given back.
    pub(super) async fn release(
        self,
        leases: Option<Arc<LeaseServer>>,
        state: &Path,
    ) -> Option<Self> {
        let shared = self.store.is_shared();
        if !shared {
            self.registry.leave_to(state);
            self.registry.stop().await;
        }
        let release = move || {
            let store = self.store.clone();
            let rest = match shared {
                true => Some(self),
                false => {
                    self.worker.finish();
                    None
                }
            };
            store.close();
            if let Some(leases) = leases {
                leases.finish();
            }
            rest
        };
        tokio::task::spawn_blocking(release).await.ok().flatten()
    }

    /// Writes what is left to be written.
    pub(super) async fn finish(self) {
        self.registry.stop().await;
        drop(tokio::task::spawn_blocking(move || self.worker.finish()).await);
    }
}

fn failed(state: &Path, source: StoreError) -> ServeError {
    ServeError::State {
        path: state.to_owned(),
        source,
    }
}

/// Does something that blocks.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServeError> + Send + 'static,
) -> Result<T, ServeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ServeError::Socket(io::Error::other(error)))?
}
