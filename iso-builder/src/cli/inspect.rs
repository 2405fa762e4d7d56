//! `iso-builder inspect`: what an ISO is, as text for people or JSON for programs.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::output::{mebibytes, say};
use crate::inspect::{Boots, Inspection, Live, inspect};

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The ISO
    #[arg(value_name = "ISO")]
    iso: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl InspectArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let found =
            inspect(&self.iso).with_context(|| format!("cannot inspect {}", self.iso.display()))?;
        if self.json {
            return say(&format!("{}\n", serde_json::to_string_pretty(&found)?));
        }
        say(&text(&found))
    }
}

fn text(found: &Inspection) -> String {
    let mut out = format!(
        "label:   {}\nsize:    {:.1} MiB\nsha256:  {}\n",
        found.volume_id,
        mebibytes(found.size),
        found.sha256
    );
    out.push_str(&boots(&found.boots));
    out.push_str("parts:\n");
    for part in &found.parts {
        let machine = part.architecture.as_deref().unwrap_or_default();
        out.push_str(&format!(
            "  {:9} {:>9.1} MiB  {}  {} {machine}\n",
            part.role,
            mebibytes(part.size),
            part.sha256,
            part.path,
        ));
    }
    match &found.live {
        Some(live) => out.push_str(&describe(live)),
        None => out.push_str("live:    no\n"),
    }
    // A line that ends in nothing has no blank at its end.
    out.lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

fn boots(boots: &Boots) -> String {
    let mut out = "boots:\n".to_owned();
    for cd in &boots.el_torito {
        out.push_str(&format!(
            "  from CD, {:?}: {}{}\n",
            cd.entry.platform,
            cd.file.as_deref().unwrap_or("no file of the ISO"),
            if cd.entry.bootable {
                ""
            } else {
                " (not marked as bootable)"
            },
        ));
    }
    if boots.boot_code {
        out.push_str("  from disk, Bios: boot code in the first sector\n");
    }
    for partition in boots.gpt.iter().flatten().filter(|p| p.efi_system) {
        out.push_str(&format!(
            "  from disk, Uefi: partition {} `{}` of the GPT, at byte {}\n",
            partition.number, partition.name, partition.offset
        ));
    }
    for partition in boots.mbr.iter().filter(|p| p.kind == 0xef) {
        out.push_str(&format!(
            "  from disk, Uefi: entry of the MBR, at byte {}\n",
            partition.offset
        ));
    }
    for program in &boots.efi {
        let signed = if program.signed {
            "signed"
        } else {
            "not signed"
        };
        out.push_str(&format!(
            "  {} ({signed})  {}\n",
            program.path, program.sha256
        ));
    }
    let secure = if boots.secure_boot { "yes" } else { "no" };
    out.push_str(&format!("  Secure Boot finds a signed program: {secure}\n"));
    out
}

fn describe(live: &Live) -> String {
    let mut out = "live:\n".to_owned();
    if let Some(image) = &live.image {
        out.push_str(&format!(
            "  image:   {} {} for {}, {:.1} MiB, sectors of {} bytes\n           sha256 {}\n",
            image.name,
            image.version,
            image.architecture,
            mebibytes(image.size),
            image.sector_size,
            image.sha256
        ));
    }
    let yes = |on: bool| if on { "yes" } else { "no" };
    out.push_str(&format!(
        "  version: {}\n  rootfs is checked by the initramfs: {}\n",
        live.version.as_deref().unwrap_or("unknown"),
        yes(live.rootfs_chunk.is_some())
    ));
    out.push_str(&format!(
        "  features: installer configs {}, network keyfiles {}, console {}\n",
        yes(live.features.installer_config),
        yes(live.features.live_initrd_network),
        yes(live.features.installer_config_directives.console)
    ));
    if let Some(kargs) = &live.kargs {
        out.push_str(&format!("  kargs:   {kargs}\n"));
    }
    if let Some(default) = live
        .default_kargs
        .as_ref()
        .filter(|d| live.kargs.as_ref() != Some(d))
    {
        out.push_str(&format!("  kargs as published: {default}\n"));
    }
    out.push_str(&format!(
        "  minimal ISO inside: {}\n  embed area: {:.0} KiB, {}\n",
        yes(live.holds_minimal_iso),
        mebibytes(live.embed_area) * 1024.0,
        if live.embedded.is_empty() {
            "empty"
        } else {
            "with"
        }
    ));
    for file in &live.embedded {
        out.push_str(&format!("    {} ({} bytes)\n", file.path, file.size));
    }
    out
}
