//! Two commands run in turn, A B A B …: medians of wall time and of CPU time, and their ratios.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// Medians of one comparison.
pub(crate) struct Row {
    ours: Cost,
    peer: Cost,
}

#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

/// Runs both commands `runs` times in turn, after one run of each that does not count; `check` judges
/// the disk after each run.
pub(crate) fn interleave(
    runs: usize,
    ours: impl Fn() -> Result<Command>,
    peer: impl Fn() -> Result<Command>,
    check: impl Fn() -> Result<()>,
) -> Result<Row> {
    let mut costs = (Vec::new(), Vec::new());
    for round in 0..=runs {
        let pair = (measure(ours()?)?, check()?, measure(peer()?)?, check()?);
        if round > 0 {
            costs.0.push(pair.0);
            costs.1.push(pair.2);
        }
    }
    Ok(Row {
        ours: medians(&costs.0),
        peer: medians(&costs.1),
    })
}

fn measure(mut command: Command) -> Result<Cost> {
    let before = children_cpu()?;
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output()?;
    let wall = start.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(Cost {
        wall,
        cpu: (children_cpu()? - before).as_secs_f64(),
    })
}

fn children_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(
            u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or_default(),
        )
    };
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn medians(costs: &[Cost]) -> Cost {
    Cost {
        wall: median(costs, |cost| cost.wall),
        cpu: median(costs, |cost| cost.cpu),
    }
}

fn median(costs: &[Cost], figure: impl Fn(&Cost) -> f64) -> f64 {
    let mut figures: Vec<f64> = costs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |a: f64, b: f64| format!("{a:>9.2}s {b:>9.2}s {:>7.2}", a / b);
        write!(
            f,
            "{} {}",
            part(self.ours.wall, self.peer.wall),
            part(self.ours.cpu, self.peer.cpu)
        )
    }
}
