//! Answers onto a socket: what is in memory with its head in one write, a file's bytes by
//! sendfile(2) straight from the page cache, what has no known length until the connection ends.

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use axum::http::response::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use http_body::Body as _;
use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, send as send_some};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Phase;
use super::patience::{Patience, STALL};
use crate::http::file::FilePart;

/// Bytes of a file that are sent before others have their turn.
const TURN: u64 = 2 * 1024 * 1024;
/// Bytes of a body in memory that are gathered before they are written.
const GATHERED: usize = 64 * 1024;
/// Bytes of a usual head.
const HEAD: usize = 512;

/// How an answer is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Only its head.
    pub(super) bodyless: bool,
    /// No other follows.
    pub(super) last: bool,
}

/// Sends `response`; whether the connection can be used for another.
pub(super) async fn send(
    stream: &mut TcpStream,
    response: Response,
    manner: Manner,
    phase: &mut watch::Receiver<Phase>,
) -> io::Result<bool> {
    let (mut parts, body) = response.into_parts();
    let part = parts.extensions.remove::<std::sync::Arc<FilePart>>();
    let without = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&parts.status);
    let bodyless = manner.bodyless || without;
    let length = body.size_hint().exact();
    if let Some(length) = length.filter(|_| !bodyless) {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    let goes_on = !manner.last && (bodyless || length.is_some());
    if !goes_on {
        let close = HeaderValue::from_static("close");
        parts.headers.insert(CONNECTION, close);
    }
    let head = head(&parts);
    let mut patience = Patience::new(STALL);
    match part.filter(|part| !bodyless && !part.span.is_empty()) {
        _ if bodyless => write(stream, &head, MsgFlags::empty(), &mut patience).await?,
        Some(part) => {
            let more = MsgFlags::from_bits_retain(nix::libc::MSG_MORE);
            write(stream, &head, more, &mut patience).await?;
            send_file(stream, &part, &mut patience).await?;
        }
        None if length.is_none() => send_endless(stream, head, body, phase).await?,
        None => send_body(stream, head, body, &mut patience).await?,
    }
    Ok(goes_on)
}

/// Status line and headers.
fn head(parts: &Parts) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let line = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    head.extend_from_slice(line.as_bytes());
    let mut say = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    for (name, value) in &parts.headers {
        say(name.as_str(), value.as_bytes());
    }
    if !parts.headers.contains_key(DATE) {
        let now = httpdate::fmt_http_date(SystemTime::now());
        say(DATE.as_str(), now.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A body in memory: with its head in one write if it is small, piece by piece if it is not.
async fn send_body(
    stream: &TcpStream,
    head: Vec<u8>,
    mut body: Body,
    patience: &mut Patience,
) -> io::Result<()> {
    let mut gathered = head;
    while let Some(piece) = next(&mut body).await? {
        gathered.extend_from_slice(&piece);
        if gathered.len() >= GATHERED {
            write(stream, &gathered, MsgFlags::empty(), patience).await?;
            gathered.clear();
        }
    }
    write(stream, &gathered, MsgFlags::empty(), patience).await
}

/// A body of which nobody knows when its next piece comes: until it, the client or the server ends.
async fn send_endless(
    stream: &TcpStream,
    head: Vec<u8>,
    mut body: Body,
    phase: &mut watch::Receiver<Phase>,
) -> io::Result<()> {
    let mut piece = axum::body::Bytes::from(head);
    loop {
        let mut patience = Patience::new(STALL);
        write(stream, &piece, MsgFlags::empty(), &mut patience).await?;
        let stopping = async { drop(phase.wait_for(|phase| *phase == Phase::Stopping).await) };
        piece = tokio::select! {
            piece = next(&mut body) => match piece? {
                Some(piece) => piece,
                None => return Ok(()),
            },
            () = stopping => return Ok(()),
        };
    }
}

/// The next piece of a body.
async fn next(body: &mut Body) -> io::Result<Option<axum::body::Bytes>> {
    let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await;
    let frame = frame.transpose().map_err(io::Error::other)?;
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

async fn write(
    stream: &TcpStream,
    mut bytes: &[u8],
    flags: MsgFlags,
    patience: &mut Patience,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let send = || again(|| send_some(stream.as_raw_fd(), bytes, flags));
        let count = patience
            .with(stream.async_io(Interest::WRITABLE, send))
            .await?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// The file's bytes, without their passing through this process. Where they are not in memory, a
/// thread waits for the disk, which reads ahead.
async fn send_file(stream: &TcpStream, part: &FilePart, patience: &mut Patience) -> io::Result<()> {
    let sequential = PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL;
    // Advice: without it there is less reading ahead.
    let _ = posix_fadvise(&part.file, 0, 0, sequential);
    let mut at = i64::try_from(part.span.start).map_err(io::Error::other)?;
    let mut left = part.span.end - part.span.start;
    while left > 0 {
        let count = usize::try_from(left.min(TURN)).map_err(io::Error::other)?;
        let send = || again(|| sendfile(stream, &part.file, Some(&mut at), count));
        let sent = patience
            .with(stream.async_io(Interest::WRITABLE, send))
            .await?;
        if sent == 0 {
            // Nothing but the end of the connection can tell the client.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(sent as u64);
        if sent == count {
            tokio::task::yield_now().await;
        }
    }
    part.sent();
    Ok(())
}

/// Calls again what a signal has interrupted.
fn again(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            outcome => return outcome.map_err(io::Error::from),
        }
    }
}
