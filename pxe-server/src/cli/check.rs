//! `pxe-server check`: what a server would refuse to start on, and what it would hand out.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::boot::{Endpoint, InstallScript, install_script};
use crate::machine::Ticket;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Site directory, with site.yaml
    #[arg(long, value_name = "DIR")]
    site: PathBuf,
    /// Print the scripts, too, as a server at 192.0.2.1 would render them
    #[arg(long)]
    scripts: bool,
}

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let site = Site::load(&args.site)?;
    let mut out = std::io::stdout().lock();
    for warning in &site.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let source = &site.manifest.source;
    writeln!(
        out,
        "media: {} {} {}",
        source.name, source.version, source.architecture
    )?;
    for mac in site.named_machines() {
        let assignment = site
            .assign(mac)
            .with_context(|| format!("assigning {mac}"))?;
        let (profile, config) = (assignment.profile, assignment.config);
        writeln!(
            out,
            "{mac}: group {}, profile {}, device {}, config {} (sha512 {})",
            assignment.group,
            profile.name,
            profile.install.device,
            profile.ignition,
            config.identity()
        )?;
        let endpoint = Endpoint {
            address: Ipv4Addr::new(192, 0, 2, 1),
            port: 8080,
        };
        let parts = InstallScript {
            mac,
            profile,
            manifest: &site.manifest,
            ticket: Ticket([0; 16]),
            endpoint,
        };
        let script =
            install_script(&parts).with_context(|| format!("rendering the script of {mac}"))?;
        if args.scripts {
            writeln!(out, "{script}")?;
        }
    }
    match site
        .groups
        .iter()
        .find(|(_, group)| group.selector.mac.is_none())
    {
        Some((name, group)) => writeln!(
            out,
            "all other machines: group {name}, profile {}",
            group.profile
        )?,
        None => writeln!(out, "all other machines: boot their disks")?,
    }
    Ok(())
}
