//! HTTPS as clients see it: certificates made by OpenSSL, clients that check them.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use reqwest::blocking::Client;

use crate::fixture::site_dir;
use crate::process::{Server, serve};

/// Until when a certificate is good.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Good {
    ForDays(u32),
    NoMore,
}

/// A certificate for this machine that vouches for itself, and its key, both PEM.
pub(crate) fn certificate(name: &str, good: Good) -> (Vec<u8>, Vec<u8>) {
    certificate_of(name, &[], good)
}

/// The same for somebody who belongs to these units.
fn certificate_of(name: &str, units: &[&str], good: Good) -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    for unit in units {
        subject
            .append_entry_by_nid(Nid::ORGANIZATIONALUNITNAME, unit)
            .unwrap();
    }
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(std::process::id()).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(0).unwrap())
        .unwrap();
    let until = match good {
        Good::ForDays(days) => Asn1Time::days_from_now(days).unwrap(),
        Good::NoMore => Asn1Time::from_unix(86_400).unwrap(),
    };
    builder.set_not_after(&until).unwrap();
    let authority = BasicConstraints::new().critical().ca().build().unwrap();
    builder.append_extension(authority).unwrap();
    let context = builder.x509v3_context(None, None);
    let ours = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .build(&context)
        .unwrap();
    builder.append_extension(ours).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let pem = builder.build().to_pem().unwrap();
    (pem, key.private_key_to_pem_pkcs8().unwrap())
}

pub(crate) fn write(dir: &Path, (certificate, key): &(Vec<u8>, Vec<u8>)) -> [PathBuf; 2] {
    let paths = [dir.join("cert.pem"), dir.join("key.pem")];
    std::fs::write(&paths[0], certificate).unwrap();
    std::fs::write(&paths[1], key).unwrap();
    paths
}

pub(crate) fn start(dir: &Path) -> Server {
    start_with(dir, &[])
}

fn start_with(dir: &Path, options: &[&OsStr]) -> Server {
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let usual = [
        "--https-port".as_ref(),
        "0".as_ref(),
        "--tls-cert".as_ref(),
        certificate.as_os_str(),
        "--tls-key".as_ref(),
        key.as_os_str(),
    ];
    Server::start_for_site(dir, &[&usual, options].concat())
}

/// A client that trusts this certificate only.
pub(crate) fn client(pem: &[u8]) -> Client {
    let root = reqwest::Certificate::from_pem(pem).unwrap();
    let builder = Client::builder().tls_certs_only([root]);
    builder.build().unwrap()
}

pub(crate) fn url(server: &Server, path: &str) -> String {
    format!("https://127.0.0.1:{}/{path}", server.https.unwrap())
}

#[test]
fn https_serves_what_http_serves() {
    let dir = site_dir();
    let pair = certificate("one", Good::ForDays(30));
    write(dir.path(), &pair);
    let server = start(dir.path());
    let silent = TcpStream::connect(("127.0.0.1", server.https.unwrap())).unwrap();
    let client = client(&pair.0);
    let get = |path: &str| client.get(url(&server, path)).send().unwrap();
    assert_eq!(get("healthz").text().unwrap(), "ok\n");
    let rootfs = get("assets/rootfs.img?mac=52-54-00-12-34-56");
    let tag = rootfs.headers()["etag"].clone();
    assert_eq!(&rootfs.bytes().unwrap()[..], [7; 100_000]);
    assert_eq!(server.head("assets/rootfs.img").headers()["etag"], tag);
    let range = client
        .get(url(&server, "assets/rootfs.img"))
        .header("Range", "bytes=99990-");
    let range = range.send().unwrap();
    assert_eq!(
        (range.status().as_u16(), range.bytes().unwrap().len()),
        (206, 10)
    );
    let config = "machines/52-54-00-12-34-56/ignition";
    assert_eq!(
        get(config).bytes().unwrap(),
        server.get(config).bytes().unwrap()
    );
    let script = get("ipxe?mac=52-54-00-12-34-56").text().unwrap();
    let kernel = format!("kernel http://127.0.0.1:{}/assets/vmlinuz ", server.http);
    assert!(script.contains(&kernel), "{script}");
    server.wait_for("the download's event", |server| {
        server.events().contains(&"rootfs-served".to_owned())
    });
    drop(silent);
}

#[test]
fn who_does_not_trust_the_certificate_gets_nothing() {
    let dir = site_dir();
    write(dir.path(), &certificate("one", Good::ForDays(30)));
    let server = start(dir.path());
    let other = client(&certificate("two", Good::ForDays(30)).0);
    assert!(other.get(url(&server, "healthz")).send().is_err());
    let mut plain = TcpStream::connect(("127.0.0.1", server.https.unwrap())).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    assert_eq!(server.get("healthz").text().unwrap(), "ok\n");
}

#[test]
fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let dir = site_dir();
    let (one, two) = (
        certificate("one", Good::ForDays(30)),
        certificate("two", Good::ForDays(30)),
    );
    write(dir.path(), &one);
    let server = start(dir.path());
    let works = |pem: &[u8]| client(pem).get(url(&server, "healthz")).send().is_ok();
    assert!(works(&one.0) && !works(&two.0));
    write(dir.path(), &two);
    server.wait_for("the new certificate", |_| works(&two.0));
    assert!(!works(&one.0));
    // The key of another: what was good stays.
    write(dir.path(), &(one.0.clone(), two.1.clone()));
    server.hang_up();
    server.wait_for("the refusal", |server| {
        server
            .log()
            .contains("the changed certificate is refused; the one before is served")
    });
    assert!(works(&two.0) && !works(&one.0));
}

#[test]
fn an_expired_certificate_is_served_with_a_warning() {
    let dir = site_dir();
    let pair = certificate("old", Good::NoMore);
    write(dir.path(), &pair);
    let server = start(dir.path());
    assert!(
        server.log().contains("the certificate has expired"),
        "{}",
        server.log()
    );
    let refused = client(&pair.0)
        .get(url(&server, "healthz"))
        .send()
        .unwrap_err();
    assert!(format!("{refused:?}").contains("expired"), "{refused:?}");
}

#[test]
fn tls_before_1_2_is_refused() {
    let dir = site_dir();
    write(dir.path(), &certificate("one", Good::ForDays(30)));
    let server = start(dir.path());
    let connect = |version: SslVersion| {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", server.https.unwrap())).unwrap();
        let connected = builder.build().connect("127.0.0.1", stream);
        connected.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(connect(SslVersion::TLS1_2), Ok(()));
    assert_eq!(connect(SslVersion::TLS1_3), Ok(()));
    let refused = connect(SslVersion::TLS1_1).unwrap_err();
    assert!(refused.contains("alert protocol version"), "{refused}");
}

#[test]
fn what_cannot_be_served_is_told_before_anything_is() {
    let dir = site_dir();
    let (one, two) = (
        certificate("one", Good::ForDays(30)),
        certificate("two", Good::ForDays(30)),
    );
    let [cert, key] = write(dir.path(), &(one.0.clone(), two.1));
    let run = || {
        let output = serve()
            .args(["--https-port", "0"])
            .args(["--site".as_ref(), dir.path().join("site").as_os_str()])
            .args(["--state".as_ref(), dir.path().join("state").as_os_str()])
            .args([
                "--tls-cert".as_ref(),
                cert.as_os_str(),
                "--tls-key".as_ref(),
                key.as_os_str(),
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = run();
    let want = format!(
        "the key {} does not belong to the certificate {}",
        key.display(),
        cert.display()
    );
    assert!(told.contains(&want), "{told}");
    assert!(told.contains("hint:  "), "{told}");
    std::fs::write(&key, "nonsense").unwrap();
    let want = format!("{} holds no usable private key", key.display());
    let told = run();
    assert!(told.contains(&want), "{told}");
    std::fs::write(&cert, "nonsense").unwrap();
    let want = format!("{} holds no certificate", cert.display());
    let told = run();
    assert!(told.contains(&want), "{told}");
    std::fs::remove_file(&cert).unwrap();
    let want = format!("{} cannot be read", cert.display());
    let told = run();
    assert!(told.contains(&want), "{told}");
}

#[test]
fn a_certificate_of_a_client_gives_the_role_that_it_names() {
    let dir = site_dir();
    let pair = certificate("server", Good::ForDays(30));
    write(dir.path(), &pair);
    let clients: Vec<_> = [&["sales", "operator"][..], &[], &["admin"]]
        .iter()
        .map(|units| certificate_of("somebody", units, Good::ForDays(30)))
        .collect();
    let authorities = dir.path().join("clients.pem");
    std::fs::write(&authorities, [&clients[0].0[..], &clients[1].0].concat()).unwrap();
    let state = dir.path().join("state");
    let made = Command::new(env!("CARGO_BIN_EXE_pxe-server"))
        .args(["token", "new", "--name", "a", "--role", "admin", "--state"])
        .arg(state)
        .status();
    assert!(made.unwrap().success());
    let options = ["--client-ca".as_ref(), authorities.as_os_str()];
    let server = start_with(dir.path(), &options);
    let client = |known: Option<&(Vec<u8>, Vec<u8>)>| {
        let root = reqwest::Certificate::from_pem(&pair.0).unwrap();
        let builder = Client::builder().tls_certs_only([root]);
        let builder = match known {
            Some((certificate, key)) => {
                builder.identity(reqwest::Identity::from_pkcs8_pem(certificate, key).unwrap())
            }
            None => builder,
        };
        builder.build().unwrap()
    };
    let ask = |client: Client| {
        let looks = client.get(url(&server, "api/v1/machines")).send()?.status();
        let acts = url(&server, "api/v1/machines/52:54:00:12:34:56/reinstall");
        let acts = client.post(acts).send()?.status();
        Ok::<_, reqwest::Error>((looks.as_u16(), acts.as_u16()))
    };
    assert_eq!(
        ask(client(Some(&clients[0]))).unwrap(),
        (200, 204),
        "operator"
    );
    assert_eq!(
        ask(client(Some(&clients[1]))).unwrap(),
        (200, 403),
        "viewer"
    );
    assert_eq!(ask(client(None)).unwrap(), (401, 401), "nobody");
    assert!(
        ask(client(Some(&clients[2]))).is_err(),
        "nobody vouches for this one"
    );
    let machine = client(None).get(url(&server, "healthz")).send().unwrap();
    assert_eq!(machine.status(), 200, "machines have no certificate");
}
