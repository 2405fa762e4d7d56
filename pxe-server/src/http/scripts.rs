//! iPXE scripts over HTTP.

use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;

use crate::boot::{Platform, boot_script};
use crate::http::condition::Conditions;
use crate::http::tagged::tagged;
use crate::http::{App, Local, Problem, TEXT};
use crate::machine::Facts;

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
    let platform = Platform::from_ipxe(value(said, "platform"));
    let pairs = said
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut facts = Facts::of_query(pairs);
    // Behind a proxy it is the proxy's, which is the best that can be known.
    facts.address = facts.address.or(Some(local.peer));
    let given = app.provisioner.given(mac, facts).await?;
    given
        .to_ipxe(mac, platform, app.endpoint(local))
        .map_err(|error| Problem::Unavailable(error.to_string()))
}

fn value<'a>(said: &'a Said, name: &str) -> Option<&'a str> {
    let pair = said.iter().find(|(said, _)| said == name);
    pair.map(|(_, value)| value.as_str())
}
