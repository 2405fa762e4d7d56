//! The machine's state and its rules, pure: no clock, no store, no network.
//!
//! Install once: a ticket is issued with an install script, reissued unchanged until the machine
//! reports `install-started`, and used from then on. A machine whose ticket is used never gets
//! another install script unless the operator asks for one ([`Machine::reinstall`]).

use embed::hardware::Hardware;
use embed::report::{Event as Reported, Identity, Report};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mac::MacAddr;
use crate::machine::{
    Event, Facts, FailedInstall, Gate, Intent, OperatorRequest, ScriptKind, Ticket, Wish,
};

/// Where a machine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Seen on the network.
    Discovered,
    /// Has an install script and with it a ticket.
    Booting,
    /// Runs the live system.
    Live,
    /// Its disk is being written.
    Installing,
    /// Its disk is complete.
    Installed,
    /// Its first boot is done.
    Provisioned,
    /// Its install failed.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Discovered,
        Self::Booting,
        Self::Live,
        Self::Installing,
        Self::Installed,
        Self::Provisioned,
        Self::Failed,
    ];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Booting => "booting",
            Self::Live => "live",
            Self::Installing => "installing",
            Self::Installed => "installed",
            Self::Provisioned => "provisioned",
            Self::Failed => "failed",
        }
    }
}

/// A ticket and whether it can still start an install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum TicketState {
    /// None was ever issued, or the operator revoked it by allowing a new install.
    None,
    /// Issued; can start one install.
    Issued {
        /// The ticket.
        ticket: Ticket,
    },
    /// Used by this `install-started` report.
    Used {
        /// The ticket.
        ticket: Ticket,
        /// The report that used it: sent again after a lost answer, it is accepted again.
        by: Report,
    },
}

/// What a machine that asks for its script is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Install, with this ticket.
    Install(Ticket),
    /// Boot the disk: it is installed.
    Disk,
    /// Wait: an install was begun and its end is not known, or it failed.
    Held(State),
    /// Wait: the rollout of its profile lets no more installs begin now.
    Waits(Gate),
    /// No group matches: whatever the site has for unknown machines.
    Unassigned,
}

impl Answer {
    /// The kind of script that carries this answer.
    pub fn script(self) -> ScriptKind {
        match self {
            Self::Install(_) => ScriptKind::Install,
            Self::Disk => ScriptKind::Disk,
            Self::Held(_) => ScriptKind::Held,
            Self::Waits(_) => ScriptKind::Waits,
            Self::Unassigned => ScriptKind::Unassigned,
        }
    }
}

/// Why a report was refused: it does not belong to the machine's current install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The machine has no ticket.
    #[error("this machine has no current install")]
    NoTicket,
    /// The ticket is not the machine's current one.
    #[error("the ticket is not this machine's current one")]
    OtherTicket,
    /// The ticket has already started an install.
    #[error("the ticket is already used")]
    Used,
    /// The event does not follow from the machine's state.
    #[error("the event does not follow from state {0:?}")]
    OutOfOrder(State),
}

/// What is known about one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub mac: MacAddr,
    /// Where it is in its life.
    pub state: State,
    /// Permission to install.
    pub ticket: TicketState,
    /// What it is known by, as last told.
    #[serde(flatten)]
    pub facts: Facts,
    /// Progress of the current install, 0 to 100.
    pub percent: Option<u8>,
    /// Why the last install failed.
    pub failure: Option<String>,
    /// What the first boot reported.
    pub identity: Option<Identity>,
    /// Time of the first event.
    pub first_seen: Timestamp,
    /// Time of the newest event.
    pub last_seen: Timestamp,
    /// Number of the newest event.
    pub events: u64,
    /// The newest request to install it again that was carried out.
    pub last_request: Option<String>,
    /// The newest claim that was carried out.
    #[serde(default)]
    pub last_claim: Option<String>,
    /// The profile that the operator chose for it.
    #[serde(default)]
    pub claim: Option<String>,
    /// The group and profile that it had when it last asked.
    #[serde(default)]
    pub matched: Option<Matched>,
    /// What its newest ticket is for.
    #[serde(default)]
    pub install: Option<Intent>,
    /// Its newest failed install.
    #[serde(default)]
    pub failed_install: Option<FailedInstall>,
    /// What it consists of, as it told while nobody had a use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Box<Hardware>>,
}

/// What a machine belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matched {
    /// The group; none if the operator chose the profile.
    pub group: Option<String>,
    /// The profile.
    pub profile: String,
}

impl Machine {
    /// A machine seen for the first time.
    pub fn new(mac: MacAddr, now: Timestamp) -> Self {
        Self {
            mac,
            state: State::Discovered,
            ticket: TicketState::None,
            facts: Facts::default(),
            percent: None,
            failure: None,
            identity: None,
            first_seen: now,
            last_seen: now,
            events: 0,
            last_request: None,
            last_claim: None,
            claim: None,
            matched: None,
            install: None,
            failed_install: None,
            hardware: None,
        }
    }

    /// Takes note of an event that changes no state.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::DhcpDiscover { facts, .. } | Event::ScriptServed { facts, .. } => {
                self.facts.update(facts);
            }
            _ => {}
        }
    }

    /// Answers a request for the machine's script. `fresh` becomes its ticket when one is due;
    /// the second value tells whether it did.
    pub fn answer(&mut self, assigned: bool, fresh: Ticket) -> (Answer, bool) {
        match (self.state, &self.ticket) {
            (State::Installed | State::Provisioned, _) => (Answer::Disk, false),
            (State::Installing | State::Failed, _) => (Answer::Held(self.state), false),
            (_, TicketState::Used { .. }) => (Answer::Held(self.state), false),
            _ if !assigned => (Answer::Unassigned, false),
            (_, TicketState::Issued { ticket }) => {
                self.state = State::Booting;
                (Answer::Install(*ticket), false)
            }
            (_, TicketState::None) => {
                self.ticket = TicketState::Issued { ticket: fresh };
                self.state = State::Booting;
                (Answer::Install(fresh), true)
            }
        }
    }

    /// Whether a new ticket is what it would be answered with.
    pub fn needs_ticket(&self, assigned: bool) -> bool {
        assigned && self.may_install() && self.ticket == TicketState::None
    }

    /// An unused ticket is for one intent only: it is worth nothing once the machine is to become
    /// something else.
    pub fn forget_other_ticket(&mut self, intent: &Intent) {
        let unused = matches!(self.ticket, TicketState::Issued { .. });
        if unused && self.may_install() && self.install.as_ref() != Some(intent) {
            self.ticket = TicketState::None;
            self.state = State::Discovered;
            self.install = None;
        }
    }

    /// Remembers a failed install, also beyond the next one that the operator allows.
    pub fn note_failure(&mut self, event: &Event, time: Timestamp) {
        if let (Event::InstallFailed { .. }, Some(intent)) = (event, self.install.clone()) {
            self.failed_install = Some(FailedInstall { intent, time });
        }
    }

    /// Whether it could be given an install now.
    pub fn may_install(&self) -> bool {
        let over = matches!(
            self.state,
            State::Installing | State::Installed | State::Provisioned | State::Failed
        );
        !over && !matches!(self.ticket, TicketState::Used { .. })
    }

    /// Takes note of what it belongs to; the event, if that is new.
    pub fn note_match(&mut self, matched: Option<Matched>) -> Option<Event> {
        let matched = matched.filter(|matched| self.matched.as_ref() != Some(matched))?;
        self.matched = Some(matched.clone());
        let Matched { group, profile } = matched;
        Some(Event::Matched { group, profile })
    }

    /// Carries out an operator's request; the event, unless that was done already.
    pub fn carry_out(&mut self, request: &OperatorRequest) -> Option<Event> {
        match &request.wish {
            Wish::Reinstall => self
                .reinstall(&request.id)
                .then_some(Event::ReinstallRequested),
            Wish::Claim(_) if self.last_claim.as_ref() == Some(&request.id) => None,
            Wish::Claim(profile) => {
                self.last_claim = Some(request.id.clone());
                self.claim.clone_from(profile);
                let profile = profile.clone();
                Some(Event::Claimed { profile })
            }
        }
    }

    /// Takes note of what it consists of; whether that is news.
    pub fn take_hardware(&mut self, hardware: Box<Hardware>) -> bool {
        self.facts.learn(&hardware);
        let is_new = self.hardware.as_ref() != Some(&hardware);
        self.hardware = Some(hardware);
        is_new
    }

    /// Takes a report. `Ok(true)`: something new. `Ok(false)`: known already, nothing to keep.
    pub fn report(&mut self, ticket: Ticket, report: &Report) -> Result<bool, Refusal> {
        let used = match &self.ticket {
            TicketState::None => return Err(Refusal::NoTicket),
            TicketState::Issued { ticket: current } if *current == ticket => None,
            TicketState::Used {
                ticket: current,
                by,
            } if *current == ticket => Some(by),
            _ => return Err(Refusal::OtherTicket),
        };
        let out_of_order = Err(Refusal::OutOfOrder(self.state));
        match (&report.event, self.state) {
            (Reported::Live, State::Booting | State::Live) => self.state = State::Live,
            (Reported::Live, _) => return Err(Refusal::Used),
            (Reported::InstallStarted { .. }, State::Booting | State::Live) => {
                self.ticket = TicketState::Used {
                    ticket,
                    by: report.clone(),
                };
                self.state = State::Installing;
                self.percent = Some(0);
            }
            (Reported::InstallStarted { .. }, _) if used == Some(report) => return Ok(false),
            (Reported::InstallStarted { .. }, _) => return Err(Refusal::Used),
            (Reported::InstallProgress { percent }, State::Installing) => {
                self.percent = Some((*percent).min(100))
            }
            (Reported::InstallProgress { .. }, State::Installed) => return Ok(false),
            (Reported::Installed, State::Installing) => {
                self.state = State::Installed;
                self.percent = Some(100);
            }
            (Reported::Installed, State::Installed | State::Provisioned) => return Ok(false),
            (
                Reported::InstallFailed { reason },
                State::Booting | State::Live | State::Installing,
            ) => {
                self.state = State::Failed;
                self.failure = Some(reason.clone());
            }
            (Reported::InstallFailed { .. }, State::Failed) => return Ok(false),
            (Reported::Provisioned(identity), State::Installing | State::Installed) => {
                self.state = State::Provisioned;
                self.percent = Some(100);
                self.identity = Some(identity.clone());
            }
            (Reported::Provisioned(identity), State::Provisioned)
                if self.identity.as_ref() == Some(identity) =>
            {
                return Ok(false);
            }
            _ => return out_of_order,
        }
        Ok(true)
    }

    /// Allows one more install: the old ticket is worth nothing from here on. A request that was
    /// carried out already (`request` is its name) changes nothing and gives `false`.
    fn reinstall(&mut self, request: &str) -> bool {
        if self.last_request.as_deref() == Some(request) {
            return false;
        }
        self.last_request = Some(request.to_owned());
        self.state = State::Discovered;
        self.ticket = TicketState::None;
        self.install = None;
        self.percent = None;
        self.failure = None;
        self.identity = None;
        true
    }
}

#[cfg(test)]
mod tests;
