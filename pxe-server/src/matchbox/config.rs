//! Configs of a data directory: what templates see, rendering, and Ignition from Butane.

use std::path::PathBuf;
use std::sync::Arc;

use embed::butane;
use embed::config::{self, Written};
use embed::finding::{Renderer, Severity};
use embed::tree::Sources;
use serde_json::{Map, Value};

use super::book::{BookError, Group};
use super::library::Library;
use super::select::Labels;
use super::template::{self, TemplateError};

/// A folder of configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Folder {
    /// Ignition and Butane.
    Ignition,
    /// cloud-config.
    Cloud,
    /// Anything.
    Generic,
}

impl Folder {
    /// Its name in the data directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignition => "ignition",
            Self::Cloud => "cloud",
            Self::Generic => "generic",
        }
    }
}

/// Why there is no config, though one is named: always the operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The name leads out of its folder.
    #[error("`{0}` is no plain file name")]
    Name(String),
    /// The file cannot be read.
    #[error("cannot read the config")]
    Read(#[source] Arc<BookError>),
    /// No profile names it.
    #[error("no profile names the config `{0}`")]
    Unnamed(String),
    /// Not text.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// The template is wrong, or asks for what the group does not give.
    #[error("{}: {source}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        source: TemplateError,
    },
    /// What was rendered is no config.
    #[error("{} makes no usable config: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// All that is wrong, with places in what was rendered.
        reason: String,
    },
}

impl RenderError {
    /// The line in the config's file.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Template { source, .. } => u64::try_from(source.line).ok(),
            _ => None,
        }
    }
}

/// What templates see: the group's metadata, its selectors over it, and the request.
pub fn variables(group: &Group, labels: &Labels, raw_query: &str) -> Value {
    let mut data = group.metadata.clone();
    for (name, value) in &group.selector {
        data.insert(name.to_lowercase(), value.as_str().into());
    }
    let query: Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().into()))
        .collect();
    let request = [
        ("query", Value::Object(query)),
        ("raw_query", raw_query.into()),
    ];
    let request = request
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    data.insert("request".to_owned(), Value::Object(request.collect()));
    Value::Object(data)
}

/// Lines of `NAME=value`, sorted: names in capitals, those within others joined by `_`. Lists are
/// left out.
pub fn env_file(data: &Value) -> String {
    let mut lines = Vec::new();
    add_lines(&mut lines, "", data);
    lines.sort();
    lines.concat()
}

fn add_lines(lines: &mut Vec<String>, prefix: &str, data: &Value) {
    for (name, value) in data.as_object().into_iter().flatten() {
        let name = format!("{prefix}{}", name.to_uppercase());
        match value {
            Value::Object(_) => add_lines(lines, &format!("{name}_"), value),
            Value::String(text) => lines.push(format!("{name}={text}\n")),
            Value::Bool(_) | Value::Number(_) => lines.push(format!("{name}={value}\n")),
            Value::Null | Value::Array(_) => {}
        }
    }
}

/// The file `name` of a folder, rendered.
pub fn render_file(
    library: &Library,
    folder: Folder,
    name: &str,
    data: &Value,
) -> Result<String, RenderError> {
    let (path, text) = library.text(folder, name)?;
    template::render(&text, data).map_err(|source| RenderError::Template { path, source })
}

/// Whether a config is Ignition as it is, and no template.
pub(super) fn is_ready(name: &str) -> bool {
    let suffixes = [".ign", ".ignition"];
    suffixes.iter().any(|suffix| name.ends_with(suffix))
}

/// The Ignition config of the file `name`: `*.ign` and `*.ignition` as they are, anything else a
/// template of Butane.
pub fn ignition(library: &Library, name: &str, data: &Value) -> Result<Vec<u8>, RenderError> {
    let (path, bytes) = library.bytes(Folder::Ignition, name)?;
    let (bytes, written) = if is_ready(name) {
        (bytes.to_vec(), Written::Ignition)
    } else {
        let text = render_file(library, Folder::Ignition, name, data)?;
        (text.into_bytes(), Written::Butane)
    };
    let mut sources = Sources::new();
    let options = butane::Options {
        raw: true,
        ..butane::Options::default()
    };
    let (loaded, findings) = config::read(&mut sources, name, bytes, written, &options);
    let Some(loaded) = loaded else {
        let renderer = Renderer::new(&sources);
        let errors = findings.into_sorted().into_iter();
        let errors = errors.filter(|finding| finding.severity == Severity::Error);
        let told: Vec<String> = errors
            .take(10)
            .map(|finding| format!("{}: {}", renderer.place(finding.at), finding.message))
            .collect();
        return Err(RenderError::Config {
            path,
            reason: told.join("; "),
        });
    };
    Ok(loaded.config.bytes().to_vec())
}
