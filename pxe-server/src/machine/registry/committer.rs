//! The registry's thread: gathers requests into batches, decides them, commits what follows,
//! publishes it, and only then answers. What somebody else has changed in between is decided again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::batch::{Batch, Decided, Decision};
use super::known::View;
use super::{Clock, Command, RegistryError, Reply};
use crate::mac::MacAddr;
use crate::machine::{Answer, Feed, Orders};
use crate::store::{Change, MachineStore, Outcome, Revision, Rollout, Stored};

/// Most requests in one batch.
const BATCH: usize = 512;
/// How long what nobody waits for may wait for more of its kind: a commit costs the same for one event
/// as for hundreds.
const GATHER: Duration = Duration::from_millis(20);
/// How soon somebody who waits is seen meanwhile.
const LOOK: Duration = Duration::from_millis(1);
/// How often a request is decided again because somebody else was faster.
const ROUNDS: usize = 8;
/// How long to wait for what somebody else has done to a rollout.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How the store has done since the start.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Commits.
    pub(super) commits: AtomicU64,
    /// Commits that failed, all or in part.
    pub(super) failed: AtomicU64,
    /// Time in commits, microseconds.
    pub(super) micros: AtomicU64,
}

/// What became of a machine's change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Durable,
    Stale,
    Unknown,
}

/// Whether somebody waits for its answer or for the end.
fn is_awaited(command: &Command) -> bool {
    !matches!(command, Command::Observe { reply: None, .. })
}

/// The thread's side of the registry.
pub(super) struct Committer {
    pub(super) view: View,
    pub(super) store: Arc<dyn MachineStore>,
    pub(super) feed: Feed,
    pub(super) tally: Arc<Tally>,
    pub(super) clock: Clock,
    /// Whether the last commit failed: a long fault is told once.
    pub(super) fails: bool,
}

impl Committer {
    /// Serves requests until told to stop, or until every [`super::Registry`] is gone. Those that
    /// were taken before are served; whoever comes later is told.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Command>) {
        while let Some(first) = requests.blocking_recv() {
            let mut waiting = vec![first];
            let end = Instant::now() + GATHER;
            loop {
                while waiting.len() < BATCH
                    && let Ok(next) = requests.try_recv()
                {
                    waiting.push(next);
                }
                let awaited = waiting.len() >= BATCH || waiting.iter().any(is_awaited);
                if awaited || Instant::now() >= end {
                    break;
                }
                std::thread::sleep(LOOK);
            }
            let stop = waiting
                .iter()
                .any(|command| matches!(command, Command::Stop));
            if stop {
                requests.close();
            }
            self.serve(waiting);
        }
    }

    fn serve(&mut self, mut waiting: Vec<Command>) {
        for round in 1..=ROUNDS {
            let mut batch = Batch::new(&self.view, self.clock);
            for command in waiting {
                match command {
                    Command::Orders { .. } => self.share(command),
                    command => batch.decide(command),
                }
            }
            let (changes, decided) = batch.finish();
            let fates = self.commit(changes);
            waiting = Vec::new();
            for Decided {
                mac,
                command,
                decision,
            } in decided
            {
                let fate = fates.get(&mac).copied().unwrap_or(Fate::Durable);
                if fate == Fate::Stale && round < ROUNDS {
                    waiting.push(command);
                } else {
                    settle(command, decision, fate);
                }
            }
            if waiting.is_empty() {
                return;
            }
        }
    }

    /// Commits, and publishes what is durable and what is newer than was known.
    fn commit(&mut self, changes: Vec<Change>) -> HashMap<MacAddr, Fate> {
        if changes.is_empty() {
            return HashMap::new();
        }
        let begin = Instant::now();
        let committed = self.store.commit(&changes);
        let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.tally.micros.fetch_add(micros, Ordering::Relaxed);
        self.tally.commits.fetch_add(1, Ordering::Relaxed);
        let outcomes = match committed {
            Ok(outcomes) => outcomes,
            Err(error) => {
                if !self.fails {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "events lost: the state cannot be written"
                    );
                }
                vec![Outcome::Unknown; changes.len()]
            }
        };
        let fails = outcomes.contains(&Outcome::Unknown);
        self.tally
            .failed
            .fetch_add(u64::from(fails), Ordering::Relaxed);
        if self.fails && !fails {
            tracing::info!("the state can be written again");
        }
        self.fails = fails;
        let mut fates = HashMap::with_capacity(changes.len());
        let mut records = Vec::new();
        for (change, outcome) in changes.into_iter().zip(outcomes) {
            let mac = change.machine.mac;
            if matches!(outcome, Outcome::Done(_)) {
                records.extend(change.records.iter().map(|record| (mac, record.clone())));
            }
            fates.insert(mac, self.publish(change, outcome));
        }
        // Of a shared store all servers tell everything, in the one order that it came in.
        if !self.store.is_shared() {
            self.feed.publish(records);
        }
        fates
    }

    fn publish(&self, change: Change, outcome: Outcome) -> Fate {
        let Ok(mut view) = self.view.write() else {
            return Fate::Unknown;
        };
        match outcome {
            Outcome::Done(revision) => {
                if !change.records.is_empty() {
                    let machine = change.machine;
                    view.insert(Stored { machine, revision });
                }
                if let Some(turn) = change.turn.filter(|_| self.store.is_shared()) {
                    let orders = turn.rollout.orders;
                    view.insert_rollout(turn.profile, Rollout { orders, revision });
                }
                Fate::Durable
            }
            Outcome::Stale { machine, rollout } => {
                match machine {
                    Some(stored) => view.insert(*stored),
                    None => view.forget(change.machine.mac, change.expected),
                }
                drop(view);
                match change.turn {
                    Some(turn) if !self.catch_up(&turn.profile, rollout) => Fate::Unknown,
                    _ => Fate::Stale,
                }
            }
            Outcome::Unknown => Fate::Unknown,
        }
    }

    /// Waits until everything that others have done up to this version of a rollout is known: how
    /// many machines are being installed is counted from all of them.
    fn catch_up(&self, profile: &str, to: Revision) -> bool {
        let end = Instant::now() + CATCH_UP;
        loop {
            let known = self.view.read().map(|view| view.rollout(profile).revision);
            if known.is_ok_and(|known| known >= to) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Makes orders known to all servers.
    fn share(&self, command: Command) {
        let Command::Orders {
            profile,
            before,
            given,
            reply,
        } = command
        else {
            return;
        };
        let shared = self.try_to_share(&profile, &before, &given);
        let _ = reply.send(shared.then_some(()).ok_or(RegistryError::Unavailable));
    }

    fn try_to_share(&self, profile: &str, before: &Orders, given: &Orders) -> bool {
        for _ in 0..ROUNDS {
            let Ok(known) = self.view.read().map(|view| view.rollout(profile)) else {
                return false;
            };
            let orders = known.orders.with(before, given);
            let revision = known.revision;
            let rollout = Rollout { orders, revision };
            match self.store.give_orders(profile, &rollout) {
                Ok(Outcome::Done(revision)) => {
                    if let Ok(mut view) = self.view.write() {
                        let orders = rollout.orders;
                        view.insert_rollout(profile.to_owned(), Rollout { orders, revision });
                    }
                    return true;
                }
                Ok(Outcome::Stale { rollout, .. }) if self.catch_up(profile, rollout) => {}
                Ok(_) => return false,
                Err(error) => {
                    tracing::debug!(%profile, error = &error as &dyn std::error::Error, "orders wait");
                    return false;
                }
            }
        }
        false
    }
}

/// Answers.
fn settle(command: Command, decision: Decision, fate: Fate) {
    let durable = fate == Fate::Durable;
    match (command, decision) {
        (Command::Script { reply, .. }, Decision::Answer(answer)) => {
            // An installed machine boots its disk even while the state cannot be written.
            let granted = durable || !matches!(answer, Answer::Install(_));
            tell(
                reply,
                granted.then_some(answer).ok_or(RegistryError::Unavailable),
            );
        }
        (
            Command::Report { reply, .. }
            | Command::Hardware { reply, .. }
            | Command::Operator { reply, .. },
            decision,
        ) => {
            let outcome = match decision {
                Decision::Refused(error) if durable => Err(error),
                Decision::Noted if durable => Ok(()),
                _ => Err(RegistryError::Unavailable),
            };
            tell(reply, outcome);
        }
        // What there is no room for is not recorded, whoever observed it.
        (
            Command::Observe {
                reply: Some(reply), ..
            },
            Decision::Noted | Decision::NoRoom,
        ) => tell(
            reply,
            durable.then_some(()).ok_or(RegistryError::Unavailable),
        ),
        // Nobody waits, or there is no room for one more machine: the sender is told by the
        // reply's end.
        _ => {}
    }
}

fn tell<T>(reply: Reply<T>, outcome: Result<T, RegistryError>) {
    let _ = reply.send(outcome);
}
