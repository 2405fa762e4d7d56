//! `pxe-server serve` in a room of the private LAN, and its machine API as an observer sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use embed::report::Identity;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::lan::{Lan, PXE_SERVER, Service};
use crate::programs;

const PORT: u16 = 8080;

/// The running server.
#[derive(Debug)]
pub struct PxeServer {
    service: Service,
    client: reqwest::blocking::Client,
    address: &'static str,
}

/// Where a server is, and where it keeps what.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Name of its room.
    pub room: &'a str,
    /// Its address.
    pub address: &'static str,
    /// Its state.
    pub state: &'a Path,
    /// Its log.
    pub log: &'a Path,
}

/// A machine as `/api/v1/machines/MAC` shows it; fields that nobody here looks at are left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineView {
    /// MAC address, colon form.
    pub mac: String,
    /// Name of its state.
    pub state: String,
    /// What its first boot reported.
    pub identity: Option<Identity>,
    /// What it reported that it consists of; null if it did not.
    #[serde(default)]
    pub hardware: serde_json::Value,
    /// Events, oldest first.
    pub timeline: Vec<EventView>,
}

/// One event of a timeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventView {
    /// Number of the event; later ones have greater numbers.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Name of the event.
    pub event: String,
    /// Milliseconds since the machine's first event.
    pub since_start_ms: u64,
    /// Fields of this event.
    #[serde(flatten)]
    pub fields: BTreeMap<String, serde_json::Value>,
}

impl EventView {
    /// Field `name` as text; empty when absent.
    pub fn field(&self, name: &str) -> String {
        match self.fields.get(name) {
            None => String::new(),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

impl PxeServer {
    /// Starts the server for `site` on `lan` with its state in `state` and its log in `log`, and
    /// waits until it answers.
    pub fn start(lan: &Lan, site: &Path, state: &Path, log: &Path) -> Result<Self> {
        let place = Place {
            room: "pxe",
            address: PXE_SERVER,
            state,
            log,
        };
        Self::start_at(lan, place, site, &[])
    }

    /// The same at another place, with more options.
    pub fn start_at(lan: &Lan, place: Place<'_>, site: &Path, options: &[&str]) -> Result<Self> {
        let Place {
            room,
            address,
            state,
            log,
        } = place;
        let room = lan.room(room, address)?;
        let mut command = room.command(programs::program("pxe-server")?);
        command
            .arg("serve")
            .arg("--site")
            .arg(site)
            .arg("--state")
            .arg(state);
        command.args(["--interface", "eth0", "--http-port", &PORT.to_string()]);
        command.args(options);
        let token = viewer(state)?;
        let mut service = room.serve("pxe-server", command, log)?;
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .default_headers(token)
            .build()
            .context("making an HTTP client")?;
        let health = url_at(address, "/healthz");
        service.wait_ready(Duration::from_secs(20), || {
            client
                .get(&health)
                .send()
                .is_ok_and(|answer| answer.status().is_success())
        })?;
        Ok(Self {
            service,
            client,
            address,
        })
    }

    /// The iPXE script that the UEFI machine `mac` is given now.
    pub fn script(&self, mac: &str) -> Result<String> {
        let path = format!("/ipxe?mac={}&platform=efi", mac.replace(':', "-"));
        let url = url_at(self.address, &path);
        let answer = self
            .client
            .get(url)
            .send()
            .context("asking the server for a script")?;
        let answer = answer
            .error_for_status()
            .context("asking the server for a script")?;
        answer.text().context("reading the server's script")
    }

    /// The machine `mac` with its timeline, once the server has seen it.
    pub fn machine(&self, mac: &str) -> Result<Option<MachineView>> {
        let answer = self
            .client
            .get(url_at(self.address, &format!("/api/v1/machines/{mac}")))
            .send();
        let answer = answer.context("asking the server for a machine")?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer
            .error_for_status()
            .context("asking the server for a machine")?;
        Ok(Some(answer.json().context("reading the server's machine")?))
    }

    /// Waits until the machine `mac` is in `state`.
    pub fn wait_state(&mut self, mac: &str, state: &str, timeout: Duration) -> Result<MachineView> {
        let deadline = Instant::now() + timeout;
        loop {
            self.check()?;
            let machine = self.machine(mac)?;
            let now = machine
                .as_ref()
                .map_or("unknown", |machine| machine.state.as_str())
                .to_owned();
            match machine {
                Some(machine) if machine.state == state => return Ok(machine),
                _ if Instant::now() >= deadline => {
                    bail!(
                        "the server says `{now}` of {mac}, not `{state}`, after {} s",
                        timeout.as_secs()
                    )
                }
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// An error when the server has ended.
    pub fn check(&mut self) -> Result<()> {
        self.service.check()
    }
}

/// Headers that let an observer in, who is not on the server's machine.
fn viewer(state: &Path) -> Result<HeaderMap> {
    let mut command = Command::new(programs::program("pxe-server")?);
    command.args([
        "token", "new", "--name", "observer", "--role", "viewer", "--state",
    ]);
    let output = command.arg(state).output().context("making a token")?;
    // A state that is used again has the token of before, which nobody knows any more.
    let output = if output.status.success() {
        output
    } else {
        let mut revoke = Command::new(programs::program("pxe-server")?);
        revoke.args(["token", "revoke", "--name", "observer", "--state"]);
        revoke.arg(state).output().context("taking a token back")?;
        command.output().context("making a token")?
    };
    let token = String::from_utf8(output.stdout).context("reading a token")?;
    let value = HeaderValue::try_from(format!("Bearer {}", token.trim()))?;
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// Absolute URL of `path` on the server of a [`Lab`](crate::lab::Lab), as machines of the LAN reach it.
pub fn url(path: &str) -> String {
    url_at(PXE_SERVER, path)
}

fn url_at(address: &str, path: &str) -> String {
    format!("http://{address}:{PORT}{path}")
}
