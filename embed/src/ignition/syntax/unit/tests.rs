//! Unit files whose verdicts were measured with the original, long lines among them.
//! What systemd itself would make of them does not count here.

use super::*;

fn sections(text: &str) -> Result<Vec<&str>, UnitError> {
    parse(text).map(|file| file.sections)
}

#[test]
fn sections_with_options_are_told() {
    for (text, want) in [
        ("", &[][..]),
        ("\n# x\n; y\n", &[]),
        ("[A]", &[]),
        ("[A]\nx=y", &["A"]),
        (
            "[A]\r\nx=y\r\n[B]  \n\n z = 1\nq=\n[A]\na=b",
            &["A", "B", "A"],
        ),
        ("[Install]\n =y", &["Install"]),
        ("[a\nb]\nx=y", &["a\nb"]),
        ("[A]\nx=y\\\n[B\n", &["A"]),
        ("[A]\nx=y\\", &["A"]),
        ("[A]\n#c\\\n[B\nx=y", &["A"]),
        ("[A]\n#c\\ \n[B\nx=y", &["A"]),
        ("#c\\\n[A", &[]),
    ] {
        assert_eq!(sections(text).as_deref(), Ok(want), "{text:?}");
    }
}

#[test]
fn text_before_the_first_section_is_told_and_accepted() {
    assert!(parse("garbage").unwrap().has_stray_text);
    let file = parse("x=y\n[A]\nx=y").unwrap();
    assert!(file.has_stray_text);
    assert_eq!(file.sections, ["A"]);
    assert!(!parse(" \n#c\n[A]\nx=y").unwrap().has_stray_text);
}

#[test]
fn refusals_say_why() {
    let after = |name: &str| UnitError::AfterSection(quote(name));
    let no_equals = |line: &str| UnitError::NoEquals(quote(line));
    for (text, want) in [
        ("[A\nx=y", UnitError::OpenSection),
        ("[A]\nx=y\\ \n[B\n", UnitError::OpenSection),
        ("[A]\nx=y\\\r\n[B\n", UnitError::OpenSection),
        ("[A]\nx=\\\n\n[B\n", UnitError::OpenSection),
        ("[A]\n#c\\  \n[B\n", UnitError::OpenSection),
        ("[A]\n\u{a0}[B", UnitError::OpenSection),
        ("[A]]\nx=y", after("A")),
        ("[A] x", after("A")),
        ("[A]\0x", after("A")),
        ("[A]\nfoo", no_equals("foo")),
        ("[A]\nfoo\nx=y", no_equals("foo")),
        ("[A]\nx\r=y", no_equals("x")),
    ] {
        assert_eq!(sections(text), Err(want), "{text:?}");
    }
}

/// Lengths of lines before a long one, its own length, and whether the original refused it.
const LONG: &[(&[usize], usize, bool)] = &[
    (&[], 2040, false),
    (&[], 2047, true),
    (&[], 3000, true),
    (&[1000], 2040, false),
    (&[1000], 2047, true),
    (&[1000, 1000], 2047, true),
    (&[1000, 1500], 2047, false),
    (&[1000, 1500], 3000, false),
    (&[1500], 2500, true),
    (&[1500, 1000], 2500, false),
    (&[2040], 3000, true),
    (&[2040, 2000], 3000, false),
];

#[test]
fn long_lines_are_seen_where_the_original_sees_them() {
    for (before, length, refused) in LONG {
        let mut text = String::from("[A]\n");
        for (length, name) in before.iter().zip(["a=", "b="]) {
            text.push_str(name);
            text.push_str(&"p".repeat(length - 2));
            text.push('\n');
        }
        text.push_str("x=");
        text.push_str(&"y".repeat(*length));
        text.push('\n');
        let long = sections(&text) == Err(UnitError::LongLine);
        assert_eq!(long, *refused, "{before:?} {length}");
    }
    let garbage = "g".repeat(3000);
    assert_eq!(parse(&garbage), Err(UnitError::LongLine));
    let comment = format!("[A]\n#{}\n", "y".repeat(3000));
    assert_eq!(parse(&comment), Err(UnitError::LongLine));
}

#[test]
fn a_megabyte_of_anything_is_read() {
    let long = "x".repeat(2040) + "\n";
    for (piece, accepted) in [
        ("[A]\nx=\\\n", true),
        ("#\\\n", true),
        ("\n \n", true),
        ("x=é\n", true),
        ("[", false),
        ("[A]", false),
        (" ", false),
    ] {
        let text = piece.repeat(1 << 18);
        assert_eq!(
            parse(&format!("[A]\n{text}")).is_ok(),
            accepted,
            "{piece:?}"
        );
    }
    assert!(parse(&long.repeat(500)).unwrap().has_stray_text);
}
