//! Reports reach a receiver that fails, in order, and never wait for one that is not there.

use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

const QUICK: Policy = Policy {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(2),
};
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers one request per status and hands on what was posted; an empty status closes the
/// connection without an answer. `gate` holds the first answer back until it gets a message.
fn serve(
    statuses: &'static [&'static str],
    gate: Option<mpsc::Receiver<()>>,
) -> (String, JoinHandle<Vec<Report>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/report", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let mut reports = Vec::new();
        for (i, status) in statuses.iter().enumerate() {
            let mut stream = listener.accept().unwrap().0;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
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
            reports.push(serde_json::from_slice(&body).unwrap());
            if let (0, Some(gate)) = (i, &gate) {
                gate.recv().unwrap();
            }
            if !status.is_empty() {
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                .unwrap();
            }
        }
        reports
    });
    (url, thread)
}

/// A URL where nobody is.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn events(reports: &[Report]) -> Vec<Event> {
    reports.iter().map(|report| report.event.clone()).collect()
}

#[test]
fn an_event_is_posted_again_until_it_is_answered_and_order_is_kept() {
    let (url, server) = serve(&["500 Oops", "", "204 No Content", "204 No Content"], None);
    let reporter = Reporter::start(&[&url], QUICK).unwrap();
    reporter.send(Event::Live);
    reporter.send(Event::Installed);
    assert_eq!(reporter.finish(PATIENCE), Outcome::Delivered);
    assert_eq!(
        events(&server.join().unwrap()),
        [Event::Live, Event::Live, Event::Live, Event::Installed]
    );
}

#[test]
fn another_receiver_is_told_where_one_is_gone_and_kept() {
    let (url, server) = serve(&["204 No Content", "500 Oops", "204 No Content"], None);
    let reporter = Reporter::start(&[&nobody(), &url], QUICK).unwrap();
    reporter.send(Event::Live);
    reporter.send(Event::Installed);
    assert_eq!(reporter.finish(PATIENCE), Outcome::Delivered);
    let told = events(&server.join().unwrap());
    assert_eq!(told, [Event::Live, Event::Installed, Event::Installed]);
}

#[test]
fn waiting_progress_is_replaced_by_newer() {
    let (open, gate) = mpsc::channel();
    let (url, server) = serve(
        &["204 No Content", "204 No Content", "204 No Content"],
        Some(gate),
    );
    let reporter = Reporter::start(&[&url], QUICK).unwrap();
    reporter.send(Event::Live);
    for percent in [10, 20, 30] {
        reporter.send(Event::InstallProgress { percent });
    }
    reporter.send(Event::Installed);
    open.send(()).unwrap();
    assert_eq!(reporter.finish(PATIENCE), Outcome::Delivered);
    let want = [
        Event::Live,
        Event::InstallProgress { percent: 30 },
        Event::Installed,
    ];
    assert_eq!(events(&server.join().unwrap()), want);
}

#[test]
fn a_receiver_that_does_not_want_us_is_left_alone() {
    let (url, server) = serve(&["409 Conflict"], None);
    let reporter = Reporter::start(&[&url], QUICK).unwrap();
    reporter.send(Event::Live);
    server.join().unwrap();
    reporter.send(Event::Installed);
    assert_eq!(reporter.finish(PATIENCE), Outcome::Unwanted);
}

#[test]
fn nobody_there_ends_when_time_is_up() {
    let reporter = Reporter::start(&[&nobody()], QUICK).unwrap();
    reporter.send(Event::Live);
    assert_eq!(
        reporter.finish(Duration::from_millis(50)),
        Outcome::TimedOut
    );
}

#[test]
fn without_a_url_nothing_is_waited_for() {
    let reporter = Reporter::start(&[], QUICK).unwrap();
    reporter.send(Event::Live);
    assert_eq!(reporter.finish(PATIENCE), Outcome::Delivered);
}
