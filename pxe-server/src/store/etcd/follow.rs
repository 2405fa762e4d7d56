//! Follows what all servers write: a watch from the revision that is known on, taken up at another
//! member when one is lost, and from a full reading when the revision is compacted away. Finds out
//! whether a quorum can be reached, by asking the watched member for it every second.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Room;
use super::answer::{Range, WatchLine, WatchResult};
use super::error::EtcdError;
use crate::mac::MacAddr;
use crate::machine::Machine;
use crate::store::{News, Revision, StoreError, Stored};

/// How often a quorum is asked for, and what has changed is kept.
const TICK: Duration = Duration::from_secs(1);
/// Pause before another member is tried.
const AGAIN: Duration = Duration::from_millis(250);

/// One who follows.
struct Follower<'a> {
    news: &'a mut dyn FnMut(News) -> bool,
    /// The revision up to which everything is told; 0: nothing is.
    told: u64,
    /// Machines that have changed since they were last kept.
    changed: HashMap<MacAddr, Machine>,
}

impl Room {
    /// Tells `news` until it wants no more.
    pub(super) async fn follow(&self, news: &mut dyn FnMut(News) -> bool) {
        let mut follower = Follower {
            news,
            told: self.loaded.load(Ordering::Relaxed),
            changed: HashMap::new(),
        };
        for member in (0..self.client.members()).cycle() {
            let lost = match self.follow_member(member, &mut follower).await {
                Ok(()) => return,
                Err(lost) => lost,
            };
            match &lost {
                StoreError::Etcd(EtcdError::Compacted(_)) => follower.told = 0,
                error => self.tell_loss(error),
            }
            sleep(AGAIN).await;
            if !(follower.news)(News::Nothing) {
                return;
            }
        }
    }

    /// The loss of one member out of several is none of the store.
    fn tell_loss(&self, error: &StoreError) {
        let cause = error as &dyn std::error::Error;
        if self.reachable.load(Ordering::Relaxed) {
            tracing::warn!(error = cause, "a member of etcd is not watched any more");
        } else {
            tracing::debug!(error = cause, "still without a quorum");
        }
    }

    /// Ends well when nobody wants to know any more.
    async fn follow_member(
        &self,
        member: usize,
        follower: &mut Follower<'_>,
    ) -> Result<(), StoreError> {
        let pinged = self.ping(member).await;
        if let Err(error) = pinged {
            self.find_quorum().await;
            return Err(error);
        }
        self.found().await?;
        if follower.told == 0 {
            let (snapshot, revision) = self.snapshot().await?;
            self.keep(&snapshot.machines);
            if !(follower.news)(News::All(snapshot)) {
                return Ok(());
            }
            follower.told = revision;
            self.forget_leases().await;
        }
        let body = self.keys.watch(follower.told.saturating_add(1));
        let stream = self.client.stream(member, "watch", &body).await;
        let mut stream = stream.map_err(StoreError::Etcd)?;
        let mut pinging = pin!(self.ping_until_lost(member));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let line = tokio::select! {
                line = stream.next::<WatchLine>() => line.map_err(StoreError::Etcd)?,
                lost = &mut pinging => return Err(lost),
                _ = ticks.tick() => {
                    follower.keep_changed(self);
                    self.tell_all_leases().await?;
                    if !(follower.news)(News::Nothing) {
                        return Ok(());
                    }
                    continue;
                }
            };
            let ended = || EtcdError::Passing {
                member: member.to_string(),
                message: "the watch has ended".to_owned(),
            };
            let line = line.ok_or_else(|| StoreError::Etcd(ended()))?;
            if let Some(error) = line.error {
                return Err(StoreError::Etcd(refused(member, error)));
            }
            self.tell_leases(&line.result.events).await;
            if follower.take(self, line.result)?.is_break() {
                return Ok(());
            }
        }
    }

    /// Asks a member for something that needs a quorum.
    async fn ping(&self, member: usize) -> Result<(), StoreError> {
        let body = self.keys.ping();
        let asked = self.client.call_member::<Range>(member, "kv/range", &body);
        asked.await.map(drop).map_err(StoreError::Etcd)
    }

    async fn ping_until_lost(&self, member: usize) -> StoreError {
        loop {
            sleep(TICK).await;
            match self.ping(member).await {
                Ok(()) => {
                    if let Err(error) = self.found().await {
                        return error;
                    }
                }
                Err(error) => return error,
            }
        }
    }

    /// A quorum can be reached.
    async fn found(&self) -> Result<(), StoreError> {
        if !self.reachable.load(Ordering::Relaxed) {
            self.begin().await?;
            self.reachable.store(true, Ordering::Relaxed);
            tracing::info!("the state in etcd can be reached");
        }
        Ok(())
    }

    /// Whether any member reaches a quorum, after one did not.
    async fn find_quorum(&self) {
        let ping = self.keys.ping();
        if let Err(error) = self.client.call::<Range>("kv/range", &ping).await {
            self.lose(&error);
        }
    }
}

impl Follower<'_> {
    fn take(&mut self, room: &Room, result: WatchResult) -> Result<ControlFlow<()>, StoreError> {
        if result.compact_revision.0 > 0 {
            let compacted = EtcdError::Compacted(result.compact_revision.0);
            return Err(StoreError::Etcd(compacted));
        }
        if result.canceled {
            return Err(StoreError::Etcd(EtcdError::Passing {
                member: "the watch".to_owned(),
                message: result.cancel_reason,
            }));
        }
        if result.events.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let newest = result.events.iter().map(|event| event.kv.mod_revision.0);
        let newest = newest.max().unwrap_or_default();
        let changes = room.keys.changes(result.events);
        let machines = changes.machines.iter();
        let there = machines.filter_map(|(mac, _, machine)| Some((*mac, machine.clone()?)));
        self.changed.extend(there);
        let goes_on = (self.news)(News::Changes(changes));
        self.told = self.told.max(newest);
        Ok(if goes_on {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    }

    fn keep_changed(&mut self, room: &Room) {
        if self.changed.is_empty() {
            return;
        }
        let stored = |machine| Stored {
            machine,
            revision: Revision::default(),
        };
        let changed: Vec<Stored> = self
            .changed
            .drain()
            .map(|(_, machine)| stored(machine))
            .collect();
        room.keep(&changed);
    }
}

fn refused(member: usize, error: Value) -> EtcdError {
    EtcdError::Refused {
        member: member.to_string(),
        message: error.to_string(),
    }
}
