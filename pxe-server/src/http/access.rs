//! Who may ask what operators ask: bearer tokens and client certificates with roles; without any
//! token, whoever is on this very machine.
//!
//! Browsers are no operators' tools: what a page of somebody else makes a browser send to this
//! machine is refused.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::{Local, Problem};
use crate::token::{Role, Tokens};

/// The role that a client's certificate gives, among a request's extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certified(pub(super) Role);

impl Certified {
    /// By the organizational units of a certificate: the highest role that one of them names.
    pub(super) fn by(units: &[String]) -> Self {
        let named = units.iter().filter_map(|unit| unit.parse().ok()).max();
        Self(named.unwrap_or(Role::Viewer))
    }
}

/// Decides who may ask.
#[derive(Clone, Debug)]
pub struct Access(Arc<PathBuf>);

impl Access {
    /// By the tokens in the state directory `state`.
    pub fn new(state: &std::path::Path) -> Self {
        Self(Arc::new(state.to_owned()))
    }

    /// The role of whoever sent this.
    fn role(
        &self,
        headers: &HeaderMap,
        local: Local,
        certified: Option<Certified>,
    ) -> Result<Role, Problem> {
        let tokens = Tokens::load(&self.0).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "nobody is let in");
            Problem::Unavailable("the server's tokens cannot be read".to_owned())
        })?;
        if let Some(given) = headers.get(AUTHORIZATION) {
            let given = given.to_str().unwrap_or_default();
            let token = given
                .split_once(' ')
                .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
            let role = token.and_then(|(_, token)| tokens.role(token.trim()));
            return role.ok_or(Problem::Unauthorized("this token is not known"));
        }
        if let Some(Certified(role)) = certified {
            return Ok(role);
        }
        if !tokens.none_made() {
            return Err(Problem::Unauthorized("a token is needed"));
        }
        if local.peer.is_loopback() && !may_be_a_page(headers) {
            return Ok(Role::Admin);
        }
        Err(Problem::Forbidden(
            "operators are served on this machine only, until `pxe-server token new` has made a token".to_owned(),
        ))
    }
}

/// A browser names the page that it asks for, or a host that somebody else's name server knows.
fn may_be_a_page(headers: &HeaderMap) -> bool {
    let host = headers
        .get(HOST)
        .map_or(Ok("localhost"), |host| host.to_str());
    let host = host.unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let ours = name == "localhost"
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok();
    headers.contains_key(ORIGIN) || !ours
}

/// Lets through who has at least the role.
pub(super) async fn guard(
    State((access, needed)): State<(Access, Role)>,
    ConnectInfo(local): ConnectInfo<Local>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let certified = request.extensions().get().copied();
    let role = access.role(request.headers(), local, certified)?;
    if role < needed {
        return Err(Problem::Forbidden(format!(
            "this takes the role `{needed}`; you have `{role}`"
        )));
    }
    Ok(next.run(request).await)
}
