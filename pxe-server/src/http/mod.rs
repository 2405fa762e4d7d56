//! The HTTP side: what machines fetch and report, and what operators ask.
//!
//! Statuses are meant: 400 your request is wrong, 404 no such thing, 409 not for this install,
//! 413 too large, 5xx our fault. Ignition gives up below 500 and retries from there.

mod api;
mod assets;
mod configs;
mod listener;
mod problem;
mod reports;
mod scripts;

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::boot::Endpoint;
use crate::machine::Registry;
use crate::site::Site;

pub use listener::{HttpListener, Local};
pub use problem::Problem;

/// What every handler sees.
#[derive(Clone, Debug)]
pub struct App {
    /// The operator's intent.
    pub site: Arc<Site>,
    /// The machines.
    pub registry: Registry,
    /// Our address as clients shall use it, when not the one that they reached us by.
    pub advertise: Option<Ipv4Addr>,
}

impl App {
    /// The server as the client of this connection sees it.
    fn endpoint(&self, local: Local) -> Endpoint {
        Endpoint {
            address: self.advertise.unwrap_or(local.address),
            port: local.port,
        }
    }
}

/// Every route.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        // What iPXE fetches.
        .route("/boot.ipxe", get(scripts::first))
        .route("/ipxe", get(scripts::of_machine))
        .route("/boot/{mac}/{file}", get(assets::boot_file))
        .route("/assets/{file}", get(assets::asset))
        // What the live system and the installed one do.
        .route("/machines/{mac}/ignition", get(configs::ignition))
        .route("/machines/{mac}/report", post(reports::report))
        // What operators see.
        .route("/api/v1/machines", get(api::list))
        .route("/api/v1/machines/{mac}", get(api::one))
        .layer(DefaultBodyLimit::max(embed::report::MAX_BYTES))
        .with_state(app)
}
