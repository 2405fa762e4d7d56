//! Files as answers: opened once, judged by [`condition`](super::condition), and sent by whoever
//! holds the connection: with sendfile(2) from the `FilePart` among the answer's extensions, or as
//! the answer's body, for connections where that cannot be.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use nix::fcntl::OFlag;
use tokio::task::JoinHandle;

use crate::http::Problem;
use crate::http::condition::{Conditions, Held, Verdict};

/// Bytes that are read at once where a connection needs them in memory.
const PIECE: u64 = 256 * 1024;

/// What happens when a file has been sent to its end; it is told the file's size.
type AtEnd = Box<dyn FnOnce(u64) + Send>;

/// A file that is served.
pub(super) struct Served {
    file: File,
    held: Held,
    kind: HeaderValue,
    at_end: Option<AtEnd>,
}

impl Served {
    /// Opens the file at `path`, which is there unless something is wrong with the server.
    pub(super) fn open(path: &Path, kind: HeaderValue) -> Result<Self, Problem> {
        Self::try_open(path, kind).map_err(|error| {
            tracing::error!(%error, path = %path.display(), "serving a file");
            Problem::Unavailable("the server cannot read this file".to_owned())
        })
    }

    /// Opens the regular file at `path`.
    pub(super) fn try_open(path: &Path, kind: HeaderValue) -> io::Result<Self> {
        // A pipe or a device in a file's place would block.
        let flags = OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (size, seconds, nanos) = (found.len(), found.mtime(), found.mtime_nsec());
        let held = Held {
            tag: format!("\"{seconds:x}.{nanos:x}-{size:x}\""),
            modified: found.modified().ok(),
            size,
        };
        Ok(Self {
            file,
            held,
            kind,
            at_end: None,
        })
    }

    /// Calls `done` once the last byte of the file has been handed to the connection. A range
    /// that does not reach the file's end is part of something larger and does not count.
    pub(super) fn at_end(mut self, done: impl FnOnce(u64) + Send + 'static) -> Self {
        self.at_end = Some(Box::new(done));
        self
    }

    /// The answer.
    pub(super) fn answer(self, asked: &Conditions) -> Response {
        let verdict = self.held.judge(asked);
        let (status, mut headers) = self.held.head(&verdict);
        headers.insert(CONTENT_TYPE, self.kind);
        let size = self.held.size;
        let span = match verdict {
            Verdict::Whole if asked.is_get() => 0..size,
            Verdict::Part(span) => span,
            _ => return (status, headers).into_response(),
        };
        debug_assert!(status != StatusCode::NOT_MODIFIED);
        let at_end = self.at_end.filter(|_| span.end == size);
        let part = Arc::new(FilePart {
            file: self.file,
            span,
            at_end: Mutex::new(at_end),
        });
        let body = Body::new(FileBody {
            at: part.span.start,
            part: part.clone(),
            reading: None,
        });
        let mut response = (status, headers, body).into_response();
        response.extensions_mut().insert(part);
        response
    }
}

/// What of a file is sent.
pub(super) struct FilePart {
    /// The file.
    pub(super) file: File,
    /// Its bytes.
    pub(super) span: Range<u64>,
    at_end: Mutex<Option<AtEnd>>,
}

impl FilePart {
    /// To be called when the last byte has been handed to the connection.
    pub(super) fn sent(&self) {
        let done = self.at_end.lock().ok().and_then(|mut done| done.take());
        if let Some(done) = done {
            done(self.span.end);
        }
    }
}

/// A part of a file that is read as it is sent.
struct FileBody {
    part: Arc<FilePart>,
    at: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    fn left(&self) -> u64 {
        self.part.span.end.saturating_sub(self.at)
    }

    fn read(&self) -> JoinHandle<io::Result<Bytes>> {
        let (part, at, length) = (self.part.clone(), self.at, self.left().min(PIECE));
        tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
            part.file.read_exact_at(&mut piece, at)?;
            Ok(piece.into())
        })
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        let mut reading = self.reading.take().unwrap_or_else(|| self.read());
        let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let piece = match read.map_err(io::Error::other) {
            Ok(Ok(piece)) => piece,
            Ok(Err(error)) | Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.at += piece.len() as u64;
        if self.left() == 0 {
            self.part.sent();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
