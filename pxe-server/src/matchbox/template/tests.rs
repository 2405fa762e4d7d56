//! Templates as they are written for matchbox, and what Go makes of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn data() -> Value {
    json!({
        "name": "node1", "empty": "", "count": 3, "ratio": 1.5, "on": true, "off": false,
        "keys": ["k1", "k2"], "none": [],
        "net": {"ip": "10.0.0.1", "gw": "10.0.0.254"},
        "request": {"query": {"mac": "52:54:00:00:00:01"}, "raw_query": "mac=52-54"},
        "space": " a&b ",
    })
}

/// Templates, and what Go makes of them; nothing: an error here.
const RENDERED: [(&str, &str); 25] = [
    ("plain {text}", "plain {text}"),
    ("{{.name}}.{{ .net.ip }}", "node1.10.0.0.1"),
    ("{{.request.query.mac}}", "52:54:00:00:00:01"),
    (
        "{{.count}} {{.ratio}} {{.on}} {{.keys}} {{.net}}",
        "3 1.5 true [k1 k2] map[gw:10.0.0.254 ip:10.0.0.1]",
    ),
    (
        "{{if .on}}y{{else}}n{{end}}{{if .off}}y{{end}}{{if not .off}}z{{end}}",
        "yz",
    ),
    ("{{if .empty}}a{{else if .keys}}b{{else}}c{{end}}", "b"),
    (
        "{{if eq .name \"x\" \"node1\"}}eq{{end}}{{if ne .count 4}}ne{{end}}{{if lt .count 4.5}}lt{{end}}",
        "eqnelt",
    ),
    ("{{range .keys}}<{{.}}>{{end}}", "<k1><k2>"),
    (
        "{{range $i, $k := .keys}}{{if $i}},{{end}}{{$k}}@{{$.name}}{{end}}",
        "k1@node1,k2@node1",
    ),
    (
        "{{range $k, $v := .net}}{{$k}}={{$v}};{{end}}",
        "gw=10.0.0.254;ip=10.0.0.1;",
    ),
    ("{{range .none}}x{{else}}none{{end}}", "none"),
    (
        "{{with .net}}{{.ip}}{{end}}{{with .empty}}x{{else}}{{.name}}{{end}}",
        "10.0.0.1node1",
    ),
    ("{{with $n := .net}}{{$n.gw}}{{end}}", "10.0.0.254"),
    (
        "{{index .keys 1}} {{index .net \"ip\"}} {{index . \"missing\"}}",
        "k2 10.0.0.1 <no value>",
    ),
    ("{{if index . \"pxe\"}}pxe{{else}}disk{{end}}", "disk"),
    (
        "{{len .keys}} {{.keys | len}} {{(index .keys 0) | printf \"%s-%d\" .name | print}}",
        "",
    ),
    (
        "{{printf \"%s=%v %q %d%%\" .name .count \"a\\\"b\" 7}}",
        "node1=3 \"a\\\"b\" 7%",
    ),
    (
        "{{.space | urlquery}} {{`raw \"x\"`}} {{\"\\u0041\\t\"}}",
        "+a%26b+ raw \"x\" A\t",
    ),
    (
        "{{$x := .name}}{{$x}}{{$x = \"y\"}}{{$x}}{{if true}}{{$x := \"z\"}}{{$x}}{{end}}{{$x}}",
        "node1yzy",
    ),
    (
        "{{define \"u\"}}[{{.}}]{{end}}{{template \"u\" .name}}{{template \"u\"}}",
        "[node1][<no value>]",
    ),
    ("{{block \"b\" .net}}{{.ip}}{{end}}!", "10.0.0.1!"),
    ("a\n  {{- /* gone */ -}}\n b {{- .name -}} \n c", "abnode1c"),
    ("a {{/* gone */}} b", "a  b"),
    (
        "{{and .on .name}} {{or .empty .name}} {{and .off .missing}}",
        "node1 node1 false",
    ),
    ("{{(.net).ip}}{{ -3 }}{{\n.name\n}}", "10.0.0.1-3node1"),
];

#[test]
fn what_go_renders_is_rendered() {
    for (template, want) in RENDERED {
        if want.is_empty() {
            // Go renders what it cannot show as `%!d(…)`; here that is an error.
            assert!(render(template, &data()).is_err(), "{template}");
            continue;
        }
        assert_eq!(render(template, &data()).as_deref(), Ok(want), "{template}");
    }
}

#[test]
fn what_cannot_be_rendered_is_refused_with_its_line() {
    for (template, line, want) in [
        ("a\n{{.missing}}", 2, "no value for `.missing`"),
        ("{{.name.x}}", 1, "`.x` of node1"),
        ("\n\n{{if .on}}", 3, "`if` without `end`"),
        ("{{end}}", 1, "without a beginning"),
        ("{{template \"t\"}}", 1, "no template \"t\""),
        ("{{frob .name}}", 1, "no function `frob`"),
        ("{{.name 3}}", 1, "takes no arguments"),
        ("{{$x}}", 1, "no variable `$x`"),
        ("{{index .keys 9}}", 1, "no element 9"),
        ("{{eq .name 3}}", 1, "cannot compare"),
        ("{{range .name}}{{end}}", 1, "cannot range over"),
        ("{{\"a}}", 1, "a text without an end"),
        ("{{.name", 1, "an action without an end"),
        ("{{/* x }}", 1, "a comment without an end"),
        ("{{}}", 1, "without a value"),
        ("{{break}}", 1, "not supported"),
        (
            "{{define \"r\"}}{{template \"r\"}}{{end}}{{template \"r\"}}",
            1,
            "too deep",
        ),
    ] {
        let error = render(template, &data()).unwrap_err();
        assert!(error.reason.contains(want), "{template}: {error}");
        assert_eq!(error.line, line, "{template}");
    }
}

#[test]
fn work_and_output_have_limits() {
    let many = json!({"l": vec![0; 2000], "t": "x".repeat(100_000)});
    let error = render("{{range .l}}{{range $.l}}{{end}}{{end}}", &many).unwrap_err();
    assert_eq!(error.reason, "too many steps");
    let error = render("{{range .l}}{{$.t}}{{end}}", &many).unwrap_err();
    assert!(error.reason.contains("more than 4194304 bytes"), "{error}");
    let deep = format!("{}{}", "{{if .l}}".repeat(1000), "{{end}}".repeat(1000));
    assert_eq!(render(&deep, &many).unwrap_err().reason, "too deep");
    let nested = format!("{{{{{}1{}}}}}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(render(&nested, &many).unwrap_err().reason, "too deep");
}

proptest! {
    #[test]
    fn any_text_is_rendered_or_refused(text in "(\\{\\{-?|-?\\}\\}|[ \n.$|()=:,a\"`]|if|end|range|else|/\\*|\\*/|\u{e9}){0,40}") {
        let _ = render(&text, &data());
    }
}
