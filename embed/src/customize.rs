//! What `iso customize` and `pxe customize` embed: a live Ignition config that carries installer
//! settings and the config for the installed system.
//!
//! Spec 3.3.0, files gzipped in data URLs, as upstream writes them. Only builds the config; where it
//! is stored is the caller's business.

use std::io::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::contract::run::INSTALLER_D;
use crate::ignition::Config;

/// Where the live system keeps the config for the installed one.
pub const DEST_CONFIG: &str = "/etc/coreos/dest.ign";

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Customization {
    /// Configs for the live system, merged in order.
    pub live: Vec<Config>,
    /// Config for the installed system, stored as it is.
    pub dest: Option<Config>,
    /// Device that is installed to, without asking.
    pub dest_device: Option<String>,
    /// Arguments for the installed system.
    pub dest_kargs_append: Vec<String>,
    /// Arguments to take away from the installed system.
    pub dest_kargs_delete: Vec<String>,
}

impl Customization {
    /// The live config, or `None` where nothing needs one (an empty config would turn the live
    /// system's automatic login off).
    pub fn live_config(&self) -> Option<String> {
        let settings = self.installer_settings();
        if self.live.is_empty() && settings.is_none() && self.dest.is_none() {
            return None;
        }
        let mut files = Vec::new();
        if let Some(dest) = &self.dest {
            files.push(file(DEST_CONFIG, dest.bytes()));
        }
        if let Some(settings) = settings {
            files.push(file(
                &format!("{INSTALLER_D}/0000-customize.yaml"),
                settings.as_bytes(),
            ));
        }
        let merge: Vec<Value> = self
            .live
            .iter()
            .map(|config| resource(config.bytes()))
            .collect();
        let mut config = json!({"ignition": {"version": "3.3.0", "config": {"merge": merge}}});
        if let (false, Some(object)) = (files.is_empty(), config.as_object_mut()) {
            object.insert("storage".into(), json!({"files": files}));
        }
        Some(format!("{config}\n"))
    }

    /// The installer's own settings in its config file form (YAML, of which JSON is a part).
    fn installer_settings(&self) -> Option<String> {
        let mut settings = serde_json::Map::new();
        if let Some(device) = &self.dest_device {
            settings.insert("dest-device".into(), json!(device));
        }
        if self.dest.is_some() {
            settings.insert("ignition-file".into(), json!(DEST_CONFIG));
        }
        for (key, words) in [
            ("append-karg", &self.dest_kargs_append),
            ("delete-karg", &self.dest_kargs_delete),
        ] {
            if !words.is_empty() {
                settings.insert(key.into(), json!(words));
            }
        }
        (!settings.is_empty()).then(|| format!("{:#}\n", Value::Object(settings)))
    }
}

fn file(path: &str, content: &[u8]) -> Value {
    json!({"path": path, "mode": 0o600, "contents": resource(content)})
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
mod tests {
    use std::io::Read as _;

    use super::*;

    fn unpack(resource: &Value) -> String {
        let source = resource["source"]
            .as_str()
            .unwrap()
            .strip_prefix("data:;base64,")
            .unwrap();
        let packed = BASE64_STANDARD.decode(source).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn nothing_asked_needs_no_config() {
        assert_eq!(Customization::default().live_config(), None);
    }

    #[test]
    fn destination_config_is_carried_byte_for_byte() {
        let dest = Config::parse("{\"ignition\": {\"version\": \"3.3.0\"}}\n").unwrap();
        let custom = Customization {
            dest: Some(dest.clone()),
            dest_device: Some("/dev/vda".into()),
            live: vec![dest.clone()],
            dest_kargs_append: vec!["a=b".into()],
            ..Customization::default()
        };
        let text = custom.live_config().unwrap();
        Config::parse(text.as_str()).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let files = config["storage"]["files"].as_array().unwrap();
        assert_eq!(files[0]["path"], DEST_CONFIG);
        assert_eq!(unpack(&files[0]["contents"]).as_bytes(), dest.bytes());
        assert_eq!(
            files[1]["path"],
            "/etc/coreos/installer.d/0000-customize.yaml"
        );
        let settings: Value = serde_json::from_str(&unpack(&files[1]["contents"])).unwrap();
        let want = json!({"dest-device": "/dev/vda", "ignition-file": DEST_CONFIG, "append-karg": ["a=b"]});
        assert_eq!(settings, want);
        assert_eq!(
            unpack(&config["ignition"]["config"]["merge"][0]).as_bytes(),
            dest.bytes()
        );
    }
}
