//! Where variables come from, where they go, and that secrets do not show.

use super::*;
use crate::finding::Findings;
use crate::tree::Span;

fn variables(assignments: &[&str]) -> Variables {
    let mut all = Variables::new();
    for assignment in assignments {
        all.assign(assignment).unwrap();
    }
    all
}

fn substituted(text: &str, variables: &Variables) -> (RawValue, Vec<Finding>) {
    let mut root = yaml::read(SourceId::default(), text).unwrap();
    let mut findings = Findings::new();
    substitute(&mut root, variables, &mut findings);
    (root.value, findings.iter().cloned().collect())
}

fn value(text: &str, all: &Variables) -> Scalar {
    let (root, findings) = substituted(&format!("a: {text}"), all);
    assert_eq!(findings, [], "{text}");
    match root {
        RawValue::Map(mut entries) => match entries.pop().unwrap().value.value {
            RawValue::Scalar(scalar) => scalar,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_variable_alone_stays_plain_and_everything_else_is_text() {
    let all = variables(&[
        "mode=0644",
        "host=a.example",
        "x.y-z_1=",
        "loop=${{ mode }}",
    ]);
    let plain = |text: &str| Scalar::Plain(text.into());
    let text = |text: &str| Scalar::Text(text.into());
    let cases = [
        ("${{ mode }}", plain("0644")),
        ("${{mode}}", plain("0644")),
        ("'${{ mode }}'", text("0644")),
        ("${{ x.y-z_1 }}", plain("")),
        (
            "http://${{ host }}/${{ mode }}",
            text("http://a.example/0644"),
        ),
        ("${{ host }}${{ host }}", text("a.examplea.example")),
        (
            "|\n  x=${{ host }}\n  y=${{\n  mode }}\n",
            text("x=a.example\ny=0644\n"),
        ),
        ("$${{ mode }}", text("${{ mode }}")),
        ("a $${{ b ${{ mode }}", text("a ${{ b 0644")),
        ("${{ loop }}", plain("${{ mode }}")),
        ("$ {{ x }} ${x} $$", plain("$ {{ x }} ${x} $$")),
    ];
    for (written, wanted) in cases {
        assert_eq!(value(written, &all), wanted, "{written}");
    }
}

#[test]
fn keys_stay_and_places_are_those_of_the_template() {
    let all = variables(&["k=v"]);
    let text = "a${{ k }}: [x, '${{ k }}']";
    let (root, findings) = substituted(text, &all);
    assert_eq!(findings, []);
    let RawValue::Map(entries) = root else {
        panic!("{root:?}");
    };
    assert_eq!(entries[0].key, "a${{ k }}");
    let RawValue::List(items) = &entries[0].value.value else {
        panic!("{entries:?}");
    };
    assert_eq!(items[1].value, RawValue::Scalar(Scalar::Text("v".into())));
    let (start, end) = (items[1].span.start as usize, items[1].span.end as usize);
    assert_eq!(&text[start..end], "'${{ k }}'");
}

#[test]
fn undefined_variables_are_errors_with_what_was_meant() {
    let all = variables(&["hostname=x"]);
    let (_, findings) = substituted("a: ${{ hostnme }}\nb: [\"x ${{ other }}\"]", &all);
    let told: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code, finding.at.span.start, finding.hint.as_deref()))
        .collect();
    let meant = Some("did you mean `hostname`?");
    assert_eq!(
        told,
        [
            ("undefined-variable", 3, meant),
            ("undefined-variable", 22, None)
        ]
    );
    for text in [
        "'${{ }}'",
        "${{ a b }}",
        "'${{ hostname'",
        "${{ ${{ hostname }} }}",
    ] {
        let (_, findings) = substituted(text, &all);
        assert_eq!(findings[0].code, "variable-syntax", "{text}");
        assert_eq!(findings.len(), 1, "{text}");
    }
}

#[test]
fn without_any_variables_the_text_stays_with_one_warning() {
    let text = "a: $${{ x }}\nb: ${{ y }}\nc: ${{ z }}";
    let before = yaml::read(SourceId::default(), text).unwrap().value;
    let (after, findings) = substituted(text, &Variables::new());
    assert_eq!(after, before);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, "variable-without-values");
    assert_eq!(findings[0].at.span.start, 16);
    assert_eq!(
        substituted("a: '${{ '\nb: $${{ x }}", &Variables::new()).1,
        []
    );

    let mut empty = Variables::new();
    empty.add_file(SourceId::default(), "{}").unwrap();
    assert_eq!(substituted(text, &empty).1[0].code, "undefined-variable");
}

#[test]
fn what_variables_add_is_bounded() {
    let mut all = Variables::new();
    all.assign(&format!("big={}", "x".repeat(1 << 20))).unwrap();
    let items = vec!["'${{ big }}'"; 100].join(", ");
    let (_, findings) = substituted(&format!("[{items}]"), &all);
    assert_eq!(findings.len(), 36);
    assert!(
        findings
            .iter()
            .all(|finding| finding.code == "variables-too-large")
    );
}

#[test]
fn a_file_gives_scalars_by_joined_keys() {
    let mut all = variables(&["mode=1", "kept=2"]);
    let text =
        "mode: 0644\nnet:\n  dns:\n    first: '1.1'\n  mtu: 9000\nkey: |\n  a\n  b\nempty: ''\n";
    all.add_file(SourceId::default(), text).unwrap();
    let seen: Vec<_> = all
        .names()
        .map(|name| (name, all.get(name).unwrap().value.as_str()))
        .collect();
    let wanted = [
        ("empty", ""),
        ("kept", "2"),
        ("key", "a\nb\n"),
        ("mode", "0644"),
        ("net.dns.first", "1.1"),
        ("net.mtu", "9000"),
    ];
    assert_eq!(seen, wanted);
    let cases = [
        ("a: [1]", "variable-value", 3),
        ("a:", "variable-value", 1),
        ("a b: 1", "variable-name", 0),
        ("a.b: 1\na:\n  b: 2", "variable-twice", 12),
        ("- a", "variable-file", 0),
        ("a: 1\na: 2", "duplicate-key", 5),
    ];
    for (text, code, start) in cases {
        let finding = Variables::new()
            .add_file(SourceId::default(), text)
            .unwrap_err();
        assert_eq!(
            (finding.code, finding.at.span.start),
            (code, start),
            "{text}"
        );
    }
}

#[test]
fn assignments_environment_and_secret_files() {
    let mut all = variables(&["a=b=c", "a=d"]);
    assert_eq!(all.get("a").unwrap().value, "d");
    let error = |assignment: &str| Variables::new().assign(assignment).unwrap_err();
    assert_eq!(error("abc"), VariableError::NoAssignment("abc".into()));
    assert_eq!(error("a b=c"), VariableError::BadName("a b".into()));
    assert_eq!(error("=c"), VariableError::BadName(String::new()));

    all.set_from_environment("TOKEN", |name| Some(format!("{name}!")))
        .unwrap();
    assert_eq!(all.get("TOKEN").unwrap().value, "TOKEN!");
    assert!(all.get("TOKEN").unwrap().secret);
    let missing = all.set_from_environment("NONE", |_| None).unwrap_err();
    assert_eq!(missing, VariableError::NotInEnvironment("NONE".into()));

    for contents in ["s3cret", "s3cret\n", "s3cret\r\n"] {
        all.set_secret("s", contents).unwrap();
        assert_eq!(all.get("s").unwrap().value, "s3cret");
    }
    all.set_secret("s", "a\n\n").unwrap();
    assert_eq!(all.get("s").unwrap().value, "a\n");
}

#[test]
fn secrets_do_not_show() {
    let mut all = variables(&["open=hello"]);
    all.set_secret("pw", "hunter2").unwrap();
    all.set_secret("longer", "hunter2-and-more").unwrap();
    all.set_secret(
        "key",
        &format!("-----BEGIN\n{}\n\tend-of-key\n", "k".repeat(200)),
    )
    .unwrap();
    all.set_secret("tiny", "on").unwrap();
    let cases = [
        ("hello hunter2!", "hello [secret pw]!"),
        ("`hunter2-and-more`", "`[secret longer]`"),
        ("hunter2-and-mor", "[secret pw]-and-mor"),
        ("`hunter2-and-…`", "`[secret longer]…`"),
        ("`hunt…` `hun…` on", "`[secret longer]…` `hun…` on"),
        ("line `\\tend-of-key` is bad", "line `[secret key]` is bad"),
        ("nothing", "nothing"),
    ];
    for (text, wanted) in cases {
        assert_eq!(all.redact(text), wanted, "{text}");
    }
    let shown = quote(&format!("key: {}", all.get("key").unwrap().value));
    assert_eq!(all.redact(&shown), "`key: [secret key]…`");
    let debug = format!("{all:?}");
    assert!(
        !debug.contains("hunter2") && debug.contains("hello"),
        "{debug}"
    );
    assert_eq!(Variables::new().redact("hunter2"), "hunter2");
}

#[test]
fn typed_values_and_their_errors_lead_to_the_template() {
    let all = variables(&["mode=0644", "uid=x"]);
    let text = "storage: {files: [{mode: \"${{ mode }}\"}]}\npasswd:\n  users:\n  - uid: ${{ uid }}\n    gecos: ${{ mode }}\n";
    let mut root = yaml::read(SourceId::default(), text).unwrap();
    let mut findings = Findings::new();
    substitute(&mut root, &all, &mut findings);
    let target = crate::schema::Target::find("fcos", "1.6.0").unwrap();
    let language = crate::schema::Language::Butane(target);
    let tree = crate::tree::typed::read(&root, language, &mut findings);
    let out = "{\"passwd\":{\"users\":[{\"gecos\":\"0644\"}]},\"storage\":{\"files\":[{}]}}\n";
    assert_eq!(crate::tree::write::json(&tree, false), out);
    let slice = |span: Span| &text[span.start as usize..span.end as usize];
    let told: Vec<_> = findings.iter().map(|found| slice(found.at.span)).collect();
    assert_eq!(told, ["\"${{ mode }}\"", "${{ uid }}"]);
}

proptest::proptest! {
    #[test]
    fn redacted_text_never_holds_a_secret(
        before in "[a-c…]{0,8}",
        secret in "[a-c]{4,8}",
        after in "[a-c…]{0,8}",
    ) {
        let mut all = Variables::new();
        all.set_secret("s", &secret).unwrap();
        let redacted = all.redact(&format!("{before}{secret}{after}"));
        let left = redacted.split("[secret s]").any(|part| part.contains(&secret));
        proptest::prop_assert!(!left, "{}", redacted);
    }
}
