//! iPXE scripts over HTTP.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;

use crate::boot::{
    InstallScript, Platform, boot_script, disk_script, held_script, install_script,
    unclaimed_script, waiting_script,
};
use crate::http::condition::Conditions;
use crate::http::tagged::tagged;
use crate::http::{App, Local, Problem, TEXT};
use crate::machine::{Answer, Facts, Gate, Matched, State as MachineState, Terms};
use crate::site::UnknownMachines;

/// What iPXE says about its machine: names and values; of equal names the first counts.
type Said = Vec<(String, String)>;

/// `GET /boot.ipxe`: the same for every machine.
pub(super) async fn first(asked: Conditions) -> Response {
    tagged(&asked, TEXT, boot_script())
}

/// `GET /ipxe?mac=…`: what this machine shall do now.
pub(super) async fn of_machine(
    State(app): State<App>,
    ConnectInfo(local): ConnectInfo<Local>,
    Query(said): Query<Said>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let script = script(&app, local, &said).await?;
    Ok(tagged(&asked, TEXT, script))
}

async fn script(app: &App, local: Local, said: &Said) -> Result<String, Problem> {
    let no_mac = || Problem::BadRequest("the query has no `mac`".to_owned());
    let mac = Problem::parse_mac(value(said, "mac").ok_or_else(no_mac)?)?;
    let facts = facts(said, local.peer);
    let mut subject = app.registry.subject(mac);
    subject.facts.update(&facts);
    let site = app.site.get();
    let assignment = site.assign(&subject);
    let matched = assignment.map(|assignment| Matched {
        group: assignment.group.map(str::to_owned),
        profile: assignment.profile.name.clone(),
    });
    // Before a ticket is issued: a machine without a usable config is not begun with. One that is
    // installed boots its disk whatever has become of its config.
    let machine = app.registry.machine(mac);
    let begins = machine.is_none_or(|machine| machine.may_install());
    let ready = match assignment.filter(|_| begins) {
        Some(assignment) => Some(app.issued.make(&site, &assignment, &subject).await?),
        None => None,
    };
    let terms = assignment.map(|assignment| Terms {
        intent: site.intent(&assignment.profile.name),
        policy: assignment.profile.rollout.clone(),
    });
    let answer = app.registry.script(mac, matched, terms, facts).await?;
    tracing::info!(%mac, script = ?answer.script(), "script served");
    let endpoint = app.endpoint(local);
    let platform = Platform::from_ipxe(value(said, "platform"));
    if let Answer::Install(ticket) = answer {
        let (assignment, ready) = assignment.zip(ready).ok_or_else(|| {
            Problem::Unavailable("a new install was allowed this very moment; ask again".to_owned())
        })?;
        let profile = assignment.profile;
        let config = profile.config_delivery.of(ready.sha512);
        app.issued.keep(mac, ready);
        let parts = InstallScript {
            mac,
            profile,
            manifest: &site.manifest,
            config,
            ticket,
            assets: &site.assets(),
            endpoint,
        };
        return install_script(&parts).map_err(|error| Problem::Unavailable(error.to_string()));
    }
    Ok(match answer {
        Answer::Unassigned if site.unknown_machines == UnknownMachines::Hold => {
            unclaimed_script(mac, endpoint)
        }
        Answer::Held(MachineState::Failed) => held_script(mac, "its last install failed", endpoint),
        Answer::Held(_) => held_script(mac, "an install was begun and has not ended", endpoint),
        Answer::Waits(gate) => waiting_script(mac, why_waiting(gate), endpoint),
        Answer::Disk => disk_script(mac, "this machine is installed", platform, endpoint),
        Answer::Install(_) | Answer::Unassigned => {
            let why = "no group of this site matches this machine";
            disk_script(mac, why, platform, endpoint)
        }
    })
}

/// Why a machine is not installed now.
fn why_waiting(gate: Gate) -> &'static str {
    match gate {
        Gate::Full | Gate::Open => "other machines are installed first",
        Gate::Paused => "the rollout of its profile is paused",
        Gate::Halted => "the rollout of its profile is halted",
    }
}

fn value<'a>(said: &'a Said, name: &str) -> Option<&'a str> {
    let pair = said.iter().find(|(said, _)| said == name);
    pair.map(|(_, value)| value.as_str())
}

/// What a query says about its machine, beside its address. What cannot be is left out.
fn facts(said: &Said, peer: Ipv4Addr) -> Facts {
    let mut facts = Facts::default();
    let mut seen = HashSet::new();
    for (name, value) in said {
        if ["mac", "platform"].contains(&name.as_str()) || !seen.insert(name) {
            continue;
        }
        if let Err(error) = facts.say(name, value) {
            tracing::debug!(%error, "left out of a query");
        }
    }
    // Behind a proxy it is the proxy's, which is the best that can be known.
    facts.address = facts.address.or(Some(peer));
    facts
}
