//! The YAML reader: places, the dialect of existing configs, and what is bounded.

use super::*;
use crate::finding::Findings;
use crate::schema::{Language, Target};
use crate::tree::node::Node;
use crate::tree::{json, typed, write};

fn node(text: &str) -> RawNode {
    read(SourceId::default(), text).unwrap_or_else(|finding| panic!("{text:?}: {finding:?}"))
}

/// Every value but containers, in order, as `path=text` with the source text of its span.
fn places(text: &str) -> Vec<String> {
    fn walk(node: &RawNode, path: &str, text: &str, out: &mut Vec<String>) {
        let range = node.span.start as usize..node.span.end as usize;
        out.push(format!("{path}={}", &text[range]));
        match &node.value {
            RawValue::Scalar(_) => {}
            RawValue::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}.{index}"), text, out);
                }
            }
            RawValue::Map(entries) => {
                for entry in entries {
                    let key = entry.key_span.start as usize..entry.key_span.end as usize;
                    walk(&entry.value, &format!("{path}.{}", &text[key]), text, out);
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(&node(text), "$", text, &mut out);
    out
}

/// The tree without places, as one line.
fn shape(text: &str) -> String {
    fn show(node: &RawNode) -> String {
        match &node.value {
            RawValue::Scalar(Scalar::Null) => "null".into(),
            RawValue::Scalar(Scalar::Plain(text)) => text.clone(),
            RawValue::Scalar(Scalar::Text(text)) => format!("{text:?}"),
            RawValue::Scalar(other) => panic!("{other:?} is not for YAML"),
            RawValue::List(items) => {
                let items: Vec<_> = items.iter().map(show).collect();
                format!("[{}]", items.join(", "))
            }
            RawValue::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|entry| format!("{}: {}", entry.key, show(&entry.value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }
    show(&node(text))
}

fn refusal(text: &str) -> (&'static str, u32) {
    let finding = read(SourceId::default(), text).unwrap_err();
    (finding.code, finding.at.span.start)
}

#[test]
fn every_key_and_value_knows_its_bytes() {
    let text = "å: ü\nb:\n  - x\n  - y: \"z\"\n    w: {v: [1, 2]}\n\n# c\nd: 1\n";
    let seen = [
        "$=å: ü\nb:\n  - x\n  - y: \"z\"\n    w: {v: [1, 2]}\n\n# c\nd: 1",
        "$.å=ü",
        "$.b=- x\n  - y: \"z\"\n    w: {v: [1, 2]}",
        "$.b.0=x",
        "$.b.1=y: \"z\"\n    w: {v: [1, 2]}",
        "$.b.1.y=\"z\"",
        "$.b.1.w={v: [1, 2]}",
        "$.b.1.w.v=[1, 2]",
        "$.b.1.w.v.0=1",
        "$.b.1.w.v.1=2",
        "$.d=1",
    ];
    assert_eq!(places(text), seen);
}

#[test]
fn a_byte_order_mark_and_crlf_shift_nothing() {
    let text = "\u{feff}a: 'x'\r\nb:\r\n  c: |\r\n    d\r\n    e\r\nf: 1\r\n";
    let seen = [
        "$=a: 'x'\r\nb:\r\n  c: |\r\n    d\r\n    e\r\nf: 1",
        "$.a='x'",
        "$.b=c: |\r\n    d\r\n    e",
        "$.b.c=|\r\n    d\r\n    e",
        "$.f=1",
    ];
    assert_eq!(places(text), seen);
    assert_eq!(shape(text), r#"{a: "x", b: {c: "d\ne\n"}, f: 1}"#);
}

#[test]
fn block_scalars_begin_at_their_sign() {
    let text = "\"a|b\": | # x|y\n\n  t\n\n\nc: !!str &a|b # |\n  >-\n  u\n  v\nd:\n- |2\n   w\ne: |\nf: 1\n";
    let places = places(text);
    let tails: Vec<_> = places.iter().skip(1).collect();
    let seen = [
        "$.\"a|b\"=| # x|y\n\n  t",
        "$.c=>-\n  u\n  v",
        "$.d=- |2\n   w",
        "$.d.0=|2\n   w",
        "$.e=|",
        "$.f=1",
    ];
    assert_eq!(tails, seen.iter().collect::<Vec<_>>());
}

#[test]
fn lists_begin_at_their_first_dash() {
    let lists = |text| {
        let places = places(text);
        let lists = places.iter().filter(|place| place.contains("=- "));
        lists
            .map(|place| place.replace('\n', "/"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lists("---\n- - a\n  - b"),
        ["$=- - a/  - b", "$.0=- a/  - b"]
    );
    assert_eq!(lists("a: # - x\n- - -1"), ["$.a=- - -1", "$.a.0=- -1"]);
    assert_eq!(lists("a: &x-y\n  -  - b"), ["$.a=-  - b", "$.a.0=- b"]);
}

#[test]
fn quotes_tags_and_null_decide_what_a_scalar_is() {
    let cases = [
        (
            "a: 0644\nb: '0644'\nc: \"0644\"",
            r#"{a: 0644, b: "0644", c: "0644"}"#,
        ),
        (
            "[yes, 'yes', 1.50, 2024-01-02]",
            r#"[yes, "yes", 1.50, 2024-01-02]"#,
        ),
        (
            "a:\nb: ~\nc: null\nd: Null\ne: ''\nf: 'null'",
            r#"{a: null, b: null, c: null, d: null, e: "", f: "null"}"#,
        ),
        (
            "[!!str 5, !!int '5', !!float 1.5, !!null x, ! 5, !x 5]",
            r#"["5", 5, 1.5, null, "5", "5"]"#,
        ),
        ("[!!binary aGk=, !!binary 'a G k=']", r#"["hi", "hi"]"#),
        ("a: !!binary |\n  aG\n  k=\n", r#"{a: "hi"}"#),
        ("a: >\n  x\n  y\n\n  z\n", r#"{a: "x y\nz\n"}"#),
        ("a: b\n  c\n", "{a: b c}"),
        ("1: a\ntrue: b\n~: c", "{1: a, true: b, null: c}"),
    ];
    for (text, out) in cases {
        assert_eq!(shape(text), out, "{text:?}");
    }
    assert_eq!(refusal("a: !!binary '?'"), ("binary-base64", 12));
    assert_eq!(refusal("a: !!binary gA=="), ("binary-not-text", 12));
}

#[test]
fn layouts_that_existing_configs_use_are_read() {
    let cases = [
        ("a: {\n  b: 1,\n}\nc: [\n  x,\n]\n", "{a: {b: 1}, c: [x]}"),
        (
            "{\n\t\"a\": [1,\n\t{}],\n\t\"b\": \"\\/\\u00e5\"\n}\n",
            r#"{a: [1, {}], b: "/å"}"#,
        ),
        ("a:\n- x\n-   - y\n", "{a: [x, [y]]}"),
        ("%YAML 1.1\n---\na: 1\n...\n", "{a: 1}"),
        ("--- # c\na: 1\n", "{a: 1}"),
        ("a: \"x\n y\"\n", r#"{a: "x y"}"#),
        ("a: x#y\nb: http://x/?a:b\n", "{a: x#y, b: http://x/?a:b}"),
        ("a : 1\n\"b\" : 2", "{a: 1, b: 2}"),
        ("- \n- ~\n- a", "[null, null, a]"),
        ("a: ${{ x }}", "{a: ${{ x }}}"),
    ];
    for (text, out) in cases {
        assert_eq!(shape(text), out, "{text:?}");
    }
    let long = "x".repeat(100_000);
    assert_eq!(
        shape(&format!("[{long}, '{long}']")),
        format!("[{long}, \"{long}\"]")
    );
}

#[test]
fn only_the_first_document_is_read() {
    assert_eq!(shape("a: 1\n---\nb: 2\n"), "{a: 1}");
    assert_eq!(shape("a: 1\n---\n}{ @"), "{a: 1}");
    assert_eq!(shape("a: 1\n...\n}{ @"), "{a: 1}");
}

#[test]
fn aliases_and_merges_are_expanded_and_the_merge_key_stays() {
    let cases = [
        (
            "a: &x [1]\nb: *x\nc: &y 2\nd: *y",
            "{a: [1], b: [1], c: 2, d: 2}",
        ),
        ("&k a: 1\nb: *k", "{a: 1, b: a}"),
        (
            "a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n",
            "{a: {p: 1, q: 2}, b: {q: 3, <<: null, p: 1}}",
        ),
        (
            "x: [&a {p: 1}, &b {p: 2, q: 3}]\ny: {<<: [*a, *b]}",
            "{x: [{p: 1}, {p: 2, q: 3}], y: {<<: null, p: 1, q: 3}}",
        ),
        ("a: {<<: {<<: {p: 1}}}", "{a: {<<: null, p: 1}}"),
        ("a: {'<<': {p: 1}}", "{a: {<<: {p: 1}}}"),
    ];
    for (text, out) in cases {
        assert_eq!(shape(text), out, "{text:?}");
    }
    assert_eq!(refusal("a: {<<: 1}"), ("yaml-merge", 8));
    assert_eq!(refusal("a: {<<: [1]}"), ("yaml-merge", 8));
    assert_eq!(refusal("a: &a [*a]"), ("alias-loop", 7));
    assert_eq!(refusal("a: *b"), ("yaml-syntax", 3));
}

#[test]
fn bad_text_is_refused_at_its_place() {
    let cases = [
        ("", "empty", 0),
        ("# x\n", "empty", 4),
        ("a: 1\nb: 2\na: 3", "duplicate-key", 10),
        ("a: 1\n\"a\": 3", "duplicate-key", 5),
        ("{a: 1, a: 2}", "duplicate-key", 7),
        ("? [a]\n: 1", "yaml-key", 2),
        ("{{a: 1}: 1}", "yaml-key", 1),
        ("a: 'b", "yaml-syntax", 3),
        ("a: [\n", "yaml-syntax", 3),
        ("a: 1\n]", "yaml-syntax", 5),
        ("a: @x", "yaml-syntax", 3),
        ("a: b: c", "yaml-syntax", 4),
        ("a: \"x\ny\"\n", "yaml-syntax", 6),
        ("a:\n\t- 1\n", "yaml-syntax", 4),
        ("å: \0", "yaml-syntax", 4),
        ("a: 1\n b: 2", "yaml-syntax", 7),
    ];
    for (text, code, start) in cases {
        assert_eq!(refusal(text), (code, start), "{text:?}");
    }
    let finding = read(SourceId::default(), "a: 1\n\na: 3").unwrap_err();
    assert_eq!(finding.hint.as_deref(), Some("it is on line 1, too"));
}

#[test]
fn nesting_and_aliases_are_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(node(&nested(DEEPEST)).span.end, 510);
    assert_eq!(refusal(&nested(DEEPEST + 1)).0, "too-deep");
    assert_eq!(refusal(&nested(1 << 20)).0, "too-deep");
    let blocks: String = (0..1000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert_eq!(refusal(&blocks).0, "too-deep");

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert_eq!(refusal(&bomb).0, "alias-bomb");
    let wide = "x".repeat(1 << 20);
    let copies = vec!["*a"; 1000].join(", ");
    assert_eq!(
        refusal(&format!("a: &a {wide}\nb: [{copies}]")).0,
        "alias-bomb"
    );

    let mut deep = String::from("a0: &a0 [x]\n");
    for level in 1..300 {
        deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert_eq!(refusal(&deep).0, "too-deep");
}

#[test]
fn butane_gets_the_types_of_the_schema() {
    let text = "variant: fcos\nversion: 1.6.0\nstorage:\n  files:\n    - path: /a\n      mode: 0644\n      \
                overwrite: yes\n      contents: {inline: 1.50}\n    -\npasswd:\n  users:\n    - name: yes\n";
    let language = Language::Butane(Target::find("fcos", "1.6.0").unwrap());
    let mut findings = Findings::new();
    let tree = typed::read(&node(text), language, &mut findings);
    assert!(findings.is_empty(), "{findings:?}");
    let out = concat!(
        r#"{"passwd":{"users":[{"name":"yes"}]},"storage":{"files":[{"contents":"#,
        r#"{"inline":"1.50"},"mode":420,"overwrite":true,"path":"/a"}]},"#,
        r#""variant":"fcos","version":"1.6.0"}"#,
        "\n"
    );
    assert_eq!(write::json(&tree, false), out);
}

#[test]
fn a_merge_key_warns_and_is_no_label() {
    let text = "metadata:\n  labels:\n    <<: {a: b}\n    c: d\n";
    let language = Language::Butane(Target::find("openshift", "4.14.0").unwrap());
    let mut findings = Findings::new();
    let tree = typed::read(&node(text), language, &mut findings);
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["unused-key"]);
    let out = "{\"metadata\":{\"labels\":{\"a\":\"b\",\"c\":\"d\"}}}\n";
    assert_eq!(write::json(&tree, false), out);
}

fn ignition(raw: &RawNode) -> Node {
    typed::read(raw, Language::Ignition(7), &mut Findings::new())
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_its_bounds(
        text in "([\\[\\]{}&*!|>'\"#%@:,?<~a-c \t\n\r-]|å|\u{feff}|<<: |- |a: ){0,32}",
    ) {
        if let Err(finding) = read(SourceId::default(), &text) {
            let range = finding.at.span.start as usize..finding.at.span.end as usize;
            proptest::prop_assert!(text.get(range).is_some(), "{:?}", finding);
        }
    }

    #[test]
    fn what_is_written_as_json_is_the_same_tree_in_both_languages(
        names in proptest::collection::vec(("\\PC{0,8}|[\\x00-\u{a0}\u{2028}\u{feff}]{0,4}", 0_i64..9, proptest::bool::ANY), 0..8),
    ) {
        let users = names.iter().map(|(name, uid, system)| {
            serde_json::json!({"name": name, "uid": uid, "system": system, "groups": [name]})
        });
        let config = serde_json::json!({"passwd": {"users": users.collect::<Vec<_>>()}}).to_string();
        let first = ignition(&json::read(SourceId::default(), &config).unwrap());
        for pretty in [false, true] {
            let text = write::json(&first, pretty);
            let from_json = ignition(&json::read(SourceId::default(), &text).unwrap());
            proptest::prop_assert_eq!(&from_json, &ignition(&node(&text)), "{}", text);
        }
    }
}
