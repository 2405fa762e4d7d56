//! The HTTP side: what machines fetch and report, and what operators ask.
//!
//! Statuses are meant: 400 your request is wrong, 404 no such thing, 409 not for this install,
//! 403 never, 413 too large, 5xx our fault. Ignition gives up below 500 and retries from there.

mod api;
mod assets;
mod boot;
mod configs;
mod leases;
mod listener;
mod matchbox;
mod problem;
mod reports;
mod rollouts;
mod scripts;
mod site;
mod tagged;

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::routing::{get, post};

use crate::boot::Endpoint;
use crate::dhcp::LeaseServer;
use crate::machine::Registry;
use crate::site::CurrentSite;

pub use boot::BootPrograms;
pub use configs::Issued;
pub use listener::{HttpListener, Local};
pub use matchbox::routes as matchbox_routes;
pub use problem::Problem;

/// The type of files that nobody needs to understand.
const BINARY: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What every handler sees.
#[derive(Clone, Debug)]
pub struct App {
    /// The operator's intent.
    pub site: CurrentSite,
    /// The machines.
    pub registry: Registry,
    /// Configs that scripts have named.
    pub issued: Issued,
    /// Who leases addresses, if this server does.
    pub leases: Option<Arc<LeaseServer>>,
    /// Our address as clients shall use it, when not the one that they reached us by.
    pub advertise: Option<Ipv4Addr>,
}

impl App {
    /// The server as the client of this connection sees it.
    fn endpoint(&self, local: Local) -> Endpoint {
        endpoint(self.advertise, local)
    }
}

fn endpoint(advertise: Option<Ipv4Addr>, local: Local) -> Endpoint {
    Endpoint {
        address: advertise.unwrap_or(local.address),
        port: local.port,
    }
}

/// Every route.
pub fn routes(app: App, programs: BootPrograms) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        // What iPXE fetches.
        .route("/boot.ipxe", get(scripts::first))
        .route("/ipxe", get(scripts::of_machine))
        .route("/assets/{file}", get(assets::asset))
        // What the live system and the installed one do.
        .route("/machines/{mac}/ignition", get(configs::ignition))
        .route("/machines/{mac}/config.img", get(configs::initrd))
        .route("/machines/{mac}/report", post(reports::report))
        // What operators see.
        .route("/api/v1/site", get(site::status))
        .route("/api/v1/leases", get(leases::list))
        .route("/api/v1/rollouts", get(rollouts::list))
        .route("/api/v1/machines", get(api::list))
        .route("/api/v1/machines/{mac}", get(api::one))
        .route("/api/v1/machines/{mac}/explain", get(site::explain))
        .layer(DefaultBodyLimit::max(embed::report::MAX_BYTES))
        .with_state(app)
        .merge(boot::routes(programs))
}
