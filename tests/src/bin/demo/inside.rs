//! The part in private namespaces: runs the ways side by side, compares what came of them, and
//! prints the tables.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result, ensure};
use embed::report::Identity;
use tests::artifacts::Artifacts;
use tests::lan::isolate;
use tests::scratch::Scratch;
use tests::server::MachineView;
use tests::site;
use tests::vm::{Accel, Firmware};

use crate::narrate::{Narrator, failing};
use crate::{Options, Way, cloud, iso, network, tables};

const GIB: u64 = 1 << 30;

/// Size of each machine's disk.
pub(crate) const DISK: u64 = 4 * GIB;

/// What every way works with.
pub(crate) struct Stage {
    pub(crate) narrator: Narrator,
    pub(crate) artifacts: Artifacts,
    pub(crate) accel: Accel,
    pub(crate) scratch: Scratch,
    pub(crate) logs: PathBuf,
    /// The one config.
    pub(crate) config: PathBuf,
}

/// What came of a way.
pub(crate) struct Outcome {
    pub(crate) way: Way,
    pub(crate) firmware: Firmware,
    pub(crate) identity: Identity,
    /// The server's view, when there was a server.
    pub(crate) machine: Option<MachineView>,
    /// Seconds from power-on to provisioned.
    pub(crate) seconds: u64,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let logs = options
        .logs
        .clone()
        .context("the isolated process was started without a log directory")?;
    let artifacts = options
        .artifacts
        .as_deref()
        .context("the isolated process was started without artifacts")?;
    isolate::enter()?;
    let goodbye = logs.clone();
    isolate::end_on_signal(move || {
        crate::narrate::error(&anyhow::anyhow!(
            "interrupted; logs are in {}",
            goodbye.display()
        ));
    })?;
    let narrator = Narrator::new(&logs, options.elapsed)?;
    let artifacts = failing(Artifacts::open(artifacts), "reading the artifacts", &logs)?;
    let (accel, reason) = failing(
        Accel::probe(&artifacts.kernel(), &logs),
        "probing acceleration",
        &logs,
    )?;
    narrator.say(
        "demo",
        format_args!("machines run with {}: {reason}", accel.name()),
    );
    let scratch = Scratch::new(5 * GIB, 7 * GIB, &logs)?;
    narrator.say("demo", format_args!("disks are in {}", scratch.describe()));
    let stage = Arc::new(Stage {
        narrator,
        artifacts,
        accel,
        scratch,
        logs,
        config: site::config(),
    });
    let outcomes = travel(&stage, options.only)?;
    report(&stage, &outcomes)?;
    Ok(ExitCode::SUCCESS)
}

/// Goes the ways, at most two at once: the network one beside the two that need no network. The
/// first failure ends the demo; returning ends the process, and the namespace takes the rest.
fn travel(stage: &Arc<Stage>, only: Option<Way>) -> Result<Vec<Outcome>> {
    let lanes: Vec<Vec<Way>> = match only {
        Some(way) => vec![vec![way]],
        None => vec![vec![Way::Pxe], vec![Way::Cloud, Way::Iso]],
    };
    let total: usize = lanes.iter().map(Vec::len).sum();
    let (sender, receiver) = mpsc::channel();
    for lane in lanes {
        let (stage, sender) = (Arc::clone(stage), sender.clone());
        std::thread::spawn(move || {
            for way in lane {
                let result = match way {
                    Way::Pxe => network::run(&stage),
                    Way::Cloud => cloud::run(&stage),
                    Way::Iso => iso::run(&stage),
                };
                let result = failing(
                    result,
                    &format!("going the {} way", way.name()),
                    &stage.logs,
                );
                if sender.send(result).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut outcomes = receiver
        .iter()
        .take(total)
        .collect::<Result<Vec<Outcome>>>()?;
    ensure!(outcomes.len() == total, "a way ended without a result");
    outcomes.sort_by_key(|outcome| outcome.way);
    Ok(outcomes)
}

fn report(stage: &Stage, outcomes: &[Outcome]) -> Result<()> {
    for machine in outcomes
        .iter()
        .filter_map(|outcome| outcome.machine.as_ref())
    {
        tables::timeline(&stage.narrator, machine);
    }
    tables::identities(&stage.narrator, outcomes);
    let same = outcomes
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.identity == b.identity));
    failing(
        if same {
            Ok(())
        } else {
            Err(anyhow::anyhow!(
                "config-sha512 or result-sha256 differ, see the table"
            ))
        },
        "comparing the machines",
        &stage.logs,
    )?;
    let what = if outcomes.len() == Way::ALL.len() {
        "three ways, one machine: the same config gave the same result"
    } else {
        "provisioned (one way only, nothing compared)"
    };
    stage.narrator.say("demo", what);
    Ok(())
}
