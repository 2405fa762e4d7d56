//! What machines consist of, as they tell while they wait to be claimed: kept with the machine, of
//! so many machines at most.

use embed::hardware::Hardware;

use super::batch::{Batch, Decision, record};
use super::{Command, Registry, RegistryError};
use crate::mac::MacAddr;
use crate::machine::Event;

/// Machines of which it is kept what they consist of.
const MAX_HARDWARE: usize = 10_000;

impl Registry {
    /// Takes what a machine consists of; it is durable when this returns `Ok`.
    pub async fn hardware(
        &self,
        mac: MacAddr,
        hardware: Box<Hardware>,
        uptime_ms: u64,
    ) -> Result<(), RegistryError> {
        self.ask(|reply| Command::Hardware {
            mac,
            hardware,
            uptime_ms,
            reply,
        })
        .await
    }
}

impl Batch<'_> {
    pub(super) fn hardware(
        &mut self,
        mac: MacAddr,
        hardware: &Hardware,
        uptime_ms: u64,
    ) -> Option<Decision> {
        let (view, time) = (self.view, (self.clock)());
        let change = self.change(mac, time)?;
        if change.machine.hardware.is_none() {
            let view = view.read().ok()?;
            let told = view.machines().filter(|machine| machine.hardware.is_some());
            if told.count() >= MAX_HARDWARE {
                return Some(Decision::Refused(RegistryError::Full));
            }
        }
        if change.machine.take_hardware(Box::new(hardware.clone())) {
            record(change, Event::HardwareReported { uptime_ms }, time);
        }
        Some(Decision::Noted)
    }
}
