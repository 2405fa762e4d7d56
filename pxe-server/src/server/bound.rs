//! The server before it serves: what is to be served is read and every socket bound, with whatever
//! rights the process was started with. Confining it gives them up, and comes before any thread.

use std::io;
use std::time::{Duration, Instant};

use super::content::Content;
use super::{ServeError, Settings, Store, raise_file_limit};
use crate::confine::{ConfineError, Confined, Needs, confine};
use crate::dhcp::{DhcpSockets, EchoSocket};
use crate::http::{HttpService, TlsFiles};
use crate::net::PacketPort;
use crate::site::{DhcpMode, FirstStages};

/// How often it is looked whether another server has ended.
const RETRY: Duration = Duration::from_millis(50);

/// A server whose sockets are all bound.
#[derive(Debug)]
pub struct Bound {
    pub(super) settings: Settings,
    pub(super) content: Content,
    pub(super) dhcp_mode: DhcpMode,
    pub(super) http: HttpService,
    pub(super) tftp: PacketPort,
    pub(super) dhcp: Option<BoundDhcp>,
    /// Until when others are waited for.
    pub(super) patience: Instant,
}

/// What DHCP needs.
#[derive(Debug)]
pub(super) struct BoundDhcp {
    pub(super) sockets: DhcpSockets,
    /// Where addresses are leased.
    pub(super) echo: Option<io::Result<EchoSocket>>,
}

/// A bound server that can do no more than it has to.
#[derive(Debug)]
pub struct ConfinedServer(Bound);

impl Bound {
    /// Reads what is to be served and binds everything.
    pub fn new(mut settings: Settings) -> Result<Self, ServeError> {
        raise_file_limit();
        let content = Content::open(&settings.source)?;
        let dhcp_mode = dhcp_mode(&settings, &content.first_stages())?;
        let patience = Instant::now() + settings.wait;
        let (http, tftp, dhcp) = retry(patience, || bind(&settings, dhcp_mode))?;
        settings.http.https_port = http.ports().map_err(ServeError::Socket)?.tls;
        content.check_https(&settings)?;
        Ok(Self {
            settings,
            content,
            dhcp_mode,
            http,
            tftp,
            dhcp,
            patience,
        })
    }

    /// Gives up what serving does not need, for this thread and those that it starts from now on.
    pub fn confine(mut self) -> Result<ConfinedServer, ServeError> {
        let confined = self.give_up().map_err(ServeError::Confine)?;
        tracing::info!("{}", confined.summary());
        if let Some(reach) = confined.files() {
            self.content.keep_within(reach);
        }
        self.content.sign_by(self.settings.key.as_ref())?;
        Ok(ConfinedServer(self))
    }

    fn give_up(&self) -> Result<Confined, ConfineError> {
        let settings = &self.settings;
        let mut reach = self.content.reach(&settings.source)?;
        for file in settings.http.tls.iter().flat_map(TlsFiles::paths) {
            reach.read_beside(file)?;
        }
        for file in settings.store.files() {
            reach.read(&file)?;
        }
        for directory in &settings.may_read {
            reach.read(directory)?;
        }
        let needs = match (&settings.key, &settings.store) {
            (Some(_), _) => Needs::Programs,
            (_, Store::Etcd(_)) => Needs::Connections,
            _ => Needs::Nothing,
        };
        confine(settings.user.as_deref(), &settings.state, reach, needs)
    }
}

/// Binds every socket.
fn bind(
    settings: &Settings,
    mode: DhcpMode,
) -> Result<(HttpService, PacketPort, Option<BoundDhcp>), ServeError> {
    let interfaces = &settings.interfaces;
    let http = HttpService::bind(&settings.http).map_err(ServeError::Http)?;
    let tftp = PacketPort::bind("TFTP", settings.tftp_port, interfaces).map_err(ServeError::Net)?;
    let dhcp = (mode != DhcpMode::Off).then(|| {
        Ok(BoundDhcp {
            sockets: DhcpSockets::bind(settings.dhcp_ports, interfaces)?,
            echo: (mode == DhcpMode::Full).then(EchoSocket::open),
        })
    });
    Ok((http, tftp, dhcp.transpose().map_err(ServeError::Net)?))
}

/// Tries until it works, as long as another server is in the way and the time is not over.
pub(super) fn retry<T>(
    until: Instant,
    mut attempt: impl FnMut() -> Result<T, ServeError>,
) -> Result<T, ServeError> {
    loop {
        match attempt() {
            Err(error) if error.is_held() && Instant::now() < until => std::thread::sleep(RETRY),
            outcome => return outcome,
        }
    }
}

impl ConfinedServer {
    pub(super) fn into_bound(self) -> Bound {
        self.0
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
