//! What counts as the same file and as its rest.

use super::*;

#[test]
fn a_content_range_is_read_exactly_or_not_at_all() {
    let range = |first, total| Some(ContentRange { first, total });
    for (text, expected) in [
        ("bytes 5-9/10", range(5, Some(10))),
        ("bytes 0-0/1", range(0, Some(1))),
        ("bytes 5-9/*", range(5, None)),
        ("bytes 9-5/10", None),
        ("bytes 5-10/10", None),
        ("bytes */10", None),
        ("bytes 5-/10", None),
        ("bytes -5/10", None),
        ("items 5-9/10", None),
        ("bytes 5-9", None),
        ("bytes 99999999999999999999-9/10", None),
        ("", None),
    ] {
        assert_eq!(parse_content_range(text), expected, "{text}");
    }
}
