//! The media that the manifest names, and nothing else of their directory.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::http::condition::Conditions;
use crate::http::file::Served;
use crate::http::{App, Problem, kind_of};
use crate::machine::Event;

/// The query of an asset: whose download it is, for the machine's timeline.
#[derive(Debug, Deserialize)]
pub(super) struct AssetQuery {
    mac: Option<String>,
}

/// `GET /assets/{file}`: only files that the manifest names.
pub(super) async fn asset(
    State(app): State<App>,
    Path(file): Path<String>,
    Query(query): Query<AssetQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let site = app.site.get();
    if !site.manifest.file_names().contains(&file.as_str()) {
        return Err(Problem::NotFound(format!(
            "the media have no file `{file}`"
        )));
    }
    let served = Served::open(&site.media_dir.join(&file), kind_of(file.as_ref()))?;
    let whose = query
        .mac
        .and_then(|mac| mac.parse().ok())
        .filter(|_| file == site.manifest.rootfs.file);
    let served = match whose {
        Some(mac) => {
            let observer = app.registry.observer();
            served.at_end(move |bytes| observer.note(mac, Event::RootfsServed { bytes }))
        }
        None => served,
    };
    Ok(served.answer(&asked))
}
