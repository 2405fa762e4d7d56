//! How servers are talked to: request headers, certificates, patience. Values of headers are
//! secrets: they are sent to the servers that the user named, and never shown.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::{Client, ClientBuilder};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity};
use serde::Deserialize;

use super::Retries;
use crate::source::{SourceError, read_limited};

/// The largest certificate or key file that is read, bytes.
const MAX_PEM: u64 = 4 * 1024 * 1024;

/// The longest that a connection may take; shorter than the wait for an answer, so that the two
/// can be told apart.
const MAX_CONNECT: Duration = Duration::from_secs(30);

/// How servers are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// How often a failed request is tried again, counted from the last byte that came.
    pub retries: Retries,
    /// Time until the first retry; each further one waits twice as long, up to 10 minutes.
    pub first_delay: Duration,
    /// How long a server may be silent: until it answers, and between two reads of a body.
    pub patience: Duration,
    /// Headers for the servers that the user named, but not for those that they redirect to.
    pub headers: Vec<Header>,
    /// Files of certificates (PEM) to trust beside the system's.
    pub ca_certs: Vec<PathBuf>,
    /// Who we are, for servers that ask.
    pub identity: Option<ClientIdentity>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            retries: Retries::default(),
            first_delay: Duration::from_secs(1),
            patience: Duration::from_secs(60),
            headers: Vec::new(),
            ca_certs: Vec::new(),
            identity: None,
        }
    }
}

/// A client certificate and its key, PEM files; the key is PKCS #8 (`BEGIN PRIVATE KEY`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate and its chain.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A request header as the user wrote it, `Name: value`, unchecked. Shown without its value.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Header(String);

impl From<String> for Header {
    fn from(line: String) -> Self {
        Self(line)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(':') {
            Some((name, _)) => write!(f, "Header({name}: …)"),
            None => f.write_str("Header(…)"),
        }
    }
}

impl Header {
    fn parse(&self) -> Result<(HeaderName, HeaderValue), SourceError> {
        let wrong = |reason: String| SourceError::Header { reason };
        let (name, value) = self
            .0
            .split_once(':')
            .ok_or_else(|| wrong("a header without colon; write `Name: value`".to_owned()))?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| wrong(format!("`{}` is no header name", name.trim())))?;
        if matches!(
            name.as_str(),
            "host" | "range" | "if-range" | "content-length" | "transfer-encoding" | "connection"
        ) {
            return Err(wrong(format!(
                "header `{name}` is set by the program itself"
            )));
        }
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| {
            wrong(format!(
                "header `{name}` has a value with control characters"
            ))
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

impl Access {
    /// How long a connection may take.
    pub(super) fn connect_patience(&self) -> Duration {
        (self.patience / 2).min(MAX_CONNECT)
    }

    /// The headers as they are sent.
    pub(super) fn header_map(&self) -> Result<HeaderMap, SourceError> {
        self.headers.iter().map(Header::parse).collect()
    }

    /// A client that follows no redirects itself; proxy variables of the environment are
    /// honoured.
    pub(super) fn client(&self) -> Result<Client, SourceError> {
        let mut builder = Client::builder()
            .timeout(self.patience)
            .connect_timeout(self.connect_patience())
            .redirect(Policy::none())
            .user_agent(concat!("coreos-installer/", env!("CARGO_PKG_VERSION")));
        for path in &self.ca_certs {
            builder = trust(builder, path)?;
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.read()?);
        }
        builder.build().map_err(SourceError::Client)
    }
}

fn trust(mut builder: ClientBuilder, path: &Path) -> Result<ClientBuilder, SourceError> {
    let certificates = Certificate::from_pem_bundle(&pem(path)?)
        .map_err(unusable(path, "a certificate authority"))?;
    if certificates.is_empty() {
        return Err(SourceError::NoCertificate {
            path: path.to_owned(),
        });
    }
    for certificate in certificates {
        builder = builder.add_root_certificate(certificate);
    }
    Ok(builder)
}

impl ClientIdentity {
    fn read(&self) -> Result<Identity, SourceError> {
        Identity::from_pkcs8_pem(&pem(&self.cert)?, &pem(&self.key)?)
            .map_err(unusable(&self.cert, "a client certificate with its key"))
    }
}

fn unusable(path: &Path, what: &'static str) -> impl Fn(reqwest::Error) -> SourceError {
    move |source| SourceError::Certificate {
        path: path.to_owned(),
        what,
        source,
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, SourceError> {
    let at = |source| SourceError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(at)?;
    read_limited(file, MAX_PEM, &path.display().to_string())?.map_err(at)
}

/// Parses a URL that can be fetched.
pub(super) fn parse(url: &str) -> Result<Url, SourceError> {
    Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| SourceError::Url {
            url: url.to_owned(),
        })
}

/// A URL for messages: without its password.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails only for URLs that cannot have one.
        let _ = url.set_password(Some("…"));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Result<(HeaderName, HeaderValue), SourceError> {
        Header::from(line.to_owned()).parse()
    }

    #[test]
    fn a_header_is_a_name_and_a_value_and_never_shows_the_value() {
        let (name, value) = header("X-Token:  s3cret ").unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("x-token", &b"s3cret"[..])
        );
        assert!(value.is_sensitive());
        for line in ["X-Token: s3cret", "s3cret"] {
            let shown = format!("{:?}", Header::from(line.to_owned()));
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_without_its_value() {
        for (line, reason) in [
            ("s3cret", "a header without colon; write `Name: value`"),
            ("a b: s3cret", "`a b` is no header name"),
            (": s3cret", "`` is no header name"),
            (
                "Range: s3cret",
                "header `range` is set by the program itself",
            ),
            ("X: s3cret\n", ""),
            (
                "X: s3\ncret",
                "header `x` has a value with control characters",
            ),
        ] {
            match header(line) {
                Ok(_) => assert_eq!(reason, "", "{line:?}"),
                Err(error) => assert_eq!(error.to_string(), reason),
            }
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let url = parse("https://me:s3cret@h/i").unwrap();
        assert!(!shown(&url).contains("s3cret"), "{}", shown(&url));
        assert_eq!(shown(&parse("https://h/i").unwrap()), "https://h/i");
    }

    #[test]
    fn a_file_without_certificate_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "nothing").unwrap();
        let access = Access {
            ca_certs: vec![file.path().to_owned()],
            ..Access::default()
        };
        let error = access.client().unwrap_err();
        assert!(
            matches!(&error, SourceError::NoCertificate { path } if path == file.path()),
            "{error:?}"
        );
    }
}
