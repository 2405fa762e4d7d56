//! What operators do over the API, each as the command of the same name does it: claim a machine,
//! allow one more install, check the site's files.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::http::{App, Problem};
use crate::machine::{OperatorRequest, Ticket, Wish};
use crate::site::Refused;

/// The body of a claim.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    profile: String,
}

/// `PUT /api/v1/machines/{mac}/claim`: 204 once durable.
pub(super) async fn claim(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
    Json(claim): Json<Claim>,
) -> Result<StatusCode, Problem> {
    let site = app.site.get();
    if !site.profiles.contains_key(&claim.profile) {
        let known: Vec<&str> = site.profiles.keys().map(String::as_str).collect();
        return Err(Problem::Conflict(format!(
            "there is no profile `{}`; there are {}",
            claim.profile,
            known.join(", ")
        )));
    }
    carry_out(&app, &mac, Wish::Claim(Some(claim.profile))).await
}

/// `DELETE /api/v1/machines/{mac}/claim`: groups decide again.
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<StatusCode, Problem> {
    carry_out(&app, &mac, Wish::Claim(None)).await
}

/// `POST /api/v1/machines/{mac}/reinstall`: 204 once durable.
pub(super) async fn reinstall(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<StatusCode, Problem> {
    let subject = app.registry.subject(Problem::parse_mac(&mac)?);
    if app.site.get().assign(&subject).is_none() {
        return Err(Problem::Conflict(format!(
            "no group of this site matches {}; it would not be installed",
            subject.mac
        )));
    }
    carry_out(&app, &mac, Wish::Reinstall).await
}

async fn carry_out(app: &App, mac: &str, wish: Wish) -> Result<StatusCode, Problem> {
    let mac = Problem::parse_mac(mac)?;
    // A ticket's randomness serves as the request's name; it permits nothing.
    let id = Ticket::random().to_string();
    let told = wish.clone();
    app.registry
        .carry_out(OperatorRequest { mac, id, wish })
        .await?;
    tracing::info!(%mac, wish = ?told, "carried out");
    Ok(StatusCode::NO_CONTENT)
}

/// What a check of the site's files found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Checked {
    refused: Option<Refused>,
    warnings: Vec<String>,
}

/// `POST /api/v1/site/check`: what would come of serving the directory as it is now.
pub(super) async fn check(State(app): State<Arc<App>>) -> Result<Json<Checked>, Problem> {
    let (current, dir) = (app.site.clone(), app.dir.clone());
    let read = tokio::task::spawn_blocking(move || current.read(&dir)).await;
    let read = read.map_err(|_| Problem::Unavailable("the server is going down".to_owned()))?;
    Ok(Json(match read {
        Ok(site) => Checked {
            refused: None,
            warnings: site.warnings.iter().map(ToString::to_string).collect(),
        },
        Err(error) => Checked {
            refused: Some(Refused::of(&error)),
            warnings: Vec::new(),
        },
    }))
}
