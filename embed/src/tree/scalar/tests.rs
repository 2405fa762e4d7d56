//! One table per wanted type: how YAML and JSON scalars are understood.

use super::*;

fn plain(text: &str) -> Scalar {
    Scalar::Plain(text.into())
}

#[test]
fn plain_whole_numbers() {
    let exact = [
        ("0", 0),
        ("-0", 0),
        ("00", 0),
        ("420", 420),
        ("+420", 420),
        ("-7", -7),
        ("0644", 420),
        ("-0644", -420),
        ("0o644", 420),
        ("0O644", 420),
        ("0x1A4", 420),
        ("0X1a4", 420),
        ("0b110100100", 420),
        ("-0b11", -3),
        ("0_644", 420),
        ("1_000", 1000),
        ("0689", 689),
        ("420.0", 420),
        ("420.", 420),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("1200e-2", 12),
        (".5e1", 5),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ];
    for (text, number) in exact {
        assert_eq!(whole(&plain(text)), Whole::Exact(number), "{text}");
    }
}

#[test]
fn plain_fractions_and_what_is_no_whole_number() {
    for (text, number) in [("420.7", 420), ("-1.5", -1), (".5", 0)] {
        assert_eq!(whole(&plain(text)), Whole::Cut(number), "{text}");
    }
    for text in [
        "9223372036854775808",
        "1e30",
        "-1e30",
        "1e999",
        "0xffffffffffffffff",
    ] {
        assert_eq!(whole(&plain(text)), Whole::TooLarge, "{text}");
    }
    let not = [
        "",
        "1:30",
        "x",
        "0x",
        "0xg",
        "0b2",
        "1e",
        "e1",
        ".",
        "-",
        "+",
        "_",
        "_1",
        ".inf",
        ".nan",
        "1 2",
        "--1",
        "+-1",
        "0x-1",
        "１",
        "yes",
        "2024-01-02",
        "1.2.3",
    ];
    for text in not {
        assert_eq!(whole(&plain(text)), Whole::Not, "{text}");
    }
    assert_eq!(whole(&plain(&"9".repeat(100_000))), Whole::TooLarge);
    assert_eq!(whole(&Scalar::Text("0644".into())), Whole::Not);
}

#[test]
fn json_whole_numbers() {
    let number = |text: &str| whole(&Scalar::Number(text.into()));
    assert_eq!(number("-12"), Whole::Exact(-12));
    assert_eq!(number("-0"), Whole::Exact(0));
    assert_eq!(number("9223372036854775808"), Whole::TooLarge);
    for text in ["2.0", "1e1", "1E1"] {
        assert_eq!(number(text), Whole::Not, "{text}");
    }
    assert_eq!(whole(&Scalar::Bool(true)), Whole::Not);
}

#[test]
fn booleans() {
    for text in [
        "true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON",
    ] {
        assert_eq!(boolean(&plain(text), true), Some(true), "{text}");
    }
    for text in [
        "false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF",
    ] {
        assert_eq!(boolean(&plain(text), true), Some(false), "{text}");
    }
    for text in ["", "tRUE", "yES", "1", "0", "oN"] {
        assert_eq!(boolean(&plain(text), true), None, "{text}");
    }
    let quoted = |text: &str| Scalar::Text(text.into());
    assert_eq!(boolean(&quoted("yes"), true), Some(true));
    assert_eq!(boolean(&quoted("yes"), false), None);
    assert_eq!(boolean(&quoted("true"), true), None);
    assert_eq!(boolean(&Scalar::Bool(false), false), Some(false));
}

#[test]
fn strings_keep_their_text() {
    for value in ["1.50", "true", "2024-01-02", "yes", "0644", ""] {
        assert_eq!(text(&plain(value)), Some(value));
    }
    assert_eq!(text(&Scalar::Number("1".into())), None);
    assert_eq!(text(&Scalar::Bool(true)), None);
    assert_eq!(text(&Scalar::Null), None);
}
