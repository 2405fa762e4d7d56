//! What becomes of observations once the registry has stopped: they are left for the server that has
//! the state then, and taken up by that one.

use std::path::Path;

use tokio::sync::mpsc::error::TrySendError;

use super::{Command, Registry, RegistryError};
use crate::machine::{Observation, leave_observation};

impl Registry {
    /// What is observed after [`Registry::stop`] is left in this state directory.
    pub fn leave_to(&self, state: &Path) {
        let _ = self.heir.set(state.to_owned());
    }

    /// Records what another server has observed; it is durable when this returns `Ok`.
    pub async fn take_up(&self, observation: Observation) -> Result<(), RegistryError> {
        let Observation { mac, time, event } = observation;
        self.ask(|reply| Command::Observe {
            mac,
            event,
            time,
            reply: Some(reply),
        })
        .await
    }

    /// Queues an observation, or leaves it once the registry has stopped. False if it is lost.
    pub(super) fn note(&self, command: Command) -> bool {
        match self.queue.try_send(command) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Closed(command)) => self.leave(command),
        }
    }

    fn leave(&self, refused: Command) -> bool {
        let (
            Some(state),
            Command::Observe {
                mac, event, time, ..
            },
        ) = (self.heir.get(), refused)
        else {
            return false;
        };
        let left = leave_observation(state, &Observation { mac, time, event });
        if let Err(error) = &left {
            let error = error as &dyn std::error::Error;
            tracing::warn!(%mac, error, "what happened while others have the state is lost");
        }
        left.is_ok()
    }
}
