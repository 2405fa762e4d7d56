//! What a running case works with: artifacts, a scratch directory, machines, a lab.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tests::artifacts::{Artifacts, Flavour};
use tests::lab::{Lab, Network};
use tests::pair::Pair;
use tests::scratch::Scratch;
use tests::site;
use tests::vm::{Accel, Boot, Firmware, Machine, disk};

use crate::case;

const GIB: u64 = 1 << 30;

/// A case's workbench.
pub(crate) struct Bench {
    /// OS and media.
    pub(crate) artifacts: Artifacts,
    /// For logs; stays.
    pub(crate) logs: PathBuf,
    accel: Accel,
    scratch: Scratch,
    name: &'static str,
    start: Instant,
}

impl Bench {
    /// The bench of the case `name`.
    pub(crate) fn new(name: &'static str) -> Result<Self> {
        let logs = case::empty(&case::directory().join(name))?;
        let artifacts = Artifacts::open(&case::artifacts_of(Flavour::Own))?;
        let (accel, _) = Accel::probe(&artifacts.kernel(), &logs)?;
        let scratch = Scratch::new(3 * GIB, 3 * GIB, &logs)?;
        Ok(Self {
            artifacts,
            logs,
            accel,
            scratch,
            name,
            start: Instant::now(),
        })
    }

    /// Runs the case and says how it ended.
    pub(crate) fn run(&self, run: fn(&Self) -> Result<()>) -> Result<()> {
        let result =
            run(self).with_context(|| format!("failed; logs are in {}", self.logs.display()));
        self.say(if result.is_ok() { "done" } else { "failed" });
        result
    }

    /// Says what the case is doing, for a reader of the live log.
    pub(crate) fn say(&self, what: &str) {
        case::note(format_args!(
            "[{:4} s] {}: {what}",
            self.start.elapsed().as_secs(),
            self.name
        ));
    }

    /// A path in the scratch directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// An empty disk of 4 GiB.
    pub(crate) fn empty_disk(&self) -> Result<PathBuf> {
        let path = self.path("disk.raw");
        disk::empty(&path, 4 * GIB)?;
        Ok(path)
    }

    /// A machine that `firmware` starts.
    pub(crate) fn machine(&self, name: &str, firmware: Firmware) -> Machine {
        self.machine_booting(name, Boot::Firmware(firmware))
    }

    /// A machine.
    pub(crate) fn machine_booting(&self, name: &str, boot: Boot) -> Machine {
        Machine::new(name, &self.logs, self.accel, boot)
    }

    /// How long to wait for what takes `seconds` on real hardware.
    pub(crate) fn patience(&self, seconds: u64) -> Duration {
        self.accel.patience(seconds)
    }

    /// A lab that serves the demo's site with the media in `media`, after `edit` of the site.
    pub(crate) fn lab(&self, media: &Path, edit: impl FnOnce(&Path) -> Result<()>) -> Result<Lab> {
        self.lab_on(Network::Beside, media, edit)
    }

    /// The same on another network.
    pub(crate) fn lab_on(
        &self,
        network: Network,
        media: &Path,
        edit: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Lab> {
        let room = self.path("server");
        let site = self.site(&room, media, edit)?;
        Lab::open(network, &site, &room.join("state"), &self.logs)
    }

    /// The same media and site, served by two servers.
    pub(crate) fn pair(&self, edit: impl FnOnce(&Path) -> Result<()>) -> Result<Pair> {
        let room = self.path("server");
        let site = self.site(&room, self.artifacts.media(), edit)?;
        Pair::open(&site, &room, &self.logs)
    }

    fn site(
        &self,
        room: &Path,
        media: &Path,
        edit: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        std::fs::create_dir_all(room)?;
        let site = site::prepare(room, media)?;
        edit(&site)?;
        Ok(site)
    }
}
