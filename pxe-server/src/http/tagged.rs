//! Generated answers with an ETag, so that a client that has the same bytes already is told so
//! (RFC 9110 section 13.1.2).

use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use embed::digest::Sha256Digest;

/// `bytes` as an answer, or that the client has them.
pub(super) fn tagged(request: &HeaderMap, kind: &str, bytes: Vec<u8>) -> Response {
    let tag = format!("\"{}\"", Sha256Digest::of(&bytes));
    let headers = [(ETAG, tag.clone()), (CONTENT_TYPE, kind.to_owned())];
    let known = request.get_all(IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    if known
        .flat_map(|value| value.split(','))
        .any(|known| is(known, &tag))
    {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, bytes).into_response()
}

/// Whether one member of an If-None-Match means `tag`, compared weakly.
fn is(known: &str, tag: &str) -> bool {
    let known = known.trim();
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(known: &str) -> u16 {
        let mut request = HeaderMap::new();
        request.insert(IF_NONE_MATCH, known.parse().unwrap());
        tagged(&request, "text/plain", b"a".to_vec())
            .status()
            .as_u16()
    }

    #[test]
    fn who_has_the_bytes_is_not_sent_them_again() {
        let answer = tagged(&HeaderMap::new(), "text/plain", b"a".to_vec());
        assert_eq!(answer.status(), StatusCode::OK);
        let tag = answer.headers()[ETAG].to_str().unwrap();
        for known in [
            tag.to_owned(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            assert_eq!(status(&known), 304, "{known}");
        }
        assert_eq!(status("\"x\""), 200);
    }
}
