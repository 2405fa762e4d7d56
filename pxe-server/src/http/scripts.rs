//! iPXE scripts over HTTP.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Query, RawQuery, State};
use axum::response::Response;

use crate::boot::{Platform, boot_script};
use crate::http::condition::Conditions;
use crate::http::tagged::tagged;
use crate::http::{App, Local, Problem, TEXT, matchbox};
use crate::mac::MacAddr;
use crate::machine::Facts;
use crate::matchbox::labels;

/// What iPXE says about its machine: names and values; of equal names the first counts.
type Said = Vec<(String, String)>;

/// `GET /boot.ipxe`: the same for every machine.
pub(super) async fn first(
    State(app): State<Arc<App>>,
    ConnectInfo(local): ConnectInfo<Local>,
    asked: Conditions,
) -> Response {
    let servers = app.servers(local);
    tagged(&asked, TEXT, boot_script(servers.others()))
}

/// `GET /ipxe?mac=…`: what this machine shall do now. Without an address it is no machine of the
/// site, but may be one of the matchbox data beside it.
pub(super) async fn of_machine(
    State(app): State<Arc<App>>,
    ConnectInfo(local): ConnectInfo<Local>,
    Query(said): Query<Said>,
    RawQuery(query): RawQuery,
    asked: Conditions,
) -> Result<Response, Problem> {
    let no_mac = || Problem::BadRequest("the query has no `mac`".to_owned());
    let mac = value(&said, "mac").ok_or_else(no_mac);
    let mac = match mac.and_then(Problem::parse_mac) {
        Err(_) if app.site.get().matchbox.is_some() => {
            return matchbox::script(&app.matchbox, query, &asked).await;
        }
        mac => mac?,
    };
    let script = script(&app, local, mac, &said).await?;
    Ok(tagged(&asked, TEXT, script))
}

async fn script(app: &App, local: Local, mac: MacAddr, said: &Said) -> Result<String, Problem> {
    let platform = Platform::from_ipxe(value(said, "platform"));
    let pairs = said
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut facts = Facts::of_query(pairs);
    // Behind a proxy it is the proxy's, which is the best that can be known.
    facts.address = facts.address.or(Some(local.peer));
    let given = app
        .provisioner
        .given(mac, facts, labels(said), local.peer)
        .await?;
    given
        .to_ipxe(mac, platform, &app.servers(local))
        .map_err(|error| Problem::Unavailable(error.to_string()))
}

fn value<'a>(said: &'a Said, name: &str) -> Option<&'a str> {
    let pair = said.iter().find(|(said, _)| said == name);
    pair.map(|(_, value)| value.as_str())
}
