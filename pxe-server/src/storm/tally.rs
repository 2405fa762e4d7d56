//! What came of a storm: who was lost, and how long each step took.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Lost, Step};

/// Lost machines that are named.
const NAMED: usize = 10;

/// What came of one machine.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) times: BTreeMap<Step, Duration>,
    pub(super) repeated: u32,
    pub(super) lost: Option<Lost>,
}

/// How long a step took, over all machines that did it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub machines: usize,
    /// Milliseconds that half of them needed at most.
    pub median_ms: f64,
    /// Milliseconds that 99 of 100 needed at most.
    pub p99_ms: f64,
    /// Milliseconds that the slowest needed.
    pub max_ms: f64,
}

/// What came of all machines.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// How many there were.
    pub machines: usize,
    /// How many did not come to the end.
    pub lost: usize,
    /// Seconds from the first packet to the last answer.
    pub seconds: f64,
    /// Packets that were sent again for want of an answer.
    pub repeated: u32,
    /// Each step.
    pub steps: BTreeMap<Step, Spread>,
    /// The first that were lost, and why.
    pub losses: Vec<Lost>,
}

impl Tally {
    pub(super) fn new(took: Duration, vanished: usize, outcomes: Vec<Outcome>) -> Self {
        let mut times: BTreeMap<Step, Vec<Duration>> = BTreeMap::new();
        for (step, time) in outcomes.iter().flat_map(|outcome| &outcome.times) {
            times.entry(*step).or_default().push(*time);
        }
        let lost: Vec<&Lost> = outcomes.iter().filter_map(|o| o.lost.as_ref()).collect();
        Self {
            machines: outcomes.len() + vanished,
            lost: lost.len() + vanished,
            seconds: took.as_secs_f64(),
            repeated: outcomes.iter().map(|outcome| outcome.repeated).sum(),
            steps: times
                .into_iter()
                .map(|(step, times)| (step, Spread::of(times)))
                .collect(),
            losses: lost.into_iter().take(NAMED).cloned().collect(),
        }
    }
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths: usize| {
            let last = times.len().saturating_sub(1);
            let time = times.get(last * hundredths / 100);
            time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        Self {
            machines: times.len(),
            median_ms: at(50),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} machines, {} lost, {:.1} s, {} packets sent again",
            self.machines, self.lost, self.seconds, self.repeated
        )?;
        writeln!(
            f,
            "{:<10} {:>8} {:>11} {:>11} {:>11}",
            "", "machines", "median", "99%", "slowest"
        )?;
        for (step, spread) in &self.steps {
            writeln!(
                f,
                "{:<10} {:>8} {:>8.1} ms {:>8.1} ms {:>8.1} ms",
                step.name(),
                spread.machines,
                spread.median_ms,
                spread.p99_ms,
                spread.max_ms
            )?;
        }
        for lost in &self.losses {
            writeln!(
                f,
                "lost: {} at {}: {}",
                lost.mac,
                lost.step.name(),
                lost.reason
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::MacAddr;

    #[test]
    fn the_lost_are_counted_and_named_and_times_are_spread() {
        let outcome = |ms: u64, lost: bool| Outcome {
            times: BTreeMap::from([(Step::Firmware, Duration::from_millis(ms))]),
            repeated: 1,
            lost: lost.then(|| Lost {
                mac: MacAddr([2, 0, 0, 0, 0, 1]),
                step: Step::Program,
                reason: "timed out".into(),
            }),
        };
        let mut outcomes: Vec<Outcome> = (1..=200).map(|ms| outcome(ms, false)).collect();
        outcomes.push(outcome(1000, true));
        let tally = Tally::new(Duration::from_secs(2), 1, outcomes);
        assert_eq!((tally.machines, tally.lost, tally.repeated), (202, 2, 201));
        let spread = tally.steps[&Step::Firmware];
        assert_eq!(
            (spread.median_ms, spread.p99_ms, spread.max_ms),
            (101.0, 199.0, 1000.0)
        );
        let text = tally.to_string();
        assert!(
            text.contains("lost: 02:00:00:00:00:01 at program: timed out"),
            "{text}"
        );
    }
}
