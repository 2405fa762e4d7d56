//! Keeps the heads of what machines ask, and how it was answered, for a capture of their boot.

use std::net::SocketAddrV4;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::Local;
use crate::http::whose::machine;
use crate::trace::{Packet, Recorder, Transport};

/// Answers as ever, and notes whoever names a machine.
pub(super) async fn traced(
    State(recorder): State<Recorder>,
    ConnectInfo(local): ConnectInfo<Local>,
    request: Request,
    next: Next,
) -> Response {
    let Some(mac) = machine(request.uri()) else {
        return next.run(request).await;
    };
    let (from, to) = (
        SocketAddrV4::new(local.peer, local.peer_port),
        SocketAddrV4::new(local.address, local.port),
    );
    let packet = Packet::now(Transport::Tcp, from, to, head(&request).as_bytes());
    let response = next.run(request).await;
    recorder.note(
        mac,
        packet.with_comment(format!("answered {}", response.status())),
    );
    response
}

/// The request's head without its secrets, and without the length of a body that is not there.
fn head(request: &Request) -> String {
    let asked = request.uri().path_and_query();
    let asked = asked.map_or("/", |asked| asked.as_str());
    let mut text = format!(
        "{} {} HTTP/1.1\r\n",
        request.method(),
        without_ticket(asked)
    );
    for (name, value) in request.headers() {
        if ![AUTHORIZATION, CONTENT_LENGTH].contains(name) {
            for part in [
                name.as_str(),
                ": ",
                &String::from_utf8_lossy(value.as_bytes()),
                "\r\n",
            ] {
                text.push_str(part);
            }
        }
    }
    text + "\r\n"
}

/// A ticket permits an install; who looks at captures need not have it.
fn without_ticket(asked: &str) -> String {
    match asked.split_once("ticket=") {
        Some((before, ticket)) => {
            let rest = ticket.split_once('&').map(|(_, rest)| format!("&{rest}"));
            format!("{before}ticket=...{}", rest.unwrap_or_default())
        }
        None => asked.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_head_is_told_without_its_secrets() {
        let request = Request::builder()
            .method("POST")
            .uri("/machines/x/report?ticket=0123&a=b")
            .header("Host", "h")
            .header("Authorization", "Bearer secret")
            .header("Content-Length", "9");
        let head = head(&request.body(Body::empty()).unwrap());
        assert_eq!(
            head,
            "POST /machines/x/report?ticket=...&a=b HTTP/1.1\r\nhost: h\r\n\r\n"
        );
        assert_eq!(without_ticket("/a?ticket=1"), "/a?ticket=...");
        assert_eq!(without_ticket("/a"), "/a");
    }
}
