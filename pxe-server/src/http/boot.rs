//! Boot programs for UEFI HTTP boot, and `autoexec.ipxe` beside them.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::boot::{BootFile, autoexec_script, boot_path};
use crate::http::assets::{at_end, length, serve};
use crate::http::{BINARY, Local, Problem, endpoint};
use crate::machine::{Event, Observer, Via};
use crate::site::FirstStages;

/// Firmware takes a boot program as this type; some refuse any other.
const EFI: HeaderValue = HeaderValue::from_static("application/efi");

/// What boot programs are served from.
#[derive(Clone, Debug)]
pub struct BootPrograms {
    /// The programs.
    pub first_stages: FirstStages,
    /// Where events go.
    pub observer: Observer,
    /// Our address as clients shall use it, when not the one that they reached us by.
    pub advertise: Option<Ipv4Addr>,
}

/// The route of boot programs.
pub(super) fn routes(programs: BootPrograms) -> Router {
    Router::new()
        .route("/boot/{mac}/{file}", get(boot_file))
        .with_state(programs)
}

/// `GET /boot/{mac}/{file}`: a boot program.
async fn boot_file(
    State(app): State<BootPrograms>,
    ConnectInfo(local): ConnectInfo<Local>,
    Path((mac, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let path = match app
        .first_stages
        .get()
        .programs
        .resolve(&boot_path(mac, &file))
    {
        None => return Err(Problem::NotFound(format!("no boot program `{file}`"))),
        Some((_, BootFile::Autoexec)) => {
            return Ok(autoexec_script(endpoint(app.advertise, local)).into_response());
        }
        Some((_, BootFile::Program(path))) => path,
    };
    let kind = if file.ends_with(".efi") { EFI } else { BINARY };
    let response = serve(&path, kind, request).await?;
    let bytes = length(&response).unwrap_or_default();
    let observer = app.observer.clone();
    let event = Event::NbpServed {
        file,
        bytes,
        via: Via::Http,
    };
    Ok(at_end(response, move || observer.note(mac, event)))
}
