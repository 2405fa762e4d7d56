//! Contents as `data:` URLs, in the shortest of three forms.
//!
//! RFC 2397. The same contents always give the same URL: gzip is written without a time and at one
//! level, by one encoder. What the URL is for, and the config's compression field, is `resource`'s.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// All but RFC 2396's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

const PLAIN_PREFIX: &str = "data:,";
const BASE64_PREFIX: &str = "data:;base64,";
/// What `gzip` in the compression field adds to the config.
const GZIP_COST: usize = "gzip".len();
/// What no gzip member is shorter than, with all that belongs to it: 20 bytes as base64.
const LEAST_GZIP: usize = BASE64_PREFIX.len() + 28 + GZIP_COST;
/// RFC 1952: no statement about the system.
const UNKNOWN_SYSTEM: u8 = 255;

/// Contents as a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) url: String,
    pub(super) gzipped: bool,
}

/// Percent-escaped, however long that is.
pub(super) fn escaped(contents: &[u8]) -> String {
    format!("{PLAIN_PREFIX}{}", percent_encode(contents, ESCAPED))
}

/// The shortest form: escaped, base64, or (if `gzip` is allowed) base64 of gzip.
pub(super) fn shortest(contents: &[u8], gzip: bool) -> io::Result<Encoded> {
    let as_escaped = PLAIN_PREFIX.len() + escaped_length(contents);
    let as_base64 = BASE64_PREFIX.len() + base64_length(contents.len());
    if gzip && as_escaped.min(as_base64) > LEAST_GZIP {
        let packed = packed(contents)?;
        let as_gzip = BASE64_PREFIX.len() + base64_length(packed.len());
        if as_gzip + GZIP_COST < as_escaped.min(as_base64) {
            let url = base64_url(&packed);
            return Ok(Encoded { url, gzipped: true });
        }
    }
    let url = if as_base64 < as_escaped {
        base64_url(contents)
    } else {
        escaped(contents)
    };
    let gzipped = false;
    Ok(Encoded { url, gzipped })
}

fn base64_url(contents: &[u8]) -> String {
    let mut url = String::from(BASE64_PREFIX);
    STANDARD.encode_string(contents, &mut url);
    url
}

fn base64_length(length: usize) -> usize {
    length.div_ceil(3) * 4
}

fn escaped_length(contents: &[u8]) -> usize {
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte);
    contents
        .iter()
        .map(|byte| if kept(byte) { 1 } else { 3 })
        .sum()
}

fn packed(contents: &[u8]) -> io::Result<Vec<u8>> {
    let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    encoder.write_all(contents)?;
    encoder.finish()
}
