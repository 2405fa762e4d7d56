//! A machine's Ignition config: its own, byte for byte as it is in the site or as its template
//! makes it; by URL, or as an initrd for the holder of its ticket.
//!
//! A machine that is about to install gets the very config whose digest its script named, even if
//! the site has changed in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use embed::contract::initrd::CONFIG;
use embed::customize::Customization;
use embed::digest::Sha512Digest;
use embed::ignition::Config;
use embed::initrd::Archive;

use crate::http::condition::Conditions;
use crate::http::reports::ReportQuery;
use crate::http::tagged::{named, tagged};
use crate::http::{App, Problem};
use crate::mac::MacAddr;
use crate::machine::{Event, State as MachineState, Subject, Ticket, TicketState};
use crate::site::{Assignment, ReadyConfig, Site};

const IGNITION: &str = "application/vnd.coreos.ignition+json";
/// Configs that are kept for machines with a script.
const KEPT: usize = 20_000;

/// The configs that scripts have named, by machine.
#[derive(Clone, Debug, Default)]
pub struct Issued(Arc<Mutex<HashMap<MacAddr, Arc<ReadyConfig>>>>);

impl Issued {
    /// The config that `assignment` gives `subject`, made without blocking other requests.
    pub(super) async fn make(
        &self,
        site: &Arc<Site>,
        assignment: &Assignment<'_>,
        subject: &Subject,
    ) -> Result<Arc<ReadyConfig>, Problem> {
        if let Some(config) = site.configs.get(&assignment.profile.ignition) {
            return Ok(config.clone());
        }
        let (site, subject) = (site.clone(), subject.clone());
        let mac = subject.mac;
        let make = move || {
            let assignment = site.assign(&subject)?;
            Some(site.config(&assignment, &subject))
        };
        let made = tokio::task::spawn_blocking(make).await.ok().flatten();
        let made =
            made.ok_or_else(|| Problem::Unavailable("the server is going down".to_owned()))?;
        made.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, %mac, "no config for a machine");
            Problem::Misconfigured("this machine's config cannot be made; the server's log says why".to_owned())
        })
    }

    /// Keeps the config that the script of `mac` names.
    pub(super) fn keep(&self, mac: MacAddr, config: Arc<ReadyConfig>) {
        if let Ok(mut kept) = self.0.lock() {
            if kept.len() >= KEPT && !kept.contains_key(&mac) {
                kept.clear();
            }
            kept.insert(mac, config);
        }
    }

    fn of(&self, mac: MacAddr) -> Option<Arc<ReadyConfig>> {
        self.0.lock().ok()?.get(&mac).cloned()
    }
}

/// The config that a machine is to get now.
async fn config(app: &App, mac: MacAddr) -> Result<Arc<ReadyConfig>, Problem> {
    let state = app.registry.state(mac);
    let installs = matches!(
        state,
        Some(MachineState::Booting | MachineState::Live | MachineState::Installing)
    );
    if let Some(issued) = app.issued.of(mac).filter(|_| installs) {
        return Ok(issued);
    }
    let (site, subject) = (app.site.get(), app.registry.subject(mac));
    let no_group = || Problem::NotFound(format!("no group of this site matches {mac}"));
    let assignment = site.assign(&subject).ok_or_else(no_group)?;
    app.issued.make(&site, &assignment, &subject).await
}

fn served(app: &App, mac: MacAddr, sha512: Sha512Digest) {
    app.registry
        .observer()
        .note(mac, Event::ConfigServed { sha512 });
    tracing::debug!(%mac, "config served");
}

/// `GET /machines/{mac}/ignition`
pub(super) async fn ignition(
    State(app): State<App>,
    Path(mac): Path<String>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let ready = config(&app, mac).await?;
    served(&app, mac, ready.sha512);
    let bytes = Bytes::copy_from_slice(ready.config.bytes());
    Ok(named(&asked, IGNITION, &ready.sha512.to_string(), bytes))
}

/// `GET /machines/{mac}/config.img?ticket=…`: an initrd with the config for the system that is
/// installed, for a machine whose ticket is not used yet.
pub(super) async fn initrd(
    State(app): State<App>,
    Path(mac): Path<String>,
    Query(query): Query<ReportQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let given: Option<Ticket> = query.ticket.parse().ok();
    let current = app.registry.machine(mac).map(|machine| machine.ticket);
    if !matches!((&current, given), (Some(TicketState::Issued { ticket }), Some(given)) if *ticket == given)
    {
        return Err(Problem::Conflict(
            "the ticket is not this machine's current one".to_owned(),
        ));
    }
    let ready = config(&app, mac).await?;
    let bytes = archive(&ready.config).map_err(|error| {
        tracing::error!(%mac, error = &*error, "no initrd for a machine");
        Problem::Misconfigured(
            "this machine's initrd cannot be made; the server's log says why".to_owned(),
        )
    })?;
    served(&app, mac, ready.sha512);
    Ok(tagged(&asked, "application/octet-stream", bytes))
}

/// The initrd: a config of the live system that brings the one for the installed system along.
fn archive(config: &Config) -> Result<Vec<u8>, Box<dyn std::error::Error + 'static>> {
    let customization = Customization {
        dest: vec![config.clone()],
        ..Customization::default()
    };
    let live = customization.live_config()?.unwrap_or_default();
    let mut archive = Archive::default();
    archive.insert(CONFIG, live)?;
    Ok(archive.to_cpio()?)
}
