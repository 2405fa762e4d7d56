//! URLs whose verdicts were measured with the original, and the parts that the rules need.
//! Texts are short: each is there for one step of the reader.

use super::*;

#[test]
fn accepted_urls_give_their_scheme() {
    for (text, scheme) in [
        ("", ""),
        ("*", ""),
        ("foo", ""),
        ("/foo", ""),
        ("//foo/x", ""),
        ("foo/b:c", ""),
        ("?x", ""),
        ("b:c/d", "b"),
        ("HTTP://a/", "http"),
        ("ht-tp://a", "ht-tp"),
        ("http:", "http"),
        ("http:a", "http"),
        ("http:%zz", "http"),
        ("http:?%zz", "http"),
        ("http://", "http"),
        ("http:///x", "http"),
        ("http://a:/", "http"),
        ("http://a:99999/", "http"),
        ("http://a:1:2/", "http"),
        ("http://[::1]/", "http"),
        ("http://[::1]:8/", "http"),
        ("http://[]/", "http"),
        ("http://[a]/", "http"),
        ("http://a]/", "http"),
        ("http://x[y/", "http"),
        ("http://[fe80::1%25en0]/", "http"),
        ("http://[::1%25%20]/", "http"),
        ("http://a/b c", "http"),
        ("http://a/[x", "http"),
        ("http://a/?%zz", "http"),
        ("http://a#b#c", "http"),
        ("http://a#\u{1}", "http"),
        ("http://é/", "http"),
        ("http://a<b/", "http"),
        ("http://a\"b/", "http"),
        ("http://a'b/", "http"),
        ("http://a%C3%A9/", "http"),
        ("http://a%25b/", "http"),
        ("http://u:p@h/", "http"),
        ("http://@/", "http"),
        ("http://a@b@c/", "http"),
    ] {
        let url = Url::parse(text);
        assert_eq!(url.map(|url| url.scheme).as_deref(), Ok(scheme), "{text}");
    }
}

#[test]
fn refused_urls_say_why() {
    for (text, want) in [
        ("http://a\u{7f}b", UrlError::Control),
        ("http://a/\tb", UrlError::Control),
        (":foo", UrlError::NoScheme),
        ("1http://a", UrlError::Scheme),
        ("a_b:c", UrlError::Scheme),
        ("http://a/%zz", UrlError::Escape),
        ("http://a/%", UrlError::Escape),
        ("http://a/#%zz", UrlError::Escape),
        ("http://a%zz/", UrlError::Escape),
        ("http://a%20b/", UrlError::Escape),
        ("http://a%41/", UrlError::Escape),
        ("http://a%3Cb/", UrlError::Escape),
        ("http://[fe80::1%en0]/", UrlError::Escape),
        ("http://[::1%25%zz]/", UrlError::Escape),
        ("http://[::1%25%2f]/", UrlError::Escape),
        ("http://u:%zz@h/", UrlError::Escape),
        ("http://a b/", UrlError::Host),
        ("http://a\\b/", UrlError::Host),
        ("http://a{b/", UrlError::Host),
        ("http://a`/", UrlError::Host),
        ("http://[::1%25^]/", UrlError::Host),
        ("http://[::1/", UrlError::Bracket),
        ("http://[::1]x/", UrlError::Port),
        ("http://[::1]:x/", UrlError::Port),
        ("http://a:b/", UrlError::Port),
        ("http://u^@h/", UrlError::User),
        ("http://u:p w@h/", UrlError::User),
    ] {
        assert_eq!(Url::parse(text), Err(want), "{text}");
    }
}

#[test]
fn parameters_are_decoded_and_the_first_one_counts() {
    let parameter = |text| Url::parse(text).unwrap().parameter("versionId");
    for (text, want) in [
        ("s3://b/k", None),
        ("s3://b/k?versionid=", None),
        ("s3://b/k?a;versionId=", None),
        ("s3://b/k?%zz&versionId=%zz", None),
        ("s3://b/k#?versionId=", None),
        ("s3://b/k?versionId", Some("")),
        ("s3://b/k?versionId=", Some("")),
        ("s3://b/k?versionId=&versionId=2", Some("")),
        ("s3://b/k?versionId=1&versionId=", Some("1")),
        ("s3://b/k?x=%zz&version%49d=a+%62", Some("a b")),
    ] {
        let want = want.map(|text: &str| text.as_bytes().to_vec());
        assert_eq!(parameter(text), want, "{text}");
    }
    assert_eq!(Url::parse("arn:a:b?c#d").unwrap().opaque, "a:b");
}
