//! The operators' view: machines with their state, one machine with its timeline, and with its packets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use embed::hardware::Hardware;
use embed::report::Identity;
use jiff::Timestamp;
use serde::Serialize;

use crate::http::{App, Problem};
use crate::mac::MacAddr;
use crate::machine::{Event, Facts, Machine, Record, State as MachineState, Subject};
use crate::site::Site;
use crate::trace::capture;

/// The type of captures.
pub(super) const PCAPNG: &str = "application/x-pcapng";

/// `GET /api/v1/machines`
#[derive(Debug, Serialize)]
pub(super) struct Machines {
    machines: Vec<View>,
}

/// A machine; never its ticket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct View {
    mac: MacAddr,
    state: MachineState,
    group: Option<String>,
    claim: Option<String>,
    profile: Option<String>,
    #[serde(flatten)]
    facts: Facts,
    percent: Option<u8>,
    failure: Option<String>,
    identity: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware: Option<Box<Hardware>>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<Vec<Entry>>,
}

/// One event and the time it took to get there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    seq: u64,
    time: Timestamp,
    since_start_ms: i64,
    since_previous_ms: i64,
    #[serde(flatten)]
    event: Event,
}

/// All machines, without their timelines and what they consist of.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Machines> {
    let site = app.site.get();
    let machines = app
        .registry
        .machines()
        .into_iter()
        .map(|machine| view(&site, machine))
        .collect();
    Json(Machines { machines })
}

/// One machine with its timeline.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<Json<View>, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let machine = app
        .registry
        .machine(mac)
        .ok_or_else(|| Problem::NotFound(format!("{mac} was never seen")))?;
    let registry = app.registry.clone();
    let records = tokio::task::spawn_blocking(move || registry.timeline(mac)).await;
    let records = records
        .map_err(|_| Problem::Unavailable("the server is going down".to_owned()))?
        .map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, %mac, "reading a timeline");
            Problem::Unavailable("the state could not be read".to_owned())
        })?;
    let hardware = machine.hardware.clone();
    let mut view = view(&app.site.get(), machine);
    view.hardware = hardware;
    view.timeline = Some(entries(records));
    Ok(Json(view))
}

/// `GET /api/v1/machines/{mac}/pcap`
pub(super) async fn pcap(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let packets = app.recorder.packets(mac);
    if packets.is_empty() {
        return Err(Problem::NotFound(format!("nothing was heard of {mac}")));
    }
    let file = capture(&packets).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, %mac, "no capture");
        Problem::Unavailable("the capture could not be made".to_owned())
    })?;
    Ok(([(CONTENT_TYPE, PCAPNG)], file).into_response())
}

fn view(site: &Site, machine: Machine) -> View {
    let subject = Subject {
        mac: machine.mac,
        facts: machine.facts,
        claim: machine.claim,
    };
    let assignment = site.assign(&subject);
    View {
        mac: machine.mac,
        state: machine.state,
        group: assignment
            .and_then(|assignment| assignment.group)
            .map(str::to_owned),
        claim: subject.claim,
        profile: assignment.map(|assignment| assignment.profile.name.clone()),
        facts: subject.facts,
        percent: machine.percent,
        failure: machine.failure,
        identity: machine.identity,
        hardware: None,
        first_seen: machine.first_seen,
        last_seen: machine.last_seen,
        timeline: None,
    }
}

fn entries(records: Vec<Record>) -> Vec<Entry> {
    let start = records
        .first()
        .map_or(Timestamp::UNIX_EPOCH, |record| record.time);
    let mut previous = start;
    let entry = |Record { seq, time, event }| {
        let since = |earlier: Timestamp| time.as_millisecond() - earlier.as_millisecond();
        let entry = Entry {
            seq,
            time,
            since_start_ms: since(start),
            since_previous_ms: since(previous),
            event,
        };
        previous = time;
        entry
    };
    records.into_iter().map(entry).collect()
}
