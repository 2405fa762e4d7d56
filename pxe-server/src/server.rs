//! The whole server: reads the site, binds every socket, confines itself, opens the state, and only
//! then answers; runs all sides until told to stop, and leaves with the state written.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use installer::sign::SignError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::confine::ConfineError;
use crate::dhcp::{DhcpPorts, DhcpServer, DhcpSettings, LeaseServer};
use crate::http::{HttpError, HttpService, HttpSettings, SigningKey};
use crate::limit::Limiter;
use crate::machine::{OrdersError, Registry, Worker};
use crate::matchbox::BookError;
use crate::net::NetError;
use crate::site::{DhcpMode, SiteError};
use crate::store::{MachineStore, StoreError};
use crate::tftp::{BootFiles, TftpServer};
use crate::trace::Recorder;

mod bound;
mod content;
mod polling;
mod state;
mod supervisor;

pub use bound::{Bound, ConfinedServer};
use content::Content;
use polling::{carry_out_requests, watch_requests};
use supervisor::Supervisor;

pub use state::Store;

/// Time that stopping takes beside the downloads under way, as the service manager is told.
const FINISH: Duration = Duration::from_secs(10);

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The site in this directory.
    Site(PathBuf),
    /// The matchbox data directory.
    Matchbox(PathBuf),
}

impl Source {
    /// The directory.
    pub fn dir(&self) -> &Path {
        match self {
            Self::Site(dir) | Self::Matchbox(dir) => dir,
        }
    }
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is served.
    pub source: Source,
    /// The key that matchbox's endpoints are signed with.
    pub key: Option<SigningKey>,
    /// State directory.
    pub state: PathBuf,
    /// Where machines are kept.
    pub store: Store,
    /// Who the server becomes once it is bound; none: it stays who it is.
    pub user: Option<String>,
    /// Directories that the site may name later.
    pub may_read: Vec<PathBuf>,
    /// Interfaces for DHCP and TFTP; none means all but loopback.
    pub interfaces: Vec<String>,
    /// Our address as clients shall use it.
    pub advertise: Option<Ipv4Addr>,
    /// How DHCP is served, if not as the site says.
    pub dhcp: Option<DhcpMode>,
    /// Ports of the DHCP side.
    pub dhcp_ports: DhcpPorts,
    /// TFTP port; 0 takes any.
    pub tftp_port: u16,
    /// HTTP.
    pub http: HttpSettings,
    /// How often each machine may ask in a second; 0: as often as it likes.
    pub machine_rate: u32,
    /// How long to wait for ports and state that another server still has.
    pub wait: Duration,
    /// How long downloads under way may go on once the server is told to stop.
    pub drain: Duration,
}

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The site was refused.
    #[error("the site in {} is refused", path.display())]
    Site {
        /// Site directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: SiteError,
    },
    /// The matchbox data directory was refused.
    #[error("the matchbox data in {} are refused", path.display())]
    Matchbox {
        /// The directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: BookError,
    },
    /// Nothing can be signed.
    #[error("nothing can be signed with the key in {}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: SignError,
    },
    /// The boot programs are missing.
    #[error("boot programs cannot be used")]
    Programs(#[source] SiteError),
    /// The server cannot give up what it does not need.
    #[error("the server cannot be confined")]
    Confine(#[source] ConfineError),
    /// The state cannot be opened.
    #[error("the state in {} cannot be used", path.display())]
    State {
        /// State directory.
        path: PathBuf,
        /// Cause.
        #[source]
        source: StoreError,
    },
    /// Addresses are to be leased, and the site has none.
    #[error("the site has no subnets to lease addresses in")]
    NoSubnets,
    /// The orders about rollouts cannot be read.
    #[error("nobody is installed as long as it is not known which rollouts are halted")]
    Orders(#[source] OrdersError),
    /// HTTP cannot be served.
    #[error("the HTTP service cannot start")]
    Http(#[source] HttpError),
    /// A socket cannot be bound.
    #[error("a network service cannot start")]
    Net(#[source] NetError),
    /// A socket failed.
    #[error("a network service failed")]
    Socket(#[source] io::Error),
}

impl ServeError {
    /// Whether another server has what this one needs, which may end.
    fn is_held(&self) -> bool {
        match self {
            Self::Net(NetError::Bind { source, .. })
            | Self::Http(HttpError::Net(NetError::Bind { source, .. })) => {
                source.kind() == io::ErrorKind::AddrInUse
            }
            Self::State { source, .. } => source.is_open_elsewhere(),
            _ => false,
        }
    }
}

/// A server that is ready to serve.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    content: Content,
    registry: Registry,
    worker: Worker,
    store: Arc<dyn MachineStore>,
    dhcp_mode: DhcpMode,
    limiter: Arc<Limiter>,
    recorder: Recorder,
    leases: Option<Arc<LeaseServer>>,
    dhcp: Option<DhcpServer>,
    tftp: TftpServer,
    http: HttpService,
    tftp_port: u16,
}

impl Server {
    /// Opens the state and begins to use the sockets, in the runtime that this is called from.
    pub async fn start(confined: ConfinedServer) -> Result<Self, ServeError> {
        let Bound {
            settings,
            content,
            dhcp_mode,
            http,
            tftp,
            dhcp,
            patience,
        } = confined.into_bound();
        let first_stages = content.first_stages();
        let (store, registry, worker) = state::open(&settings, patience).await?;
        let ports = http.ports().map_err(ServeError::Socket)?;
        let files = BootFiles {
            first_stages: first_stages.clone(),
            provisioner: content.provisioner(&registry),
            advertise: settings.advertise,
            ports,
            observer: registry.observer(),
        };
        let tftp_port = tftp.port().map_err(ServeError::Socket)?;
        let limiter = Arc::new(Limiter::new(settings.machine_rate));
        let recorder = Recorder::default();
        let tftp = TftpServer::new(tftp, Arc::new(files), limiter.clone(), recorder.clone());
        let (sockets, echo) = dhcp.map_or((None, None), |dhcp| (Some(dhcp.sockets), dhcp.echo));
        let (subnets, shared) = (first_stages.subnets(), store.clone().leases());
        let leasing = state::leasing(shared, &settings, subnets, echo, patience).await?;
        let leases = leasing.as_ref().map(|leasing| leasing.server.clone());
        let dhcp = sockets.map(|sockets| {
            let dhcp = DhcpSettings {
                ports: settings.dhcp_ports,
                advertise: settings.advertise,
                http: ports,
                limiter: limiter.clone(),
                recorder: recorder.clone(),
            };
            DhcpServer::new(sockets, dhcp, first_stages, registry.observer(), leasing)
        });
        Ok(Self {
            dhcp: dhcp.transpose().map_err(ServeError::Socket)?,
            tftp: tftp.map_err(ServeError::Socket)?,
            settings,
            content,
            registry,
            worker,
            store,
            dhcp_mode,
            limiter,
            recorder,
            leases,
            http,
            tftp_port,
        })
    }

    /// One line that says what is listened on.
    pub fn listens_on(&self) -> String {
        let ports = self.settings.dhcp_ports;
        let dhcp = match self.dhcp_mode {
            DhcpMode::Proxy => format!("proxyDHCP {} and {}", ports.server, ports.boot_server),
            DhcpMode::Full => format!("DHCP {} and {}", ports.server, ports.boot_server),
            DhcpMode::Off => "no DHCP".to_owned(),
        };
        let (tftp, http) = (self.tftp_port, self.http.listens_on());
        let interfaces = match self.settings.interfaces.as_slice() {
            [] => "all interfaces".to_owned(),
            names => names.join(", "),
        };
        format!(
            "ready: {dhcp}, tftp {tftp}, {http} on {interfaces}; {} profiles, {} machines known",
            self.content.profiles(),
            self.registry.known()
        )
    }

    /// Serves until `stop` is over. Then ports and state are free for another server, and the
    /// downloads under way go on until they end, until the time for that is over, or until `stop`
    /// is over once more.
    pub async fn run(self, mut stop: impl AsyncFnMut()) -> Result<(), ServeError> {
        let Self {
            settings,
            content,
            registry,
            worker,
            store,
            limiter,
            recorder,
            leases,
            dhcp,
            tftp,
            http,
            ..
        } = self;
        carry_out_requests(&settings.state, &registry).await;
        let mut tasks = JoinSet::new();
        if let Some(dhcp) = dhcp {
            tasks.spawn(dhcp.run());
        }
        tasks.spawn(watch_requests(settings.state.clone(), registry.clone()));
        tasks.spawn(Supervisor::new(registry.clone(), content.site()).run());
        let (stopping, stopped) = watch::channel(false);
        let router = content.router(
            &registry,
            leases.clone(),
            limiter,
            recorder,
            &settings,
            &mut tasks,
        );
        let mut serving = JoinSet::new();
        serving.spawn(tftp.run(stopped.clone()));
        serving.spawn(http.run(router, stopped));
        let outcome = tokio::select! {
            () = stop() => Ok(()),
            Some(ended) = serving.join_next() => ended.map_err(io::Error::other),
        };
        supervisor::stopping(settings.drain + FINISH);
        let _ = stopping.send(true);
        tasks.shutdown().await;
        let held = state::Held {
            registry,
            worker,
            store,
        };
        let rest = held.release(leases, &settings.state).await;
        drain(serving, settings.drain, stop()).await;
        if let Some(rest) = rest {
            rest.finish().await;
        }
        outcome.map_err(ServeError::Socket)
    }
}

/// Lets what is under way end, within `time`, unless told to `hurry`.
async fn drain(mut serving: JoinSet<()>, time: Duration, hurry: impl Future<Output = ()>) {
    let seconds = time.as_secs();
    tracing::info!(
        seconds,
        "ports and state are free; downloads under way may end"
    );
    tokio::select! {
        () = async { while serving.join_next().await.is_some() {} } => {}
        () = tokio::time::sleep(time) => tracing::warn!("downloads that took too long are cut"),
        () = hurry => tracing::warn!("told again to stop: downloads are cut"),
    }
}

/// Every transfer and connection takes a file descriptor; the usual soft limit is 1024.
pub(crate) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "raising the limit of open files");
    }
}
