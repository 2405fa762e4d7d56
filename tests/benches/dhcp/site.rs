//! A site for the storm: media that need not boot, one group for every machine, a config of the
//! usual size, and a subnet for some thousands.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tests::site::sample_media;

const SITE: &str = "media: media
ipxe: {dir: programs}
dhcp:
  mode: full
  subnets:
    - {network: 10.64.0.0/16, pools: [10.64.1.0-10.64.15.255], lease: 1h}
";

/// Writes it below `dir` and gives its path.
pub(super) fn write(dir: &Path) -> Result<PathBuf> {
    let site = dir.join("site");
    let put = |name: &str, bytes: &[u8]| -> Result<()> {
        let path = site.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&site))?;
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
    };
    sample_media(&site.join("media"))?;
    // The sizes of Debian's iPXE.
    put("programs/undionly.kpxe", &[1; 70_000])?;
    put("programs/snponly.efi", &[2; 170_000])?;
    put("site.yaml", SITE.as_bytes())?;
    put("groups/all.yaml", b"profile: worker\n")?;
    put(
        "profiles/worker.yaml",
        b"name: worker\ninstall: {device: /dev/vda}\nignition: worker.bu.j2\n",
    )?;
    let config = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/hostname\n      contents: {inline: '{{ machine.mac }}'}\n";
    put("configs/worker.bu.j2", config.as_bytes())?;
    Ok(site)
}
