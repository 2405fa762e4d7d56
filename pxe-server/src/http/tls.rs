//! The certificate and key that HTTPS is served with: read and checked together, taken up anew
//! when their files change, and left as they were when what was written cannot be used.
//!
//! TLS 1.2 and 1.3, ciphers of Mozilla's intermediate set. A client may show a certificate of its
//! own where there is somebody to vouch for it; what it may do then is decided elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode, SslVersion};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio_openssl::SslStream;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Where certificate and key are, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and what leads from it to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that vouch for clients.
    pub client_ca: Option<PathBuf>,
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no usable {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Cause.
        #[source]
        source: ErrorStack,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// TLS cannot be set up with them.
    #[error("TLS cannot be set up")]
    Setup(#[source] ErrorStack),
}

/// What can be seen of the files without reading them.
type Seen = Vec<Option<(SystemTime, u64)>>;

impl TlsFiles {
    /// All of them.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let all = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
        ];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    fn look(&self) -> Seen {
        let found = self.paths().map(|path| std::fs::metadata(path).ok());
        found
            .map(|found| found.and_then(|found| Some((found.modified().ok()?, found.len()))))
            .collect()
    }

    /// Reads all of them.
    fn load(&self) -> Result<SslAcceptor, TlsError> {
        let chain = certificates(&self.certificate)?;
        let Some((own, rest)) = chain.split_first() else {
            let path = self.certificate.clone();
            return Err(TlsError::Empty { path });
        };
        let key = key(&self.key)?;
        let same = own.public_key().map_err(TlsError::Setup)?.public_eq(&key);
        if !same {
            return Err(TlsError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            });
        }
        warn_of_time(own, &self.certificate);
        let vouch = self.client_ca.as_deref().map(certificates).transpose()?;
        acceptor(own, rest, &key, vouch.as_deref()).map_err(TlsError::Setup)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn certificates(path: &Path) -> Result<Vec<X509>, TlsError> {
    X509::stack_from_pem(&read(path)?).map_err(|source| TlsError::Content {
        path: path.to_owned(),
        what: "certificate",
        source,
    })
}

fn key(path: &Path) -> Result<PKey<Private>, TlsError> {
    // Without the callback, a key with a passphrase would ask on the terminal.
    let key = PKey::private_key_from_pem_callback(&read(path)?, |_| Ok(0));
    key.map_err(|source| TlsError::Content {
        path: path.to_owned(),
        what: "private key without a passphrase",
        source,
    })
}

/// Clients refuse it; it is served, so that they can say why.
fn warn_of_time(certificate: &X509, path: &Path) {
    let now = Asn1Time::days_from_now(0);
    if now.is_ok_and(|now| certificate.not_after() < &*now) {
        let until = certificate.not_after().to_string();
        tracing::warn!(path = %path.display(), until, "the certificate has expired");
    }
}

fn acceptor(
    own: &X509,
    chain: &[X509],
    key: &PKey<Private>,
    vouch: Option<&[X509]>,
) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_certificate(own)?;
    for certificate in chain {
        builder.add_extra_chain_cert(certificate.clone())?;
    }
    builder.set_private_key(key)?;
    builder.check_private_key()?;
    builder.set_session_id_context(b"pxe-server")?;
    if let Some(vouch) = vouch {
        let mut store = X509StoreBuilder::new()?;
        let mut names = Stack::new()?;
        for certificate in vouch {
            store.add_cert(certificate.clone())?;
            names.push(certificate.subject_name().to_owned()?)?;
        }
        builder.set_verify_cert_store(store.build())?;
        builder.set_client_ca_list(names);
        builder.set_verify(SslVerifyMode::PEER);
    }
    Ok(builder.build())
}

/// HTTPS as it is served now.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    acceptor: Acceptor,
    seen: Seen,
}

/// Sets connections up.
#[derive(Clone)]
struct Acceptor(SslAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Tls {
    /// Reads and checks `files`.
    pub(super) fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // What is seen before they are read: a change in between is not missed.
        let seen = files.look();
        let acceptor = Acceptor(files.load()?);
        Ok(Self {
            files,
            current: RwLock::new(Current { acceptor, seen }),
        })
    }

    /// Looks at the files, and reads them again if they have changed or if that was `asked` for.
    fn look(&self, asked: bool) {
        let seen = self.files.look();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !asked && seen == current.seen {
            return;
        }
        current.seen = seen;
        match self.files.load() {
            Ok(acceptor) => {
                current.acceptor = Acceptor(acceptor);
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the changed certificate is refused; the one before is served"
            ),
        }
    }

    /// Takes up changes of the files, and reads them again on SIGHUP.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::warn!(%error, "listening for SIGHUP; changed certificates are not taken up");
                return;
            }
        };
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                () = tokio::time::sleep(POLL) => false,
            };
            self.look(asked);
        }
    }

    /// Sets up a connection on `stream`.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<SslStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.acceptor.0.clone()
        };
        let ssl = Ssl::new(acceptor.context()).map_err(io::Error::other)?;
        let mut stream = SslStream::new(ssl, stream).map_err(io::Error::other)?;
        let accepted = Pin::new(&mut stream).accept().await;
        accepted.map_err(io::Error::other)?;
        Ok(stream)
    }
}

/// The organizational units that a client's certificate names; `None` if it showed none that
/// somebody vouches for.
pub(super) fn units<S>(stream: &SslStream<S>) -> Option<Vec<String>> {
    let certificate = stream.ssl().peer_certificate()?;
    let units = certificate.subject_name();
    let units = units.entries_by_nid(Nid::ORGANIZATIONALUNITNAME);
    let texts = units.filter_map(|unit| unit.data().to_string().ok());
    Some(texts.collect())
}
