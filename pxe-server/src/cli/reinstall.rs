//! `pxe-server reinstall`: leaves a request that a running server carries out at once, and one
//! that is started later before it answers anybody.

use std::io::Write as _;

use anyhow::bail;
use clap::Args;

use crate::cli::Directories;
use crate::mac::MacAddr;
use crate::machine::{Subject, Wish, leave_request};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct ReinstallArgs {
    /// The machine
    mac: MacAddr,
    #[command(flatten)]
    directories: Directories,
}

pub(super) fn run(args: &ReinstallArgs) -> anyhow::Result<()> {
    let site = Site::load(&args.directories.site)?;
    let mac = args.mac;
    let named = site
        .named_machines()
        .into_iter()
        .find(|machine| machine.mac == mac);
    let subject = named.unwrap_or_else(|| Subject::new(mac));
    let Some(assignment) = site.assign(&subject) else {
        bail!("no group of this site matches {mac}; it would not be installed");
    };
    leave_request(&args.directories.state(), mac, &Wish::Reinstall)?;
    let device = &assignment.profile.install.device;
    writeln!(
        std::io::stdout(),
        "{mac} will be installed on {device} the next time it boots from the network"
    )?;
    Ok(())
}
