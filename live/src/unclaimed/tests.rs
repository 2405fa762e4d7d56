//! Against a server that answers each request as it is told.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use embed::report::Report;

const QUICK: Pace = Pace {
    ask: Duration::from_millis(1),
    report: Policy {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
    },
};
const WAIT: (&str, &str) = (
    "200 OK",
    r#"{"format":1,"machine":"52:54:00:12:34:56\u001b[2J","next":"wait"}"#,
);
const BOOT: (&str, &str) = (
    "200 OK",
    r#"{"format":1,"machine":"52:54:00:12:34:56","next":"boot"}"#,
);

/// Requests' methods and paths, with their bodies.
type Asked = Vec<(String, Vec<u8>)>;

/// Gives these answers and goes away; what was asked, with the bodies.
fn serve(answers: &'static [(&str, &str)]) -> (Kargs, JoinHandle<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let kargs = format!("coreos.discover=http://{at}/next coreos.report_url=http://{at}/report");
    let thread = thread::spawn(move || {
        let answer = |(status, text): &(&str, &str)| {
            let mut stream = listener.accept().unwrap().0;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
            )
            .unwrap();
            let asked = first.split(" HTTP").next().unwrap_or_default().to_owned();
            (asked, body)
        };
        answers.iter().map(answer).collect()
    });
    (Kargs::parse(&kargs), thread)
}

/// Waits on a machine with one network card; what was asked, and what the console says.
fn run(answers: &'static [(&str, &str)]) -> (Asked, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("sys/class/net/eth0/type", "1"),
        ("sys/class/net/eth0/address", "52:54:00:12:34:56"),
        ("sys/class/net/eth0/device/uevent", ""),
        ("console", ""),
    ] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let console = dir.path().join("console");
    let (kargs, server) = serve(answers);
    wait(&kargs, &Consoles::of([console.clone()]), dir.path(), QUICK).unwrap();
    let shown = std::fs::read_to_string(console).unwrap();
    (server.join().unwrap(), shown)
}

#[test]
fn a_machine_reports_and_waits_until_there_is_something_for_it() {
    let (asked, shown) = run(&[
        ("503 Service Unavailable", ""),
        WAIT,
        ("503 Service Unavailable", ""),
        ("204 No Content", ""),
        WAIT,
        ("200 OK", "neither"),
        WAIT,
        BOOT,
    ]);
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.as_str()).collect();
    let (next, report) = ("GET /next", "POST /report");
    assert_eq!(paths, [next, next, report, report, next, next, next, next]);
    let told: Report = serde_json::from_slice(&asked[3].1).unwrap();
    let Event::Hardware { hardware } = told.event else {
        panic!("{told:?}");
    };
    assert_eq!(
        hardware.nics[0].mac.as_ref().unwrap().as_str(),
        "52:54:00:12:34:56"
    );
    for line in [
        "coreos-metal: discovery: nobody has a use for this machine yet; nothing is installed\n",
        "coreos-metal: discovery: eth0 52:54:00:12:34:56\n",
        "coreos-metal: discovery:     pxe-server claim 52:54:00:12:34:56[2J --profile NAME\n",
        "coreos-metal: discovery: there is something for this machine; rebooting\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert_eq!(shown.matches("no answer yet").count(), 2, "{shown}");
}

#[test]
fn a_machine_that_is_wanted_already_reports_nothing() {
    let (asked, _) = run(&[BOOT]);
    assert_eq!(asked.len(), 1);
    let (asked, shown) = run(&[WAIT, ("409 Conflict", ""), WAIT, BOOT]);
    assert_eq!(asked.len(), 4);
    assert!(!shown.contains("the server knows"), "{shown}");
}

#[test]
fn without_a_server_there_is_nothing_to_wait_for() {
    for kargs in ["", "coreos.discover", "coreos.discover="] {
        let outcome = wait(
            &Kargs::parse(kargs),
            &Consoles::of([]),
            Path::new("/nowhere"),
            QUICK,
        );
        assert!(matches!(outcome, Err(UnclaimedError::NoServer)), "{kargs}");
    }
}
