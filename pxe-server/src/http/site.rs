//! The operators' view of the site: what is served since when, why the directory's newest state
//! may not be, and why a machine gets what it gets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use crate::http::{App, Problem};
use crate::site::{Explanation, Status};

/// `GET /api/v1/site`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct View {
    #[serde(flatten)]
    status: Status,
    media: String,
    profiles: Vec<String>,
    groups: Vec<String>,
    warnings: Vec<String>,
}

/// What is served.
pub(super) async fn status(State(app): State<Arc<App>>) -> Json<View> {
    let site = app.site.get();
    let source = &site.manifest.source;
    Json(View {
        status: app.site.status(),
        media: format!("{} {} {}", source.name, source.version, source.architecture),
        profiles: site.profiles.keys().cloned().collect(),
        groups: site.groups.keys().cloned().collect(),
        warnings: site.warnings.iter().map(ToString::to_string).collect(),
    })
}

/// `GET /api/v1/machines/{mac}/explain`, of machines that were never seen, too.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Path(mac): Path<String>,
) -> Result<Json<Explanation>, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let (site, subject) = (app.site.get(), app.registry.subject(mac));
    let explained = tokio::task::spawn_blocking(move || site.explain(&subject)).await;
    explained
        .map(Json)
        .map_err(|_| Problem::Unavailable("the server is going down".to_owned()))
}
