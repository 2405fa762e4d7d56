//! matchbox's HTTP endpoints. Statuses say who has to act: 400 the request is wrong, 403 a path
//! that leads out of the assets, 404 nothing is meant for this machine, 500 the operator's files
//! are wrong, 503 they cannot be read now. Ignition gives up below 500 and tries again from there.

use std::io::ErrorKind;
use std::path::{Component, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;

use crate::http::condition::Conditions;
use crate::http::file::Served;
use crate::http::tagged::tagged;
use crate::http::{BootPrograms, Problem, Routes, TEXT, boot, kind_of};
use crate::matchbox::{
    Book, Folder, Group, Library, Profile, RenderError, boot_script, env_file, grub_config,
    ignition, ipxe_script, labels, render_file, variables,
};

const IGNITION: &str = "application/vnd.coreos.ignition+json";

/// Every route.
pub fn routes(book: Arc<Book>, programs: BootPrograms) -> Routes {
    let machine = Router::new()
        .route("/", get(async || "matchbox\n"))
        .route("/healthz", get(async || "ok\n"))
        .route("/boot.ipxe", get(first))
        .route("/boot.ipxe.0", get(first))
        .route("/ipxe", get(answer))
        .route("/grub", get(answer))
        .route("/ignition", get(answer))
        .route("/cloud", get(answer))
        .route("/generic", get(answer))
        .route("/metadata", get(answer))
        .route("/assets/{*path}", get(asset))
        .with_state(book);
    Routes {
        machines: machine.merge(boot::routes(programs)),
        operators: Router::new(),
    }
}

/// The same for every machine.
async fn first(asked: Conditions) -> Response {
    tagged(&asked, TEXT, boot_script())
}

/// Everything that depends on the machine that asks.
async fn answer(
    State(book): State<Arc<Book>>,
    RawQuery(query): RawQuery,
    uri: Uri,
    asked: Conditions,
) -> Result<Response, Problem> {
    let path = uri.path().trim_start_matches('/').to_owned();
    let made = tokio::task::spawn_blocking(move || {
        make(&book, &path, query.as_deref().unwrap_or_default())
    })
    .await;
    let (kind, bytes) =
        made.map_err(|_| Problem::Unavailable("the server is going down".to_owned()))??;
    Ok(tagged(&asked, kind, bytes))
}

/// Content type and bytes of the answer to `path?query`.
fn make(book: &Book, path: &str, query: &str) -> Result<(&'static str, Vec<u8>), Problem> {
    let pairs: Vec<(String, String)> = axum::extract::Query::try_from_uri(&uri(query)?)
        .map(|axum::extract::Query(pairs)| pairs)
        .map_err(|error| Problem::BadRequest(error.to_string()))?;
    let labels = labels(&pairs);
    let library = book.library();
    let no_group = || Problem::NotFound("no group matches these labels".to_owned());
    let group = library.select(&labels).ok_or_else(no_group)?;
    let data = || variables(group, &labels, query);
    let profile = || profile(&library, group);
    let text = |text: String| (TEXT, text.into_bytes());
    let file = |folder, name: &str| render_file(&library.dir, folder, name, &data()).map(text);
    Ok(match path {
        "metadata" => text(env_file(&data())),
        "ipxe" => text(ipxe_script(&profile()?.boot)),
        "grub" => text(grub_config(&profile()?.boot)),
        "cloud" => file(Folder::Cloud, named(&profile()?.cloud_id, group)?)?,
        "generic" => file(Folder::Generic, named(&profile()?.generic_id, group)?)?,
        _ => (
            IGNITION,
            ignition(
                &library.dir,
                named(&profile()?.ignition_id, group)?,
                &data(),
            )?,
        ),
    })
}

fn uri(query: &str) -> Result<Uri, Problem> {
    let uri = format!("/?{query}").parse();
    uri.map_err(|error: axum::http::uri::InvalidUri| Problem::BadRequest(error.to_string()))
}

fn profile<'a>(library: &'a Library, group: &Group) -> Result<&'a Profile, Problem> {
    let profile = library.profiles.get(&group.profile);
    profile.ok_or_else(|| {
        tracing::error!(
            group = group.id,
            profile = group.profile,
            "a group without its profile"
        );
        Problem::Misconfigured(format!(
            "group `{}` names a profile that is not there",
            group.id
        ))
    })
}

fn named<'a>(id: &'a str, group: &Group) -> Result<&'a str, Problem> {
    if id.is_empty() {
        return Err(Problem::NotFound(format!(
            "the profile of group `{}` names no such config",
            group.id
        )));
    }
    Ok(id)
}

impl From<RenderError> for Problem {
    fn from(error: RenderError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a config cannot be made"
        );
        match error {
            RenderError::Read(_) => Self::Unavailable("this config cannot be read".to_owned()),
            _ => Self::Misconfigured(
                "this config cannot be made; the server's log says why".to_owned(),
            ),
        }
    }
}

/// `GET /assets/…`: files below `assets` of the data directory.
async fn asset(
    State(book): State<Arc<Book>>,
    Path(path): Path<String>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let path = PathBuf::from(path);
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(Problem::Forbidden("assets are below /assets".to_owned()));
    }
    let file = book.dir().join("assets").join(&path);
    let opened = Served::try_open(&file, kind_of(&path));
    let served = opened.map_err(|error| match error.kind() {
        ErrorKind::IsADirectory => Problem::Forbidden("directories are not listed".to_owned()),
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Problem::NotFound("no such asset".to_owned())
        }
        _ => {
            tracing::error!(%error, path = %file.display(), "serving a file");
            Problem::Unavailable("the server cannot read this file".to_owned())
        }
    })?;
    Ok(served.answer(&asked))
}
