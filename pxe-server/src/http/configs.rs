//! A machine's Ignition config: its own, byte for byte as it is in the site or as its template
//! makes it; by URL, or as an initrd for the holder of its ticket.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::http::condition::Conditions;
use crate::http::reports::ReportQuery;
use crate::http::tagged::{named, tagged};
use crate::http::{App, Local, Problem};

const IGNITION: &str = "application/vnd.coreos.ignition+json";

/// The query of a config.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigQuery {
    version: Option<String>,
}

/// `GET /machines/{mac}/ignition?version=…`: that version or none; without one, what it is now.
pub(super) async fn ignition(
    State(app): State<Arc<App>>,
    ConnectInfo(local): ConnectInfo<Local>,
    Path(mac): Path<String>,
    Query(query): Query<ConfigQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let version = query.version.as_deref();
    let ready = app.provisioner.config(mac, version, local.peer).await?;
    app.provisioner.served(mac, &ready);
    let bytes = Bytes::copy_from_slice(ready.config.bytes());
    Ok(named(&asked, IGNITION, &ready.sha512.to_string(), bytes))
}

/// `GET /machines/{mac}/config.img?ticket=…`: the config as an initrd, while the ticket is unused.
pub(super) async fn initrd(
    State(app): State<Arc<App>>,
    ConnectInfo(local): ConnectInfo<Local>,
    Path(mac): Path<String>,
    Query(query): Query<ReportQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let ticket = query.ticket.parse().ok();
    let bytes = app
        .provisioner
        .config_initrd(mac, ticket, local.peer)
        .await?;
    Ok(tagged(&asked, "application/octet-stream", bytes))
}
