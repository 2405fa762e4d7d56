//! A machine that asks in a tight loop: it is told to come back later, others are served.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::fixture::site_dir;
use crate::process::Server;

/// Far more than ten, which is what one a second lets through at once.
const MANY: usize = 300;
const STRANGER: &str = "02-00-00-00-00-01";

fn start(dir: &Path) -> Server {
    let options = ["--machine-rate", "1"].map(OsStr::new);
    Server::start_for_site(dir, &options)
}

/// All answers to `head` with `body`, asked for many times at once.
fn loop_of(server: &Server, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(600)))
        .unwrap();
    let mut requests = format!("{head}\r\n\r\n{body}").repeat(MANY - 1);
    requests += &format!("{head}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    answers
}

/// How many requests of a kind were refused.
fn refused(server: &Server, asked: &str) -> usize {
    let metrics = server.get("metrics").text().unwrap();
    let name = format!("pxe_server_requests_refused_total{{asked=\"{asked}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.unwrap().parse().unwrap()
}

#[test]
fn scripts_configs_and_reports_are_refused_with_a_time_to_come_back() {
    let dir = site_dir();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let server = start(dir.path());
    let report = "{}";
    for (number, asked, line, body, good, bad) in [
        (
            2,
            "script",
            "GET /ipxe?mac=MAC HTTP/1.1",
            "",
            "200 OK",
            "429 Too Many Requests",
        ),
        (
            3,
            "config",
            "GET /machines/MAC/ignition HTTP/1.1",
            "",
            "200 OK",
            "503 Service Unavailable",
        ),
        (
            4,
            "report",
            "POST /machines/MAC/report HTTP/1.1\r\nContent-Length: 2",
            report,
            "400 Bad Request",
            "429 Too Many Requests",
        ),
    ] {
        let head = line.replace("MAC", &format!("02-00-00-00-00-{number:02x}"));
        let answers = loop_of(&server, &head, body);
        let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status}\r\n")).count();
        assert!(count(good) >= 10, "{asked}: {} answered", count(good));
        assert!(count(bad) > 0, "{asked}: none refused");
        assert_eq!(count(good) + count(bad), MANY, "{asked}");
        assert_eq!(
            answers.matches("retry-after: 1\r\n").count(),
            count(bad),
            "{asked}"
        );
        assert!(
            answers.contains("this machine or its address asks too often\n"),
            "{asked}"
        );
        assert_eq!(refused(&server, asked), count(bad), "{asked}");
        let other = server.get(&format!("ipxe?mac={STRANGER}"));
        assert_eq!(other.status(), 200, "another machine is served");
    }
}

#[test]
fn dhcp_and_tftp_stay_silent_to_who_asks_too_often() {
    let dir = site_dir();
    let server = start(dir.path());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut discover = vec![0; 300];
    discover[..3].copy_from_slice(&[1, 1, 6]);
    discover[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 5]);
    for _ in 0..MANY {
        socket
            .send_to(&discover, ("127.0.0.1", server.dhcp))
            .unwrap();
    }
    server.wait_for("a refusal", |server| refused(server, "dhcp") > 0);
    let request = b"\x00\x01boot/02-00-00-00-00-06/none\x00octet\x00";
    for _ in 0..MANY {
        socket.send_to(request, ("127.0.0.1", server.tftp)).unwrap();
    }
    server.wait_for("a refusal", |server| refused(server, "tftp") > 0);
    assert_eq!(refused(&server, "script"), 0);
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let dir = site_dir();
    let options = ["--machine-rate", "0"].map(OsStr::new);
    let server = Server::start_for_site(dir.path(), &options);
    let answers = loop_of(&server, &format!("GET /ipxe?mac={STRANGER} HTTP/1.1"), "");
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), MANY);
}
