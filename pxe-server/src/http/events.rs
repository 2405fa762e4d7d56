//! Events as they happen, as server-sent events (WHATWG HTML, section 9.2). Who names the last one
//! that it has seen gets what came since; who was away for too long, or speaks of another start of
//! the server, is told to look again at everything.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use http_body::{Body as HttpBody, Frame};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::http::{App, Problem};
use crate::mac::MacAddr;
use crate::machine::{After, Feed, Record, Told};

/// Who may follow at once.
const FOLLOWERS: usize = 64;
/// Pieces that a follower may be behind before it is waited for.
const BEHIND: usize = 4;
/// How often something is sent when nothing happens, so that an end is noticed.
const BEAT: Duration = Duration::from_secs(15);

/// Room for followers.
#[derive(Clone, Debug)]
pub struct Followers(Arc<Semaphore>);

impl Default for Followers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FOLLOWERS)))
    }
}

/// `GET /api/v1/events`
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let full = |_| Problem::Unavailable("as many as can be follow the events".to_owned());
    let place = app.followers.0.clone().try_acquire_owned().map_err(full)?;
    let feed = app.registry.feed();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let from = match last {
        Some(id) => seen(id, &feed),
        None => Some(*feed.newest().borrow()),
    };
    let (pieces, receiver) = mpsc::channel(BEHIND);
    tokio::spawn(tell(feed, from, pieces, place));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(Pieces(receiver))).into_response())
}

/// The number in the identifier of an event of this start.
fn seen(id: &str, feed: &Feed) -> Option<u64> {
    let (start, number) = id.split_once('-')?;
    let number = number.parse().ok()?;
    (start == feed.start().to_string()).then_some(number)
}

/// Sends everything from after the event `from` on until nobody listens.
async fn tell(
    feed: Feed,
    mut from: Option<u64>,
    pieces: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut newest = feed.newest();
    // The client's own delay before it comes back, milliseconds.
    if pieces.send("retry: 2000\n\n".into()).await.is_err() {
        return;
    }
    loop {
        let now = *newest.borrow_and_update();
        let piece = match from.map(|from| feed.after(from)) {
            Some(After::Events(events)) => {
                from = events.last().map_or(from, |last| Some(last.number));
                events.iter().map(|told| text(&feed, told)).collect()
            }
            Some(After::Gone) | None => {
                from = Some(now);
                format!("event: reset\nid: {}-{now}\ndata: {{}}\n\n", feed.start())
            }
        };
        if !piece.is_empty() && pieces.send(piece.into()).await.is_err() {
            return;
        }
        let changed = tokio::select! {
            changed = newest.changed() => changed.is_ok(),
            () = tokio::time::sleep(BEAT) => pieces.send(":\n\n".into()).await.is_ok(),
            () = pieces.closed() => false,
        };
        if !changed {
            return;
        }
    }
}

/// An event's JSON.
#[derive(Serialize)]
struct Line<'a> {
    mac: MacAddr,
    #[serde(flatten)]
    record: &'a Record,
}

fn text(feed: &Feed, told: &Told) -> String {
    let line = Line {
        mac: told.mac,
        record: &told.record,
    };
    let json = serde_json::to_string(&line).unwrap_or_default();
    format!("id: {}-{}\ndata: {json}\n\n", feed.start(), told.number)
}

/// A body whose pieces come when they come.
struct Pieces(mpsc::Receiver<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
