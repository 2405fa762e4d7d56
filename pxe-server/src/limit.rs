//! How often machines may ask: a token bucket for each machine and one for each address, as the
//! generic cell rate algorithm keeps them, a time apiece. Generous: a rack behind one address is
//! served, one machine that asks in a tight loop is not.
//!
//! Memory is bounded. Keys beyond that share one bucket until those of others have filled up again.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::mac::MacAddr;

/// Seconds' worth of requests that may come at once.
const BURST: u32 = 10;
/// How many machines an address may speak for.
const MACHINES_OF_ADDRESS: u32 = 100;
/// Buckets of a kind that are kept.
const KEYS: usize = 65_536;
/// How often full buckets are looked for when there are too many.
const SWEEP: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A DHCP answer.
    Dhcp,
    /// A file over TFTP.
    Tftp,
    /// A script over HTTP.
    Script,
    /// A config.
    Config,
    /// That a report be taken.
    Report,
}

impl Asked {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Dhcp,
        Self::Tftp,
        Self::Script,
        Self::Config,
        Self::Report,
    ];

    /// Its name in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "dhcp",
            Self::Tftp => "tftp",
            Self::Script => "script",
            Self::Config => "config",
            Self::Report => "report",
        }
    }
}

/// Decides who asks too often.
#[derive(Debug)]
pub struct Limiter {
    start: Instant,
    keyed: Option<Keyed>,
    refused: [AtomicU64; Asked::ALL.len()],
}

#[derive(Debug)]
struct Keyed {
    machines: Mutex<Buckets<MacAddr>>,
    addresses: Mutex<Buckets<Ipv4Addr>>,
}

impl Limiter {
    /// Lets each machine ask `rate` times a second; 0 lets everybody ask as often as they like.
    pub fn new(rate: u32) -> Self {
        let keyed = NonZeroU32::new(rate).map(|rate| {
            let shared = rate.saturating_mul(MACHINES_OF_ADDRESS.try_into().unwrap_or(rate));
            Keyed {
                machines: Mutex::new(Buckets::new(rate, shared)),
                addresses: Mutex::new(Buckets::new(shared, shared)),
            }
        });
        Self {
            start: Instant::now(),
            keyed,
            refused: Default::default(),
        }
    }

    /// Counts a request of `machine` and of `address`, as far as they are known, or gives the time
    /// after which it is not one too many.
    pub fn ask(
        &self,
        asked: Asked,
        machine: Option<MacAddr>,
        address: Option<Ipv4Addr>,
    ) -> Result<(), Duration> {
        let now = self.start.elapsed();
        let Some(keyed) = &self.keyed else {
            return Ok(());
        };
        let machine = take(&keyed.machines, machine, now);
        let admitted = machine.and_then(|()| take(&keyed.addresses, address, now));
        if admitted.is_err()
            && let Some(count) = self.refused.get(asked as usize)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// How many requests were refused since the start.
    pub fn refused(&self, asked: Asked) -> u64 {
        let count = self.refused.get(asked as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

fn take<K: Copy + Eq + Hash>(
    buckets: &Mutex<Buckets<K>>,
    key: Option<K>,
    now: Duration,
) -> Result<(), Duration> {
    let Some(key) = key else {
        return Ok(());
    };
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.take(key, now)
}

/// The buckets of one kind of key.
#[derive(Debug)]
struct Buckets<K> {
    /// What each has taken in advance: the time at which it is full again.
    full_at: HashMap<K, Duration>,
    each: Rate,
    /// The one bucket of those that have none of their own.
    rest: (Rate, Duration),
    swept: Duration,
}

/// How fast a bucket fills, and how much is in it.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Time for one request.
    interval: Duration,
    /// Time for all that the bucket holds.
    burst: Duration,
}

impl Rate {
    fn new(per_second: NonZeroU32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.get(),
            burst: Duration::from_secs(1) * BURST,
        }
    }

    /// Takes one out of the bucket that is full at `full_at`, or says how long it is too early.
    fn take(self, full_at: &mut Duration, now: Duration) -> Result<(), Duration> {
        let next = now.max(*full_at) + self.interval;
        match next.checked_sub(now + self.burst) {
            Some(early) if !early.is_zero() => Err(early),
            _ => {
                *full_at = next;
                Ok(())
            }
        }
    }
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    fn new(each: NonZeroU32, rest: NonZeroU32) -> Self {
        Self {
            full_at: HashMap::new(),
            each: Rate::new(each),
            rest: (Rate::new(rest), Duration::ZERO),
            swept: Duration::ZERO,
        }
    }

    fn take(&mut self, key: K, now: Duration) -> Result<(), Duration> {
        if self.full_at.len() >= KEYS && now >= self.swept + SWEEP {
            self.swept = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() >= KEYS && !self.full_at.contains_key(&key) {
            let (rate, full_at) = &mut self.rest;
            return rate.take(full_at, now);
        }
        let full_at = self.full_at.entry(key).or_default();
        self.each.take(full_at, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buckets(rate: u32) -> Buckets<u32> {
        let rate = NonZeroU32::new(rate).unwrap();
        Buckets::new(rate, rate)
    }

    #[test]
    fn a_burst_is_let_through_and_then_so_many_a_second() {
        let mut buckets = buckets(20);
        let now = Duration::from_secs(100);
        let burst = (0..1000).filter(|_| buckets.take(1, now).is_ok()).count();
        assert_eq!(burst, 200);
        let wait = buckets.take(1, now).unwrap_err();
        assert_eq!(wait, SECOND / 20);
        assert!(buckets.take(2, now).is_ok(), "another's is full");
        assert!(buckets.take(1, now + wait).is_ok(), "as was said");
        let later = now + 3 * SECOND;
        let more = (0..1000).filter(|_| buckets.take(1, later).is_ok()).count();
        assert_eq!(more, 59);
        let later = now + 1000 * SECOND;
        let burst = (0..1000).filter(|_| buckets.take(1, later).is_ok()).count();
        assert_eq!(burst, 200, "no more than a bucket holds");
    }

    #[test]
    fn memory_is_bounded_and_strangers_share_what_is_left() {
        let mut buckets = buckets(1);
        let now = Duration::from_secs(100);
        let keys = u32::try_from(KEYS).unwrap();
        for key in 0..keys {
            buckets.take(key, now).unwrap();
        }
        let strangers = (keys..2 * keys).filter(|key| buckets.take(*key, now).is_ok());
        assert_eq!(strangers.count(), 10, "out of one bucket");
        assert!(
            buckets.take(0, now).is_ok(),
            "who was there first is served"
        );
        assert_eq!(buckets.full_at.len(), KEYS);
        let later = now + 60 * SECOND;
        buckets.take(keys, later).unwrap();
        assert_eq!(buckets.full_at.len(), 1, "full buckets need not be kept");
    }

    #[test]
    fn an_address_speaks_for_a_hundred_machines_and_refusals_are_counted() {
        let limiter = Limiter::new(1);
        let mac = |number: u16| {
            let [high, low] = number.to_be_bytes();
            Some(MacAddr([2, 0, 0, 0, high, low]))
        };
        let relay = Some(Ipv4Addr::new(10, 1, 0, 1));
        let ask = |number| limiter.ask(Asked::Config, mac(number), relay);
        assert!((0..1000).all(|number| ask(number).is_ok()));
        assert_eq!(limiter.refused(Asked::Config), 0);
        assert!((0..1000).any(|_| ask(0).is_err()));
        assert!(limiter.refused(Asked::Config) > 0);
        assert_eq!(limiter.refused(Asked::Script), 0);
        let open = Limiter::new(0);
        assert!((0..10_000).all(|_| open.ask(Asked::Dhcp, mac(1), relay).is_ok()));
    }
}
