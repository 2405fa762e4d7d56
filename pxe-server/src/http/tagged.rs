//! Generated answers with an ETag: a client that has the same bytes already is told so, and one
//! that has a part of them can ask for the rest.

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use embed::digest::Sha256Digest;

use crate::http::condition::{Conditions, Held, Verdict};

/// `bytes` as an answer, or what of them was asked for, or that the client has them.
pub(super) fn tagged(asked: &Conditions, kind: &'static str, bytes: impl Into<Bytes>) -> Response {
    let bytes = bytes.into();
    let tag = Sha256Digest::of(&bytes).to_string();
    named(asked, kind, &tag, bytes)
}

/// The same for bytes whose digest is known.
pub(super) fn named(
    asked: &Conditions,
    kind: &'static str,
    digest: &str,
    bytes: Bytes,
) -> Response {
    let held = Held {
        tag: format!("\"{digest}\""),
        modified: None,
        size: bytes.len() as u64,
    };
    let verdict = held.judge(asked);
    let (status, mut headers) = held.head(&verdict);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let sent = match verdict {
        Verdict::Whole => bytes,
        Verdict::Part(span) => part(&bytes, &span),
        Verdict::NotModified | Verdict::Unsatisfiable => Bytes::new(),
    };
    (status, headers, sent).into_response()
}

fn part(bytes: &Bytes, span: &std::ops::Range<u64>) -> Bytes {
    let at = |place: u64| {
        usize::try_from(place)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes.slice(at(span.start)..at(span.end))
}

#[cfg(test)]
mod tests {
    use axum::http::header::{CONTENT_RANGE, ETAG, IF_NONE_MATCH, RANGE};
    use axum::http::{HeaderMap, HeaderName, Method};

    use super::*;

    async fn answer(pairs: &[(HeaderName, &str)]) -> (u16, HeaderMap, Bytes) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name, value.parse().unwrap());
        }
        let asked = Conditions::of(&Method::GET, &headers);
        let (head, body) = tagged(&asked, "text/plain", "abc").into_parts();
        let body = axum::body::to_bytes(body, 100).await.unwrap();
        (head.status.as_u16(), head.headers, body)
    }

    #[tokio::test]
    async fn the_tag_of_the_bytes_spares_sending_them_again() {
        let (status, headers, body) = answer(&[]).await;
        assert_eq!((status, &*body), (200, &b"abc"[..]));
        let tag = headers[ETAG].to_str().unwrap().to_owned();
        assert_eq!(tag, format!("\"{}\"", Sha256Digest::of(b"abc")));
        let (status, headers, body) = answer(&[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!((status, &*body), (304, &b""[..]));
        assert_eq!(headers[ETAG].to_str().unwrap(), tag);
    }

    #[tokio::test]
    async fn the_rest_of_the_bytes_can_be_asked_for() {
        let (status, headers, body) = answer(&[(RANGE, "bytes=1-")]).await;
        assert_eq!((status, &*body), (206, &b"bc"[..]));
        assert_eq!(headers[CONTENT_RANGE], "bytes 1-2/3");
        let (status, _, body) = answer(&[(RANGE, "bytes=3-")]).await;
        assert_eq!((status, &*body), (416, &b""[..]));
    }
}
