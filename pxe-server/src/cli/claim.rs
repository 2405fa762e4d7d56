//! `pxe-server claim`: gives a machine a profile by hand, whatever the groups say; leaves a request
//! that a running server carries out at once, and one that is started later before it answers.

use std::io::Write as _;

use anyhow::bail;
use clap::Args;

use crate::cli::Directories;
use crate::mac::MacAddr;
use crate::machine::{Wish, leave_request};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct ClaimArgs {
    /// The machine
    mac: MacAddr,
    /// The profile that it gets
    #[arg(long, value_name = "NAME", required_unless_present = "release")]
    profile: Option<String>,
    /// Take the claim back: groups decide again
    #[arg(long, conflicts_with = "profile")]
    release: bool,
    #[command(flatten)]
    directories: Directories,
}

pub(super) fn run(args: &ClaimArgs) -> anyhow::Result<()> {
    let site = Site::load(&args.directories.site)?;
    if let Some(profile) = &args.profile
        && !site.profiles.contains_key(profile)
    {
        let known: Vec<&str> = site.profiles.keys().map(String::as_str).collect();
        bail!(
            "there is no profile `{profile}`; there are {}",
            known.join(", ")
        );
    }
    let mac = args.mac;
    leave_request(
        &args.directories.state(),
        mac,
        &Wish::Claim(args.profile.clone()),
    )?;
    let mut out = std::io::stdout();
    match &args.profile {
        Some(profile) => writeln!(out, "{mac} gets profile {profile} the next time it asks")?,
        None => writeln!(out, "groups decide about {mac} again")?,
    }
    Ok(())
}
