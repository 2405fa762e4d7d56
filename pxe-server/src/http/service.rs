//! All that HTTP is served on: the machines' port, the same over TLS, and the operators' address
//! if it is apart. Bound together, stopped together.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::boot::HttpPorts;
use crate::http::front::{Front, Secure};
use crate::http::tls::{Tls, TlsError, TlsFiles};
use crate::net::NetError;

/// How HTTP is served.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Port for machines; 0 takes any.
    pub port: u16,
    /// Port for the same over TLS.
    pub https_port: Option<u16>,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// The operators' address, if it is apart.
    pub api: Option<SocketAddr>,
}

/// Why HTTP cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// A port cannot be bound.
    #[error("a port cannot be listened on")]
    Net(#[source] NetError),
    /// The certificate or its key cannot be used.
    #[error("HTTPS cannot be served")]
    Tls(#[source] TlsError),
    /// A socket failed.
    #[error("a socket failed")]
    Socket(#[source] std::io::Error),
}

/// What is answered, by who asks.
#[derive(Clone, Debug)]
pub struct Routes {
    /// What machines ask.
    pub machines: Router,
    /// What operators ask.
    pub operators: Router,
}

/// Every listener, bound.
#[derive(Debug)]
pub struct HttpService {
    plain: Front,
    secure: Option<Front>,
    api: Option<Front>,
    tls: Option<Arc<Tls>>,
}

impl HttpService {
    /// Reads the certificate and binds every port.
    pub fn bind(settings: &HttpSettings) -> Result<Self, HttpError> {
        let tls = settings.tls.clone().map(Tls::load).transpose();
        let tls = tls.map_err(HttpError::Tls)?.map(Arc::new);
        let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let plain = Front::bind(everywhere(settings.port), None).map_err(HttpError::Net)?;
        let plain_port = plain.port().map_err(HttpError::Socket)?;
        let bind = |address, tls: &Option<Arc<Tls>>| {
            let secure = tls.clone().map(|tls| Secure { tls, plain_port });
            Front::bind(address, secure).map_err(HttpError::Net)
        };
        let secure = settings.https_port.filter(|_| tls.is_some());
        let secure = secure
            .map(|port| bind(everywhere(port), &tls))
            .transpose()?;
        let api = settings
            .api
            .map(|address| bind(address, &tls))
            .transpose()?;
        Ok(Self {
            plain,
            secure,
            api,
            tls,
        })
    }

    /// The machines' ports.
    pub fn ports(&self) -> std::io::Result<HttpPorts> {
        Ok(HttpPorts {
            plain: self.plain.port()?,
            tls: self.secure.as_ref().map(Front::port).transpose()?,
        })
    }

    /// What is listened on, for people.
    pub fn listens_on(&self) -> String {
        let port = |front: &Front| front.port().unwrap_or_default();
        let mut text = format!("http {}", port(&self.plain));
        if let Some(secure) = &self.secure {
            text += &format!(", https {}", port(secure));
        }
        if let Some(api) = &self.api {
            text += &format!(", api {}", port(api));
        }
        text
    }

    /// Serves until `stop` becomes true, and from then on until the answers that were begun are
    /// sent. Dropping the future ends every connection.
    pub async fn run(self, routes: Routes, stop: watch::Receiver<bool>) {
        let mut watching = JoinSet::new();
        if let Some(tls) = self.tls {
            watching.spawn(tls.watch());
        }
        let Routes {
            machines,
            operators,
        } = routes;
        let all = match self.api {
            Some(_) => machines,
            None => machines.merge(operators.clone()),
        };
        let secure = async {
            if let Some(front) = self.secure {
                front.run(all.clone(), stop.clone()).await;
            }
        };
        let api = async {
            if let Some(front) = self.api {
                front.run(operators, stop.clone()).await;
            }
        };
        tokio::join!(self.plain.run(all.clone(), stop.clone()), secure, api);
    }
}
