//! What a live system does on a machine that nobody has a use for yet: says so on the consoles,
//! reports what the machine consists of, and asks its server until there is something for it.
//! It touches no disk. Reboots are the caller's.

use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use embed::contract::karg;
use embed::hardware::{Hardware, printable};
use embed::kargs::Kargs;
use embed::report::{Event, Next, Orders};
use reqwest::blocking::Client;

use crate::console::Consoles;
use crate::hardware::gather;
use crate::report::{Outcome, Policy, Reporter};

const ANSWER: Duration = Duration::from_secs(10);
/// How long it is tried to report before the server is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest answer that is read, bytes.
const MAX_ORDERS: u64 = 4096;
/// Longest text of the server on a console, characters.
const MAX_SHOWN: usize = 64;

/// Why the machine cannot wait for its orders.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnclaimedError {
    /// Nothing says where to ask.
    #[error("no kernel argument `{}`", karg::DISCOVER)]
    NoServer,
    /// The HTTP client could not be set up.
    #[error("cannot set up an HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("{0}")]
    Http(reqwest::Error),
    #[error("the answer cannot be read: {0}")]
    Read(std::io::Error),
    #[error("the answer is none: {0}")]
    Form(serde_json::Error),
}

/// How often the server is asked and told.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pause between two questions.
    pub ask: Duration,
    /// Reporting.
    pub report: Policy,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ask: Duration::from_secs(15),
            report: Policy::default(),
        }
    }
}

/// Reports and waits; returns when the machine shall boot again. `root` is `/`.
pub fn wait(
    kargs: &Kargs,
    consoles: &Consoles,
    root: &Path,
    pace: Pace,
) -> Result<(), UnclaimedError> {
    let servers = kargs.tried(karg::DISCOVER);
    if servers.is_empty() {
        return Err(UnclaimedError::NoServer);
    }
    let client = Client::builder()
        .timeout(ANSWER)
        .build()
        .map_err(UnclaimedError::Client)?;
    consoles.line("discovery: nobody has a use for this machine yet; nothing is installed");
    show(&gather(root), consoles);
    let mut reported = false;
    let mut told = false;
    loop {
        let orders = ask(&client, &servers, consoles, pace);
        if orders.next == Next::Boot {
            break;
        }
        // The network is up with the first answer, and its links can be told.
        if !reported {
            reported = report(kargs, gather(root), consoles, pace)?;
        }
        if !told {
            told = true;
            let machine = printable(&orders.machine, MAX_SHOWN).unwrap_or_default();
            consoles.line(&format!("discovery: {machine} waits; on its server:"));
            consoles.line(&format!(
                "discovery:     pxe-server claim {machine} --profile NAME"
            ));
        }
        thread::sleep(pace.ask);
    }
    consoles.line("discovery: there is something for this machine; rebooting");
    Ok(())
}

/// By what people can tell which machine it is.
fn show(hardware: &Hardware, consoles: &Consoles) {
    let or_unknown = |text: &Option<embed::hardware::Text>| match text {
        Some(text) => text.to_string(),
        None => "unknown".to_owned(),
    };
    let system = &hardware.system;
    consoles.line(&format!(
        "discovery: {} {}, serial {}",
        or_unknown(&system.manufacturer),
        or_unknown(&system.product),
        or_unknown(&system.serial)
    ));
    for nic in &hardware.nics {
        let (name, mac) = (or_unknown(&nic.name), or_unknown(&nic.mac));
        consoles.line(&format!("discovery: {name} {mac}"));
    }
}

/// Posts what the machine consists of; whether it was answered, whatever the answer is.
fn report(
    kargs: &Kargs,
    hardware: Hardware,
    consoles: &Consoles,
    pace: Pace,
) -> Result<bool, UnclaimedError> {
    let receivers = kargs.tried(karg::REPORT_URL);
    let reporter = Reporter::start(&receivers, pace.report).map_err(UnclaimedError::Client)?;
    reporter.send(Event::Hardware {
        hardware: Box::new(hardware),
    });
    Ok(match reporter.finish(PATIENCE) {
        Outcome::Delivered => {
            consoles.line("discovery: the server knows what this machine consists of");
            true
        }
        // Somebody has a use for it by now.
        Outcome::Unwanted => true,
        Outcome::TimedOut => {
            consoles.line("discovery: the report is not answered; it is tried again");
            false
        }
    })
}

/// Asks the servers, the first one first, until one answers.
fn ask(client: &Client, servers: &[&str], consoles: &Consoles, pace: Pace) -> Orders {
    let mut said = false;
    loop {
        for url in servers {
            match try_ask(client, url) {
                Ok(orders) => return orders,
                Err(error) if !said => {
                    said = true;
                    consoles.line(&format!("discovery: no answer yet: {error}"));
                }
                Err(_) => {}
            }
        }
        thread::sleep(pace.ask);
    }
}

fn try_ask(client: &Client, url: &str) -> Result<Orders, AskError> {
    let answer = client.get(url).send();
    let answer = answer.and_then(reqwest::blocking::Response::error_for_status);
    let mut bytes = Vec::new();
    answer
        .map_err(AskError::Http)?
        .take(MAX_ORDERS)
        .read_to_end(&mut bytes)
        .map_err(AskError::Read)?;
    serde_json::from_slice(&bytes).map_err(AskError::Form)
}

#[cfg(test)]
mod tests;
