//! A listener on loopback with routes of its own, and clients that speak over bare sockets.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::http::condition::Conditions;
use crate::http::file::Served;

/// More than any socket buffer.
const SIZE: usize = 24 * 1024 * 1024;

/// A running listener; its connections end with it.
struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
    /// Bytes of files that were sent to their end.
    ended: Arc<AtomicU64>,
    file: tempfile::NamedTempFile,
}

fn content() -> Vec<u8> {
    let words = u32::try_from(SIZE / 4).unwrap();
    (0..words).flat_map(u32::to_le_bytes).collect()
}

fn start(limit: Option<usize>) -> Running {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content()).unwrap();
    let ended = Arc::new(AtomicU64::new(0));
    let (path, count) = (file.path().to_owned(), ended.clone());
    let served = async move |asked: Conditions| -> Response {
        let kind = HeaderValue::from_static("a/b");
        let served = Served::try_open(&path, kind).unwrap();
        let at_end = move |bytes| {
            count.fetch_add(bytes, Ordering::SeqCst);
        };
        served.at_end(at_end).answer(&asked)
    };
    let endless = async || Body::new(Endless);
    let router = Router::new()
        .route("/text", get(async || "hello"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/file", get(served))
        .route("/endless", get(endless))
        .route(
            "/slow",
            get(async || {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "late"
            }),
        );
    let mut front = Front::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).unwrap();
    front.limit = limit.unwrap_or(front.limit);
    let address = front.listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(front.run(router, stopped));
    Running {
        address,
        stop,
        task,
        ended,
        file,
    }
}

/// Two frames, and no length.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data("tick\n".into()))))
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything that is answered to `text` until the server ends the connection.
    async fn exchange(&self, text: &str) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }
}

/// One answer: its head, and as many bytes as the head says.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

fn body(answer: &[u8]) -> &[u8] {
    let head = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap();
    &answer[head + 4..]
}

#[tokio::test]
async fn one_connection_gets_text_files_and_what_hyper_answers() {
    let running = start(None);
    let mut stream = running.connect().await;
    for _ in 0..2 {
        stream
            .write_all(b"GET /text HTTP/1.1\r\n\r\n")
            .await
            .unwrap();
        let (head, text) = answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("\r\ndate: ") && !head.contains("connection: close"),
            "{head}"
        );
        assert_eq!(text, b"hello");
        let range = b"GET /file HTTP/1.1\r\nRange: bytes=4-11\r\n\r\n";
        stream.write_all(range).await.unwrap();
        let (head, part) = answer(&mut stream).await;
        assert!(
            head.starts_with("HTTP/1.1 206 Partial Content\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("\r\ncontent-range: bytes 4-11/{SIZE}\r\n")),
            "{head}"
        );
        assert_eq!(part, [1, 0, 0, 0, 2, 0, 0, 0]);
    }
    let post = b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    stream.write_all(post).await.unwrap();
    assert_eq!(answer(&mut stream).await.1, b"abc");
    stream
        .write_all(b"GET /file HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert!(
        answer(&mut stream).await.1 == content(),
        "hyper reads the file"
    );
    assert_eq!(running.ended.load(Ordering::SeqCst), SIZE as u64);
}

#[tokio::test]
async fn a_file_is_sent_whole_and_counted_when_its_end_is() {
    let running = start(None);
    let whole = running
        .exchange("GET /file HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await;
    assert!(body(&whole) == content(), "{} bytes", whole.len());
    assert_eq!(running.ended.load(Ordering::SeqCst), SIZE as u64);
    let head = running
        .exchange("HEAD /file HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await;
    let text = String::from_utf8(head).unwrap();
    assert!(
        text.contains(&format!("\r\ncontent-length: {SIZE}\r\n")),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\n"), "no body: {text}");
    assert_eq!(
        running.ended.load(Ordering::SeqCst),
        SIZE as u64,
        "not counted"
    );
}

#[tokio::test]
async fn a_file_that_shrinks_ends_the_connection() {
    let running = start(None);
    let mut stream = running.connect().await;
    stream
        .write_all(b"GET /file HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 100_000];
    stream.read_exact(&mut some).await.unwrap();
    running.file.as_file().set_len(4096).unwrap();
    let mut rest = Vec::new();
    // Whether the end is orderly depends on what is still under way.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(some.len() + rest.len() < SIZE, "{} bytes", rest.len());
    assert_eq!(running.ended.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_in_turn() {
    let running = start(None);
    let both = running
        .exchange("GET /slow HTTP/1.1\r\n\r\nGET /text HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await;
    let text = String::from_utf8(both).unwrap();
    let (slow, quick) = (text.find("late").unwrap(), text.find("hello").unwrap());
    assert!(slow < quick && text.ends_with("hello"), "{text}");
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte_and_must_not_be_too_long() {
    let running = start(None);
    let mut stream = running.connect().await;
    stream.set_nodelay(true).unwrap();
    for byte in b"GET /text HTTP/1.1\r\nHost: x\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(answer(&mut stream).await.1, b"hello");
    let long = format!("GET /text HTTP/1.1\r\nLong: {}", "x".repeat(head::MAX));
    stream.write_all(long.as_bytes()).await.unwrap();
    let (head, _) = answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    let odd = running
        .exchange("GET /text HTTP/1.1\r\nBad Header: x\r\n\r\n")
        .await;
    assert!(
        odd.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&odd)
    );
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_its_connection() {
    let running = start(None);
    let mut stream = running.connect().await;
    stream
        .write_all(b"GET /endless HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let (head, _) = answer(&mut stream).await;
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    let mut some = [0; 10];
    stream.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"tick\ntick\n");
}

#[tokio::test]
async fn idle_connections_make_room_for_others() {
    let running = start(Some(2));
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    one.write_all(b"GET /text HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut one).await.1, b"hello");
    let post = b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\na";
    two.write_all(post).await.unwrap();
    assert_eq!(answer(&mut two).await.1, b"a", "by hyper");
    let mut three = running.connect().await;
    three
        .write_all(b"GET /text HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answer(&mut three).await.1, b"hello");
    for idle in [&mut one, &mut two] {
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    }
}

#[tokio::test]
async fn stopping_finishes_what_was_begun_and_closes_the_rest() {
    let running = start(None);
    let (mut idle, mut busy) = (running.connect().await, running.connect().await);
    let mut posts = running.connect().await;
    let post = b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\na";
    posts.write_all(post).await.unwrap();
    assert_eq!(answer(&mut posts).await.1, b"a");
    idle.write_all(b"GET /text HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut idle).await.1, b"hello");
    busy.write_all(b"GET /file HTTP/1.1\r\n\r\n").await.unwrap();
    busy.read_u8().await.unwrap();
    running.stop.send(true).unwrap();
    for idle in [&mut idle, &mut posts] {
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    }
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).await.unwrap();
    assert!(body(&rest) == content(), "{} bytes", rest.len());
    running.task.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

/// Time passes when nobody has anything to do: a client that reads nothing is waited for as long
/// as is promised, and not longer.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_left() {
    let front = Front::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).unwrap();
    let mut client = TcpStream::connect(front.listener.local_addr().unwrap())
        .await
        .unwrap();
    let listener = tokio::net::TcpListener::from_std(front.listener).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    let response = Response::new(Body::from(vec![0; SIZE]));
    let manner = send::Manner {
        bodyless: false,
        last: false,
    };
    let began = tokio::time::Instant::now();
    let (_phase, mut phase) = watch::channel(Phase::Serving);
    let sent = send::send(&mut stream, response, manner, &mut phase).await;
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() >= patience::STALL);
}
