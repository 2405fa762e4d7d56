//! The HTTP side as many clients and bad ones meet it: bare sockets against the real binary.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::fixture::site_dir;
use crate::process::Server;

/// Idle connections that a server bears.
const IDLE: usize = 10_000;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// All that is answered to `request`, whose last answer ends the connection.
fn exchange(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn ten_thousand_idle_connections_leave_room_for_one_that_asks() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // The server keeps a quarter of its files for other things than connections.
    if hard < IDLE as u64 * 3 / 2 {
        eprintln!("SKIP: ten_thousand_idle_connections: only {hard} open files are allowed");
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let dir = site_dir();
    let server = Server::start(dir.path());
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| connect(&server)).collect();
    let mut begun = connect(&server);
    begun.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    assert_eq!(server.get("healthz").text().unwrap(), "ok\n");
    assert_eq!(
        server.get("assets/rootfs.img").bytes().unwrap().len(),
        100_000
    );
    let memory = server.resident_kib();
    assert!(memory < 256 * 1024, "{memory} KiB");
    let mut last = idle.last().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn requests_that_are_none_are_refused_and_do_no_harm() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000));
    for (request, want) in [
        (&b"\x16\x03\x01\x02\x00\x01\r\n\r\n"[..], "HTTP/1.1 400 "),
        (
            b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        (
            b"GET healthz HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        (
            b"GET /assets/../site/site.yaml HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        (
            b"GET /assets/%2e%2e/site/site.yaml HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        (
            b"GET /assets//etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        (
            b"DELETE /healthz HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 405 ",
        ),
        (b"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "),
    ] {
        let answer = exchange(&server, request);
        let asked = String::from_utf8_lossy(request);
        assert!(answer.starts_with(want), "{asked}: {answer}");
        assert!(!answer.contains("media:"), "{asked}: {answer}");
    }
    let mut stream = connect(&server);
    stream.write_all(long.as_bytes()).unwrap();
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431 ");
    assert_eq!(server.get("healthz").text().unwrap(), "ok\n");
}

#[test]
fn a_download_goes_on_where_it_ended_unless_the_file_has_changed() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let whole = server.get("assets/rootfs.img");
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(
        server.get_if_none_match("assets/rootfs.img", &tag).status(),
        304
    );
    let rest = |server: &Server| {
        let headers = [("Range", "bytes=99999-"), ("If-Range", tag.as_str())];
        let answer = server.get_with("assets/rootfs.img", &headers);
        (answer.status().as_u16(), answer.bytes().unwrap().len())
    };
    assert_eq!(rest(&server), (206, 1));
    std::fs::write(dir.path().join("media/rootfs.img"), vec![8; 100_000]).unwrap();
    assert_eq!(rest(&server), (200, 100_000));
    assert_eq!(
        server.get_if_none_match("assets/rootfs.img", &tag).status(),
        200
    );
}

#[test]
fn scripts_and_configs_have_tags_and_ranges_too() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    for path in ["boot.ipxe", "machines/52-54-00-12-34-56/ignition"] {
        let whole = server.get(path);
        let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
        let text = whole.text().unwrap();
        assert_eq!(server.get_if_none_match(path, &tag).status(), 304, "{path}");
        let part = server.range(path, "bytes=3-6");
        assert_eq!(part.status(), 206, "{path}");
        assert_eq!(part.text().unwrap(), text[3..7], "{path}");
        let head = server.head(path);
        let length = head.headers()["content-length"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(length, text.len().to_string(), "{path}");
        assert_eq!(head.headers()["etag"], *tag, "{path}");
    }
}

/// Firmware asks for the head first and for the program on the same connection.
#[test]
fn a_head_and_the_file_come_over_one_connection() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let path = "/boot/52-54-00-12-34-56/snponly.efi";
    let both = format!(
        "HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\nGET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    let answer = exchange(&server, both.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
    assert_eq!(
        answer.matches("content-length: 5000\r\n").count(),
        2,
        "{answer}"
    );
    assert_eq!(
        answer.matches("content-type: application/efi\r\n").count(),
        2,
        "{answer}"
    );
    assert_eq!(answer.rsplit("\r\n\r\n").next().unwrap().len(), 5000);
    server.wait_for("the program's event", |server| {
        server.events() == ["discovered", "nbp-served"]
    });
}
