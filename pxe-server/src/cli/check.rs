//! `pxe-server check`: what a server would refuse to start on, and what it would hand out.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use embed::digest::Sha512Digest;

use crate::boot::{HttpPorts, InstallScript, install_script};
use crate::mac::MacAddr;
use crate::machine::{Subject, Ticket};
use crate::matchbox::{Labels, Library, ignition, variables};
use crate::site::{Selector, Site, UnknownMachines};

/// The ports of a server as it is started by default, and where TLS is usually.
const EXAMPLE: HttpPorts = HttpPorts {
    plain: 8080,
    tls: Some(8443),
};

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
    for machine in site.named_machines() {
        show(&site, &machine, args.scripts, &mut out)?;
    }
    if let Some(library) = &site.matchbox {
        matchbox(library, &mut out)?;
    }
    let everybody = site.matchbox.as_ref();
    let everybody = everybody.and_then(|library| library.select(&Labels::new()));
    let rest = site
        .groups
        .iter()
        .find(|(_, group)| group.selector == Selector::default());
    let rest = match (rest, everybody, site.unknown_machines) {
        (Some((name, group)), ..) => format!("group {name}, profile {}", group.profile),
        (None, Some(group), _) => {
            format!("matchbox group {}, profile {}", group.id, group.profile)
        }
        (None, None, UnknownMachines::BootDisk) => "boot their disks".to_owned(),
        (None, None, UnknownMachines::Ignore) => "are not answered".to_owned(),
        (None, None, UnknownMachines::Hold) => "wait until they are claimed".to_owned(),
        (None, None, UnknownMachines::Discover) => {
            "report what they consist of, and wait until they are claimed".to_owned()
        }
    };
    writeln!(out, "all other machines: {rest}")?;
    Ok(())
}

/// Shows what the groups of matchbox data give to a machine that says no more than they ask.
fn matchbox(library: &Library, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "matchbox: {}", library.dir.display())?;
    for group in &library.groups {
        let Some(profile) = library.profiles.get(&group.profile) else {
            continue;
        };
        let config = match profile.ignition_id.as_str() {
            "" => "no config".to_owned(),
            name => match ignition(library, name, &variables(group, &group.selector, "")) {
                Ok(bytes) => format!("config {name} (sha512 {})", Sha512Digest::of(&bytes)),
                Err(error) => {
                    format!("config {name} (not made without what the machine says: {error})")
                }
            },
        };
        writeln!(
            out,
            "matchbox group {}: profile {}, boots {}, {config}",
            group.id, profile.id, profile.boot.kernel
        )?;
    }
    Ok(())
}

/// Shows what one machine gets.
fn show(site: &Site, machine: &Subject, scripts: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let name = name(machine);
    // A condition that excludes can take from a group what its others name.
    let Some(assignment) = site.assign(machine) else {
        writeln!(out, "{name}: no group")?;
        return Ok(());
    };
    let profile = assignment.profile;
    let sample = site.sample_config(&assignment, machine)?;
    let digest = sample.ready.sha512;
    let told = if sample.stand_ins {
        "made with stand-ins for what the machine has not told".to_owned()
    } else {
        format!("sha512 {digest}")
    };
    writeln!(
        out,
        "{name}: group {}, profile {}, device {}, config {} ({told})",
        assignment.group.unwrap_or_default(),
        profile.name,
        profile.install.device,
        profile.ignition
    )?;
    let parts = InstallScript {
        mac: machine.mac,
        profile,
        manifest: &site.manifest,
        config: site.delivery(profile).of(digest),
        ticket: Ticket([0; 16]),
        assets: &site.assets(),
        servers: &site.servers(EXAMPLE.at(Ipv4Addr::new(192, 0, 2, 1), site.first_stage.schemes)),
    };
    let script =
        install_script(&parts).with_context(|| format!("rendering the script of {name}"))?;
    if scripts {
        writeln!(out, "{script}")?;
    }
    Ok(())
}

/// How a machine that a group names is called: by its address, or by what it is named by.
fn name(machine: &Subject) -> String {
    let facts = &machine.facts;
    let names = [
        ("uuid", &facts.uuid),
        ("serial", &facts.serial),
        ("asset", &facts.asset),
    ];
    let named = names
        .into_iter()
        .find_map(|(what, name)| Some((what, name.as_ref()?)));
    match named {
        Some((what, name)) if machine.mac == MacAddr([2, 0, 0, 0, 0, 0]) => {
            format!("{what} {name}")
        }
        _ => machine.mac.to_string(),
    }
}
