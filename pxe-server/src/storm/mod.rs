//! A boot storm: many simulated machines that boot from a server at once, each as real firmware
//! and iPXE do it. DHCP, the boot program by TFTP, DHCP again, the script, the config, and the reports of an
//! install where the script asks for them.
//!
//! `relay` speaks DHCP for all of them as one relay agent, so that any server can be measured from
//! one address; `transfer` is TFTP; `machine` is one boot, `tally` what came of all.

mod machine;
mod relay;
mod script;
mod tally;
mod transfer;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use machine::{Lost, Step};
pub use relay::RelayError;
pub use tally::{Spread, Tally};

use machine::Machine;
use relay::Relay;
use tally::Outcome;

/// Most machines: each has its own number in its address.
pub const MAX_MACHINES: u32 = 100_000;

/// What is done to which server.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: Ipv4Addr,
    /// Our address, from which we relay.
    pub relay: Ipv4Addr,
    /// How many machines.
    pub machines: u32,
    /// How many of them boot at once.
    pub at_once: u32,
    /// Where a boot ends.
    pub until: Step,
    /// How long a machine tries each step.
    pub patience: Duration,
}

/// Why a storm cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StormError {
    /// No relay.
    #[error("cannot relay DHCP")]
    Relay(#[source] RelayError),
    /// No HTTP client.
    #[error("cannot make an HTTP client")]
    Http(#[source] reqwest::Error),
}

/// Boots all machines and tells what came of it.
pub async fn run(plan: &Plan) -> Result<Tally, StormError> {
    let server = SocketAddrV4::new(plan.server, 67);
    let relay = Relay::bind(plan.relay, server).await;
    let relay = Arc::new(relay.map_err(StormError::Relay)?);
    let http = reqwest::Client::builder()
        .timeout(plan.patience)
        .no_proxy()
        .tcp_nodelay(true)
        .build()
        .map_err(StormError::Http)?;
    let gate = Arc::new(Semaphore::new(plan.at_once as usize));
    let mut booting: JoinSet<Outcome> = JoinSet::new();
    let started = Instant::now();
    for number in 0..plan.machines.min(MAX_MACHINES) {
        let machine = Machine::new(number, relay.clone(), http.clone(), plan);
        let gate = gate.clone();
        booting.spawn(async move {
            // The gate is never closed.
            let _turn = gate.acquire().await;
            machine.boot().await
        });
    }
    let mut outcomes = Vec::new();
    while let Some(ended) = booting.join_next().await {
        outcomes.extend(ended);
    }
    let lost = plan.machines as usize - outcomes.len();
    Ok(Tally::new(started.elapsed(), lost, outcomes))
}
