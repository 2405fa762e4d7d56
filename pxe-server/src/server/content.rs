//! What is served, a site or matchbox data: read at the start, kept up to date, and made into the
//! HTTP side.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::polling::{watch_builds, watch_site};
use super::{ServeError, Settings, Source};
use crate::confine::{ConfineError, Reach};
use crate::dhcp::LeaseServer;
use crate::http::{
    self, Access, App, BootPrograms, Followers, Libraries, MatchboxData, Routes, Signatures,
    SigningKey, TokenBook, Told,
};
use crate::limit::Limiter;
use crate::machine::Registry;
use crate::matchbox::Book;
use crate::provision::{Provisioner, Shared};
use crate::site::{CurrentSite, FirstStages, Watch};
use crate::trace::Recorder;

/// What is served, opened.
#[derive(Debug)]
pub(super) enum Content {
    Site(CurrentSite, Shared, Box<Watch>, Signatures),
    Matchbox(MatchboxData),
}

impl Content {
    /// Reads it for the first time.
    pub(super) fn open(source: &Source) -> Result<Self, ServeError> {
        // Nobody signs until the server is confined: what gpg starts then is confined, too.
        let signatures = Signatures::default();
        match source {
            Source::Site(dir) => {
                let path = dir.clone();
                let refused = |source| ServeError::Site { path, source };
                let (site, watch) = Watch::begin(dir).map_err(refused)?;
                for warning in &site.get().warnings {
                    tracing::warn!("{warning}");
                }
                let watch = Box::new(watch);
                Ok(Self::Site(site, Shared::open(), watch, signatures))
            }
            Source::Matchbox(dir) => {
                let book = Book::open(dir).map_err(|source| ServeError::Matchbox {
                    path: dir.clone(),
                    source,
                })?;
                Ok(Self::Matchbox(MatchboxData {
                    libraries: Libraries::Book(Arc::new(book)),
                    signatures,
                }))
            }
        }
    }

    /// Has what is given out signed by `key`, if there is one.
    pub(super) fn sign_by(&mut self, key: Option<&SigningKey>) -> Result<(), ServeError> {
        let made = Signatures::by(key).map_err(|source| ServeError::Key {
            path: key.map(|key| key.path.clone()).unwrap_or_default(),
            source,
        })?;
        match self {
            Self::Site(.., signatures) | Self::Matchbox(MatchboxData { signatures, .. }) => {
                *signatures = made;
            }
        }
        Ok(())
    }

    /// Refuses a site that names a port for HTTPS which is not there, now and later.
    pub(super) fn check_https(&self, settings: &Settings) -> Result<(), ServeError> {
        let Self::Site(site, ..) = self else {
            return Ok(());
        };
        let dir = settings.source.dir();
        let refused = |source| ServeError::Site {
            path: dir.to_owned(),
            source,
        };
        match settings.http.https_port {
            Some(_) => Ok(()),
            None => site.without_https(dir).map_err(refused),
        }
    }

    /// The site, if one is served.
    pub(super) fn site(&self) -> Option<CurrentSite> {
        match self {
            Self::Site(site, ..) => Some(site.clone()),
            Self::Matchbox(_) => None,
        }
    }

    /// The boot programs.
    pub(super) fn first_stages(&self) -> FirstStages {
        match self {
            Self::Site(site, ..) => FirstStages::Site(site.clone()),
            Self::Matchbox(_) => FirstStages::packaged(),
        }
    }

    /// Who decides what machines are given, where that is not matchbox's data alone.
    pub(super) fn provisioner(&self, registry: &Registry) -> Option<Provisioner> {
        match self {
            Self::Site(site, shared, ..) => {
                let (site, registry) = (site.clone(), registry.clone());
                Some(Provisioner::new(site, registry, shared.clone()))
            }
            Self::Matchbox(_) => None,
        }
    }

    /// The HTTP side, with what keeps it up to date among the tasks.
    pub(super) fn router(
        self,
        registry: &Registry,
        leases: Option<Arc<LeaseServer>>,
        limiter: Arc<Limiter>,
        recorder: Recorder,
        settings: &Settings,
        tasks: &mut JoinSet<()>,
    ) -> Routes {
        let told = Told {
            advertise: settings.advertise,
            https_port: settings.http.https_port,
        };
        let programs = BootPrograms {
            first_stages: self.first_stages(),
            observer: registry.observer(),
            told,
        };
        match self {
            Self::Site(site, shared, watch, signatures) => {
                tasks.spawn(watch_site(*watch));
                tasks.spawn(watch_builds(site.clone(), registry.clone()));
                let app = Arc::new(App {
                    dir: settings.source.dir().to_owned(),
                    matchbox: MatchboxData {
                        libraries: Libraries::Site(site.clone(), told),
                        signatures,
                    },
                    state: settings.state.clone(),
                    tokens: TokenBook::new(&settings.state),
                    followers: Followers::default(),
                    provisioner: Provisioner::new(site.clone(), registry.clone(), shared),
                    site,
                    registry: registry.clone(),
                    leases,
                    limiter,
                    recorder,
                    told,
                });
                http::routes(app, programs, &Access::new(&settings.state))
            }
            Self::Matchbox(data) => http::matchbox_routes(data, programs, &limiter),
        }
    }

    /// How many profiles there are.
    pub(super) fn profiles(&self) -> usize {
        match self {
            Self::Site(site, ..) => site.get().profiles.len(),
            Self::Matchbox(MatchboxData { libraries, .. }) => libraries.profiles(),
        }
    }

    /// The files that are served now and may be replaced.
    pub(super) fn reach(&self, source: &Source) -> Result<Reach, ConfineError> {
        let mut reach = Reach::default();
        reach.read(source.dir())?;
        if let Self::Site(site, ..) = self {
            let site = site.get();
            for path in site.directories().into_iter().chain(site.files()) {
                reach.read(&path)?;
            }
        }
        for directory in self.first_stages().get().programs.directories() {
            if directory.is_dir() {
                reach.read(directory)?;
            }
        }
        Ok(reach)
    }

    /// Refuses from now on what is out of reach.
    pub(super) fn keep_within(&self, reach: &Reach) {
        if let Self::Site(site, ..) = self {
            site.keep_within(reach.clone());
        }
    }
}
