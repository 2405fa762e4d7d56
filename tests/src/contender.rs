//! Benchmarks' commands, run in turn, A B C A B C …: medians of wall time, of CPU time, and of the most
//! memory. What they are measured for, and the tables, are the benchmarks'.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

/// How often the memory of a running program is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Makes the command of one run.
pub type Make = Box<dyn Fn() -> Command>;

/// What one run took, or the median of several.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    wall: f64,
    cpu: f64,
    /// Peak resident memory of the program itself, without its children, MiB.
    memory: f64,
}

/// Runs all `runs` times in turn, after one run of each that does not count; `check` judges what each
/// run left, unless the contender's name ends with `alone`: such a run writes nothing.
pub fn interleave(
    runs: usize,
    contenders: &[(&'static str, Make)],
    check: impl Fn() -> Result<()>,
) -> Result<Vec<Cost>> {
    let mut costs = vec![Vec::new(); contenders.len()];
    for round in 0..=runs {
        for ((name, make), costs) in contenders.iter().zip(&mut costs) {
            let cost = measure(make())?;
            // Decoding alone writes nothing, and leaves what was there.
            if !name.ends_with("alone") {
                check()?;
            }
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    Ok(costs.iter().map(|costs| medians(costs)).collect())
}

fn measure(mut command: Command) -> Result<Cost> {
    let before = children_cpu()?;
    let mut log = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let mut child = command.stderr(log.try_clone()?).spawn()?;
    let (status, memory) = watch(&mut child)?;
    let wall = start.elapsed().as_secs_f64();
    let mut text = String::new();
    std::io::Seek::rewind(&mut log)?;
    std::io::Read::read_to_string(&mut log, &mut text)?;
    ensure!(status.success(), "{command:?}: {}", text.trim());
    Ok(Cost {
        wall,
        cpu: (children_cpu()? - before).as_secs_f64(),
        memory,
    })
}

/// Waits for the end; the status and the peak of resident memory, MiB.
fn watch(child: &mut Child) -> Result<(std::process::ExitStatus, f64)> {
    let path = format!("/proc/{}/status", child.id());
    let mut kib = 0.0f64;
    loop {
        // The peak so far: the last look misses what is allocated in the last moment only.
        let status = fs::read_to_string(&path).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        if let Some(peak) = peak.and_then(|p| p.trim().strip_suffix("kB")?.trim().parse().ok()) {
            kib = kib.max(peak);
        }
        if let Some(status) = child.try_wait()? {
            return Ok((status, kib / 1024.0));
        }
        std::thread::sleep(POLL);
    }
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
        memory: median(costs, |cost| cost.memory),
    }
}

/// The median of a figure of several runs; 0 if there were none.
pub fn median<T>(runs: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl Cost {
    /// Names of the columns of [`Cost::beside`].
    pub const COLUMNS: &str = "   wall  theirs  ratio     cpu  theirs  ratio   MiB theirs";

    /// Both and their ratios, as the columns of a table: seconds, seconds, MiB.
    pub fn beside(&self, theirs: &Self) -> String {
        let part = |a: f64, b: f64| format!("{a:>6.2}s {b:>6.2}s {:>6.2}", a / b);
        format!(
            "{} {} {:>5.0} {:>5.0}",
            part(self.wall, theirs.wall),
            part(self.cpu, theirs.cpu),
            self.memory,
            theirs.memory
        )
    }
}
