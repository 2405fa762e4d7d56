//! What a batch of requests comes to: each decided by [`Machine`]'s rules on the machine as the
//! requests before it have left it. Writes nothing and answers nobody; can be done again.

use std::collections::HashMap;

use embed::report::Report;
use jiff::{Span, Timestamp};

use super::known::View;
use super::{Clock, Command, MAX_MACHINES, RegistryError};
use crate::mac::MacAddr;
use crate::machine::{
    Answer, Count, Event, Facts, Gate, Machine, Matched, Orders, Record, Terms, Ticket,
};
use crate::store::{Change, Revision, Turn};

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Decision {
    /// A script.
    Answer(Answer),
    /// It is taken.
    Noted,
    /// It is refused.
    Refused(RegistryError),
    /// There is no room for one more machine.
    NoRoom,
}

/// A request with what it comes to, once its machine's change is durable.
pub(super) struct Decided {
    pub(super) mac: MacAddr,
    pub(super) command: Command,
    pub(super) decision: Decision,
}

/// Requests that are decided together.
pub(super) struct Batch<'a> {
    pub(super) view: &'a View,
    pub(super) clock: Clock,
    changes: HashMap<MacAddr, Change>,
    decided: Vec<Decided>,
}

impl<'a> Batch<'a> {
    /// One without requests, on what is known now.
    pub(super) fn new(view: &'a View, clock: Clock) -> Self {
        Self {
            view,
            clock,
            changes: HashMap::new(),
            decided: Vec::new(),
        }
    }

    /// The changes, those without events to be checked only, and all requests.
    pub(super) fn finish(self) -> (Vec<Change>, Vec<Decided>) {
        (self.changes.into_values().collect(), self.decided)
    }

    /// Decides one more request.
    pub(super) fn decide(&mut self, command: Command) {
        let (mac, decision) = match &command {
            Command::Observe {
                mac, event, time, ..
            } => (*mac, self.observe(*mac, event, *time)),
            Command::Script {
                mac,
                matched,
                terms,
                facts,
                ..
            } => (*mac, self.script(*mac, matched, terms.as_deref(), facts)),
            Command::Report {
                mac,
                ticket,
                report,
                ..
            } => (*mac, self.report(*mac, *ticket, report)),
            Command::Hardware {
                mac,
                hardware,
                uptime_ms,
                ..
            } => (*mac, self.hardware(*mac, hardware, *uptime_ms)),
            Command::Operator { request, .. } => {
                let time = (self.clock)();
                let carried = self.change(request.mac, time).map(|change| {
                    if let Some(event) = change.machine.carry_out(request) {
                        record(change, event, time);
                    }
                });
                (request.mac, carried.map(|()| Decision::Noted))
            }
            Command::Orders { .. } | Command::Stop => return,
        };
        let decision = decision.unwrap_or(Decision::NoRoom);
        self.decided.push(Decided {
            mac,
            command,
            decision,
        });
    }

    /// The machine as this batch has left it, without events if it was never seen; none if there is
    /// no room for it.
    fn touch(&mut self, mac: MacAddr, time: Timestamp) -> Option<&mut Change> {
        if !self.changes.contains_key(&mac) {
            let view = self.view.read().ok()?;
            let (machine, expected) = match view.stored(mac) {
                Some(stored) => (stored.machine.clone(), stored.revision),
                None if view.len() + self.changes.len() < MAX_MACHINES => {
                    (Machine::new(mac, time), Revision::default())
                }
                None => return None,
            };
            drop(view);
            let change = Change {
                machine,
                records: Vec::new(),
                expected,
                turn: None,
            };
            self.changes.insert(mac, change);
        }
        self.changes.get_mut(&mac)
    }

    /// The same for a machine that is seen by that.
    pub(super) fn change(&mut self, mac: MacAddr, time: Timestamp) -> Option<&mut Change> {
        let change = self.touch(mac, time)?;
        if change.machine.events == 0 {
            record(change, Event::Discovered, time);
        }
        Some(change)
    }

    fn observe(&mut self, mac: MacAddr, event: &Event, time: Timestamp) -> Option<Decision> {
        let change = self.change(mac, time)?;
        // The same again before the last is durable tells nothing new; a machine that
        // asks a thousand times a second does not push its own past out.
        let last = change.records.last();
        if last.is_none_or(|last| last.event != *event) {
            change.machine.observe(event);
            record(change, event.clone(), time);
        }
        Some(Decision::Noted)
    }

    fn script(
        &mut self,
        mac: MacAddr,
        matched: &Option<Matched>,
        terms: Option<&Terms>,
        facts: &Facts,
    ) -> Option<Decision> {
        let time = (self.clock)();
        let change = self.change(mac, time)?;
        let assigned = matched.is_some();
        if let Some(event) = change.machine.note_match(matched.clone()) {
            record(change, event, time);
        }
        if let Some(terms) = terms {
            change.machine.forget_other_ticket(&terms.intent);
        }
        let needs_ticket = change.machine.needs_ticket(assigned);
        let waited = terms.filter(|terms| needs_ticket && terms.policy.is_some());
        let (gate, turn) = match waited {
            Some(terms) => self.gate(terms)?,
            None => (Gate::Open, None),
        };
        let change = self.changes.get_mut(&mac)?;
        let (answer, issued) = match gate {
            Gate::Open => change.machine.answer(assigned, Ticket::random()),
            closed => (Answer::Waits(closed), false),
        };
        if issued {
            change.machine.install = terms.map(|terms| terms.intent.clone());
            change.turn = turn;
            record(change, Event::TicketIssued, time);
        }
        let event = Event::ScriptServed {
            script: answer.script(),
            facts: facts.clone(),
        };
        change.machine.observe(&event);
        record(change, event, time);
        Some(Decision::Answer(answer))
    }

    /// Whether one more install may begin, counted over all machines as this batch has left them;
    /// and the turn that it takes.
    fn gate(&self, terms: &Terms) -> Option<(Gate, Option<Turn>)> {
        let Some(policy) = &terms.policy else {
            return Some((Gate::Open, None));
        };
        let view = self.view.read().ok()?;
        let profile = terms.intent.profile.clone();
        let rollout = view.rollout(&profile);
        let settled = view.machines();
        let settled = settled.filter(|machine| !self.changes.contains_key(&machine.mac));
        let changed = self.changes.values().map(|change| &change.machine);
        let count = Count::of(settled.chain(changed), &terms.intent, &rollout.orders);
        let gate = policy.gate(&terms.intent, &rollout.orders, &count);
        Some((gate, Some(Turn { profile, rollout })))
    }

    fn report(&mut self, mac: MacAddr, ticket: Ticket, report: &Report) -> Option<Decision> {
        let time = (self.clock)();
        let view = self.view;
        let change = self.touch(mac, time)?;
        if change.machine.events == 0 {
            return Some(Decision::Refused(RegistryError::Unknown));
        }
        match change.machine.report(ticket, report) {
            Ok(true) => {
                let event = Event::from_report(report);
                let mut failed = time;
                // Whoever lets the next install begin must know of the failure.
                if let (Event::InstallFailed { .. }, Some(intent)) =
                    (&event, &change.machine.install)
                {
                    let profile = intent.profile.clone();
                    let rollout = view.read().ok()?.rollout(&profile);
                    failed = after(time, &rollout.orders);
                    change.turn = Some(Turn { profile, rollout });
                }
                change.machine.note_failure(&event, failed);
                record(change, event, time);
                Some(Decision::Noted)
            }
            Ok(false) => Some(Decision::Noted),
            Err(refusal) => Some(Decision::Refused(RegistryError::Refused(refusal))),
        }
    }
}

/// The time of a failure that is told now: later than the last order to go on, which it counts
/// against, also if the clock was set back since that was given.
fn after(time: Timestamp, orders: &Orders) -> Timestamp {
    let resumed = orders.resumed.as_ref().map(|resumed| resumed.time);
    let next = resumed.and_then(|resumed| resumed.checked_add(Span::new().milliseconds(1)).ok());
    next.map_or(time, |next| time.max(next))
}

/// Appends an event; a clock that was set back does not turn the timeline around.
pub(super) fn record(change: &mut Change, event: Event, time: Timestamp) {
    let time = time.max(change.machine.last_seen);
    change.machine.events += 1;
    change.machine.last_seen = time;
    change.records.push(Record {
        seq: change.machine.events,
        time,
        event,
    });
}
