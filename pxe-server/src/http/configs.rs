//! A machine's Ignition config: its own, byte for byte as it is in the site.

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::http::{App, Problem};
use crate::machine::Event;

/// `GET /machines/{mac}/ignition`
pub(super) async fn ignition(
    State(app): State<App>,
    Path(mac): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let no_group = || Problem::NotFound(format!("no group of this site matches {mac}"));
    let config = app.site.assign(mac).ok_or_else(no_group)?.config;
    app.registry.observer().note(
        mac,
        Event::ConfigServed {
            sha512: config.identity(),
        },
    );
    tracing::info!(%mac, "config served");
    Ok((
        [(CONTENT_TYPE, "application/vnd.coreos.ignition+json")],
        config.bytes().to_vec(),
    ))
}
