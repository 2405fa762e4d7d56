//! The whole server: opens the site and the state, binds every socket before anything is
//! answered, runs all sides until told to stop, and leaves with the state written.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use installer::sign::SignError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dhcp::{DhcpPorts, DhcpServer, DhcpSettings, LeaseServer, Leasing};
use crate::http::{
    self, Access, App, BootPrograms, Followers, HttpError, HttpService, HttpSettings, MatchboxData,
    Routes, Signatures, SigningKey,
};
use crate::machine::{OrdersError, Registry, Worker};
use crate::matchbox::{Book, BookError};
use crate::net::NetError;
use crate::provision::{Issued, Provisioner};
use crate::site::{CurrentSite, DhcpMode, FirstStages, SiteError, Watch};
use crate::store::{Leases, StoreError};
use crate::tftp::{BootFiles, TftpServer};

mod polling;
mod state;

use polling::{carry_out_requests, watch_builds, watch_requests, watch_site};

pub use state::Store;

/// How long running downloads may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(2);

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The site in this directory.
    Site(PathBuf),
    /// The matchbox data directory.
    Matchbox {
        /// The directory.
        dir: PathBuf,
        /// The key that what is served is signed with.
        key: Option<SigningKey>,
    },
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is served.
    pub source: Source,
    /// State directory.
    pub state: PathBuf,
    /// Where machines are kept.
    pub store: Store,
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
    /// Addresses are to be leased, and other servers would not know of it.
    #[error("several servers cannot lease addresses together")]
    SharedLeases,
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
    Socket(#[source] std::io::Error),
}

/// A server whose sockets are all bound.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    content: Content,
    registry: Registry,
    worker: Worker,
    dhcp_mode: DhcpMode,
    leases: Option<Arc<LeaseServer>>,
    dhcp: Option<DhcpServer>,
    tftp: TftpServer,
    http: HttpService,
    tftp_port: u16,
}

impl Server {
    /// Loads, opens and binds everything.
    pub async fn start(settings: Settings) -> Result<Self, ServeError> {
        raise_file_limit();
        let content = Content::open(&settings.source)?;
        let first_stages = content.first_stages();
        let dhcp_mode = dhcp_mode(&settings, &first_stages)?;
        state::check(&settings, dhcp_mode)?;
        let (registry, worker) = state::open(&settings).await?;
        let http = HttpService::bind(&settings.http).map_err(ServeError::Http)?;
        let http_port = http.port().map_err(ServeError::Socket)?;
        let files = BootFiles {
            first_stages: first_stages.clone(),
            provisioner: content.provisioner(&registry),
            advertise: settings.advertise,
            http_port,
            observer: registry.observer(),
        };
        let tftp = TftpServer::bind(settings.tftp_port, &settings.interfaces, Arc::new(files))
            .map_err(ServeError::Net)?;
        let tftp_port = tftp.port().map_err(ServeError::Socket)?;
        let leasing = match dhcp_mode {
            DhcpMode::Full => Some(leasing(&settings.state, &first_stages)?),
            DhcpMode::Proxy | DhcpMode::Off => None,
        };
        let leases = leasing.as_ref().map(|leasing| leasing.server.clone());
        let dhcp = match dhcp_mode {
            DhcpMode::Off => None,
            DhcpMode::Proxy | DhcpMode::Full => {
                let dhcp = DhcpSettings {
                    ports: settings.dhcp_ports,
                    interfaces: settings.interfaces.clone(),
                    advertise: settings.advertise,
                    http_port,
                };
                let observer = registry.observer();
                let bound = DhcpServer::bind(dhcp, first_stages, observer, leasing);
                Some(bound.map_err(ServeError::Net)?)
            }
        };
        Ok(Self {
            settings,
            content,
            registry,
            worker,
            dhcp_mode,
            leases,
            dhcp,
            tftp,
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
            self.registry.machines().len()
        )
    }

    /// Serves until `stop` is over, then writes what is queued.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self {
            settings,
            content,
            registry,
            worker,
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
        tasks.spawn(tftp.run());
        tasks.spawn(watch_requests(settings.state.clone(), registry.clone()));
        let (stopping, stopped) = watch::channel(false);
        let router = content.router(&registry, leases, &settings, &mut tasks);
        let mut serving = tokio::spawn(http.run(router, stopped));
        let outcome = tokio::select! {
            () = stop => {
                let _ = stopping.send(true);
                // Downloads that take longer are cut; their clients resume or ask again.
                if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
                    serving.abort();
                    drop(serving.await);
                }
                Ok(())
            }
            ended = &mut serving => ended.map_err(std::io::Error::other),
        };
        tasks.shutdown().await;
        registry.stop().await;
        drop(tokio::task::spawn_blocking(move || worker.finish()).await);
        outcome.map_err(ServeError::Socket)
    }
}

/// How DHCP is served; what that needs is there.
fn dhcp_mode(settings: &Settings, first_stages: &FirstStages) -> Result<DhcpMode, ServeError> {
    let mode = settings.dhcp.unwrap_or(first_stages.dhcp_mode());
    if mode != DhcpMode::Off {
        first_stages.check().map_err(ServeError::Programs)?;
    }
    if mode == DhcpMode::Full && first_stages.subnets().is_empty() {
        return Err(ServeError::NoSubnets);
    }
    Ok(mode)
}

/// Leases addresses, from what the state directory keeps.
fn leasing(state: &Path, first_stages: &FirstStages) -> Result<Leasing, ServeError> {
    let failed = |source| ServeError::State {
        path: state.to_owned(),
        source,
    };
    let store = Arc::new(Leases::open(state).map_err(failed)?);
    let started = LeaseServer::start(store, first_stages.subnets());
    let (server, answers) = started.map_err(failed)?;
    Ok(Leasing { server, answers })
}

/// What is served, opened.
#[derive(Debug)]
enum Content {
    Site(CurrentSite, Issued, Box<Watch>),
    Matchbox(MatchboxData),
}

impl Content {
    fn open(source: &Source) -> Result<Self, ServeError> {
        match source {
            Source::Site(dir) => {
                let path = dir.clone();
                let refused = |source| ServeError::Site { path, source };
                let (site, watch) = Watch::begin(dir).map_err(refused)?;
                for warning in &site.get().warnings {
                    tracing::warn!("{warning}");
                }
                Ok(Self::Site(site, Issued::default(), Box::new(watch)))
            }
            Source::Matchbox { dir, key } => {
                let book = Book::open(dir).map_err(|source| ServeError::Matchbox {
                    path: dir.clone(),
                    source,
                })?;
                let path = key.as_ref().map(|key| key.path.clone());
                let refused = |source| ServeError::Key {
                    path: path.unwrap_or_default(),
                    source,
                };
                let signatures = Signatures::by(key.as_ref()).map_err(refused)?;
                Ok(Self::Matchbox(MatchboxData {
                    book: Arc::new(book),
                    signatures,
                }))
            }
        }
    }

    fn first_stages(&self) -> FirstStages {
        match self {
            Self::Site(site, ..) => FirstStages::Site(site.clone()),
            Self::Matchbox(_) => FirstStages::packaged(),
        }
    }

    /// Who decides what machines are given, where that is not matchbox's data alone.
    fn provisioner(&self, registry: &Registry) -> Option<Provisioner> {
        match self {
            Self::Site(site, issued, _) => {
                let (site, registry) = (site.clone(), registry.clone());
                Some(Provisioner::new(site, registry, issued.clone()))
            }
            Self::Matchbox(_) => None,
        }
    }

    /// The HTTP side, with what keeps it up to date among the tasks.
    fn router(
        self,
        registry: &Registry,
        leases: Option<Arc<LeaseServer>>,
        settings: &Settings,
        tasks: &mut JoinSet<()>,
    ) -> Routes {
        let advertise = settings.advertise;
        let programs = BootPrograms {
            first_stages: self.first_stages(),
            observer: registry.observer(),
            advertise,
        };
        match self {
            Self::Site(site, issued, watch) => {
                tasks.spawn(watch_site(*watch));
                tasks.spawn(watch_builds(site.clone(), registry.clone()));
                let (Source::Site(dir) | Source::Matchbox { dir, .. }) = &settings.source;
                let app = App {
                    dir: dir.clone(),
                    followers: Followers::default(),
                    provisioner: Provisioner::new(site.clone(), registry.clone(), issued),
                    site,
                    registry: registry.clone(),
                    leases,
                    advertise,
                };
                http::routes(app, programs, &Access::new(&settings.state))
            }
            Self::Matchbox(data) => http::matchbox_routes(data, programs),
        }
    }

    fn profiles(&self) -> usize {
        match self {
            Self::Site(site, ..) => site.get().profiles.len(),
            Self::Matchbox(data) => data.book.library().profiles.len(),
        }
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
