//! Configs of single machines: the template of their profile rendered with what is known of them,
//! and the result read like any other config. What was rendered once is kept by what went in.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use embed::digest::Sha256Digest;
use serde_json::{Value, json};

use super::template::{SUFFIX, TemplateError, Templates};
use super::{Assignment, Metadata, ReadyConfig, Site, SiteError, config, file, load};
use crate::machine::{Facts, Subject};

/// Rendered configs that are kept, and their bytes in sum.
const KEPT: usize = 20_000;
const KEPT_BYTES: usize = 256 * 1024 * 1024;

/// The templates of a site and what they made.
#[derive(Clone, Debug)]
pub(super) struct Rendering {
    dir: PathBuf,
    templates: Templates,
    digest: String,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    configs: HashMap<Sha256Digest, Arc<ReadyConfig>>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, key: Sha256Digest, config: &Arc<ReadyConfig>) {
        if self.configs.len() >= KEPT || self.bytes > KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += config.config.bytes().len();
        self.configs.insert(key, config.clone());
    }
}

impl Rendering {
    /// Reads every template in `dir`.
    pub(super) fn load(dir: &Path) -> Result<Self, SiteError> {
        let mut sources = BTreeMap::new();
        for path in load::files(dir, SUFFIX)? {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let bytes = file::read(&path)?;
            let source = String::from_utf8(bytes).map_err(|error| SiteError::Read {
                path: path.clone(),
                source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
            })?;
            sources.insert(name.to_owned(), source);
        }
        let digest = Sha256Digest::of(format!("{sources:?}").as_bytes()).to_string();
        let templates = Templates::new(sources).map_err(|error| at(dir, error))?;
        Ok(Self {
            dir: dir.to_owned(),
            templates,
            digest,
            kept: Arc::default(),
        })
    }

    /// Stands for all templates.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    fn known(&self, key: &Sha256Digest) -> Option<Arc<ReadyConfig>> {
        self.kept.lock().ok()?.configs.get(key).cloned()
    }

    fn render(&self, name: &str, context: &Value) -> Result<Arc<ReadyConfig>, SiteError> {
        let key = key(name, context);
        if let Some(config) = self.known(&key) {
            return Ok(config);
        }
        let text = self
            .templates
            .render(name, context)
            .map_err(|error| at(&self.dir, error))?;
        let origin = |offset| {
            let (file, line) = self.templates.origin(name, context, offset)?;
            Some(format!("{file}:{line}"))
        };
        let read = config::read(&self.dir, text.into_bytes(), origin);
        let ready = Arc::new(read.map_err(|source| SiteError::Rendered {
            path: self.dir.join(name),
            source,
        })?);
        if let Ok(mut kept) = self.kept.lock() {
            kept.keep(key, &ready);
        }
        Ok(ready)
    }
}

/// What a rendered config is kept by: everything that it is made of, but for the templates.
fn key(name: &str, context: &Value) -> Sha256Digest {
    Sha256Digest::of(format!("{name}\0{context}").as_bytes())
}

fn at(dir: &Path, error: TemplateError) -> SiteError {
    SiteError::Template {
        path: dir.join(error.file),
        line: error.line,
        reason: error.reason,
        undefined: error.undefined,
    }
}

/// The config of a machine that is only partly known.
#[derive(Clone, Debug)]
pub struct SampleConfig {
    /// The config.
    pub ready: Arc<ReadyConfig>,
    /// Whether it was made with stand-ins for what the machine has not told.
    pub stand_ins: bool,
}

impl Site {
    /// The config of a machine that `assignment` belongs to.
    pub fn config(
        &self,
        assignment: &Assignment<'_>,
        subject: &Subject,
    ) -> Result<Arc<ReadyConfig>, SiteError> {
        let name = &assignment.profile.ignition;
        match self.configs.get(name) {
            Some(config) => Ok(config.clone()),
            None => self.rendering.render(name, &context(assignment, subject)),
        }
    }

    /// The same if it is known without being made, which takes no time worth a thread.
    pub fn known_config(
        &self,
        assignment: &Assignment<'_>,
        subject: &Subject,
    ) -> Option<Arc<ReadyConfig>> {
        let name = &assignment.profile.ignition;
        match self.configs.get(name) {
            Some(config) => Some(config.clone()),
            None => {
                let key = key(name, &context(assignment, subject));
                self.rendering.known(&key)
            }
        }
    }

    /// Like [`Self::config`], of a machine that may not have told all that its template asks for.
    pub fn sample_config(
        &self,
        assignment: &Assignment<'_>,
        subject: &Subject,
    ) -> Result<SampleConfig, SiteError> {
        let (result, stand_ins) = match self.config(assignment, subject) {
            Err(SiteError::Template {
                undefined: true, ..
            }) => (self.config(assignment, &with_stand_ins(subject)), true),
            result => (result, false),
        };
        result.map(|ready| SampleConfig { ready, stand_ins })
    }

    /// Renders the config of one machine of each group that names any.
    pub(super) fn render_samples(&self) -> Result<(), SiteError> {
        let samples = self
            .groups
            .values()
            .filter_map(|group| group.selector.sample());
        for subject in samples {
            if let Some(assignment) = self.assign(&subject) {
                self.sample_config(&assignment, &subject)?;
            }
        }
        Ok(())
    }
}

/// What a template sees.
fn context(assignment: &Assignment<'_>, subject: &Subject) -> Value {
    let facts = &subject.facts;
    let mut machine = serde_json::Map::new();
    let mut tell = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            machine.insert(name.to_owned(), value.into());
        }
    };
    tell("mac", Some(&subject.mac.to_string()));
    tell("uuid", facts.uuid.as_deref());
    tell("serial", facts.serial.as_deref());
    tell("asset", facts.asset.as_deref());
    tell("hostname", facts.hostname.as_deref());
    tell("arch", facts.arch.map(crate::boot::Arch::name));
    tell("circuit_id", facts.circuit_id.as_deref());
    machine.insert("labels".to_owned(), json!(facts.labels));
    let mut metadata = assignment.profile.metadata.clone();
    merge(&mut metadata, assignment.metadata);
    json!({
        "machine": machine,
        "metadata": metadata,
        "group": assignment.group.unwrap_or_default(),
        "profile": assignment.profile.name,
    })
}

/// Puts `over` over `under`: maps are merged, everything else is replaced.
fn merge(under: &mut Metadata, over: &Metadata) {
    for (name, value) in over {
        match (under.get_mut(name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over),
            _ => drop(under.insert(name.clone(), value.clone())),
        }
    }
}

/// The machine with something in place of each fact that it has not told.
fn with_stand_ins(subject: &Subject) -> Subject {
    let mut subject = subject.clone();
    let told = subject.facts;
    subject.facts = Facts {
        uuid: Some("00000000-0000-4000-8000-000000000000".to_owned()),
        serial: Some("serial".to_owned()),
        asset: Some("asset".to_owned()),
        hostname: Some("hostname".to_owned()),
        arch: Some(crate::boot::Arch::X86_64),
        circuit_id: Some("circuit-id".to_owned()),
        ..Facts::default()
    };
    subject.facts.update(&told);
    subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MAC, site_dir};

    const TEMPLATE: &str = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/hostname\n      contents:\n        inline: {{ metadata.name ~ '-' ~ machine.serial | default('none') }}\n      mode: {{ metadata.mode }}\n";

    /// The site with a template and metadata of profile and group.
    fn templated(template: &str, metadata: &str) -> Result<(tempfile::TempDir, Site), SiteError> {
        let dir = site_dir();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join("site").join(name), text).unwrap();
        };
        let profile = "name: worker\ninstall: {device: /dev/vda}\nignition: worker.bu.j2\nmetadata: {name: p, mode: 384, deep: {a: 1, b: 2}}\n";
        write("profiles/worker.yaml", profile);
        write("configs/worker.bu.j2", template);
        let group = format!("profile: worker\nselector: {{mac: '{MAC}'}}\nmetadata: {metadata}\n");
        write("groups/rack.yaml", &group);
        let site = Site::load(&dir.path().join("site"))?;
        Ok((dir, site))
    }

    fn file(site: &Site, serial: Option<&str>) -> Value {
        let mut subject = Subject::new(MAC.parse().unwrap());
        subject.facts.serial = serial.map(str::to_owned);
        let assignment = site.assign(&subject).unwrap();
        let ready = site.config(&assignment, &subject).unwrap();
        let again = site.known_config(&assignment, &subject).unwrap();
        assert!(Arc::ptr_eq(&ready, &again), "made once");
        let config: Value = serde_json::from_slice(ready.config.bytes()).unwrap();
        config["storage"]["files"][0].clone()
    }

    #[test]
    fn each_machine_gets_its_own_config_of_one_template() {
        let (_dir, site) = templated(TEMPLATE, "{name: g, deep: {b: 3}}").unwrap();
        let one = file(&site, Some("S1"));
        assert_eq!(
            (&one["contents"]["source"], &one["mode"]),
            (&"data:,g-S1".into(), &384.into())
        );
        assert_eq!(file(&site, None)["contents"]["source"], "data:,g-none");
        let deep = "variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: /a, contents: {inline: '{{ metadata.deep.a }}{{ metadata.deep.b }}'}}]}\n";
        let (_dir, site) = templated(deep, "{deep: {b: 3}}").unwrap();
        assert_eq!(file(&site, None)["contents"]["source"], "data:,13");
    }

    #[test]
    fn a_value_that_nobody_gives_refuses_the_site_with_file_and_line() {
        let template = TEMPLATE.replace("metadata.mode", "metadata.modus");
        let error = templated(&template, "{}").unwrap_err();
        let SiteError::Template {
            path, line, reason, ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(path.ends_with("configs/worker.bu.j2"), "{}", path.display());
        assert_eq!(line, 8);
        assert!(reason.contains("metadata.modus"), "{reason}");
    }

    #[test]
    fn a_mistake_in_what_was_rendered_is_told_with_the_templates_line() {
        let error = templated(TEMPLATE, "{mode: 99999}").unwrap_err();
        let SiteError::Rendered { path, source } = error else {
            panic!("{error:?}");
        };
        assert!(path.ends_with("configs/worker.bu.j2"), "{}", path.display());
        let told = source.to_string();
        assert!(
            told.starts_with("worker.bu.j2:8, as rendered $.storage.files.0.mode, line 8 "),
            "{told}"
        );
    }

    #[test]
    fn a_template_that_asks_what_only_the_machine_knows_is_checked_with_a_stand_in() {
        let template = TEMPLATE.replace(" | default('none')", "");
        let (_dir, site) = templated(&template, "{}").unwrap();
        let subject = Subject::new(MAC.parse().unwrap());
        let assignment = site.assign(&subject).unwrap();
        assert!(site.sample_config(&assignment, &subject).unwrap().stand_ins);
        let refused = site.config(&assignment, &subject).unwrap_err();
        assert!(
            matches!(
                refused,
                SiteError::Template {
                    undefined: true,
                    line: 7,
                    ..
                }
            ),
            "{refused:?}"
        );
    }
}
