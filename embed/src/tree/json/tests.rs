//! The JSON reader: places, quirks that configs rely on, and what is refused where.

use super::*;
use crate::tree::Sources;

fn source() -> SourceId {
    SourceId::default()
}

fn scalar(text: &str) -> Scalar {
    match read(source(), text).unwrap().value {
        RawValue::Scalar(scalar) => scalar,
        other => panic!("{other:?}"),
    }
}

fn refusal(text: &str) -> (&'static str, String, u32) {
    let finding = read(source(), text).unwrap_err();
    (finding.code, finding.message, finding.at.span.start)
}

#[test]
fn every_key_and_value_knows_its_bytes() {
    let text = " {\"å\" : [1, {}], \"b\":\t\"x\"}\n";
    let node = read(source(), text).unwrap();
    let slice = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!(slice(node.span), text.trim());
    let RawValue::Map(entries) = &node.value else {
        panic!("{node:?}");
    };
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (slice(entry.key_span), slice(entry.value.span)))
        .collect();
    assert_eq!(seen, [("\"å\"", "[1, {}]"), ("\"b\"", "\"x\"")]);
    let RawValue::List(items) = &entries[0].value.value else {
        panic!("{entries:?}");
    };
    let seen: Vec<_> = items.iter().map(|item| slice(item.span)).collect();
    assert_eq!(seen, ["1", "{}"]);
}

#[test]
fn scalars_keep_what_is_written() {
    for text in [
        "0",
        "-0",
        "-12",
        "1.50",
        "1e1",
        "2E-3",
        "99999999999999999999",
    ] {
        assert_eq!(scalar(text), Scalar::Number(text.into()));
    }
    let string = |text, value: &str| assert_eq!(scalar(text), Scalar::Text(value.into()));
    string(r#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{c}\n\r\tz");
    string(r#""\u00e5\ud83d\ude00é""#, "å😀é");
    string(r#""\ud83d""#, "\u{fffd}");
    string(r#""\ude00\ud83dx""#, "\u{fffd}\u{fffd}x");
    string(r#""\ud83d\u0041""#, "\u{fffd}A");
    string("\"\u{7f}\u{2028}\"", "\u{7f}\u{2028}");
    assert_eq!(scalar(" true "), Scalar::Bool(true));
    assert_eq!(scalar("false"), Scalar::Bool(false));
    assert_eq!(scalar("null"), Scalar::Null);
}

#[test]
fn bad_text_is_refused_at_its_place() {
    let cases = [
        ("", "empty", 0),
        (" \n", "empty", 2),
        ("{", "json-syntax", 1),
        ("{} {}", "json-syntax", 3),
        ("\u{feff}{}", "json-syntax", 0),
        ("{\"a\": NaN}", "json-syntax", 6),
        ("{\"a\": 01}", "json-syntax", 6),
        ("{\"a\": -}", "json-syntax", 7),
        ("{\"a\": 1.}", "json-syntax", 8),
        ("{\"a\": 1e}", "json-syntax", 8),
        ("{\"a\": +1}", "json-syntax", 6),
        ("{\"a\" 1}", "json-syntax", 5),
        ("{\"a\": 1,}", "json-syntax", 8),
        ("[1 2]", "json-syntax", 3),
        ("[1,]", "json-syntax", 3),
        ("[1}", "json-syntax", 2),
        ("{a: 1}", "json-syntax", 1),
        ("{'a': 1}", "json-syntax", 1),
        ("// x\n{}", "json-syntax", 0),
        ("{\"a\nb\": 1}", "json-syntax", 3),
        ("[\"a", "json-syntax", 1),
        ("[\"\\x\"]", "json-syntax", 2),
        ("[\"\\u12g4\"]", "json-syntax", 2),
        ("[\"\\u12", "json-syntax", 2),
        ("[\"\\", "json-syntax", 2),
        ("[tru]", "json-syntax", 1),
        ("[\0]", "json-syntax", 1),
    ];
    for (text, code, start) in cases {
        let (found, message, at) = refusal(text);
        assert_eq!((found, at), (code, start), "{text:?}: {message}");
    }
}

#[test]
fn common_slips_come_with_a_hint() {
    let hint = |text| read(source(), text).unwrap_err().hint.unwrap();
    assert_eq!(hint("{\"a\": 1,}"), "JSON has no comma after the last item");
    assert_eq!(hint("{} # x"), "JSON has no comments");
    assert!(hint("\u{feff}{}").contains("byte order mark"));
}

#[test]
fn nesting_is_bounded_and_needs_no_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let work = move || {
        let node = read(source(), &nested(DEEPEST)).unwrap();
        assert_eq!(node.span.end as usize, 2 * DEEPEST);
        assert_eq!(node.clone(), node);
        let (code, _, at) = refusal(&nested(DEEPEST + 1));
        assert_eq!((code, at as usize), ("too-deep", DEEPEST));
        let maps = "{\"a\":".repeat(DEEPEST) + "1" + &"}".repeat(DEEPEST);
        read(source(), &maps).unwrap();
        assert_eq!(refusal(&"{\"a\":[".repeat(1 << 20)).0, "too-deep");
    };
    small.spawn(work).unwrap().join().unwrap();
}

#[test]
fn repeated_keys_are_all_kept() {
    let node = read(source(), r#"{"a": 1, "a": 2}"#).unwrap();
    let RawValue::Map(entries) = node.value else {
        panic!("not a map");
    };
    assert_eq!(entries.len(), 2);
}

#[test]
fn paths_lead_to_values_and_keys() {
    let mut sources = Sources::new();
    let text = r#"{"storage": {"files": [{"mode": 1}]}}"#;
    let id = sources.add("a.ign", text).unwrap();
    sources.set_tree(id, read(id, text).unwrap());
    let path = |needle: &str| {
        let start = u32::try_from(text.find(needle).unwrap()).unwrap();
        let end = start + u32::try_from(needle.len()).unwrap();
        let source = id;
        sources.path(Span { source, start, end })
    };
    assert_eq!(path("1"), "$.storage.files.0.mode");
    assert_eq!(path("\"mode\""), "$.storage.files.0.mode");
    assert_eq!(path("{\"mode\": 1}"), "$.storage.files.0");
}

proptest::proptest! {
    #[test]
    fn agrees_with_serde_json_on_what_is_json(text in "[\\[\\]{}\",:0-9a-z\\\\ .eE+-]{0,24}") {
        let ours = read(source(), &text).is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        proptest::prop_assert_eq!(ours, theirs, "{:?}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(text in "\\PC{0,64}") {
        if let Err(finding) = read(source(), &text) {
            let range = finding.at.span.start as usize..finding.at.span.end as usize;
            proptest::prop_assert!(text.get(range).is_some());
        }
    }
}
