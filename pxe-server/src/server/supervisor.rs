//! What the service manager is told (sd_notify(3)): when the server is ready, reads its site again or
//! stops, how it is, and that it lives. Without a manager, none of it does anything.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::machine::Registry;
use crate::site::CurrentSite;

/// How often the status is told, where the manager does not want signs of life more often.
const BEAT: Duration = Duration::from_secs(5);

/// Tells the manager how the server is for as long as it serves.
#[derive(Debug)]
pub(super) struct Supervisor {
    registry: Registry,
    site: Option<CurrentSite>,
}

impl Supervisor {
    /// Of the machines, and of the site if one is served.
    pub(super) fn new(registry: Registry, site: Option<CurrentSite>) -> Self {
        Self { registry, site }
    }

    /// Says that the server is ready, and goes on until dropped. A server that cannot write its
    /// state any more gives no sign of life, so that the manager starts it again.
    pub(super) async fn run(self) {
        tell(&[NotifyState::Ready, NotifyState::Status(&self.status())]);
        let wanted = sd_notify::watchdog_enabled().map_or(BEAT, |limit| limit / 2);
        let mut told = self.status();
        loop {
            tokio::time::sleep(wanted.min(BEAT)).await;
            if self.registry.is_running() {
                tell(&[NotifyState::Watchdog]);
            }
            let status = self.status();
            if status != told {
                tell(&[NotifyState::Status(&status)]);
                told = status;
            }
        }
    }

    fn status(&self) -> String {
        let machines = self.registry.known();
        let site = self.site.as_ref().map(CurrentSite::status);
        match site.and_then(|site| site.refused) {
            Some(refused) => format!(
                "{machines} machines known; the changed site is refused: {}",
                refused.error
            ),
            None => format!("{machines} machines known"),
        }
    }
}

/// Says that what is served is read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "asking for the time"),
    }
}

/// Says that it has been.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// Says that the server stops, within this time.
pub(super) fn stopping(within: Duration) {
    let within = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(within),
    ]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "telling the service manager");
    }
}
