//! Against a TCP server that answers each connection as it is told, so that every fault is exact.

use super::*;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

const CHUNK: usize = 1000;
const QUICK: Policy = Policy {
    wrong: 3,
    unreachable: 3,
    pause: Duration::ZERO,
};

enum Answer {
    /// The whole file, or the part asked for.
    Ranges,
    /// The whole file, whatever was asked for.
    Whole,
    /// Promises everything from the asked offset and closes after so many bytes.
    Cut(usize),
    /// The whole file with this byte flipped.
    Flipped(usize),
    /// These bytes in place of the file.
    Other(Vec<u8>),
    /// A status and no more.
    Status(&'static str),
}

struct Server {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

/// Serves one connection per answer and then goes away. Gives back each request's Range.
fn serve(file: Vec<u8>, answers: Vec<Answer>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/rootfs.img", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        answers
            .into_iter()
            .map(|answer| reply(&listener.accept().unwrap().0, &file, answer))
            .collect()
    });
    Server { url, thread }
}

fn reply(stream: &TcpStream, file: &[u8], answer: Answer) -> String {
    let mut range = String::new();
    for line in BufReader::new(stream).lines().map(Result::unwrap) {
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("range: bytes=") {
            range = value.to_owned();
        }
    }
    let from: usize = range.trim_end_matches('-').parse().unwrap_or(0);
    let mut body = file.to_vec();
    let mut send = file.len();
    let mut head = "200 OK".to_owned();
    match answer {
        Answer::Ranges | Answer::Cut(_) => {
            body.drain(..from);
            send = if let Answer::Cut(after) = answer {
                after
            } else {
                body.len()
            };
            if from > 0 {
                head = format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                    file.len() - 1,
                    file.len()
                );
            }
        }
        Answer::Whole => {}
        Answer::Flipped(at) => body[at] ^= 1,
        Answer::Other(other) => {
            send = other.len();
            body = other;
        }
        Answer::Status(status) => {
            head = status.to_owned();
            body.clear();
            send = 0;
        }
    }
    let head = format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    // The client may be gone before it has read everything; that is its right.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body[..send]));
    range
}

/// A URL where nobody is.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/x", listener.local_addr().unwrap())
}

fn file() -> Vec<u8> {
    (0..3 * CHUNK + 10)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect()
}

fn run(
    answers: Vec<Answer>,
    policy: Policy,
) -> (Result<u64, FetchError>, Vec<u8>, Vec<String>, Vec<String>) {
    let want = StreamHash::of_reader(file().as_slice(), CHUNK).unwrap();
    let server = serve(file(), answers);
    let (mut out, mut retries) = (Vec::new(), Vec::new());
    let result = fetch(
        &client().unwrap(),
        &[server.url],
        &want,
        &mut out,
        policy,
        |notice| {
            if let Notice::Retry(error) = notice {
                retries.push(format!("{error:?}"));
            }
        },
    );
    (result, out, server.thread.join().unwrap(), retries)
}

#[test]
fn a_good_server_gives_the_file() {
    let (result, out, _, retries) = run(vec![Answer::Ranges], QUICK);
    assert_eq!(result.unwrap(), file().len() as u64);
    assert!(out == file() && retries.is_empty());
}

#[test]
fn a_cut_transfer_goes_on_at_the_first_missing_chunk() {
    let (result, out, ranges, retries) = run(vec![Answer::Cut(2500), Answer::Ranges], QUICK);
    result.unwrap();
    assert!(out == file());
    assert_eq!(ranges, ["", "2000-"]);
    assert!(retries[0].contains("Broken { offset: 2500"), "{retries:?}");
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let (result, out, ranges, _) = run(vec![Answer::Cut(1500), Answer::Whole], QUICK);
    result.unwrap();
    assert!(out == file());
    assert_eq!(ranges, ["", "1000-"]);
}

#[test]
fn a_wrong_chunk_is_not_kept_and_is_fetched_again() {
    let (result, out, ranges, retries) = run(vec![Answer::Flipped(1200), Answer::Ranges], QUICK);
    result.unwrap();
    assert!(out == file());
    assert_eq!(ranges, ["", "1000-"]);
    assert!(
        retries[0].contains("Mismatch { offset: 1000 }"),
        "{retries:?}"
    );
}

#[test]
fn a_file_that_stays_wrong_fails_with_its_place_and_keeps_only_good_bytes() {
    let answers = vec![
        Answer::Flipped(1200),
        Answer::Flipped(1200),
        Answer::Flipped(1200),
    ];
    let (result, out, _, _) = run(answers, QUICK);
    let error = result.unwrap_err();
    let wrong = AttemptError::Wrong(StreamHashError::Mismatch { offset: 1000 });
    match error {
        FetchError::GaveUp {
            failures: 3,
            source,
            ..
        } => assert_eq!(format!("{source:?}"), format!("{wrong:?}")),
        other => panic!("{other:?}"),
    }
    assert!(out == file()[..1000]);
}

#[test]
fn a_file_that_ends_early_or_goes_on_is_refused() {
    let short = file()[..1500].to_vec();
    let (result, out, _, _) = run(vec![Answer::Other(short)], Policy { wrong: 1, ..QUICK });
    let truncated = |error: &FetchError| {
        matches!(
            error,
            FetchError::GaveUp {
                source: AttemptError::Wrong(StreamHashError::Truncated { offset: 1500 }),
                ..
            }
        )
    };
    assert!(truncated(&result.unwrap_err()) && out == file()[..1000]);

    let exact = &file()[..3 * CHUNK];
    let want = StreamHash::of_reader(exact, CHUNK).unwrap();
    let server = serve(Vec::new(), vec![Answer::Other([exact, b"x"].concat())]);
    let once = Policy { wrong: 1, ..QUICK };
    let error = fetch(
        &client().unwrap(),
        &[server.url],
        &want,
        &mut Vec::new(),
        once,
        |_| {},
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::GaveUp {
                source: AttemptError::Wrong(StreamHashError::Surplus { offset: 3000 }),
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn not_found_is_final() {
    let (result, out, ranges, _) = run(vec![Answer::Status("404 Not Found")], QUICK);
    assert!(matches!(
        result,
        Err(FetchError::Refused {
            status: StatusCode::NOT_FOUND,
            ..
        })
    ));
    assert!(out.is_empty() && ranges.len() == 1);
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let answers = vec![
        Answer::Status("500 Internal Server Error"),
        Answer::Status("429 Too Many Requests"),
        Answer::Ranges,
    ];
    let (result, out, _, retries) = run(answers, QUICK);
    result.unwrap();
    assert!(out == file());
    assert_eq!(retries, ["Status(500)", "Status(429)"]);
}

#[test]
fn wrong_data_is_given_up_before_a_server_in_trouble() {
    let impatient = Policy { wrong: 2, ..QUICK };
    let server = serve(file(), vec![Answer::Flipped(0), Answer::Flipped(0)]);
    let want = StreamHash::of_reader(file().as_slice(), CHUNK).unwrap();
    let result = fetch(
        &client().unwrap(),
        &[server.url],
        &want,
        &mut Vec::new(),
        impatient,
        |_| {},
    );
    assert!(
        matches!(result, Err(FetchError::GaveUp { failures: 2, .. })),
        "{result:?}"
    );
}

#[test]
fn no_server_is_said_after_the_last_attempt() {
    let want = StreamHash::of_reader(&b"x"[..], 1).unwrap();
    let result = fetch(
        &client().unwrap(),
        &[nobody()],
        &want,
        &mut Vec::new(),
        QUICK,
        |_| {},
    );
    assert!(matches!(
        result,
        Err(FetchError::GaveUp {
            failures: 3,
            source: AttemptError::Transport(_),
            ..
        })
    ));
}

#[test]
fn another_server_goes_on_where_the_first_one_went_away() {
    let want = StreamHash::of_reader(file().as_slice(), CHUNK).unwrap();
    let first = serve(file(), vec![Answer::Cut(2500)]);
    let second = serve(file(), vec![Answer::Status("404 Not Found")]);
    let third = serve(file(), vec![Answer::Ranges]);
    let urls = [&first, &second, &third].map(|server| server.url.clone());
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    // Nobody waits this long for a server while there is another one.
    let policy = Policy {
        pause: Duration::from_secs(3600),
        ..QUICK
    };
    let result = fetch(
        &client().unwrap(),
        &urls,
        &want,
        &mut out,
        policy,
        |told| match told {
            Notice::From(url) => asked.push(url.to_owned()),
            Notice::Refused(error) => asked.push(error.to_string()),
            _ => {}
        },
    );
    result.unwrap();
    assert!(out == file());
    let [one, two, three] = urls;
    let refused = format!("server answered 404 Not Found for {two}");
    assert_eq!(asked, [one, two, refused, three]);
    assert_eq!(third.thread.join().unwrap(), ["2000-"]);
}

#[test]
fn the_last_of_several_refusals_is_final() {
    let want = StreamHash::of_reader(file().as_slice(), CHUNK).unwrap();
    let servers = [(); 2].map(|()| serve(file(), vec![Answer::Status("404 Not Found")]));
    let urls = servers.map(|server| server.url);
    let mut out = Vec::new();
    let result = fetch(&client().unwrap(), &urls, &want, &mut out, QUICK, |_| {});
    assert!(matches!(result, Err(FetchError::Refused { url, .. }) if url == urls[1]));
    assert!(out.is_empty());
}
