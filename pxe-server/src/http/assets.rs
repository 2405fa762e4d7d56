//! Files over HTTP: the media that the manifest names, and how any file is served. Range, HEAD and conditional requests are `tower-http`'s.

use std::io;
use std::path::Path as FilePath;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde::Deserialize;
use tower_http::services::ServeFile;

use crate::http::{App, BINARY, Problem};
use crate::machine::Event;

/// The query of an asset: whose download it is, for the machine's timeline.
#[derive(Debug, Deserialize)]
pub(super) struct AssetQuery {
    mac: Option<String>,
}

/// `GET /assets/{file}`: only files that the manifest names.
pub(super) async fn asset(
    State(app): State<App>,
    Path(file): Path<String>,
    Query(query): Query<AssetQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let site = app.site.get();
    if !site.manifest.file_names().contains(&file.as_str()) {
        return Err(Problem::NotFound(format!(
            "the media have no file `{file}`"
        )));
    }
    let response = serve(&site.media_dir.join(&file), BINARY, request).await?;
    let whose = query
        .mac
        .and_then(|mac| mac.parse().ok())
        .filter(|_| file == site.manifest.rootfs.file);
    let Some(mac) = whose else {
        return Ok(response);
    };
    let event = Event::RootfsServed {
        bytes: site.manifest.rootfs.size,
    };
    let observer = app.registry.observer();
    Ok(at_end(response, move || observer.note(mac, event)))
}

/// The file at `path`, as the request wants it.
pub(super) async fn serve(
    path: &FilePath,
    kind: HeaderValue,
    request: Request,
) -> Result<Response, Problem> {
    let is_get = request.method() == Method::GET;
    let fault = |error: io::Error| {
        tracing::error!(%error, path = %path.display(), "serving a file");
        Problem::Unavailable("the server cannot read this file".to_owned())
    };
    let response = ServeFile::new(path)
        .try_call(request)
        .await
        .map_err(fault)?;
    if response.status() == StatusCode::NOT_FOUND {
        // The site names it, so it is our fault that it is not there.
        return Err(fault(io::ErrorKind::NotFound.into()));
    }
    let mut response = response.map(Body::new);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.extensions_mut().insert(IsGet(is_get));
    Ok(response)
}

/// Whether the answer carries bytes that are to be counted.
#[derive(Clone, Copy)]
struct IsGet(bool);

/// Calls `done` once the last byte of the file has been handed to the connection. A range that
/// does not reach the file's end is part of something larger and does not count.
pub(super) fn at_end(response: Response, done: impl FnOnce() + Send + 'static) -> Response {
    let is_get = response.extensions().get::<IsGet>().is_some_and(|is| is.0);
    let reaches_end = match (response.status(), response.headers().get(CONTENT_RANGE)) {
        (StatusCode::OK, _) => true,
        (StatusCode::PARTIAL_CONTENT, Some(range)) => range.to_str().is_ok_and(range_reaches_end),
        _ => false,
    };
    if !is_get || !reaches_end {
        return response;
    }
    let done: Box<dyn FnOnce() + Send> = Box::new(done);
    let Some(left) = length(&response) else {
        return response;
    };
    response.map(|inner| {
        Body::new(Watched {
            inner,
            left,
            done: Some(done),
        })
    })
}

/// The announced length, bytes; the body itself does not tell.
pub(super) fn length(response: &Response) -> Option<u64> {
    let value = response.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// `bytes 5-9/10` reaches the end, `bytes 0-4/10` does not.
fn range_reaches_end(range: &str) -> bool {
    let Some((span, total)) = range
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let last = span
        .split_once('-')
        .and_then(|(_, last)| last.parse::<u64>().ok());
    last.is_some_and(|last| last.checked_add(1) == total.parse().ok())
}

/// A body that tells when its last byte has been taken.
struct Watched {
    inner: Body,
    left: u64,
    done: Option<Box<dyn FnOnce() + Send>>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.left = self.left.saturating_sub(length);
            if self.left == 0
                && let Some(done) = self.done.take()
            {
                done();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_range_up_to_the_last_byte_reaches_the_end() {
        assert!(range_reaches_end("bytes 5-9/10"));
        for range in [
            "bytes 0-4/10",
            "bytes 5-9/*",
            "bytes */10",
            "bytes 5-18446744073709551615/10",
            "5-9/10",
            "",
        ] {
            assert!(!range_reaches_end(range), "{range}");
        }
    }
}
