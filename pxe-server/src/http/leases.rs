//! The operators' view of addresses: how each subnet is filled, and who has what.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::dhcp::{Holder, LeaseRecord, Moment, SubnetState};
use crate::http::{App, Problem};
use crate::mac::MacAddr;

/// `GET /api/v1/leases`
#[derive(Debug, Serialize)]
pub(super) struct LeaseList {
    subnets: Vec<SubnetState>,
    leases: Vec<View>,
}

/// One lease.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct View {
    address: Ipv4Addr,
    mac: MacAddr,
    hostname: Option<String>,
    seconds_left: u64,
}

/// All subnets and leases.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<LeaseList>, Problem> {
    let not_here = || Problem::NotFound("this server leases no addresses".to_owned());
    let server = app.leases.clone().ok_or_else(not_here)?;
    let (leases, now) = server.leases();
    let leases = leases.into_iter().filter_map(|lease| view(lease, now));
    Ok(Json(LeaseList {
        subnets: server.states(),
        leases: leases.collect(),
    }))
}

fn view(lease: LeaseRecord, now: Moment) -> Option<View> {
    let Holder::Leased { mac } = lease.holder else {
        return None;
    };
    Some(View {
        address: lease.address,
        mac,
        hostname: lease.host_name,
        seconds_left: lease.until.0.saturating_sub(now.0),
    })
}
