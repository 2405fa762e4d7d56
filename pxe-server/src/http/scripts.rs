//! iPXE scripts over HTTP.

use axum::extract::{ConnectInfo, Query, State};
use serde::Deserialize;

use crate::boot::{InstallScript, Platform, boot_script, disk_script, held_script, install_script};
use crate::http::{App, Local, Problem};
use crate::machine::{Answer, State as MachineState};

/// Longest free text that is kept of a query.
const MAX_TEXT: usize = 128;

/// What iPXE says about its machine.
#[derive(Debug, Deserialize)]
pub(super) struct ScriptQuery {
    mac: String,
    uuid: Option<String>,
    serial: Option<String>,
    platform: Option<String>,
}

/// `GET /boot.ipxe`: the same for every machine.
pub(super) async fn first() -> String {
    boot_script()
}

/// `GET /ipxe?mac=…`: what this machine shall do now.
pub(super) async fn of_machine(
    State(app): State<App>,
    ConnectInfo(local): ConnectInfo<Local>,
    Query(query): Query<ScriptQuery>,
) -> Result<String, Problem> {
    let mac = Problem::parse_mac(&query.mac)?;
    let assignment = app.site.assign(mac);
    let answer = app
        .registry
        .script(
            mac,
            assignment.is_some(),
            text(query.uuid),
            text(query.serial),
        )
        .await?;
    tracing::info!(%mac, script = ?answer.script(), "script served");
    let endpoint = app.endpoint(local);
    let platform = Platform::from_ipxe(query.platform.as_deref());
    match (answer, assignment) {
        (Answer::Install(ticket), Some(assignment)) => {
            let profile = assignment.profile;
            let parts = InstallScript {
                mac,
                profile,
                manifest: &app.site.manifest,
                ticket,
                endpoint,
            };
            install_script(&parts).map_err(|error| Problem::Unavailable(error.to_string()))
        }
        (Answer::Install(_) | Answer::Unassigned, _) => Ok(disk_script(
            mac,
            "no group of this site matches this machine",
            platform,
            endpoint,
        )),
        (Answer::Disk, _) => Ok(disk_script(
            mac,
            "this machine is installed",
            platform,
            endpoint,
        )),
        (Answer::Held(MachineState::Failed), _) => {
            Ok(held_script(mac, "its last install failed", endpoint))
        }
        (Answer::Held(_), _) => Ok(held_script(
            mac,
            "an install was begun and has not ended",
            endpoint,
        )),
    }
}

/// Free text of a machine: printable, short, and nothing rather than empty.
fn text(given: Option<String>) -> Option<String> {
    let text: String = given?
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(MAX_TEXT)
        .collect();
    (!text.is_empty()).then_some(text)
}
