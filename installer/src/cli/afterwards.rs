//! What `install` does beside the image: a boot entry of the firmware, and file systems labelled
//! `boot` that earlier installs left on other disks. What can be refused is refused, and what is
//! found is said, before the target is touched; the rest is done after the install succeeded.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::disk::{StaleBoot, disks, stale_boots};
use crate::firmware::Firmware;
use crate::plan::Plan;
use crate::ui;

/// What is to be done after the install.
pub(super) struct Afterwards {
    firmware: Option<Firmware>,
    stale: Vec<StaleBoot>,
    wipe: bool,
}

impl Afterwards {
    /// Looks at the firmware if it is needed, and for stale file systems.
    pub(super) fn prepare(plan: &Plan, target: &Path) -> Result<Self> {
        let firmware = match plan.boot_entry {
            true => Some(Firmware::of_this_machine()?),
            false => None,
        };
        // Loop devices are nothing that firmware boots from; paths are seen as their disk.
        let others: Vec<PathBuf> = disks()
            .context("listing the disks")?
            .into_iter()
            .filter(|disk| disk.transport != Some("loop") && disk.path_of.is_none())
            .map(|disk| disk.path)
            .collect();
        let stale = stale_boots(&others, target);
        let wipe = plan.wipe_stale_boot;
        for one in &stale {
            ui::warn(&warning(one, wipe));
        }
        Ok(Self {
            firmware,
            stale,
            wipe,
        })
    }

    /// The lines of a plan.
    pub(super) fn describe(&self) -> String {
        let wiped = self.stale.iter().filter(|_| self.wipe);
        let mut lines: Vec<String> = wiped
            .map(|stale| format!("wiped     the `boot` file system on {}\n", places(stale)))
            .collect();
        lines.extend(
            self.firmware
                .iter()
                .map(|_| "firmware  a boot entry, placed first\n".to_owned()),
        );
        lines.concat()
    }

    /// Does it, each thing whether or not the other fails. The system is on `target` and boots in
    /// any case.
    pub(super) fn run(&self, target: &Path) -> Result<()> {
        let installed = format!("the install to {} is complete", target.display());
        let wiped = self
            .wipe()
            .with_context(|| format!("{installed}, but a stale file system is left"));
        let placed = self
            .place_first(target)
            .with_context(|| format!("{installed}, but it has no boot entry"));
        wiped.and(placed)
    }

    fn wipe(&self) -> Result<()> {
        for stale in self.stale.iter().filter(|_| self.wipe) {
            stale.wipe()?;
            ui::tell(&format!(
                "wiped the `boot` file system on {}",
                places(stale)
            ));
        }
        Ok(())
    }

    fn place_first(&self, target: &Path) -> Result<()> {
        if let Some(firmware) = &self.firmware {
            let entry = firmware.boot_first(target)?;
            ui::tell(&format!(
                "the firmware starts `{}` first (Boot{:04X}, {})",
                entry.name, entry.number, entry.file
            ));
        }
        Ok(())
    }
}

fn places(stale: &StaleBoot) -> String {
    let places: Vec<String> = stale.places.iter().map(ToString::to_string).collect();
    places.join(" and ")
}

fn warning(stale: &StaleBoot, wipe: bool) -> String {
    let remedy = match wipe {
        true => "it will be wiped after the install",
        false => {
            "take that disk out, give the file system another label, or let \
             `--wipe-stale-boot` wipe it after the install"
        }
    };
    format!(
        "a file system labelled `boot` is on {} as well (UUID {}) and may be booted or mounted in \
         place of the new one; {remedy}",
        places(stale),
        stale.uuid
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::disk::StalePlace;

    #[test]
    fn a_stale_file_system_is_named_with_what_to_do_about_it() {
        let stale = StaleBoot {
            uuid: Uuid::from_u128(1),
            places: vec![
                StalePlace::new("/dev/sdb", Some(3), 0),
                StalePlace::new("/dev/sdc", None, 0),
            ],
        };
        let start = "a file system labelled `boot` is on partition 3 of /dev/sdb and /dev/sdc as \
             well (UUID 00000000-0000-0000-0000-000000000001) and may be booted or mounted in \
             place of the new one; ";
        let mut afterwards = Afterwards {
            firmware: None,
            stale: vec![stale.clone()],
            wipe: false,
        };
        assert_eq!(afterwards.describe(), "");
        afterwards.wipe = true;
        assert_eq!(
            afterwards.describe(),
            "wiped     the `boot` file system on partition 3 of /dev/sdb and /dev/sdc\n"
        );
        assert_eq!(
            warning(&stale, true),
            format!("{start}it will be wiped after the install")
        );
        assert_eq!(
            warning(&stale, false),
            format!(
                "{start}take that disk out, give the file system another label, or let \
                 `--wipe-stale-boot` wipe it after the install"
            )
        );
    }
}
