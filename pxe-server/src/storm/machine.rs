//! One simulated machine: a BIOS with a PXE ROM that chainloads iPXE and boots what it is told.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dhcproto::v4::{DhcpOption, HType, Message, MessageType, OptionCode, UnknownOption};
use embed::report::{Event, Report};
use reqwest::{Client, Response, Url};
use serde::Serialize;

use super::Plan;
use super::relay::{Relay, file_of, server_of};
use super::script::{Script, read};
use super::tally::Outcome;
use super::transfer;
use crate::mac::MacAddr;

/// Scripts that one machine follows.
const SCRIPTS: usize = 4;
/// How often a request over HTTP is made.
const ASKS: u32 = 5;

/// A step of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The ROM asks for an address and a boot program.
    Firmware,
    /// It fetches that.
    Program,
    /// iPXE asks for an address and a script.
    Ipxe,
    /// It fetches the script, and the one that this leads to.
    Script,
    /// The live system fetches its config.
    Config,
    /// It reports an install.
    Install,
}

impl Step {
    /// As people read and write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Program => "program",
            Self::Ipxe => "ipxe",
            Self::Script => "script",
            Self::Config => "config",
            Self::Install => "install",
        }
    }
}

/// A machine that did not come to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The machine.
    pub mac: MacAddr,
    /// Where it stopped.
    pub step: Step,
    /// Why.
    pub reason: String,
}

/// A machine before its boot.
#[derive(Debug)]
pub(super) struct Machine {
    number: u32,
    mac: MacAddr,
    relay: Arc<Relay>,
    http: Client,
    until: Step,
    patience: Duration,
    times: BTreeMap<Step, Duration>,
    repeated: u32,
}

/// What a DHCP exchange gave.
struct Booting {
    file: String,
    next_server: Ipv4Addr,
}

impl Machine {
    pub(super) fn new(number: u32, relay: Arc<Relay>, http: Client, plan: &Plan) -> Self {
        let [_, a, b, c] = number.to_be_bytes();
        Self {
            number,
            mac: MacAddr([0x02, 0x53, 0x54, a, b, c]),
            relay,
            http,
            until: plan.until,
            patience: plan.patience,
            times: BTreeMap::new(),
            repeated: 0,
        }
    }

    pub(super) async fn boot(mut self) -> Outcome {
        let mut step = Step::Firmware;
        let lost = self.steps(&mut step).await.err().map(|error| Lost {
            mac: self.mac,
            step,
            reason: error.to_string(),
        });
        Outcome {
            times: self.times,
            repeated: self.repeated,
            lost,
        }
    }

    async fn steps(&mut self, step: &mut Step) -> io::Result<()> {
        let mut since = Instant::now();
        let mut reached = |times: &mut BTreeMap<Step, Duration>, done: Step, next: Step| {
            times.insert(done, since.elapsed());
            since = Instant::now();
            *step = next;
        };
        let rom = self.dhcp(0, rom_options()).await?;
        reached(&mut self.times, Step::Firmware, Step::Program);
        if self.until == Step::Firmware {
            return Ok(());
        }
        let from = SocketAddr::from((rom.next_server, 69));
        let fetched = transfer::fetch(from, &rom.file, self.patience).await?;
        self.repeated += fetched.repeated;
        reached(&mut self.times, Step::Program, Step::Ipxe);
        if self.until == Step::Program {
            return Ok(());
        }
        let ipxe = self.dhcp(1, ipxe_options()).await?;
        reached(&mut self.times, Step::Ipxe, Step::Script);
        if self.until == Step::Ipxe {
            return Ok(());
        }
        let (config, report) = self.script(&ipxe.file).await?;
        reached(&mut self.times, Step::Script, Step::Config);
        if let Some(config) = config.filter(|_| self.until >= Step::Config) {
            let answer = self.get(&config).await?;
            answer.bytes().await.map_err(io::Error::other)?;
            reached(&mut self.times, Step::Config, Step::Install);
        }
        if let Some(report) = report.filter(|_| self.until >= Step::Install) {
            self.install(&report).await?;
            reached(&mut self.times, Step::Install, Step::Install);
        }
        Ok(())
    }

    /// DISCOVER and OFFER, and, where an address is offered, REQUEST and ACK.
    async fn dhcp(&mut self, stage: u32, options: Vec<DhcpOption>) -> io::Result<Booting> {
        let discover = self.message(stage, MessageType::Discover, &options);
        let asked = self.relay.ask(discover, MessageType::Offer, self.patience);
        let (mut answer, sent) = asked.await?;
        self.repeated += sent - 1;
        if !answer.yiaddr().is_unspecified() {
            let mut request = self.message(stage, MessageType::Request, &options);
            let opts = request.opts_mut();
            opts.insert(DhcpOption::RequestedIpAddress(answer.yiaddr()));
            if let Some(server) = server_of(&answer) {
                opts.insert(DhcpOption::ServerIdentifier(server));
            }
            let asked = self.relay.ask(request, MessageType::Ack, self.patience);
            let (ack, sent) = asked.await?;
            self.repeated += sent - 1;
            answer = ack;
        }
        let nothing = || io::Error::other("the answer names nothing to boot");
        Ok(Booting {
            file: file_of(&answer).ok_or_else(nothing)?,
            next_server: answer.siaddr(),
        })
    }

    fn message(&self, stage: u32, kind: MessageType, options: &[DhcpOption]) -> Message {
        let step = stage * 2 + u32::from(kind == MessageType::Request);
        let mut message = Message::default();
        message
            .set_htype(HType::Eth)
            .set_xid(self.number * 4 + step)
            .set_chaddr(&self.mac.0);
        let opts = message.opts_mut();
        opts.insert(DhcpOption::MessageType(kind));
        for option in options {
            opts.insert(option.clone());
        }
        message
    }

    /// Follows scripts; where config and reports are, if they come to a kernel.
    async fn script(&self, url: &str) -> io::Result<(Option<String>, Option<String>)> {
        let mut url = Url::parse(url).map_err(io::Error::other)?;
        for _ in 0..SCRIPTS {
            let answer = self.get(url.as_str()).await?;
            let text = answer.text().await.map_err(io::Error::other)?;
            match read(&text, &self.mac.dashed()) {
                Script::Chain(next) => url = url.join(&next).map_err(io::Error::other)?,
                Script::Kernel { config, report } => return Ok((config, report)),
                Script::End => return Ok((None, None)),
            }
        }
        Err(io::Error::other(
            "scripts lead from one to the next without an end",
        ))
    }

    /// What the live system reports of an install.
    async fn install(&self, url: &str) -> io::Result<()> {
        let device = "/dev/vda".to_owned();
        let events = [
            Event::Live,
            Event::InstallStarted { device },
            Event::InstallProgress { percent: 50 },
            Event::Installed,
        ];
        for (uptime_ms, event) in (1..).zip(events) {
            let report = Report::new(event, uptime_ms);
            let body = serde_json::to_vec(&report).map_err(io::Error::other)?;
            self.ask(|| self.http.post(url).body(body.clone())).await?;
        }
        Ok(())
    }

    async fn get(&self, url: &str) -> io::Result<Response> {
        self.ask(|| self.http.get(url)).await
    }

    /// Makes a request again where the server is away or fails, as Ignition and iPXE do.
    async fn ask(&self, request: impl Fn() -> reqwest::RequestBuilder) -> io::Result<Response> {
        let mut tried = 0;
        loop {
            tried += 1;
            let answer = request().send().await.and_then(Response::error_for_status);
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if tried >= ASKS || is_final(&error) => {
                    return Err(io::Error::other(error));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200) * tried).await,
            }
        }
    }
}

/// Whether the server has understood and refused.
fn is_final(error: &reqwest::Error) -> bool {
    error
        .status()
        .is_some_and(|status| status.is_client_error())
}

fn rom_options() -> Vec<DhcpOption> {
    let class = b"PXEClient:Arch:00000:UNDI:002001".to_vec();
    vec![DhcpOption::ClassIdentifier(class), unknown(93, &[0, 0])]
}

fn ipxe_options() -> Vec<DhcpOption> {
    let mut options = rom_options();
    options.push(unknown(77, b"iPXE"));
    // HTTP, TFTP, DNS.
    options.push(unknown(175, &[0x13, 1, 1, 0x15, 1, 1, 0x17, 1, 1]));
    options
}

fn unknown(number: u8, data: &[u8]) -> DhcpOption {
    let code = OptionCode::from(number);
    DhcpOption::Unknown(UnknownOption::new(code, data.to_vec()))
}
