//! Who gets the user's headers, whose certificates are believed, and who we say we are.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use installer::cancel::Cancel;
use installer::observe::Silent;
use installer::source::{Access, ClientIdentity, Header, ImageStream, Location, SourceError};

use crate::image::{Signer, raw};
use crate::request::or_skip;
use crate::server::{Answer, Server};

fn open(url: String, access: Access) -> Result<ImageStream, SourceError> {
    let location = Location::Url {
        url,
        mirrors: Vec::new(),
        access,
    };
    location.open(&Silent, &Cancel::new())
}

fn tokens(server: &Server) -> Vec<Option<String>> {
    server
        .asked()
        .into_iter()
        .map(|mut asked| asked.headers.remove("x-token"))
        .collect()
}

#[test]
fn headers_go_to_the_named_server_and_not_where_it_redirects() {
    let other = Server::new([("/i", vec![Answer::Body(b"image".to_vec())])]);
    let named = Server::new([
        ("/i", vec![Answer::Redirect("/j".into())]),
        ("/j", vec![Answer::Redirect(other.url("/i"))]),
        ("/i.sig", vec![Answer::Body(b"signature".to_vec())]),
    ]);
    let access = Access {
        headers: vec![Header::from("X-Token: s3cret".to_owned())],
        ..Access::default()
    };
    open(named.url("/i"), access).unwrap();
    let sent = Some("s3cret".to_owned());
    assert_eq!(named.requests(), ["/i.sig", "/i", "/j"]);
    assert_eq!(tokens(&named), [sent.clone(), sent.clone(), sent]);
    assert_eq!(tokens(&other), [None]);
}

#[test]
fn the_proxy_of_the_environment_is_asked_but_not_for_hosts_that_it_excepts() {
    let signer = Signer::new();
    let bytes = raw(512);
    let files = || {
        let signature = signer.sign(&bytes);
        [
            (
                "http://127.0.0.1:1/os.raw",
                vec![Answer::Body(bytes.clone())],
            ),
            (
                "http://127.0.0.1:1/os.raw.sig",
                vec![Answer::Body(signature)],
            ),
        ]
    };
    let proxy = Server::new(files());
    let dir = tempfile::tempdir().unwrap();
    let key = signer.public_key(dir.path());
    let download = |not_for: &str| {
        Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
            .args(["download", "--image-url", "http://127.0.0.1:1/os.raw", "-C"])
            .arg(dir.path())
            .arg("--keyring")
            .arg(&key)
            .env("http_proxy", proxy.url(""))
            .env("no_proxy", not_for)
            .output()
            .unwrap()
    };
    let refused = download("127.0.0.1");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("http://127.0.0.1:1/os.raw") && said.contains("Connection refused"),
        "{said}"
    );
    assert!(!dir.path().join("os.raw").exists());
    assert_eq!(proxy.requests(), [""; 0]);
    let fetched = download("");
    assert!(fetched.status.success(), "{fetched:?}");
    assert!(std::fs::read(dir.path().join("os.raw")).unwrap() == bytes);
    let asked = proxy.requests();
    assert!(
        asked
            .iter()
            .all(|url| url.starts_with("http://127.0.0.1:1/os.raw"))
    );
}

/// An authority, a server's and a client's certificate, made by openssl.
struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Result<Self, String> {
        let pki = Self(tempfile::tempdir().unwrap());
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ];
        let ca = ["-x509", "-subj", "/CN=Test CA", "-days", "2"];
        pki.openssl(
            &[
                &["req"],
                &ca[..],
                &key,
                &["-keyout", "ca.key", "-out", "ca.pem"],
            ]
            .concat(),
        )?;
        for (name, subject) in [("server", "/CN=127.0.0.1"), ("client", "/CN=client")] {
            let (key_file, out) = (format!("{name}.key"), format!("{name}.pem"));
            let signed = ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"];
            let names = ["-addext", "subjectAltName=IP:127.0.0.1", "-subj", subject];
            let files = ["-keyout", &key_file, "-out", &out];
            pki.openssl(&[&["req"], &signed[..], &key, &names, &files].concat())?;
        }
        std::fs::write(pki.path("i"), "image").unwrap();
        std::fs::write(pki.path("i.sig"), "signature").unwrap();
        Ok(pki)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, args: &[&str]) -> Result<(), String> {
        let out = Command::new("openssl")
            .args(args)
            .current_dir(self.0.path())
            .output()
            .map_err(|e| format!("openssl: {e}"))?;
        if out.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&out.stderr).into_owned())
    }
}

/// `openssl s_server`, which serves the files of its directory.
struct TlsServer {
    child: Child,
    port: u16,
}

impl TlsServer {
    fn new(dir: &Path, more: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let child = Command::new("openssl")
            .args(["s_server", "-WWW", "-quiet", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["-cert", "server.pem", "-key", "server.key"])
            .args(more)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/i", self.port)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_certificate_authority_of_ones_own_is_believed_when_given_and_not_before() {
    let pki = or_skip!("ca_cert", Pki::new());
    let server = TlsServer::new(pki.0.path(), &[]);
    let error = open(server.url(), Access::default()).unwrap_err();
    assert!(matches!(error, SourceError::Transport { .. }), "{error:?}");
    let access = Access {
        ca_certs: vec![pki.path("ca.pem")],
        ..Access::default()
    };
    let mut text = String::new();
    let mut stream = open(server.url(), access).unwrap();
    std::io::Read::read_to_string(&mut stream.reader, &mut text).unwrap();
    assert_eq!(text, "image");
}

#[test]
fn a_server_that_asks_who_we_are_gets_the_client_certificate() {
    let pki = or_skip!("client_cert", Pki::new());
    let server = TlsServer::new(
        pki.0.path(),
        &["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"],
    );
    let mut access = Access {
        ca_certs: vec![pki.path("ca.pem")],
        ..Access::default()
    };
    let error = open(server.url(), access.clone()).unwrap_err();
    assert!(matches!(error, SourceError::Transport { .. }), "{error:?}");
    access.identity = Some(ClientIdentity {
        cert: pki.path("client.pem"),
        key: pki.path("client.key"),
    });
    open(server.url(), access).unwrap();
}

#[test]
fn a_key_that_is_no_key_is_named() {
    let pki = or_skip!("client_key", Pki::new());
    let access = Access {
        identity: Some(ClientIdentity {
            cert: pki.path("client.pem"),
            key: pki.path("i"),
        }),
        ..Access::default()
    };
    let error = open("https://127.0.0.1:1/i".into(), access).unwrap_err();
    match error {
        SourceError::Certificate { path, .. } => assert_eq!(path, pki.path("client.pem")),
        other => panic!("{other:?}"),
    }
}
