//! Connections that hyper serves: those that began with a request that is more than a plain GET.

use std::io;
use std::pin::pin;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutWriter;
use tower_service::Service as _;

use super::Phase;
use super::head;
use super::patience::{IDLE, STALL};
use crate::http::Local;
use crate::http::access::Certified;

/// Serves `stream` until its end.
pub(super) async fn serve<S>(
    stream: S,
    (local, certified): (Local, Option<Certified>),
    router: Router,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(STALL));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(local));
        if let Some(certified) = certified {
            request.extensions_mut().insert(certified);
        }
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(head::MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    let told = async {
        if *phase.borrow_and_update() != Phase::Stopping {
            drop(phase.changed().await);
        }
    };
    // Told to make room or to stop, it ends after the answer that is under way, if there is one.
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    served.map_err(io::Error::other)
}
