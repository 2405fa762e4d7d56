//! References to contents: configs, certificate bundles, key files, what files hold. Their URL,
//! hash and headers; compression is checked by the table. Nothing is fetched.

use super::item::Item;
use super::{Report, codes};
use crate::finding::quote;
use crate::ignition::syntax::url::Url;
use crate::ignition::syntax::{arn, data_url};
use crate::schema::Minor;

/// Schemes that can be fetched, each with the first spec that knows it.
const SCHEMES: [(&str, Minor); 7] = [
    ("http", 0),
    ("https", 0),
    ("tftp", 0),
    ("s3", 0),
    ("arn", 4),
    ("gs", 2),
    ("data", 0),
];

/// Hash functions with the number of digits, and the first spec that knows them.
const HASHES: [(&str, usize, Minor); 2] = [("sha512", 128, 0), ("sha256", 64, 1)];

/// What a file holds.
pub(super) fn contents(resource: Item<'_>, report: &mut Report<'_>) {
    check(resource, true, report);
}

/// A config, certificate bundle or key file.
pub(super) fn reference(resource: Item<'_>, report: &mut Report<'_>) {
    // In 3.0.0 these were another type than contents, without this rule.
    let hash_needs_source = report.minor >= 1;
    check(resource, hash_needs_source, report);
}

/// A reference that is of no use without a source.
pub(super) fn required_source(resource: Item<'_>, report: &mut Report<'_>) {
    if resource.filled("source").is_none() {
        let at = match report.minor {
            0 => resource.at("source"),
            _ => resource.span.into(),
        };
        report.error(codes::SOURCE_MISSING, at, "`source` is missing");
    }
}

fn check(resource: Item<'_>, hash_needs_source: bool, report: &mut Report<'_>) {
    let scheme = match resource.filled("source") {
        Some(source) => url(resource, source, report),
        None => Some(String::new()),
    };
    for header in resource.items("httpHeaders") {
        check_header(header, report);
    }
    let has_headers = !resource.object.items("httpHeaders").is_empty();
    if let Some(scheme) = scheme.filter(|_| has_headers) {
        takes_headers(resource, &scheme, report);
    }
    if let Some(verification) = resource.child("verification") {
        if hash_needs_source && verification.has("hash") && !resource.has("source") {
            let at = verification.at("hash");
            let message = "there is a hash, and no `source` to verify by it";
            report.error(codes::HASH_WITHOUT_SOURCE, at, message);
        }
        hash(verification, report);
    }
}

/// Checks the URL and gives its scheme; none if that was found wrong.
fn url(resource: Item<'_>, source: &str, report: &mut Report<'_>) -> Option<String> {
    let at = resource.at("source");
    let url = match Url::parse(source) {
        Ok(url) => url,
        Err(error) => {
            let message = format!("URL {} is malformed: {error}", quote(source));
            report.error(codes::URL_MALFORMED, at, message);
            return None;
        }
    };
    let known = SCHEMES.iter().find(|(scheme, _)| url.scheme == *scheme);
    match known {
        Some((_, since)) if *since <= report.minor => {}
        _ => {
            unknown_scheme(resource, &url.scheme, report);
            return None;
        }
    }
    match url.scheme.as_str() {
        "data" => data(resource, source, report),
        "s3" | "arn" => s3_object(resource, source, &url, report),
        _ => {}
    }
    Some(url.scheme)
}

fn data(resource: Item<'_>, source: &str, report: &mut Report<'_>) {
    if let Err(error) = data_url::decode(source, source.len()) {
        let message = format!("data URL is wrong: it {error}");
        report.error(codes::DATA_URL, resource.at("source"), message);
    }
}

fn s3_object(resource: Item<'_>, source: &str, url: &Url<'_>, report: &mut Report<'_>) {
    let at = resource.at("source");
    if url.scheme == "arn" && !arn::names_s3_object(&format!("arn:{}", url.opaque)) {
        let message = format!("{} does not name an object in S3", quote(source));
        report.error(codes::S3_ARN, at, message);
        report.hint("write `arn:aws:s3:::BUCKET/KEY`, or with `accesspoint/NAME/KEY` at the end");
    } else if url.parameter("versionId").is_some_and(|id| id.is_empty()) {
        let message = "`versionId` of the S3 object is empty";
        report.error(codes::S3_VERSION_EMPTY, at, message);
    }
}

fn unknown_scheme(resource: Item<'_>, scheme: &str, report: &mut Report<'_>) {
    let at = resource.at("source");
    let message = match scheme {
        "" => "`source` is no URL: it has no scheme".to_owned(),
        _ => format!("URL scheme {} cannot be fetched", quote(scheme)),
    };
    report.error(codes::URL_SCHEME, at, message);
    match SCHEMES.iter().find(|(known, _)| scheme == *known) {
        Some((_, since)) => report.hint_since(scheme, *since),
        None => {
            let known = SCHEMES.iter().filter(|(_, since)| *since <= report.minor);
            let known: Vec<_> = known.map(|(scheme, _)| *scheme).collect();
            report.hint(format!("schemes are {}", known.join(", ")));
        }
    }
}

fn check_header(header: Item<'_>, report: &mut Report<'_>) {
    if header.filled("name").is_none() {
        let at = header.at("name");
        report.error(codes::HEADER_NAME_EMPTY, at, "header has no `name`");
    }
    if header.text("value") == Some("") {
        let at = header.at("value");
        report.error(codes::HEADER_VALUE_EMPTY, at, "header has an empty `value`");
        report.hint("leave `value` out to remove the header when configs are merged");
    }
}

/// Whether headers can be sent to a source of this scheme; it is empty if there is no source.
fn takes_headers(resource: Item<'_>, scheme: &str, report: &mut Report<'_>) {
    let at = resource.at("httpHeaders");
    match scheme {
        "http" | "https" => {}
        "" => {
            let message = "there are headers, and no `source` to fetch with them";
            report.error(codes::HEADERS_WITHOUT_SOURCE, at, message);
        }
        _ => {
            let message = format!("headers cannot be used with scheme {}", quote(scheme));
            report.error(codes::HEADERS_SCHEME, at, message);
        }
    }
}

fn hash(verification: Item<'_>, report: &mut Report<'_>) {
    let Some(hash) = verification.text("hash") else {
        return;
    };
    let at = verification.at("hash");
    let Some((function, digits)) = hash.split_once('-') else {
        let message = format!("hash {} does not name its function", quote(hash));
        report.error(codes::HASH_MALFORMED, at, message);
        report.hint("write `sha512-` and the digits");
        return;
    };
    match HASHES.iter().find(|(known, ..)| function == *known) {
        Some((_, length, since)) if *since <= report.minor => {
            if digits.len() != *length {
                let found = digits.len();
                let message = format!("a {function} hash has {length} digits, this has {found}");
                report.error(codes::HASH_LENGTH, at, message);
            }
        }
        known => {
            let message = format!("hash function {} is not known", quote(function));
            report.error(codes::HASH_FUNCTION, at, message);
            if let Some((_, _, since)) = known {
                report.hint_since(function, *since);
            }
        }
    }
}
