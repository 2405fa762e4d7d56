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
    serve(&app, None, &file, query, &asked)
}

/// `GET /assets/{release}/{file}`: the same of a mirrored build.
pub(super) async fn asset_of_build(
    State(app): State<App>,
    Path((release, file)): Path<(String, String)>,
    Query(query): Query<AssetQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    serve(&app, Some(&release), &file, query, &asked)
}

fn serve(
    app: &App,
    release: Option<&str>,
    file: &str,
    query: AssetQuery,
    asked: &Conditions,
) -> Result<Response, Problem> {
    let missing = || Problem::NotFound(format!("the media have no file `{file}`"));
    let asset = app.site.get().asset(release, file).ok_or_else(missing)?;
    let served = Served::open(&asset.path, kind_of(file.as_ref()))?;
    let whose = query.mac.and_then(|mac| mac.parse().ok());
    let served = match whose.filter(|_| asset.is_rootfs) {
        Some(mac) => {
            let observer = app.registry.observer();
            served.at_end(move |bytes| observer.note(mac, Event::RootfsServed { bytes }))
        }
        None => served,
    };
    Ok(served.answer(asked))
}
