//! Boot programs for UEFI HTTP boot, and `autoexec.ipxe` beside them.

use axum::Router;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use axum::routing::get;

use crate::boot::{BootFile, autoexec_script, boot_path, grub};
use crate::http::condition::Conditions;
use crate::http::file::Served;
use crate::http::tagged::tagged;
use crate::http::{Local, Problem, TEXT, Told, kind_of};
use crate::machine::{Event, Observer, Via};
use crate::site::FirstStages;

/// What boot programs are served from.
#[derive(Clone, Debug)]
pub struct BootPrograms {
    /// The programs.
    pub first_stages: FirstStages,
    /// Where events go.
    pub observer: Observer,
    /// What clients are told of this server.
    pub told: Told,
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
    asked: Conditions,
) -> Result<Response, Problem> {
    let mac = Problem::parse_mac(&mac)?;
    let first_stage = app.first_stages.get();
    let servers = || app.told.servers(local, &first_stage);
    let path = match first_stage.programs.resolve(&boot_path(mac, &file)) {
        None => return Err(Problem::NotFound(format!("no boot program `{file}`"))),
        Some((_, BootFile::Autoexec)) => {
            let script = autoexec_script(&servers());
            return Ok(tagged(&asked, TEXT, script));
        }
        Some((_, BootFile::GrubConfig)) => {
            let script = grub::first_script(&servers());
            return Ok(tagged(&asked, TEXT, script));
        }
        Some((_, BootFile::Program(path))) => path,
    };
    let kind = kind_of(file.as_ref());
    let observer = app.observer.clone();
    let sent = move |bytes| {
        let via = Via::Http;
        observer.note(mac, Event::NbpServed { file, bytes, via });
    };
    Ok(Served::open(&path, kind)?.at_end(sent).answer(&asked))
}
