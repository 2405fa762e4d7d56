//! Retries, final failures and limits against a server that answers as told.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use embed::progress::Progress;

use super::*;

/// Answers each request with the next of `answers` (status and body), then is gone. The body
/// "cut" is shorter than promised; that of a redirect is also where it leads.
fn serve(answers: Vec<(u16, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut out, _) = listener.accept().unwrap();
            let lines = BufReader::new(out.try_clone().unwrap()).lines();
            assert!(lines.map_while(Result::ok).any(|line| line.is_empty()));
            let len = body.len() + usize::from(body == "cut");
            write!(
                out,
                "HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nConnection: close\r\n"
            )
            .unwrap();
            if status == 302 {
                write!(out, "Location: {body}\r\n").unwrap();
            }
            let _ = write!(out, "\r\n{body}");
        }
    });
    url
}

/// Remembers what was said about retries.
#[derive(Default)]
struct Retried(RefCell<Vec<(String, Duration)>>);

impl Observer for Retried {
    fn event(&self, _: Progress) {}

    fn fetch(&self, notice: &FetchNotice) {
        if let FetchNotice::Retry { reason, delay, .. } = notice {
            self.0.borrow_mut().push((reason.clone(), *delay));
        }
    }
}

fn fetcher<'a>(retries: Retries, observer: &'a Retried, cancel: &'a Cancel) -> Fetcher<'a> {
    let access = Access {
        retries,
        first_delay: Duration::from_millis(1),
        ..Access::default()
    };
    Fetcher::new(&access, &[], observer, cancel).unwrap()
}

#[test]
fn passing_failures_are_retried_with_a_doubling_delay_and_told() {
    let url = serve(vec![(503, ""), (429, ""), (500, ""), (200, "ok")]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let body = fetcher(Retries::Count(3), &observer, &cancel)
        .get_small(&url, 10)
        .unwrap();
    assert_eq!(body, b"ok");
    let told = observer.0.into_inner();
    let delays: Vec<_> = told.iter().map(|(_, delay)| delay.as_millis()).collect();
    assert_eq!(delays, [1, 2, 4]);
    assert!(
        told[0].0.contains("503") && told[1].0.contains("429"),
        "{told:?}"
    );
}

#[test]
fn retries_end_with_the_last_error() {
    let url = serve(vec![(502, ""), (504, "")]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let error = fetcher(Retries::Count(1), &observer, &cancel)
        .get_small(&url, 10)
        .unwrap_err();
    assert!(
        matches!(error, SourceError::Status { status: 504, .. }),
        "{error:?}"
    );
}

#[test]
fn final_failures_are_not_retried() {
    for status in [400, 401, 403, 404, 410, 501] {
        let url = serve(vec![(status, "")]);
        let (observer, cancel) = (Retried::default(), Cancel::new());
        let error = fetcher(Retries::Infinite, &observer, &cancel)
            .get_small(&url, 10)
            .unwrap_err();
        assert!(
            matches!(error, SourceError::Status { status: s, .. } if s == status),
            "{error:?}"
        );
        assert!(observer.0.into_inner().is_empty());
    }
}

#[test]
fn a_refused_connection_is_retried_until_the_count_is_up() {
    // The port was free a moment ago, and nobody listens there now.
    let url = serve(vec![]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let error = fetcher(Retries::Count(2), &observer, &cancel)
        .get_small(&url, 10)
        .unwrap_err();
    assert!(matches!(error, SourceError::Transport { .. }), "{error:?}");
    assert_eq!(observer.0.into_inner().len(), 2);
}

#[test]
fn waiting_for_a_retry_ends_when_asked_to_stop() {
    struct Stop(Cancel);
    impl Observer for Stop {
        fn event(&self, _: Progress) {}
        fn fetch(&self, _: &FetchNotice) {
            self.0.cancel();
        }
    }
    let url = serve(vec![(503, "")]);
    let cancel = Cancel::new();
    let observer = Stop(cancel.clone());
    let access = Access {
        retries: Retries::Infinite,
        first_delay: Duration::from_secs(3600),
        ..Access::default()
    };
    let fetcher = Fetcher::new(&access, &[], &observer, &cancel).unwrap();
    let error = fetcher.get_small(&url, 10).unwrap_err();
    assert!(matches!(error, SourceError::Cancelled(_)), "{error:?}");
}

#[test]
fn a_document_beyond_its_limit_is_refused() {
    let url = serve(vec![(200, "0123456789a")]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let error = fetcher(Retries::Count(0), &observer, &cancel)
        .get_small(&url, 10)
        .unwrap_err();
    assert!(
        matches!(error, SourceError::TooLarge { limit: 10, .. }),
        "{error:?}"
    );
}

#[test]
fn an_opened_image_has_its_length_and_its_signature_or_the_reason_why_not() {
    let url = serve(vec![(403, ""), (200, "image")]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let artifact = Artifact::at(&format!("{url}/i?token=1")).unwrap();
    assert_eq!(artifact.signature, format!("{url}/i.sig?token=1"));
    let mut stream = fetcher(Retries::Count(0), &observer, &cancel)
        .open(std::slice::from_ref(&artifact))
        .unwrap();
    assert_eq!(stream.length, Some(5));
    let looked_at = artifact.signature;
    assert_eq!(
        stream.signature,
        Signature::Absent {
            looked_at,
            status: Some(403)
        }
    );
    let mut body = String::new();
    stream.reader.read_to_string(&mut body).unwrap();
    assert_eq!(body, "image");
}

#[test]
fn only_http_and_https_are_fetched() {
    for url in ["ftp://h/i", "file:///etc/passwd", "i.raw", "http//h"] {
        assert!(
            matches!(Artifact::at(url), Err(SourceError::Url { .. })),
            "{url}"
        );
    }
}

#[test]
fn a_document_that_breaks_off_is_fetched_again() {
    let url = serve(vec![(200, "cut"), (200, "whole")]);
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let body = fetcher(Retries::Count(1), &observer, &cancel)
        .get_small(&url, 10)
        .unwrap();
    assert_eq!(body, b"whole");
    assert!(observer.0.into_inner()[0].0.contains("after 0 bytes"));
}

#[test]
fn redirects_to_what_is_no_web_server_are_refused() {
    for to in ["file:///etc/passwd", "ftp://h/i", "http://", ""] {
        let url = serve(vec![(302, to)]);
        let (observer, cancel) = (Retried::default(), Cancel::new());
        let error = fetcher(Retries::Infinite, &observer, &cancel)
            .get_small(&url, 10)
            .unwrap_err();
        assert!(matches!(error, SourceError::Redirect { .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_never_finishes_its_handshake_is_silent_while_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/i", listener.local_addr().unwrap());
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let access = Access {
        patience: Duration::from_secs(1),
        ..Access::default()
    };
    let fetcher = Fetcher::new(&access, &[], &observer, &cancel).unwrap();
    let error = fetcher.get_small(&url, 10).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{url} was silent for 500ms while connecting")
    );
}

/// Asks to stop once `ready` says so, and gives what a fetch that would wait for much longer says.
fn stopped_while_fetching(url: &str, ready: impl FnOnce() + Send) -> SourceError {
    let (observer, cancel) = (Retried::default(), Cancel::new());
    let access = Access {
        patience: Duration::from_secs(3600),
        ..Access::default()
    };
    let fetcher = Fetcher::new(&access, &[], &observer, &cancel).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready();
            cancel.cancel();
        });
        fetcher.get_small(url, 10).unwrap_err()
    })
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_left_when_asked_to_stop() {
    for scheme in ["http", "https"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/i", listener.local_addr().unwrap());
        let mut accepted = None;
        let error = stopped_while_fetching(&url, || accepted = listener.accept().ok());
        assert!(matches!(error, SourceError::Cancelled(_)), "{error:?}");
        assert!(accepted.is_some());
    }
}

#[test]
fn a_server_that_falls_silent_in_a_document_is_left_when_asked_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/i", listener.local_addr().unwrap());
    let mut open = None;
    let error = stopped_while_fetching(&url, || {
        let (mut out, _) = listener.accept().unwrap();
        // An answer before the request would be none.
        let lines = BufReader::new(out.try_clone().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.is_empty()));
        out.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n1234")
            .unwrap();
        open = Some(out);
    });
    assert!(matches!(error, SourceError::Cancelled(_)), "{error:?}");
}

#[test]
fn a_black_hole_is_left_when_asked_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, further connections are not even refused.
    let waiting = std::iter::from_fn(|| {
        std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok()
    });
    let _waiting: Vec<_> = waiting.take(500).collect();
    let error = stopped_while_fetching(&format!("http://{address}/i"), || {});
    assert!(matches!(error, SourceError::Cancelled(_)), "{error:?}");
}
