//! Promises of the readers of configs: bounded, no panic, places inside the text, and what is
//! written is read back as the same.

use embed::finding::{Findings, Severity};
use embed::ignition::merge::merge as merge_configs;
use embed::ignition::{ReadOptions, read, syntax};
use embed::schema::{Language, NEWEST, TARGETS};
use embed::tree::node::Node;
use embed::tree::raw::{RawNode, RawValue};
use embed::tree::{SourceId, Sources, Span, typed, write};

/// More nodes than any text of a fuzzer should become.
const MOST_NODES: usize = 2_000_000;

/// A text that serde_json takes is taken, too, unless it is nested too deeply; places lie inside.
pub(super) fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match embed::tree::json::read(SourceId::default(), text) {
        Ok(raw) => {
            check_places(&raw, text);
            check_typed(&raw, Language::Ignition(NEWEST));
        }
        Err(finding) => {
            check_place(finding.at.span, text);
            let theirs = serde_json::from_str::<serde_json::Value>(text);
            assert!(theirs.is_err(), "refused: {}", finding.message);
        }
    }
}

/// Places lie inside the text, aliases stay within the budget.
pub(super) fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match embed::tree::yaml::read(SourceId::default(), text) {
        Ok(raw) => {
            check_places(&raw, text);
            for target in TARGETS.iter().step_by(8) {
                check_typed(&raw, Language::Butane(target));
            }
        }
        Err(finding) => check_place(finding.at.span, text),
    }
}

/// A config without errors is the same after it was written and read again.
pub(super) fn ignition(data: &[u8]) {
    let options = ReadOptions { experimental: true };
    let mut sources = Sources::new();
    let (checked, findings) = read(&mut sources, "fuzz", data, &options);
    for finding in findings.iter() {
        let _ = (
            sources.place(finding.at.span),
            sources.path(finding.at.span),
        );
    }
    assert_eq!(checked.is_none(), findings.has_errors());
}

/// What is converted without an error is a valid Ignition config.
pub(super) fn butane(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut sources = Sources::new();
    let options = embed::butane::Options {
        experimental: true,
        ..Default::default()
    };
    let converted = embed::butane::convert(&mut sources, "fuzz", text, &options);
    for finding in converted.findings.iter() {
        let at = finding.at.span;
        let _ = (sources.place(at), sources.path(at));
    }
    if let Some(config) = converted.config {
        let options = ReadOptions { experimental: true };
        let (_, findings) = read(
            &mut sources,
            "converted",
            write::json(&config, false),
            &options,
        );
        let errors: Vec<_> = findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// Two configs merge without a panic, and a config over itself is itself.
pub(super) fn merge(data: &[u8]) {
    let middle = data.iter().position(|byte| *byte == 0);
    let (parent, child) = data.split_at(middle.unwrap_or(data.len() / 2));
    let typed = |bytes: &[u8]| -> Option<Node> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\0');
        let raw = embed::tree::json::read(SourceId::default(), text).ok()?;
        Some(typed::read(
            &raw,
            Language::Ignition(NEWEST),
            &mut Findings::new(),
        ))
    };
    let (Some(parent), Some(child)) = (typed(parent), typed(child)) else {
        return;
    };
    let merged = merge_configs(parent, child);
    let written = write::json(&merged, false);
    assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
}

/// What is decoded is no longer than what it was decoded from, and than the limit.
pub(super) fn data_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(bytes) = syntax::data_url::decode(text, 4096) {
        assert!(bytes.len() <= text.len().min(4096));
    }
}

/// Unit files, URLs and names of objects: the lexers that rules look through.
pub(super) fn unit(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = syntax::unit::parse(text);
    let _ = syntax::url::Url::parse(text);
    let _ = (
        syntax::arn::names_s3_object(text),
        syntax::guid::is_guid(text),
    );
    let clean = syntax::path::clean(text);
    assert_eq!(syntax::path::clean(&clean), clean);
}

fn check_typed(raw: &RawNode, language: Language) {
    let typed = typed::read(raw, language, &mut Findings::new());
    let written = write::json(&typed, true);
    assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
}

fn check_places(root: &RawNode, text: &str) {
    let mut open = vec![root];
    let mut count = 0;
    while let Some(node) = open.pop() {
        count += 1;
        assert!(
            count <= MOST_NODES,
            "{} bytes became too many nodes",
            text.len()
        );
        check_place(node.span, text);
        match &node.value {
            RawValue::Scalar(_) => {}
            RawValue::List(items) => open.extend(items),
            RawValue::Map(entries) => {
                for entry in entries {
                    check_place(entry.key_span, text);
                    open.push(&entry.value);
                }
            }
        }
    }
}

fn check_place(span: Span, text: &str) {
    let range = span.start as usize..span.end as usize;
    assert!(
        text.get(range).is_some(),
        "{span:?} in {} bytes",
        text.len()
    );
}
