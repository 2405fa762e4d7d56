//! The media that the manifest names, and nothing else of their directory; the assets of matchbox data
//! beside them.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::http::condition::Conditions;
use crate::http::file::Served;
use crate::http::{App, Problem, kind_of, matchbox};
use crate::machine::Event;

/// The query of an asset: whose download it is, for the machine's timeline.
#[derive(Debug, Deserialize)]
pub(super) struct AssetQuery {
    mac: Option<String>,
}

/// `GET /assets/{path}`: of the matchbox data, where the site has any; else as [`own`].
pub(super) async fn asset(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    query: Query<AssetQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    if app.site.get().matchbox.is_some() {
        let data = State(app.matchbox.clone());
        match matchbox::asset(data, Path(path.clone()), asked.clone()).await {
            // Named by a script of before the site had matchbox data.
            Err(Problem::NotFound(_)) => {}
            answer => return answer,
        }
    }
    own(State(app), Path(path), query, asked).await
}

/// `GET /media/[{release}/]{file}`: only files that the manifest, or that of a mirrored build, names.
pub(super) async fn own(
    State(app): State<Arc<App>>,
    Path(path): Path<String>,
    Query(query): Query<AssetQuery>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let (release, file) = match path.split_once('/') {
        Some((release, file)) => (Some(release), file),
        None => (None, path.as_str()),
    };
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
    Ok(served.answer(&asked))
}
