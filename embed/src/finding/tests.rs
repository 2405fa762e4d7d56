//! The three forms of findings, on texts that are ordinary, huge or hostile.

use serde_json::json;

use super::*;
use crate::tree::raw::{RawEntry, RawNode, RawValue, Scalar};
use crate::tree::{SourceId, Sources};

/// The place of `part` in the text of `source`.
fn span(sources: &Sources, source: SourceId, part: &str) -> Span {
    let start = sources.get(source).unwrap().text.find(part).unwrap();
    Span {
        source,
        start: u32::try_from(start).unwrap(),
        end: u32::try_from(start + part.len()).unwrap(),
    }
}

/// `text` as the only source, read as a map of one key and one scalar.
fn one(text: &str, key: &str, value: &str) -> (Sources, Span) {
    let mut sources = Sources::new();
    let source = sources.add("a.bu", text).unwrap();
    let (key_span, at) = (span(&sources, source, key), span(&sources, source, value));
    let entry = RawEntry {
        key: key.to_owned(),
        key_span,
        value: RawNode {
            span: at,
            value: RawValue::Scalar(Scalar::Plain(value.to_owned())),
        },
    };
    let end = u32::try_from(text.len()).unwrap();
    let start = 0;
    sources.set_tree(
        source,
        RawNode {
            span: Span { source, start, end },
            value: RawValue::Map(vec![entry]),
        },
    );
    (sources, at)
}

fn error(at: impl Into<At>, message: &str) -> Finding {
    let mut findings = Findings::new();
    findings.error("some-rule", at, message);
    findings.into_sorted().remove(0)
}

#[test]
fn one_line_names_path_and_place() {
    let (sources, at) = one("# x\nmode: 9999\n", "mode", "9999");
    let renderer = Renderer::new(&sources);
    let line = renderer.line(&error(at, "too large"));
    assert_eq!(line, "error at $.mode, line 2 col 7: too large");
    let mut findings = Findings::new();
    findings.warning("w", at, "strange");
    let warning = findings.into_sorted().remove(0);
    assert_eq!(
        renderer.line(&warning),
        "warning at $.mode, line 2 col 7: strange"
    );
}

#[test]
fn an_absent_field_is_named_as_its_language_spells_it() {
    let (sources, at) = one("variant: fcos", "variant", "fcos");
    let root = Span {
        start: 0,
        end: 13,
        ..at
    };
    let absent = At::absent(root, "sizeMiB");
    let line = Renderer::new(&sources).line(&error(absent, "missing"));
    assert_eq!(line, "error at $.size_mib, line 1 col 1: missing");
    let (sources, _) = one("ignition: x", "ignition", "x");
    let absent = At::absent(Span { end: 11, ..root }, "sizeMiB");
    let line = Renderer::new(&sources).line(&error(absent, "missing"));
    assert_eq!(line, "error at $.sizeMiB, line 1 col 1: missing");
}

#[test]
fn a_text_without_a_tree_has_no_path_and_several_have_names() {
    let mut sources = Sources::new();
    let first = sources.add("a.ign", "{\n?").unwrap();
    let finding = error(span(&sources, first, "?"), "expected a key");
    let line = Renderer::new(&sources).line(&finding);
    assert_eq!(line, "error at line 2 col 1: expected a key");
    sources.add("b.ign", "").unwrap();
    let line = Renderer::new(&sources).line(&finding);
    assert_eq!(line, "a.ign: error at line 2 col 1: expected a key");
}

#[test]
fn an_excerpt_shows_the_line_and_a_caret() {
    let (sources, at) = one("# x\nmode: 9999\nnext: 1\n", "mode", "9999");
    let mut findings = Findings::new();
    findings.error("mode-out-of-range", at, "mode `9999` is too large");
    findings.hint("octal modes are written 0644");
    let finding = findings.into_sorted().remove(0);
    let renderer = Renderer::new(&sources);
    let text = renderer.excerpt(&finding, Color::Off);
    let want = "\
error: mode `9999` is too large
 --> a.bu:2:7
  |
2 | mode: 9999
  |       ^^^^ $.mode
  |
  = help: octal modes are written 0644
";
    assert_eq!(text, want);
    let colored = renderer.excerpt(&finding, Color::Ansi);
    assert!(colored.contains("\u{1b}["), "{colored:?}");
}

#[test]
fn of_a_value_with_many_lines_the_first_is_shown() {
    let (sources, at) = one("a: {\r\n  b: c\r\n}\r\n", "a", "{\r\n  b: c\r\n}");
    let text = Renderer::new(&sources).excerpt(&error(at, "m"), Color::Off);
    assert!(text.contains("\n1 | a: {\n  |    ^ $.a\n"), "{text}");
    assert!(!text.contains("b: c"), "{text}");
}

#[test]
fn places_at_the_end_and_in_an_empty_text_can_be_shown() {
    for text in ["", "ab", "ab\n", "å"] {
        let mut sources = Sources::new();
        let source = sources.add("a", text).unwrap();
        let end = u32::try_from(text.len()).unwrap();
        for start in 0..=end + 1 {
            let at = Span {
                source,
                start,
                end: end + 9,
            };
            let text = Renderer::new(&sources).excerpt(&error(at, "m"), Color::Off);
            assert!(text.starts_with("error: m\n --> a:"), "{text}");
        }
    }
}

#[test]
fn a_huge_line_is_cut_around_the_place() {
    let long = format!(
        "{}key: \"{}\" {}\n",
        "å".repeat(100_000),
        "v".repeat(100_000),
        "x".repeat(100_000)
    );
    let mut sources = Sources::new();
    let source = sources.add("a", long).unwrap();
    let at = span(&sources, source, &"v".repeat(100_000));
    let text = Renderer::new(&sources).excerpt(&error(at, "m"), Color::Off);
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert!(text.contains(":1:100007\n"), "{text}");
    assert!(text.contains("åkey: \"vvv"), "{text}");
}

#[test]
fn secrets_are_hidden_in_every_form() {
    let (sources, at) = one("key: hunter2 # hunter2\n", "key", "hunter2");
    let redact = |text: &str| text.replace("hunter2", "[secret pw]");
    let renderer = Renderer::new(&sources).redacting(&redact);
    let mut findings = Findings::new();
    findings.error("c", at, "`hunter2` is weak");
    findings.hint("not hunter2");
    let findings = findings.into_sorted();
    for text in [
        renderer.line(&findings[0]),
        renderer.excerpt(&findings[0], Color::Off),
        serde_json::to_string(&renderer.report(&findings)).unwrap(),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("[secret pw]"), "{text}");
    }
    assert!(!format!("{renderer:?}").contains("hunter2"));
}

#[test]
fn control_characters_cannot_steer_a_terminal() {
    let (sources, at) = one(
        "\u{1b}[2Jk: \u{1b}]0;x\u{7}\n",
        "\u{1b}[2Jk",
        "\u{1b}]0;x\u{7}",
    );
    let mut findings = Findings::new();
    findings.error("c", at, "bad `\u{1b}[31m`\nerror: forged");
    findings.hint("do \u{1b}[0m");
    let finding = findings.into_sorted().remove(0);
    let renderer = Renderer::new(&sources);
    let excerpt = renderer.excerpt(&finding, Color::Off);
    assert!(!excerpt.contains(['\u{1b}', '\u{7}']), "{excerpt:?}");
    assert!(!excerpt.contains("\nerror: forged"), "{excerpt}");
    let line = renderer.line(&finding);
    assert!(!line.contains(char::is_control), "{line:?}");
}

#[test]
fn programs_get_one_document() {
    let (sources, at) = one("mode: 9999\n", "mode", "9999");
    let mut findings = Findings::new();
    findings.error("mode-out-of-range", at, "too large");
    findings.hint("write 0644");
    findings.warning("w", At::absent(at, "x"), "strange");
    let report = Renderer::new(&sources).report(&findings.into_sorted());
    let want = json!({
        "version": 1,
        "findings": [
            {
                "severity": "error", "code": "mode-out-of-range", "path": "$.mode",
                "line": 1, "column": 7, "source": "a.bu",
                "message": "too large", "hint": "write 0644",
            },
            {
                "severity": "warning", "code": "w", "path": "$.mode.x",
                "line": 1, "column": 7, "source": "a.bu", "message": "strange",
            },
        ],
        "errors": 1,
        "warnings": 1,
    });
    assert_eq!(serde_json::to_value(report).unwrap(), want);
}

#[test]
fn quoted_values_are_short_and_printable() {
    assert_eq!(quote("a b"), "`a b`");
    assert_eq!(quote("a\n\u{1b}[0må\u{202e}"), "`a\\n\\u{1b}[0må\\u{202e}`");
    assert_eq!(quote(&"x".repeat(1000)).chars().count(), QUOTED + 3);
}

#[test]
fn what_is_found_again_after_merging_is_shown_once() {
    let (_, at) = one("mode: 9999\n", "mode", "9999");
    let mut once = Findings::new();
    once.error("a", at, "too large");
    once.warning("b", at, "strange");
    let mut twice = once.clone();
    twice.append(once);
    let codes: Vec<_> = twice
        .into_sorted()
        .iter()
        .map(|finding| finding.code)
        .collect();
    assert_eq!(codes, ["a", "b"]);
}

#[test]
fn of_very_many_findings_the_errors_are_shown_and_the_rest_is_counted() {
    let mut sources = Sources::new();
    let source = sources.add("a", "x".repeat(3000)).unwrap();
    let mut findings = Findings::new();
    for start in 0..2000 {
        let end = start + 1;
        findings.warning("w", Span { source, start, end }, "doubtful");
    }
    let (start, end) = (2500, 2501);
    findings.error("e", Span { source, start, end }, "wrong");
    let shown = findings.into_sorted();
    assert_eq!(shown.len(), 1001);
    assert_eq!((shown[999].code, shown[1000].code), ("e", "more-findings"));
    assert_eq!(shown[1000].message, "1001 more findings are not shown");
    assert_eq!(shown[1000].severity, Severity::Warning);
}
