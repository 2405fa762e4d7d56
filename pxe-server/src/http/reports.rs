//! Reports of machines: read, decided on, durable, and only then acknowledged.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use embed::report::{Event, FORMAT, Report};
use serde::Deserialize;

use crate::http::{App, Problem, discovery};
use crate::machine::{Ticket, TicketError};

/// The query of whoever has a ticket.
#[derive(Debug, Deserialize)]
pub(super) struct ReportQuery {
    #[serde(default)]
    pub(super) ticket: String,
}

/// `POST /machines/{mac}/report?ticket=…`: 204 once durable. What a machine consists of takes no
/// ticket.
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
    Query(query): Query<ReportQuery>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let report: Report = serde_json::from_slice(&body)
        .map_err(|error| Problem::BadRequest(format!("not a report: {error}")))?;
    if report.format > FORMAT {
        return Err(Problem::BadRequest(format!(
            "report has format {}; {FORMAT} is known",
            report.format
        )));
    }
    if let Event::Hardware { hardware } = report.event {
        discovery::hardware(&app, mac, hardware, report.uptime_ms).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    // Senders give up on a conflict only, and no repetition makes a ticket of this.
    let ticket: Ticket = query
        .ticket
        .parse()
        .map_err(|error: TicketError| Problem::Conflict(error.to_string()))?;
    let event = format!("{:?}", report.event);
    match app.registry.report(mac, ticket, report).await {
        Ok(()) => tracing::info!(%mac, event, "report"),
        Err(error) => {
            tracing::warn!(%mac, event, error = &error as &dyn std::error::Error, "report not taken");
            return Err(error.into());
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
