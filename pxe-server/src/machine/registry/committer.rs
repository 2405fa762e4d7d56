//! The registry's thread: gathers requests into batches, commits each batch as one transaction,
//! publishes it, and only then answers.

use std::collections::HashMap;
use std::sync::Arc;

use embed::report::Report;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Command, Given, MAX_MACHINES, RegistryError, Reply, View, now};
use crate::mac::MacAddr;
use crate::machine::{
    Answer, Count, Event, Facts, Feed, Gate, Machine, Matched, Record, Terms, Ticket,
};
use crate::store::{Change, MachineStore};

/// Most requests in one transaction.
const BATCH: usize = 512;

/// An answer that waits for the commit; told whether the commit succeeded.
type Pending = Box<dyn FnOnce(bool)>;

/// The thread's side of the registry.
pub(super) struct Committer {
    pub(super) view: View,
    pub(super) given: Given,
    pub(super) store: Arc<dyn MachineStore>,
    pub(super) feed: Feed,
}

impl Committer {
    /// Serves requests until told to stop, or until every [`super::Registry`] is gone.
    pub(super) fn run(self, mut requests: mpsc::Receiver<Command>) {
        while let Some(first) = requests.blocking_recv() {
            let mut batch = Batch {
                view: &self.view,
                given: &self.given,
                changes: HashMap::new(),
                pending: Vec::new(),
                stop: false,
            };
            batch.apply(first);
            for _ in 1..BATCH {
                match requests.try_recv() {
                    Ok(next) => batch.apply(next),
                    Err(_) => break,
                }
            }
            let changes: Vec<Change> = batch
                .changes
                .into_values()
                .filter(|change| !change.records.is_empty())
                .collect();
            let (pending, stop) = (batch.pending, batch.stop);
            let done = changes.is_empty() || self.commit(changes);
            for answer in pending {
                answer(done);
            }
            if stop {
                return;
            }
        }
    }

    fn commit(&self, changes: Vec<Change>) -> bool {
        if let Err(error) = self.store.commit(&changes) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "events lost: the state cannot be written"
            );
            return false;
        }
        if let Ok(mut view) = self.view.write() {
            let machines = changes.iter().map(|change| change.machine.clone());
            view.extend(machines.map(|machine| (machine.mac, machine)));
        }
        self.feed.publish(&changes);
        true
    }
}

struct Batch<'a> {
    view: &'a View,
    given: &'a Given,
    changes: HashMap<MacAddr, Change>,
    pending: Vec<Pending>,
    stop: bool,
}

impl Batch<'_> {
    /// The machine as this batch has left it.
    fn change(&mut self, mac: MacAddr, time: Timestamp) -> Option<&mut Change> {
        if !self.changes.contains_key(&mac) {
            let view = self.view.read().ok()?;
            let (machine, is_new) = match view.get(&mac) {
                Some(machine) => (machine.clone(), false),
                None if view.len() + self.changes.len() < MAX_MACHINES => {
                    (Machine::new(mac, time), true)
                }
                None => return None,
            };
            drop(view);
            let mut change = Change {
                machine,
                records: Vec::new(),
            };
            if is_new {
                record(&mut change, Event::Discovered, time);
            }
            self.changes.insert(mac, change);
        }
        self.changes.get_mut(&mac)
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Observe { mac, event, time } => {
                // The same again before the last is durable tells nothing new; a machine that
                // asks a thousand times a second does not push its own past out.
                let is_new = |change: &&mut Change| {
                    let last = change.records.last();
                    last.is_none_or(|last| last.event != event)
                };
                if let Some(change) = self.change(mac, time).filter(is_new) {
                    change.machine.observe(&event);
                    record(change, event, time);
                }
            }
            Command::Script {
                mac,
                matched,
                terms,
                facts,
                reply,
            } => self.script(mac, matched, terms.map(|terms| *terms), *facts, reply),
            Command::Report {
                mac,
                ticket,
                report,
                reply,
            } => self.report(mac, ticket, &report, reply),
            Command::Operator { request, reply } => {
                let time = now();
                let Some(change) = self.change(request.mac, time) else {
                    return;
                };
                if let Some(event) = change.machine.carry_out(&request) {
                    record(change, event, time);
                }
                self.when_durable(reply, ());
            }
            Command::Stop => self.stop = true,
        }
    }

    fn script(
        &mut self,
        mac: MacAddr,
        matched: Option<Matched>,
        terms: Option<Terms>,
        facts: Facts,
        reply: Reply<Answer>,
    ) {
        let time = now();
        let Some(change) = self.change(mac, time) else {
            return;
        };
        let assigned = matched.is_some();
        if let Some(event) = change.machine.note_match(matched) {
            record(change, event, time);
        }
        if let Some(terms) = &terms {
            change.machine.forget_other_ticket(&terms.intent);
        }
        let needs_ticket = change.machine.needs_ticket(assigned);
        let waited = terms.as_ref().filter(|_| needs_ticket);
        let gate = waited.map_or(Gate::Open, |terms| self.gate(terms));
        let Some(change) = self.changes.get_mut(&mac) else {
            return;
        };
        let (answer, issued) = match gate {
            Gate::Open => change.machine.answer(assigned, Ticket::random()),
            closed => (Answer::Waits(closed), false),
        };
        if issued {
            change.machine.install = terms.map(|terms| terms.intent);
            record(change, Event::TicketIssued, time);
        }
        let event = Event::ScriptServed {
            script: answer.script(),
            facts,
        };
        change.machine.observe(&event);
        record(change, event, time);
        if matches!(answer, Answer::Install(_)) {
            self.when_durable(reply, answer);
        } else {
            // An installed machine boots its disk even while the state cannot be written.
            self.pending.push(Box::new(move |_| {
                let _ = reply.send(Ok(answer));
            }));
        }
    }

    /// Whether one more install may begin, counted over all machines as this batch has left them.
    fn gate(&self, terms: &Terms) -> Gate {
        let Some(policy) = &terms.policy else {
            return Gate::Open;
        };
        let given = self.given.read().ok();
        let orders = given.and_then(|given| given.get(&terms.intent.profile).cloned());
        let orders = orders.unwrap_or_default();
        let Ok(view) = self.view.read() else {
            return Gate::Full;
        };
        let settled = view.values();
        let settled = settled.filter(|machine| !self.changes.contains_key(&machine.mac));
        let changed = self.changes.values().map(|change| &change.machine);
        let count = Count::of(settled.chain(changed), &terms.intent, &orders);
        policy.gate(&terms.intent, &orders, &count)
    }

    fn report(&mut self, mac: MacAddr, ticket: Ticket, report: &Report, reply: Reply<()>) {
        let time = now();
        let known = self.changes.contains_key(&mac)
            || self.view.read().is_ok_and(|view| view.contains_key(&mac));
        let change = if known { self.change(mac, time) } else { None };
        let Some(change) = change else {
            let _ = reply.send(Err(RegistryError::Unknown));
            return;
        };
        match change.machine.report(ticket, report) {
            Ok(new) => {
                if new {
                    let event = Event::from_report(report);
                    change.machine.note_failure(&event, time);
                    record(change, event, time);
                }
                self.when_durable(reply, ());
            }
            Err(refusal) => {
                let _ = reply.send(Err(RegistryError::Refused(refusal)));
            }
        }
    }

    fn when_durable<T: 'static>(&mut self, reply: Reply<T>, value: T) {
        self.pending.push(Box::new(move |done| {
            let _ = reply.send(if done {
                Ok(value)
            } else {
                Err(RegistryError::Unavailable)
            });
        }));
    }
}

/// Appends an event; a clock that was set back does not turn the timeline around.
fn record(change: &mut Change, event: Event, time: Timestamp) {
    let time = time.max(change.machine.last_seen);
    change.machine.events += 1;
    change.machine.last_seen = time;
    change.records.push(Record {
        seq: change.machine.events,
        time,
        event,
    });
}
