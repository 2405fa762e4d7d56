//! The HTTP side: what machines fetch and report, and what operators ask.
//!
//! Statuses are meant: 400 your request is wrong, 404 no such thing, 409 not for this install,
//! 403 never, 413 too large, 429 too often, 5xx our fault. Ignition gives up below 500 and retries from there.

mod access;
mod api;
mod assets;
mod boot;
mod condition;
mod configs;
mod discovery;
mod events;
mod file;
mod front;
mod leases;
mod limited;
mod listing;
mod local;
mod manage;
mod matchbox;
mod metrics;
mod openapi;
mod operations;
mod problem;
mod reports;
mod rollouts;
mod schemas;
mod scripts;
mod service;
mod signatures;
mod site;
mod tagged;
mod tls;
mod tokens;
mod traced;
mod whose;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderValue;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use tower_http::timeout::RequestBodyDeadlineLayer;

use crate::boot::{FirstStage, HttpPorts, Servers};
use crate::dhcp::LeaseServer;
use crate::limit::{Asked, Limiter};
use crate::machine::Registry;
use crate::provision::Provisioner;
use crate::site::CurrentSite;
use crate::trace::Recorder;

use limited::limited;
use traced::traced;

pub use access::Access;
pub use boot::BootPrograms;
pub use events::Followers;
pub use local::Local;
pub use matchbox::{Libraries, MatchboxData, routes as matchbox_routes};
pub use problem::Problem;
pub use service::{HttpError, HttpService, HttpSettings, Routes};
pub use signatures::{Signatures, SigningKey};
pub use tls::{TlsError, TlsFiles};
pub use tokens::TokenBook;

/// The type of files that nobody needs to understand.
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// Firmware takes a boot program as this type; some refuse any other.
const EFI: HeaderValue = HeaderValue::from_static("application/efi");
/// Firmware makes a disk of this in memory.
const EFI_ISO: HeaderValue = HeaderValue::from_static("application/vnd.efi-iso");
/// Time for a request's body.
const BODY: Duration = Duration::from_secs(30);
/// Scripts.
const TEXT: &str = "text/plain; charset=utf-8";

/// The type by which clients take the file at `path`.
fn kind_of(path: &Path) -> HeaderValue {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("efi") => EFI,
        Some("iso") => EFI_ISO,
        _ => BINARY,
    }
}

/// What every handler sees.
#[derive(Debug)]
pub struct App {
    /// Directory of the site.
    pub dir: PathBuf,
    /// State directory.
    pub state: PathBuf,
    /// The operators' tokens.
    pub tokens: TokenBook,
    /// The operator's intent.
    pub site: CurrentSite,
    /// The machines.
    pub registry: Registry,
    /// What they are given.
    pub provisioner: Provisioner,
    /// The matchbox data of a site that has any.
    pub matchbox: MatchboxData,
    /// Who leases addresses, if this server does.
    pub leases: Option<Arc<LeaseServer>>,
    /// Who asks too often.
    pub limiter: Arc<Limiter>,
    /// The newest packets of each machine.
    pub recorder: Recorder,
    /// Room for those who follow events.
    pub followers: Followers,
    /// What clients are told of this server.
    pub told: Told,
}

impl App {
    /// The servers as the client of this connection reaches them.
    fn servers(&self, local: Local) -> Servers {
        self.told.servers(local, &self.site.get().first_stage)
    }
}

/// What clients are told of this server beside what they reached it by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Our address, when not the one that they reached us by.
    pub advertise: Option<Ipv4Addr>,
    /// Port with TLS.
    pub https_port: Option<u16>,
}

impl Told {
    /// The servers as the client of this connection reaches them.
    fn servers(self, local: Local, first_stage: &FirstStage) -> Servers {
        let ports = HttpPorts {
            plain: local.port,
            tls: self.https_port,
        };
        let address = self.advertise.unwrap_or(local.address);
        first_stage.servers(ports.at(address, first_stage.schemes))
    }
}

/// Every route; operators' for those whom `access` lets in.
pub fn routes(app: Arc<App>, programs: BootPrograms, access: &Access) -> Routes {
    let bounded = |router: Router<Arc<App>>| {
        router
            .layer(DefaultBodyLimit::max(embed::report::MAX_BYTES))
            .layer(RequestBodyDeadlineLayer::new(BODY))
            .with_state(app.clone())
    };
    let machines = bounded(machine_routes(&app.limiter))
        .merge(matchbox::beside_site(app.matchbox.clone(), &app.limiter))
        .merge(boot::routes(programs));
    Routes {
        operators: bounded(operations::routes(access)),
        machines: machines.layer(from_fn_with_state(app.recorder.clone(), traced)),
    }
}

fn machine_routes(limiter: &Arc<Limiter>) -> Router<Arc<App>> {
    let limited = |asked, router: MethodRouter<Arc<App>>| -> MethodRouter<Arc<App>> {
        router.layer(from_fn_with_state((limiter.clone(), asked), limited))
    };
    let script = |router| limited(Asked::Script, router);
    let config = |router| limited(Asked::Config, router);
    let report = limited(Asked::Report, post(reports::report));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        // What iPXE fetches.
        .route("/boot.ipxe", script(get(scripts::first)))
        .route("/ipxe", script(get(scripts::of_machine)))
        .route("/assets/{*path}", get(assets::asset))
        .route("/media/{*path}", get(assets::own))
        // What the live system and the installed one do.
        .route("/machines/{mac}/ignition", config(get(configs::ignition)))
        .route("/machines/{mac}/config.img", config(get(configs::initrd)))
        .route("/machines/{mac}/orders", script(get(discovery::orders)))
        .route("/machines/{mac}/report", report)
}

/// `GET /readyz`: whether everything that a machine may need can be done now.
async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.registry.store_status().reachable {
        return Ok("ok\n");
    }
    Err(Problem::Unavailable(
        "the store cannot be reached: known machines boot their disks, nobody is installed"
            .to_owned(),
    ))
}
