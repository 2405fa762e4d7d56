//! What Prometheus asks: counts of machines and events, and whether the site is served as it is
//! written. Made anew for each request from what the server knows anyway.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::http::{App, Problem};
use crate::limit::{Asked, Limiter};
use crate::machine::{State as MachineState, StoreStatus};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values of labels.
type Labels = Vec<(String, String)>;

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("pxe_server");
    let machines = Family::<Labels, Gauge>::default();
    for state in MachineState::ALL {
        machines.get_or_create(&label("state", state.name())).set(0);
    }
    for machine in app.registry.machines() {
        machines
            .get_or_create(&label("state", machine.state.name()))
            .inc();
    }
    registry.register("machines", "Machines by the state they are in", machines);
    let events = Family::<Labels, Counter>::default();
    for (kind, count) in app.registry.feed().counts() {
        events.get_or_create(&label("event", kind)).inc_by(count);
    }
    registry.register("events", "Events of machines since the start", events);
    let dropped: Counter = Counter::default();
    dropped.inc_by(app.registry.dropped());
    let help = "Observations that were not recorded because the store was too slow";
    registry.register("events_dropped", help, dropped);
    store(&mut registry, &app.registry.store_status());
    refused(&mut registry, &app.limiter);
    let status = app.site.status();
    let generation: Gauge = Gauge::default();
    generation.set(i64::try_from(status.generation).unwrap_or(i64::MAX));
    registry.register(
        "site_generation",
        "Sites that were served since the start",
        generation,
    );
    let refused: Gauge = Gauge::default();
    refused.set(i64::from(status.refused.is_some()));
    let help = "1 if the site's directory as it is now is not served";
    registry.register("site_refused", help, refused);
    let mut text = String::new();
    let encoded = encode(&mut text, &registry);
    encoded.map_err(|_| Problem::Unavailable("the metrics could not be written".to_owned()))?;
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

fn store(registry: &mut Registry, status: &StoreStatus) {
    let reachable: Gauge = Gauge::default();
    reachable.set(i64::from(status.reachable));
    let help = "1 if the store could be written a moment ago";
    registry.register("store_reachable", help, reachable);
    let commits: Counter = Counter::default();
    commits.inc_by(status.commits);
    registry.register("store_commits", "Commits since the start", commits);
    let failed: Counter = Counter::default();
    failed.inc_by(status.failed);
    let help = "Commits that failed, all or in part";
    registry.register("store_commits_failed", help, failed);
    let time = Counter::<f64, AtomicU64>::default();
    time.inc_by(status.time.as_secs_f64());
    let help = "Time that all commits took";
    registry.register_with_unit("store_commit", help, Unit::Seconds, time);
}

/// What machines asked too often.
fn refused(registry: &mut Registry, limiter: &Limiter) {
    let refused = Family::<Labels, Counter>::default();
    for asked in Asked::ALL {
        let count = limiter.refused(asked);
        let labels = label("asked", asked.name());
        refused.get_or_create(&labels).inc_by(count);
    }
    let help = "Requests of machines that came too often";
    registry.register("requests_refused", help, refused);
}

fn label(name: &str, value: &str) -> Labels {
    vec![(name.to_owned(), value.to_owned())]
}
