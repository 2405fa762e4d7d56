//! Lets machines ask as often as they may, and tells others when to come back.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::whose::machine;
use crate::http::{Local, Problem};
use crate::limit::{Asked, Limiter};

/// Lets a request through if its machine and its address do not ask too often.
pub(super) async fn limited(
    State((limiter, asked)): State<(Arc<Limiter>, Asked)>,
    ConnectInfo(local): ConnectInfo<Local>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if let Err(after) = limiter.ask(asked, machine(request.uri()), Some(local.peer)) {
        tracing::debug!(peer = %local.peer, uri = %request.uri().path(), "asks too often");
        // Ignition gives a config up for anything below 500.
        return Err(match asked {
            Asked::Config => Problem::Busy(after),
            _ => Problem::TooMany(after),
        });
    }
    Ok(next.run(request).await)
}
