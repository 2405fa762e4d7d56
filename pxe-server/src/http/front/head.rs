//! Request heads, parsed by `httparse`: which of them this side answers itself, and which are for
//! hyper. Pure: bytes in, a request out.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};

/// Most bytes of a head.
pub(super) const MAX: usize = 8 * 1024;
/// Most headers of a head that is answered here.
const HEADERS: usize = 64;

/// What the bytes that a client sent so far are.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
#[derive(Debug)]
pub(super) enum Head {
    /// The beginning of a head.
    Partial,
    /// A GET or HEAD without a body.
    Plain {
        /// The request.
        request: Request<Body>,
        /// Bytes of the head.
        length: usize,
        /// Whether the client wants no other.
        last: bool,
    },
    /// Anything else.
    Other,
}

/// Whether a head can end in the bytes that came after the first `before`.
pub(super) fn may_end(bytes: &[u8], before: usize) -> bool {
    let tail = bytes.get(before.saturating_sub(3)..).unwrap_or_default();
    let crlf = tail.windows(4).any(|end| end == b"\r\n\r\n");
    crlf || tail.windows(2).any(|end| end == b"\n\n")
}

/// Reads the first head in `bytes`.
pub(super) fn read(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => plain(&head, length).unwrap_or(Head::Other),
        Ok(httparse::Status::Partial) => Head::Partial,
        Err(_) => Head::Other,
    }
}

/// The request, unless it is one for hyper.
fn plain(head: &httparse::Request<'_, '_>, length: usize) -> Option<Head> {
    let method = match head.method? {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        _ => return None,
    };
    let path = head.path.filter(|path| path.starts_with('/'))?;
    if head.version != Some(1) {
        return None;
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::try_from(path).ok()?;
    let mut last = false;
    for header in head.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        match name.as_str() {
            "content-length" | "transfer-encoding" | "expect" | "upgrade" => return None,
            "connection" => last |= says_close(header.value)?,
            _ => {}
        }
        let value = HeaderValue::from_bytes(header.value).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(Head::Plain {
        request,
        length,
        last,
    })
}

/// Whether a Connection header asks for the end; `None` if it asks for something else.
fn says_close(value: &[u8]) -> Option<bool> {
    let mut close = false;
    for option in std::str::from_utf8(value).ok()?.split(',') {
        match option.trim() {
            option if option.eq_ignore_ascii_case("close") => close = true,
            option if option.eq_ignore_ascii_case("keep-alive") => {}
            "" => {}
            _ => return None,
        }
    }
    Some(close)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> &'static str {
        match read(text.as_bytes()) {
            Head::Partial => "partial",
            Head::Plain { last: true, .. } => "last",
            Head::Plain { .. } => "plain",
            Head::Other => "other",
        }
    }

    #[test]
    fn plain_requests_are_answered_here_and_others_by_hyper() {
        for (text, want) in [
            ("GET / HTTP/1.1\r\n\r\n", "plain"),
            (
                "HEAD /a?b=c HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n\r\n",
                "plain",
            ),
            ("GET / HTTP/1.1\nHost: x\n\n", "plain"),
            ("GET / HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", "last"),
            (
                "GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n",
                "last",
            ),
            ("GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "other"),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "other",
            ),
            ("GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", "other"),
            ("GET / HTTP/1.0\r\n\r\n", "other"),
            ("GET http://x/ HTTP/1.1\r\n\r\n", "other"),
            ("POST / HTTP/1.1\r\n\r\n", "other"),
            ("OPTIONS * HTTP/1.1\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\n", "partial"),
            ("GE", "partial"),
            ("", "partial"),
            ("\x16\x03\x01\x02", "other"),
        ] {
            assert_eq!(kind(text), want, "{text:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS + 1));
        assert_eq!(kind(&many), "other");
    }

    #[test]
    fn a_request_is_what_was_sent_and_the_next_one_begins_behind_it() {
        let text = "GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\nGET";
        let Head::Plain {
            request, length, ..
        } = read(text.as_bytes())
        else {
            panic!("a plain request");
        };
        assert_eq!(request.uri(), "/a%20b?c=d");
        assert_eq!(request.headers()["range"], "bytes=1-2");
        assert_eq!(&text[length..], "GET");
    }

    proptest! {
        /// However the bytes of a head are cut, its end is noticed when it is there.
        #[test]
        fn the_end_of_a_head_is_seen_in_the_piece_that_ends_it(cut in 0usize..40) {
            let text = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n";
            let cut = cut.min(text.len() - 1);
            prop_assert!(!may_end(&text[..cut], 0));
            prop_assert!(may_end(text, cut));
        }

        #[test]
        fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Head::Plain { length, .. } = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
