//! Conditions against a held thing of 10 bytes that changed at a known second.

use super::*;

const TAG: &str = "\"t\"";
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

fn held(size: u64) -> Held {
    let second = httpdate::parse_http_date(CHANGED).unwrap();
    Held {
        tag: TAG.to_owned(),
        modified: Some(second + Duration::from_millis(500)),
        size,
    }
}

fn asked(method: &Method, pairs: &[(HeaderName, &str)]) -> Conditions {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value.parse().unwrap());
    }
    Conditions::of(method, &headers)
}

fn verdict(pairs: &[(HeaderName, &str)]) -> Verdict {
    held(10).judge(&asked(&Method::GET, pairs))
}

#[test]
fn ranges_are_cut_to_what_there_is() {
    for (range, want) in [
        ("bytes=0-0", Verdict::Part(0..1)),
        ("bytes=2-", Verdict::Part(2..10)),
        ("bytes=2-5", Verdict::Part(2..6)),
        ("bytes=2-99999999999999999999999", Verdict::Part(2..10)),
        ("bytes=-3", Verdict::Part(7..10)),
        ("bytes=-30", Verdict::Part(0..10)),
        ("bytes= 9-9", Verdict::Part(9..10)),
        ("bytes=10-", Verdict::Unsatisfiable),
        ("bytes=18446744073709551615-", Verdict::Unsatisfiable),
        ("bytes=-0", Verdict::Unsatisfiable),
    ] {
        assert_eq!(verdict(&[(RANGE, range)]), want, "{range}");
    }
}

#[test]
fn what_is_no_single_range_gets_the_whole() {
    for range in [
        "bytes=5-2",
        "bytes=0-1,4-5",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=+1-2",
        "lines=1-2",
        "bytes",
        "bytes=1--2",
        "",
    ] {
        assert_eq!(verdict(&[(RANGE, range)]), Verdict::Whole, "{range}");
    }
}

#[test]
fn an_empty_thing_has_no_range() {
    let asked = asked(&Method::GET, &[(RANGE, "bytes=0-")]);
    assert_eq!(held(0).judge(&asked), Verdict::Unsatisfiable);
}

#[test]
fn a_head_request_ignores_ranges_and_keeps_conditions() {
    let range = asked(&Method::HEAD, &[(RANGE, "bytes=2-5")]);
    assert_eq!(held(10).judge(&range), Verdict::Whole);
    let known = asked(&Method::HEAD, &[(IF_NONE_MATCH, TAG)]);
    assert_eq!(held(10).judge(&known), Verdict::NotModified);
}

#[test]
fn who_has_it_is_not_sent_it_again() {
    for known in [TAG, "W/\"t\"", "\"x\", \"t\"", "*"] {
        assert_eq!(
            verdict(&[(IF_NONE_MATCH, known)]),
            Verdict::NotModified,
            "{known}"
        );
    }
    assert_eq!(
        verdict(&[(IF_MODIFIED_SINCE, CHANGED)]),
        Verdict::NotModified
    );
    for pairs in [
        &[(IF_NONE_MATCH, "\"x\"")][..],
        &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, CHANGED)],
        &[(IF_MODIFIED_SINCE, BEFORE)],
        &[(IF_MODIFIED_SINCE, "yesterday")],
    ] {
        assert_eq!(verdict(pairs), Verdict::Whole, "{pairs:?}");
    }
}

#[test]
fn a_range_of_another_version_gets_the_whole() {
    let range = (RANGE, "bytes=2-5");
    for (of, want) in [
        (TAG, Verdict::Part(2..6)),
        (CHANGED, Verdict::Part(2..6)),
        ("\"x\"", Verdict::Whole),
        ("W/\"t\"", Verdict::Whole),
        (BEFORE, Verdict::Whole),
    ] {
        assert_eq!(verdict(&[range.clone(), (IF_RANGE, of)]), want, "{of}");
    }
}

#[test]
fn heads_say_what_is_sent() {
    let held = held(10);
    let said = |verdict: Verdict| {
        let (status, headers) = held.head(&verdict);
        let text = |name| {
            headers
                .get(name)
                .map(|value: &HeaderValue| value.to_str().unwrap().to_owned())
        };
        (status.as_u16(), text(CONTENT_LENGTH), text(CONTENT_RANGE))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(said(Verdict::Whole), (200, text("10"), None));
    assert_eq!(
        said(Verdict::Part(2..6)),
        (206, text("4"), text("bytes 2-5/10"))
    );
    assert_eq!(said(Verdict::NotModified), (304, None, None));
    assert_eq!(
        said(Verdict::Unsatisfiable),
        (416, text("0"), text("bytes */10"))
    );
    let (_, headers) = held.head(&Verdict::Whole);
    assert_eq!(
        (&headers[ETAG], &headers[LAST_MODIFIED]),
        (&TAG.parse().unwrap(), &CHANGED.parse().unwrap())
    );
}
