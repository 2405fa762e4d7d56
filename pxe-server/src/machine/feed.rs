//! What happens to all machines, as it happens: the newest durable events, numbered through, for
//! whoever follows them; and how many of each kind there were since the start.
//!
//! Numbers begin anew with each start of the server, which has a name of its own for that reason.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::mac::MacAddr;
use crate::machine::Record;

/// Events that are kept for those who come back.
const KEPT: usize = 4096;

/// An event of some machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Counts up from 1 since the start.
    pub number: u64,
    /// The machine.
    pub mac: MacAddr,
    /// The event in the machine's life.
    pub record: Record,
}

/// What there is after a certain event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// These, which may be none yet.
    Events(Vec<Arc<Told>>),
    /// More than is kept.
    Gone,
}

#[derive(Debug, Default)]
struct Kept {
    newest: u64,
    ring: VecDeque<Arc<Told>>,
    counts: BTreeMap<&'static str, u64>,
}

/// The events; cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    start: i64,
    kept: Arc<Mutex<Kept>>,
    newest: watch::Sender<u64>,
}

impl Feed {
    /// An empty one, named after this moment.
    pub fn new() -> Self {
        Self {
            start: Timestamp::now().as_millisecond(),
            kept: Arc::default(),
            newest: watch::channel(0).0,
        }
    }

    /// The name of this start of the server.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// Takes in what has become durable.
    pub fn publish(&self, mut records: Vec<(MacAddr, Record)>) {
        records.sort_by_key(|(mac, record)| (record.time, *mac, record.seq));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for (mac, record) in records {
            kept.newest += 1;
            let number = kept.newest;
            *kept.counts.entry(record.event.name()).or_default() += 1;
            kept.ring.push_back(Arc::new(Told {
                number,
                mac,
                record,
            }));
            if kept.ring.len() > KEPT {
                kept.ring.pop_front();
            }
        }
        let newest = kept.newest;
        drop(kept);
        self.newest.send_replace(newest);
    }

    /// The number of the newest event, and a way to wait for the next.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// What came after the event `number`.
    pub fn after(&self, number: u64) -> After {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept
            .ring
            .front()
            .map_or(kept.newest + 1, |told| told.number);
        if number > kept.newest || number.saturating_add(1) < oldest {
            return After::Gone;
        }
        let later = kept.ring.iter().filter(|told| told.number > number);
        After::Events(later.cloned().collect())
    }

    /// How many events of each kind there were since the start.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.counts.clone()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Event;

    fn records(mac: u8, seqs: std::ops::RangeInclusive<u64>) -> Vec<(MacAddr, Record)> {
        let record = |seq| Record {
            seq,
            time: Timestamp::from_second(seq.try_into().unwrap()).unwrap(),
            event: Event::ReinstallRequested,
        };
        let mac = MacAddr([2, 0, 0, 0, 0, mac]);
        seqs.map(|seq| (mac, record(seq))).collect()
    }

    fn numbers(after: After) -> Vec<u64> {
        let After::Events(events) = after else {
            panic!("gone");
        };
        events.iter().map(|told| told.number).collect()
    }

    #[test]
    fn events_are_numbered_in_the_order_of_their_times() {
        let feed = Feed::new();
        assert_eq!(feed.after(0), After::Events(vec![]));
        feed.publish([records(1, 2..=3), records(2, 1..=2)].concat());
        let After::Events(events) = feed.after(0) else {
            panic!("gone");
        };
        let told: Vec<_> = events
            .iter()
            .map(|told| (told.number, told.mac.0[5], told.record.seq))
            .collect();
        assert_eq!(told, [(1, 2, 1), (2, 1, 2), (3, 2, 2), (4, 1, 3)]);
        assert_eq!(numbers(feed.after(3)), [4]);
        assert_eq!(*feed.newest().borrow(), 4);
        assert_eq!(feed.counts()["reinstall-requested"], 4);
    }

    #[test]
    fn who_was_away_for_too_long_is_told_so() {
        let feed = Feed::new();
        let many = KEPT as u64 + 10;
        feed.publish(records(1, 1..=many));
        assert_eq!(feed.after(9), After::Gone);
        assert_eq!(numbers(feed.after(10)).len(), KEPT);
        assert_eq!(feed.after(many + 1), After::Gone, "of another start");
        assert_eq!(feed.after(u64::MAX), After::Gone);
        assert_eq!(numbers(feed.after(many)), [0; 0]);
    }
}
