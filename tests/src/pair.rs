//! A LAN with two of our servers that keep the state of one site in a real etcd, beside an ordinary
//! DHCP server. Either of ours can be killed; etcd is one member in a room of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lan::{Dnsmasq, Lan, PXE_SERVER, Service};
use crate::programs::repository;
use crate::server::{Place, PxeServer};
use crate::site::MAC;
use crate::vm::Nic;

/// Address of the second server.
const SECOND: &str = "192.0.2.5";
const ETCD: &str = "192.0.2.6";

/// Line of `site.yaml` by which the servers name each other.
pub fn servers() -> String {
    format!("servers: [{PXE_SERVER}, {SECOND}]\n")
}

/// The LAN and its servers; they end with this value.
#[derive(Debug)]
pub struct Pair {
    dnsmasq: Dnsmasq,
    etcd: Service,
    servers: Vec<(PathBuf, PxeServer)>,
    tap: String,
}

impl Pair {
    /// Starts everything for `site`; states are kept in `states`, logs in `logs`.
    pub fn open(site: &Path, states: &Path, logs: &Path) -> Result<Self> {
        let lan = Lan::create().context("making the LAN")?;
        let dnsmasq = Dnsmasq::start(&lan, &logs.join("dnsmasq.log"))?;
        let etcd = etcd(&lan, &states.join("etcd"), &logs.join("etcd.log"))?;
        let store = format!("etcd://{ETCD}:2379");
        let start = |room: &str, address: &'static str| {
            let log = logs.join(format!("{room}.log"));
            let place = Place {
                room,
                address,
                state: &states.join(room),
                log: &log,
            };
            let server = PxeServer::start_at(&lan, place, site, &["--store", &store])?;
            Ok::<_, anyhow::Error>((log, server))
        };
        let servers = vec![start("pxe", PXE_SERVER)?, start("pxe2", SECOND)?];
        Ok(Self {
            dnsmasq,
            etcd,
            servers,
            tap: lan.tap("tap0")?,
        })
    }

    /// The network card of the machine that the site's group selects.
    pub fn nic(&self) -> Nic {
        Nic::Tap {
            device: self.tap.clone(),
            mac: MAC.into(),
            rom: false,
        }
    }

    /// Kills the server that has given the machine its script, and no other has.
    pub fn kill_the_one_that_served(&mut self) -> Result<()> {
        let served = |log: &Path| {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            text.contains("script=Install")
        };
        let before = self.servers.len();
        self.servers.retain(|(log, _)| !served(log));
        let killed = before - self.servers.len();
        ensure!(killed == 1, "{killed} of the servers gave it an install");
        Ok(())
    }

    /// A server that still runs, after making sure that everything does.
    pub fn server(&mut self) -> Result<&mut PxeServer> {
        self.dnsmasq.check()?;
        self.etcd.check()?;
        for (_, server) in &mut self.servers {
            server.check()?;
        }
        let left = self.servers.first_mut();
        Ok(&mut left.context("no server is left")?.1)
    }
}

/// One member of Debian's etcd, unpacked by `tests/setup/install.sh` or installed.
fn etcd(lan: &Lan, data: &Path, log: &Path) -> Result<Service> {
    let unpacked = repository().join("target/debian/usr/bin/etcd");
    let program = match unpacked.exists() {
        true => unpacked,
        false => PathBuf::from("etcd"),
    };
    let room = lan.room("etcd", ETCD)?;
    let url = format!("http://{ETCD}:2379");
    let mut command = room.command(program);
    command.arg("--data-dir").arg(data);
    command.args([
        "--listen-client-urls",
        &url,
        "--advertise-client-urls",
        &url,
    ]);
    let mut service = room.serve("etcd", command, log)?;
    service.wait_ready(Duration::from_secs(60), || {
        std::fs::read_to_string(log).is_ok_and(|text| text.contains("ready to serve client"))
    })?;
    Ok(service)
}
