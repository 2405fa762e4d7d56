//! Rollouts as operators see and order them: how far each profile's current version is, and whether it
//! goes on.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use crate::http::{App, Problem};
use crate::machine::{Count, Gate, Intent, Order, Policy, order, orders_given};

/// `GET /api/v1/rollouts`
#[derive(Debug, Serialize)]
pub(super) struct Rollouts {
    rollouts: Vec<View>,
}

/// One profile's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct View {
    #[serde(flatten)]
    intent: Intent,
    gate: Gate,
    policy: Policy,
    #[serde(flatten)]
    count: Count,
}

/// All profiles that have one.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Rollouts> {
    let (site, machines) = (app.site.get(), app.registry.machines());
    let view = |(name, policy): (&String, Policy)| {
        let intent = site.intent(name);
        let orders = app.registry.orders(name);
        let count = Count::of(&machines, &intent, &orders);
        View {
            gate: policy.gate(&intent, &orders, &count),
            intent,
            policy,
            count,
        }
    };
    let profiles = site.profiles.iter();
    let in_waves = profiles.filter_map(|(name, profile)| Some((name, profile.rollout.clone()?)));
    Json(Rollouts {
        rollouts: in_waves.map(view).collect(),
    })
}

/// `POST /api/v1/rollouts/{profile}/pause`
pub(super) async fn pause(
    app: State<Arc<App>>,
    profile: Path<String>,
) -> Result<StatusCode, Problem> {
    give(app, profile, Order::Pause).await
}

/// `POST /api/v1/rollouts/{profile}/halt`
pub(super) async fn halt(
    app: State<Arc<App>>,
    profile: Path<String>,
) -> Result<StatusCode, Problem> {
    give(app, profile, Order::Halt).await
}

/// `POST /api/v1/rollouts/{profile}/resume`
pub(super) async fn resume(
    app: State<Arc<App>>,
    profile: Path<String>,
) -> Result<StatusCode, Problem> {
    give(app, profile, Order::Resume).await
}

/// 204 once the order is durable; the only server follows it from then on, several within a second.
async fn give(
    State(app): State<Arc<App>>,
    Path(profile): Path<String>,
    what: Order,
) -> Result<StatusCode, Problem> {
    let site = app.site.get();
    let Some(known) = site.profiles.get(&profile) else {
        return Err(Problem::NotFound(format!(
            "there is no profile `{profile}`"
        )));
    };
    if known.rollout.is_none() {
        return Err(Problem::Conflict(format!(
            "profile `{profile}` has no `rollout`"
        )));
    }
    let (state, intent) = (app.state.clone(), site.intent(&profile));
    let give = move || order(&state, &intent, what).and_then(|()| orders_given(&state));
    let given = tokio::task::spawn_blocking(give).await;
    let given = given.map_err(|_| Problem::Unavailable("the server is going down".to_owned()))?;
    let orders = given.map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            profile,
            "an order is lost"
        );
        Problem::Unavailable("the order could not be written".to_owned())
    })?;
    // Those of a shared store are taken up by all servers together.
    if !app.registry.is_shared() {
        app.registry.take_orders(orders);
    }
    tracing::info!(profile, order = ?what, "ordered");
    Ok(StatusCode::NO_CONTENT)
}
