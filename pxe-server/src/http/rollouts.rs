//! The operators' view of rollouts: how far each profile's current version is, and whether it goes on.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::http::App;
use crate::machine::{Count, Gate, Intent, Policy};

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
pub(super) async fn list(State(app): State<App>) -> Json<Rollouts> {
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
