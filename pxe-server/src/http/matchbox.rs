//! matchbox's HTTP endpoints, and signatures of what they give. Statuses say who has to act: 400 the request is wrong, 403 a path
//! that leads out of the assets, 404 nothing is meant for this machine, 500 the operator's files
//! are wrong, 503 they cannot be read now. Ignition gives up below 500 and tries again from there.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderValue, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, get};
use installer::sign::Form;

use crate::http::condition::Conditions;
use crate::http::file::Served;
use crate::http::limited::limited;
use crate::http::tagged::tagged;
use crate::http::{
    BootPrograms, Local, Problem, Routes, Signatures, TEXT, Told, boot, kind_of, listing,
};
use crate::limit::{Asked, Limiter};
use crate::matchbox::{
    Book, Folder, Group, Library, Profile, RenderError, boot_script, env_file, grub_config,
    ignition, ipxe_script, labels, render_file, variables,
};
use crate::site::CurrentSite;

const IGNITION: &str = "application/vnd.coreos.ignition+json";
const OCTETS: &str = "application/octet-stream";
const HTML: &str = "text/html; charset=utf-8";
const HTML_VALUE: HeaderValue = HeaderValue::from_static(HTML);
/// What there is a signature of.
const SIGNED: [&str; 8] = [
    "boot.ipxe",
    "boot.ipxe.0",
    "ipxe",
    "grub",
    "ignition",
    "cloud",
    "generic",
    "metadata",
];

/// What a site answers by itself.
const OF_SITE: [&str; 2] = ["boot.ipxe", "ipxe"];

/// What is served, and who signs it.
#[derive(Clone, Debug)]
pub struct MatchboxData {
    /// The data.
    pub libraries: Libraries,
    /// Signatures.
    pub signatures: Signatures,
}

/// Where the data come from.
#[derive(Clone, Debug)]
pub enum Libraries {
    /// A directory of their own.
    Book(Arc<Book>),
    /// A site, which has them beside its own groups or has none, and what its machines are told.
    Site(CurrentSite, Told),
}

impl Libraries {
    /// The data as they are now. Blocks.
    pub(super) fn get(&self) -> Result<Arc<Library>, Problem> {
        match self {
            Self::Book(book) => Ok(book.library()),
            Self::Site(site, _) => site.get().matchbox.clone().ok_or_else(|| {
                Problem::NotFound("this site has no matchbox data beside it".to_owned())
            }),
        }
    }

    /// How many profiles there are. Blocks.
    pub fn profiles(&self) -> usize {
        self.get().map_or(0, |library| library.profiles.len())
    }

    /// The script that every machine begins with, as the client of this connection gets it.
    fn boot_script(&self, local: Local) -> String {
        match self {
            Self::Book(_) => boot_script().to_owned(),
            Self::Site(site, told) => {
                let servers = told.servers(local, &site.get().first_stage);
                crate::boot::boot_script(servers.others())
            }
        }
    }
}

/// What a name is counted as.
fn kind(name: &str) -> Asked {
    match name {
        "ignition" | "cloud" | "generic" | "metadata" => Asked::Config,
        _ => Asked::Script,
    }
}

/// Every route of a server that has matchbox data alone.
pub fn routes(data: MatchboxData, programs: BootPrograms, limiter: &Arc<Limiter>) -> Routes {
    let machines = endpoints(limiter, &SIGNED)
        .route("/healthz", get(async || "ok\n"))
        .route("/assets/{*path}", get(asset));
    Routes {
        machines: machines.with_state(data).merge(boot::routes(programs)),
        operators: Router::new(),
    }
}

/// The routes that a site with matchbox data has beside its own.
pub(super) fn beside_site(data: MatchboxData, limiter: &Arc<Limiter>) -> Router {
    // The site's own script comes first, and so does its answer to `/ipxe`.
    let others = SIGNED.iter().filter(|name| !OF_SITE.contains(name));
    let others: Vec<&str> = others.copied().collect();
    endpoints(limiter, &others).with_state(data)
}

/// The routes of `plain` names, of all signatures, and of what is not made for who asks.
fn endpoints(limiter: &Arc<Limiter>, plain: &[&str]) -> Router<MatchboxData> {
    let asked = |name: &str| -> MethodRouter<MatchboxData> {
        let limit = (limiter.clone(), kind(name));
        get(answer).layer(from_fn_with_state(limit, limited))
    };
    let mut router = Router::new()
        .route("/", get(name))
        .route("/assets/", get(assets));
    for name in plain {
        router = router.route(&format!("/{name}"), asked(name));
    }
    for name in SIGNED {
        router = router
            .route(&format!("/{name}.sig"), asked(name))
            .route(&format!("/{name}.asc"), asked(name));
    }
    router
}

/// `GET /`: by which matchbox is known.
async fn name(State(data): State<MatchboxData>) -> Result<&'static str, Problem> {
    let there = tokio::task::spawn_blocking(move || data.libraries.get().map(drop));
    there.await.map_err(|_| stopping())?.map(|()| "matchbox\n")
}

fn stopping() -> Problem {
    Problem::Unavailable("the server is going down".to_owned())
}

/// What matchbox answers to `/ipxe?query`.
pub(super) async fn script(
    data: &MatchboxData,
    query: Option<String>,
    asked: &Conditions,
) -> Result<Response, Problem> {
    let libraries = data.libraries.clone();
    let made = tokio::task::spawn_blocking(move || {
        make(&libraries, "ipxe", query.as_deref().unwrap_or_default())
    });
    let (kind, bytes) = made.await.map_err(|_| stopping())??;
    Ok(tagged(asked, kind, bytes))
}

/// Everything that is made for who asks.
async fn answer(
    State(data): State<MatchboxData>,
    ConnectInfo(local): ConnectInfo<Local>,
    RawQuery(query): RawQuery,
    uri: Uri,
    asked: Conditions,
) -> Result<Response, Problem> {
    let path = uri.path().trim_start_matches('/').to_owned();
    let made = tokio::task::spawn_blocking(move || {
        let query = query.as_deref().unwrap_or_default();
        let (path, form) = match (path.strip_suffix(".sig"), path.strip_suffix(".asc")) {
            (Some(path), _) => (path, Some((OCTETS, Form::Binary))),
            (_, Some(path)) => (path, Some((TEXT, Form::Armored))),
            _ => (path.as_str(), None),
        };
        let made = match path.starts_with("boot.ipxe") {
            true => {
                data.libraries.get()?;
                (TEXT, data.libraries.boot_script(local).into_bytes())
            }
            false => make(&data.libraries, path, query)?,
        };
        match form {
            Some((kind, form)) => Ok::<_, Problem>((kind, data.signatures.over(&made.1, form)?)),
            None => Ok(made),
        }
    });
    let (kind, bytes) = made.await.map_err(|_| stopping())??;
    Ok(tagged(&asked, kind, bytes))
}

/// Content type and bytes of the answer to `path?query`.
fn make(
    libraries: &Libraries,
    path: &str,
    query: &str,
) -> Result<(&'static str, Vec<u8>), Problem> {
    let library = libraries.get()?;
    let pairs: Vec<(String, String)> = axum::extract::Query::try_from_uri(&uri(query)?)
        .map(|axum::extract::Query(pairs)| pairs)
        .map_err(|error| Problem::BadRequest(error.to_string()))?;
    let labels = labels(&pairs);
    let no_group = || Problem::NotFound("no group matches these labels".to_owned());
    let group = library.select(&labels).ok_or_else(no_group)?;
    let data = || variables(group, &labels, query);
    let profile = || profile(&library, group);
    let text = |text: String| (TEXT, text.into_bytes());
    let file = |folder, name: &str| render_file(&library, folder, name, &data()).map(text);
    Ok(match path {
        "metadata" => text(env_file(&data())),
        "ipxe" => text(ipxe_script(&profile()?.boot)),
        "grub" => text(grub_config(&profile()?.boot)),
        "cloud" => file(Folder::Cloud, named(&profile()?.cloud_id, group)?)?,
        "generic" => file(Folder::Generic, named(&profile()?.generic_id, group)?)?,
        _ => (
            IGNITION,
            ignition(&library, named(&profile()?.ignition_id, group)?, &data())?,
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

/// `GET /assets/`: the directory itself.
async fn assets(state: State<MatchboxData>, asked: Conditions) -> Result<Response, Problem> {
    asset(state, Path("./".to_owned()), asked).await
}

/// `GET /assets/…`: files and directories below `assets` of the data directory.
pub(super) async fn asset(
    State(data): State<MatchboxData>,
    Path(path): Path<String>,
    asked: Conditions,
) -> Result<Response, Problem> {
    let is_directory = path.ends_with('/');
    let path = PathBuf::from(path);
    let library = tokio::task::spawn_blocking(move || data.libraries.get());
    let library = library.await.map_err(|_| stopping())??;
    let outside = || Problem::Forbidden("assets are below /assets".to_owned());
    let file = library.asset(&path).ok_or_else(outside)?;
    let none = || Problem::NotFound("no such asset".to_owned());
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => none(),
        _ => {
            tracing::error!(%error, path = %file.display(), "serving a file");
            Problem::Unavailable("the server cannot read this file".to_owned())
        }
    };
    if is_directory {
        if let Ok(index) = Served::try_open(&file.join("index.html"), HTML_VALUE) {
            return Ok(index.answer(&asked));
        }
        let page = listing::page(&file).map_err(unreadable)?;
        return Ok(tagged(&asked, HTML, page));
    }
    match Served::try_open(&file, kind_of(&path)) {
        Ok(served) => Ok(served.answer(&asked)),
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            // Links in a listing are relative to it.
            let name = path.file_name().and_then(|name| name.to_str());
            let to = format!("./{}/", name.ok_or_else(none)?);
            Ok(Redirect::permanent(&to).into_response())
        }
        Err(error) => Err(unreadable(error)),
    }
}
