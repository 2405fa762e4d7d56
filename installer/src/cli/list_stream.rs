//! `list-stream`: what a stream offers, as a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use clap::{Args, ValueHint};

use super::access::AccessArgs;
use super::files;
use crate::plan::ProgressForm;
use crate::source::stream_metadata::{DEFAULT_BASE_URL, StreamMetadata};
use crate::ui::{self, progress};

/// Options of `list-stream`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  coreos-installer list-stream -s testing")]
pub(super) struct ListStreamArgs {
    /// Stream
    #[arg(short, long, value_name = "NAME", default_value = "stable")]
    stream: String,
    /// Where stream metadata is; NAME.json is joined to it
    #[arg(long, value_name = "URL", default_value = DEFAULT_BASE_URL, value_hint = ValueHint::Url)]
    stream_base_url: String,
    #[command(flatten)]
    access: AccessArgs,
}

impl ListStreamArgs {
    pub(super) fn run(self) -> Result<()> {
        let watcher = progress::Watcher::new(ProgressForm::Auto);
        let metadata = StreamMetadata::fetch(
            &self.stream_base_url,
            &self.stream,
            &self.access.into_access(),
            &watcher,
            &ui::cancel_on_signals()?,
        )?;
        files::report(table(&metadata).as_bytes())
    }
}

fn table(metadata: &StreamMetadata) -> String {
    let mut rows = BTreeSet::new();
    for (architecture, offer) in &metadata.architectures {
        for (platform, artifacts) in &offer.artifacts {
            for format in artifacts.formats.keys() {
                rows.insert([architecture.as_str(), platform, format]);
            }
        }
    }
    let header = ["Architecture", "Platform", "Format"];
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&header])
            .filter_map(|row| row.get(column));
        cells.map(|cell| cell.len()).max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [architecture, platform, format] in std::iter::once(&header).chain(&rows) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{architecture:first$}  {platform:second$}  {format}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_aligned() {
        let disk = r#"{"disk":{"location":"l","signature":"s"}}"#;
        let json = format!(
            r#"{{"stream":"s","architectures":{{
                "x86_64":{{"artifacts":{{"qemu":{{"formats":{{"qcow2.xz":{disk}}}}},
                                         "metal":{{"formats":{{"raw.xz":{disk},"4k.raw.xz":{disk}}}}}}}}},
                "aarch64":{{"artifacts":{{"metal":{{"formats":{{"iso":{disk}}}}}}}}}}}}}"#
        );
        let metadata: StreamMetadata = serde_json::from_str(&json).unwrap();
        assert_eq!(
            table(&metadata),
            "Architecture  Platform  Format\n\
             aarch64       metal     iso\n\
             x86_64        metal     4k.raw.xz\n\
             x86_64        metal     raw.xz\n\
             x86_64        qemu      qcow2.xz\n"
        );
    }
}
