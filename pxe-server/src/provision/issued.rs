//! Configs that scripts have named: made without blocking other requests, and kept until the
//! machine has fetched the one that it was promised.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::ProvisionError;
use crate::mac::MacAddr;
use crate::machine::Subject;
use crate::site::{Assignment, Proof, ReadyConfig, Site};

/// Configs that are kept for machines with a script.
const KEPT: usize = 20_000;

/// The configs that scripts have named, by machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Issued(Arc<Mutex<HashMap<MacAddr, Promised>>>);

/// A config, and what its profile demands of who fetches it.
pub(super) type Promised = (Arc<ReadyConfig>, Option<Proof>);

impl Issued {
    /// Keeps the config that the script of `mac` names.
    pub(super) fn keep(&self, mac: MacAddr, config: Promised) {
        if let Ok(mut kept) = self.0.lock() {
            if kept.len() >= KEPT && !kept.contains_key(&mac) {
                kept.clear();
            }
            kept.insert(mac, config);
        }
    }

    pub(super) fn of(&self, mac: MacAddr) -> Option<Promised> {
        self.0.lock().ok()?.get(&mac).cloned()
    }
}

/// The config that `assignment` gives `subject`.
pub(super) async fn make(
    site: &Arc<Site>,
    assignment: &Assignment<'_>,
    subject: &Subject,
) -> Result<Arc<ReadyConfig>, ProvisionError> {
    if let Some(config) = site.known_config(assignment, subject) {
        return Ok(config);
    }
    let (site, subject) = (site.clone(), subject.clone());
    let mac = subject.mac;
    let make = move || {
        let assignment = site.assign(&subject)?;
        Some(site.config(&assignment, &subject))
    };
    let made = tokio::task::spawn_blocking(make).await.ok().flatten();
    made.ok_or(ProvisionError::Stopping)?.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, %mac, "no config for a machine");
        ProvisionError::Config
    })
}
