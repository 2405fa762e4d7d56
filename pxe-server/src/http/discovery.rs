//! Machines that nobody has a use for yet: what they consist of, and whether they go on waiting.
//! They get no config and no ticket.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use embed::hardware::Hardware;
use embed::report::{FORMAT, Next, Orders};

use crate::http::{App, Problem};
use crate::mac::MacAddr;
use crate::site::UnknownMachines;

/// Whether the machine would boot the live system to be discovered if it asked for its script now.
fn is_waiting(app: &App, mac: MacAddr) -> bool {
    let site = app.site.get();
    let machine = app.registry.machine(mac);
    site.unknown_machines == UnknownMachines::Discover
        && machine.is_none_or(|machine| machine.may_install())
        && site.assign(&app.registry.subject(mac)).is_none()
        && site.matchbox_group_of(&app.registry.subject(mac)).is_none()
}

/// `GET /machines/{mac}/orders`: whether there is something for this machine.
pub(super) async fn orders(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<Json<Orders>, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let next = match is_waiting(&app, mac) {
        true => Next::Wait,
        false => Next::Boot,
    };
    Ok(Json(Orders {
        format: FORMAT,
        machine: mac.to_string(),
        next,
    }))
}

/// Keeps what a waiting machine consists of; durable when this returns.
pub(super) async fn hardware(
    app: &App,
    mac: MacAddr,
    hardware: Box<Hardware>,
    uptime_ms: u64,
) -> Result<(), Problem> {
    if !is_waiting(app, mac) {
        return Err(Problem::Conflict(
            "this machine does not wait to be claimed".to_owned(),
        ));
    }
    app.registry.hardware(mac, hardware, uptime_ms).await?;
    tracing::info!(%mac, "hardware reported");
    Ok(())
}
