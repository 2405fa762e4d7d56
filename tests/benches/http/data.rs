//! What is served: a small config, big files, and a site of many machines and groups.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tests::site::sample_media;

/// Files for the row of many.
pub(crate) const FILES: usize = 32;
const BIG: u64 = 1 << 30;
const MACHINES: usize = 10_000;
const GROUPS: usize = 1_000;
const SMALL: usize = 2 << 10;

/// The directory with all of it.
pub(crate) struct Data(PathBuf);

impl Data {
    pub(crate) fn make(scratch: &Path) -> Result<Self> {
        let data = Self(scratch.to_owned());
        for directory in [
            "book/assets",
            "book/groups",
            "book/profiles",
            "media",
            "ipxe",
            "site/profiles",
            "site/groups",
            "site/configs",
        ] {
            fs::create_dir_all(scratch.join(directory))?;
        }
        data.big_files().context("making the big files")?;
        data.media().context("making the media")?;
        data.site().context("making the site")?;
        fs::write(scratch.join("book/assets/small"), data.small()?)?;
        Ok(data)
    }

    /// The matchbox data directory, whose assets are all files.
    pub(crate) fn book(&self) -> PathBuf {
        self.0.join("book")
    }

    pub(crate) fn assets(&self) -> PathBuf {
        self.0.join("book/assets")
    }

    pub(crate) fn site_dir(&self) -> PathBuf {
        self.0.join("site")
    }

    /// A new state directory.
    pub(crate) fn state(&self) -> Result<PathBuf> {
        Ok(tempfile::tempdir_in(&self.0)?.keep())
    }

    /// The config that one machine gets.
    pub(crate) fn small(&self) -> Result<Vec<u8>> {
        let frame = r#"{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/etc/motd","contents":{"source":"data:,"}}]}}"#;
        let padding = "x".repeat(SMALL.saturating_sub(frame.len()));
        Ok(frame
            .replace("data:,", &format!("data:,{padding}"))
            .into_bytes())
    }

    pub(crate) fn small_path(&self) -> String {
        "/machines/52-54-00-00-00-01/ignition".to_owned()
    }

    /// Paths of the first `count` big files below the assets: one alone is the biggest.
    pub(crate) fn big_paths(&self, count: usize) -> Vec<String> {
        match count {
            1 => vec!["/big".to_owned()],
            _ => (0..count).map(|number| format!("/part-{number}")).collect(),
        }
    }

    /// Paths of all machines' configs, and what they shall be.
    pub(crate) fn machines(&self) -> (Vec<String>, Vec<Vec<u8>>) {
        let path = |machine| format!("/machines/{}/ignition", mac(machine, '-'));
        let config = |machine| {
            let name = format!("m-{}-g{}", mac(machine, '-'), machine % GROUPS);
            format!(
                r#"{{"ignition":{{"version":"3.4.0"}},"storage":{{"files":[{{"path":"/etc/hostname","mode":420,"contents":{{"source":"data:,{name}"}}}}]}}}}"#
            )
            .into_bytes()
        };
        (
            (0..MACHINES).map(path).collect(),
            (0..MACHINES).map(config).collect(),
        )
    }

    /// Each holds its own offsets, so that every piece can be told from every other.
    fn big_files(&self) -> Result<()> {
        let part = BIG / FILES as u64;
        let files = (0..FILES).map(|number| (format!("part-{number}"), part));
        for (name, size) in files.chain([("big".to_owned(), BIG)]) {
            let mut file =
                BufWriter::with_capacity(1 << 20, File::create(self.assets().join(name))?);
            for place in (0..size).step_by(8) {
                file.write_all(&place.to_le_bytes())?;
            }
            file.flush()?;
        }
        Ok(())
    }

    fn media(&self) -> Result<()> {
        sample_media(&self.0.join("media"))?;
        fs::write(self.0.join("ipxe/undionly.kpxe"), "x")?;
        fs::write(self.0.join("ipxe/snponly.efi"), "x")?;
        Ok(())
    }

    /// One machine with a config that is the same for everybody, and many of a template.
    fn site(&self) -> Result<()> {
        let write = |name: String, text: &str| fs::write(self.site_dir().join(name), text);
        write(
            "site.yaml".into(),
            "media: ../media\nipxe: {dir: ../ipxe}\n",
        )?;
        for (profile, config) in [("small", "small.ign"), ("each", "each.ign.j2")] {
            let text =
                format!("name: {profile}\ninstall: {{device: /dev/vda}}\nignition: {config}\n");
            write(format!("profiles/{profile}.yaml"), &text)?;
        }
        fs::write(self.site_dir().join("configs/small.ign"), self.small()?)?;
        let name = "m-{{ machine.mac | replace(':', '-') }}-{{ metadata.group }}";
        let template = format!(
            r#"{{"ignition":{{"version":"3.4.0"}},"storage":{{"files":[{{"path":"/etc/hostname","mode":420,"contents":{{"source":"data:,{name}"}}}}]}}}}"#
        );
        write("configs/each.ign.j2".into(), &template)?;
        let small = "profile: small\nselector: {mac: ['52:54:00:00:00:01']}\n";
        write("groups/small.yaml".into(), small)?;
        for group in 0..GROUPS {
            let mut macs = String::new();
            for machine in (group..MACHINES).step_by(GROUPS) {
                write!(macs, "'{}', ", mac(machine, ':'))?;
            }
            let text = format!(
                "profile: each\nselector: {{mac: [{macs}]}}\nmetadata: {{group: g{group}}}\n"
            );
            write(format!("groups/g{group}.yaml"), &text)?;
        }
        Ok(())
    }
}

fn mac(machine: usize, between: char) -> String {
    let [.., high, low] = u32::try_from(machine).unwrap_or_default().to_be_bytes();
    format!("02{between}00{between}00{between}00{between}{high:02x}{between}{low:02x}")
}
