//! What a running server looks at again and again: the site's files, operators' requests, and what
//! servers before it have left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::supervisor;
use crate::machine::{
    Machine, OrdersError, Registry, State, left_observations, note_shared, orders_given,
    orders_shared, waiting_requests,
};
use crate::site::{CurrentSite, Watch};

/// How often the site's files are looked at.
const SITE_POLL: Duration = Duration::from_secs(1);
/// How often it is asked which builds of a mirror machines still need.
const BUILDS_POLL: Duration = Duration::from_secs(5);
/// How often operators' requests are looked for.
const REQUEST_POLL: Duration = Duration::from_millis(250);

/// Takes up changes of the site's files, and reads them again on SIGHUP.
pub(super) async fn watch_site(mut watch: Watch) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "listening for SIGHUP; the site's changes are not taken up");
            return;
        }
    };
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = tokio::time::sleep(SITE_POLL) => false,
        };
        if asked {
            supervisor::reloading();
        }
        let looked = tokio::task::spawn_blocking(move || {
            watch.look(asked);
            watch
        });
        match looked.await {
            Ok(same) => {
                watch = same;
                if asked {
                    supervisor::reloaded();
                }
            }
            Err(error) => {
                tracing::error!(%error, "watching the site has ended");
                return;
            }
        }
    }
}

/// Keeps builds of a mirror from being removed as long as machines are being installed with them.
pub(super) async fn watch_builds(site: CurrentSite, registry: Registry) {
    loop {
        tokio::time::sleep(BUILDS_POLL).await;
        let site = site.get();
        if !site.holds_builds() {
            continue;
        }
        let under_way = |machine: &Machine| {
            let states = [State::Booting, State::Live, State::Installing];
            states.contains(&machine.state)
        };
        let machines = registry.machines().into_iter().filter(under_way);
        let intents = machines.filter_map(|machine| machine.install);
        site.release_builds(&intents.map(|intent| intent.version).collect());
    }
}

/// Carries out operators' requests as they appear.
pub(super) async fn watch_requests(state: PathBuf, registry: Registry) {
    loop {
        tokio::time::sleep(REQUEST_POLL).await;
        if !registry.store_status().reachable {
            continue;
        }
        carry_out_requests(&state, &registry).await;
        take_up_observations(&state, &registry).await;
        let taken = if registry.is_shared() {
            share_orders(&state, &registry).await
        } else {
            orders_given(&state).map(|orders| registry.take_orders(orders))
        };
        if let Err(error) = taken {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "rollouts go on as before"
            );
        }
    }
}

/// Makes known to all servers what was ordered at this one since that was last done.
async fn share_orders(state: &Path, registry: &Registry) -> Result<(), OrdersError> {
    let mut shared = orders_shared(state)?;
    for (profile, given) in orders_given(state)? {
        let before = shared.remove(&profile).unwrap_or_default();
        if before == given {
            continue;
        }
        let (name, orders) = (profile.clone(), given.clone());
        match registry.share_orders(name, before, orders).await {
            Ok(()) => {
                note_shared(state, &profile, &given)?;
                tracing::info!(%profile, orders = ?given, "all servers have these orders");
            }
            Err(error) => tracing::warn!(%profile, %error, "orders wait"),
        }
    }
    Ok(())
}

/// Records what servers before this one have observed since they gave up the state.
async fn take_up_observations(state: &Path, registry: &Registry) {
    let left = match left_observations(state) {
        Ok(left) => left,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "reading observations"
            );
            return;
        }
    };
    for (path, observation) in left {
        let Some(observation) = observation else {
            tracing::warn!(path = %path.display(), "an observation that cannot be read is removed");
            remove(&path);
            continue;
        };
        let mac = observation.mac;
        match registry.take_up(observation).await {
            Ok(()) => remove(&path),
            Err(error) => tracing::warn!(%mac, %error, "an observation waits"),
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "removing a file that is done with");
    }
}

pub(super) async fn carry_out_requests(state: &Path, registry: &Registry) {
    let requests = match waiting_requests(state) {
        Ok(requests) => requests,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "reading requests");
            return;
        }
    };
    for (path, request) in requests {
        let (mac, wish) = (request.mac, request.wish.clone());
        if let Err(error) = registry.carry_out(request).await {
            tracing::error!(%mac, %error, ?wish, "a request waits");
            continue;
        }
        tracing::info!(%mac, ?wish, "carried out");
        remove(&path);
    }
}
