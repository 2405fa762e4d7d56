//! What `iso customize` and `pxe customize` embed: a live Ignition config that carries installer
//! settings, hooks around the install, and the config for the installed system.
//!
//! Spec 3.3.0, files gzipped in data URLs, as upstream writes them. Only builds the config; where it
//! is stored is the caller's business.

use std::io::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

use crate::contract::run::INSTALLER_D;
use crate::ignition::Config;

/// Where the live system keeps the config for the installed one.
pub const DEST_CONFIG: &str = "/etc/coreos/dest.ign";
/// Where the live system keeps the certificates that its installer trusts.
const CA_DIR: &str = "/etc/coreos/ignition-ca";
/// Where hooks are put.
const HOOK_DIR: &str = "/usr/local/bin";
const SPEC: &str = "3.3.0";

/// Why a customization cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CustomizeError {
    /// Two files in one place.
    #[error("config already specifies path {0}")]
    Duplicate(String),
    /// A hook whose name cannot be part of a unit's name.
    #[error("`{0}` cannot be part of a systemd unit's name")]
    HookName(String),
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the install; if the hook fails, nothing is installed.
    Before,
    /// After the install and before the reboot.
    After,
}

/// A program that the live system runs around the install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub when: When,
    /// Name of its file.
    pub name: String,
    /// The program.
    pub content: Vec<u8>,
}

/// A config file of the installer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallerConfig {
    /// Name of its file, without the number that orders them.
    pub name: String,
    /// YAML, stored as it is.
    pub content: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Customization {
    /// Configs for the live system, merged in order.
    pub live: Vec<Config>,
    /// Configs for the installed system; one alone is stored as it is.
    pub dest: Vec<Config>,
    /// Device that is installed to, without asking.
    pub dest_device: Option<String>,
    /// Consoles of the installed system.
    pub dest_consoles: Vec<String>,
    /// Arguments for the installed system.
    pub dest_kargs_append: Vec<String>,
    /// Arguments to take away from the installed system.
    pub dest_kargs_delete: Vec<String>,
    /// Whether there are keyfiles, which the installed system then gets too.
    pub network: bool,
    /// Bundles of certificates that Ignition trusts when it fetches, in PEM.
    pub authorities: Vec<Vec<u8>>,
    /// Whether the live system's installer can be told to trust them too.
    pub installer_trusts: bool,
    /// Programs around the install.
    pub hooks: Vec<Hook>,
    /// Config files of the installer, in order.
    pub installer_configs: Vec<InstallerConfig>,
}

impl Customization {
    /// Whether the medium will install without being asked.
    pub fn installs(&self) -> bool {
        !self.installer_configs.is_empty() || !self.asked_settings().is_empty()
    }

    /// The live config, or `None` where nothing needs one (an empty config would turn the live
    /// system's automatic login off).
    pub fn live_config(&self) -> Result<Option<String>, CustomizeError> {
        let mut parts = Parts::default();
        for hook in &self.hooks {
            parts.hook(hook)?;
        }
        if let Some(dest) = self.dest_config() {
            parts.file(DEST_CONFIG.into(), 0o600, &dest)?;
        }
        for (path, pem) in self.installer_authorities() {
            parts.file(path, 0o644, pem)?;
        }
        let settings = self.settings().map(|settings| InstallerConfig {
            name: "customize.yaml".into(),
            content: settings.into_bytes(),
        });
        let configs = self.installer_configs.iter().chain(&settings);
        for (serial, config) in configs.enumerate() {
            let path = format!("{INSTALLER_D}/{serial:04}-{}", config.name);
            parts.file(path, 0o600, &config.content)?;
        }
        let mut config = merging(&self.live, &self.authorities);
        if self.live.is_empty() && self.authorities.is_empty() && parts.files.is_empty() {
            return Ok(None);
        }
        for (key, value) in parts.into_sections() {
            config.insert(key.into(), value);
        }
        Ok(Some(text(config)))
    }

    /// The config of the installed system.
    fn dest_config(&self) -> Option<Vec<u8>> {
        match (self.dest.as_slice(), self.authorities.as_slice()) {
            ([], _) => None,
            ([only], []) => Some(only.bytes().to_vec()),
            (configs, authorities) => Some(text(merging(configs, authorities)).into_bytes()),
        }
    }

    /// What was asked for by name: settings that start an install.
    fn asked_settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        if let Some(device) = &self.dest_device {
            settings.insert("dest-device".into(), json!(device));
        }
        if !self.dest.is_empty() {
            settings.insert("ignition-file".into(), json!(DEST_CONFIG));
        }
        for (key, words) in [
            ("console", &self.dest_consoles),
            ("append-karg", &self.dest_kargs_append),
            ("delete-karg", &self.dest_kargs_delete),
        ] {
            if !words.is_empty() {
                settings.insert(key.into(), json!(words));
            }
        }
        settings
    }

    /// The certificates for the installer's own fetches, and where they are put. There are none
    /// without an install: its settings would start one.
    fn installer_authorities(&self) -> impl Iterator<Item = (String, &[u8])> {
        let wanted = self.installer_trusts && self.installs();
        let authorities = self.authorities.iter().filter(move |_| wanted);
        let placed = |(serial, pem)| (format!("{CA_DIR}/{serial:04}.pem"), Vec::as_slice(pem));
        authorities.enumerate().map(placed)
    }

    /// The installer's own settings in its config file form (YAML, of which JSON is a part).
    fn settings(&self) -> Option<String> {
        let mut settings = self.asked_settings();
        if self.network && self.installs() {
            settings.insert("copy-network".into(), json!(true));
        }
        let authorities = self.installer_authorities().map(|(path, _)| json!(path));
        let authorities: Vec<Value> = authorities.collect();
        if !authorities.is_empty() {
            settings.insert("ca-cert".into(), json!(authorities));
        }
        (!settings.is_empty()).then(|| format!("{:#}\n", Value::Object(settings)))
    }
}

/// The files and units of a live config.
#[derive(Default)]
struct Parts {
    files: Vec<Value>,
    units: Vec<Value>,
    paths: Vec<String>,
}

impl Parts {
    fn file(&mut self, path: String, mode: u32, content: &[u8]) -> Result<(), CustomizeError> {
        if self.paths.contains(&path) {
            return Err(CustomizeError::Duplicate(path));
        }
        let file = json!({"path": path, "mode": mode, "contents": resource(content)});
        self.files.push(file);
        self.paths.push(path);
        Ok(())
    }

    fn hook(&mut self, hook: &Hook) -> Result<(), CustomizeError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.@".contains(c);
        if hook.name.is_empty() || !hook.name.chars().all(allowed) {
            return Err(CustomizeError::HookName(hook.name.clone()));
        }
        let name = format!("{}-install-{}", hook.when.word(), hook.name);
        self.file(format!("{HOOK_DIR}/{name}"), 0o700, &hook.content)?;
        let unit = json!({
            "name": format!("{name}.service"),
            "enabled": true,
            "contents": unit(hook.when, &name),
        });
        self.units.push(unit);
        Ok(())
    }

    /// Sections of the config, without those that would be empty.
    fn into_sections(self) -> impl Iterator<Item = (&'static str, Value)> {
        let files = ("storage", "files", self.files);
        let units = ("systemd", "units", self.units);
        [files, units]
            .into_iter()
            .filter(|(_, _, list)| !list.is_empty())
            .map(|(section, key, list)| (section, json!({key: list})))
    }
}

impl When {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "pre",
            Self::After => "post",
        }
    }

    /// What a hook's unit comes after, before, and is required by.
    fn order(self) -> [&'static str; 3] {
        let installer = "coreos-installer.service";
        let target = "coreos-installer.target";
        match self {
            Self::Before => ["coreos-installer-pre.target", installer, installer],
            Self::After => [installer, target, target],
        }
    }
}

/// The unit that runs the hook `name`.
fn unit(when: When, name: &str) -> String {
    let [after, before, required_by] = when.order();
    format!(
        "[Unit]\nDescription=Run {name} around the install\nAfter={after}\nBefore={before}\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=true\nExecStart={HOOK_DIR}/{name}\n\
         StandardOutput=kmsg+console\nStandardError=kmsg+console\n\n\
         [Install]\nRequiredBy={required_by}\n"
    )
}

/// A config that merges others and trusts `authorities`.
fn merging(configs: &[Config], authorities: &[Vec<u8>]) -> Map<String, Value> {
    let mut ignition = Map::new();
    ignition.insert("version".into(), json!(SPEC));
    if !configs.is_empty() {
        let merge: Vec<Value> = configs.iter().map(|c| resource(c.bytes())).collect();
        ignition.insert("config".into(), json!({"merge": merge}));
    }
    if !authorities.is_empty() {
        let list: Vec<Value> = authorities.iter().map(|pem| resource(pem)).collect();
        let security = json!({"tls": {"certificateAuthorities": list}});
        ignition.insert("security".into(), security);
    }
    Map::from_iter([("ignition".into(), Value::Object(ignition))])
}

fn text(config: Map<String, Value>) -> String {
    format!("{}\n", Value::Object(config))
}

fn resource(content: &[u8]) -> Value {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    // A Vec never fails to take bytes, so both results are always Ok.
    let packed = encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .unwrap_or_default();
    let source = format!("data:;base64,{}", BASE64_STANDARD.encode(packed));
    json!({"source": source, "compression": "gzip"})
}

#[cfg(test)]
mod tests;
