//! `data:` URLs (RFC 2397), as strictly as Ignition reads them: base64 needs its padding, the
//! media type its syntax, and no character may stand unescaped that a URL cannot hold.
//!
//! Gives the bytes, bounded. Decompression and hashes are the caller's.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::percent;
use crate::finding::quote;

/// Stray bits in the last character are let pass, missing padding is not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Media types other than `x-…` begin with one of these.
const TYPES: [&str; 7] = [
    "text",
    "image",
    "audio",
    "video",
    "application",
    "message",
    "multipart",
];

/// Why a `data:` URL was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataUrlError {
    /// It does not begin with `data:`, in lower case.
    #[error("does not begin with `data:`")]
    Prefix,
    /// It ends before the comma.
    #[error("has no comma before the data")]
    NoComma,
    /// Neither `x-…` nor one of the types that RFC 2045 knows.
    #[error("has the unknown media type `{0}`")]
    MediaType(String),
    /// A character that cannot be there.
    #[error("cannot have {found} in the {part}")]
    Unexpected {
        /// The character, for messages.
        found: String,
        /// Which part of the URL.
        part: &'static str,
    },
    /// A parameter has no value, and is not `base64` before the comma.
    #[error("has parameter `{0}` without a value")]
    Parameter(String),
    /// A quoted value with an escape that means nothing.
    #[error("has a malformed escape in a quoted parameter")]
    Quoting,
    /// A `%` without two hexadecimal digits.
    #[error("has a `%` without two hexadecimal digits")]
    Percent,
    /// Padding or length is wrong.
    #[error("has base64 of a wrong length or padding")]
    Base64,
    /// More data than the caller takes.
    #[error("holds more than {0} bytes")]
    TooLong(usize),
}

/// The data of `url`, of which there may be `limit` bytes.
pub fn decode(url: &str, limit: usize) -> Result<Vec<u8>, DataUrlError> {
    let rest = url.strip_prefix("data:").ok_or(DataUrlError::Prefix)?;
    let mut cursor = Cursor { rest };
    cursor.media_type()?;
    let is_base64 = cursor.parameters()?;
    if is_base64 {
        from_base64(cursor.rest, limit)
    } else {
        only(cursor.rest, "data", is_url_byte)?;
        percent_decode(cursor.rest, limit)
    }
}

fn from_base64(text: &str, limit: usize) -> Result<Vec<u8>, DataUrlError> {
    only(text, "data", |byte| {
        byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
    })?;
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    if (text.len() / 4 * 3).saturating_sub(padding) > limit {
        return Err(DataUrlError::TooLong(limit));
    }
    BASE64.decode(text).map_err(|_| DataUrlError::Base64)
}

fn percent_decode(text: &str, limit: usize) -> Result<Vec<u8>, DataUrlError> {
    let escapes = text.bytes().filter(|byte| *byte == b'%').count();
    if text.len().saturating_sub(escapes.saturating_mul(2)) > limit {
        return Err(DataUrlError::TooLong(limit));
    }
    percent::decode(text.as_bytes()).ok_or(DataUrlError::Percent)
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn next_is(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes bytes of a token (RFC 2045), maybe none.
    fn token(&mut self) -> &'a str {
        let end = self.rest.bytes().position(|byte| !is_token_byte(byte));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    fn unexpected(&self, part: &'static str) -> DataUrlError {
        match self.rest.chars().next() {
            Some(found) => DataUrlError::Unexpected {
                found: quote(&found.to_string()),
                part,
            },
            None => DataUrlError::NoComma,
        }
    }

    fn media_type(&mut self) -> Result<(), DataUrlError> {
        if self.rest.starts_with([';', ',']) {
            return Ok(());
        }
        let name = self.token();
        if name.is_empty() || !self.next_is('/') {
            return Err(self.unexpected("media type"));
        }
        let is_private = name.starts_with("x-") || name.starts_with("X-");
        if !is_private && !TYPES.iter().any(|known| name.starts_with(known)) {
            return Err(DataUrlError::MediaType(name.to_owned()));
        }
        self.token();
        Ok(())
    }

    /// Takes everything to the comma, and tells whether the data is base64.
    fn parameters(&mut self) -> Result<bool, DataUrlError> {
        loop {
            if self.next_is(',') {
                return Ok(false);
            }
            if !self.next_is(';') {
                return Err(self.unexpected("media type"));
            }
            let name = self.token();
            if name.is_empty() {
                return Err(self.unexpected("parameters"));
            }
            if self.next_is(',') {
                return match name {
                    "base64" => Ok(true),
                    _ => Err(DataUrlError::Parameter(name.to_owned())),
                };
            }
            if !self.next_is('=') {
                return Err(self.unexpected("parameters"));
            }
            self.parameter_value()?;
        }
    }

    fn parameter_value(&mut self) -> Result<(), DataUrlError> {
        if self.next_is('"') {
            return self.quoted();
        }
        let value = self.token();
        if value.is_empty() {
            return Err(self.unexpected("parameters"));
        }
        percent_decode(value, usize::MAX).map(|_| ())
    }

    fn quoted(&mut self) -> Result<(), DataUrlError> {
        loop {
            let mut chars = self.rest.chars();
            match chars.next() {
                Some('"') => {
                    self.rest = chars.as_str();
                    return Ok(());
                }
                Some('\\') => self.rest = escape(chars.as_str())?,
                Some(char) if char.is_ascii() && char != '\n' => self.rest = chars.as_str(),
                _ => return Err(self.unexpected("parameters")),
            }
        }
    }
}

/// What follows the escape whose backslash was taken.
fn escape(text: &str) -> Result<&str, DataUrlError> {
    let mut chars = text.chars();
    let (digits, radix) = match chars.next() {
        Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"') => return Ok(chars.as_str()),
        Some('x') => (2, 16),
        Some('u') => (4, 16),
        Some('U') => (8, 16),
        Some('0'..='7') => {
            chars = text.chars();
            (3, 8)
        }
        _ => return Err(DataUrlError::Quoting),
    };
    let (number, rest) = chars
        .as_str()
        .split_at_checked(digits)
        .ok_or(DataUrlError::Quoting)?;
    let all_digits = number.chars().all(|char| char.is_digit(radix));
    let value = u32::from_str_radix(number, radix).map_err(|_| DataUrlError::Quoting)?;
    let in_range = match radix {
        8 => value <= 0xff,
        _ => char::from_u32(value).is_some(),
    };
    (all_digits && in_range)
        .then_some(rest)
        .ok_or(DataUrlError::Quoting)
}

fn only(text: &str, part: &'static str, allowed: fn(u8) -> bool) -> Result<(), DataUrlError> {
    match text.bytes().position(|byte| !allowed(byte)) {
        None => Ok(()),
        Some(at) => {
            let rest = text.get(at..).unwrap_or_default();
            Err(Cursor { rest }.unexpected(part))
        }
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"<>#\"{}|\\^[]`".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(url: &str) -> Result<String, DataUrlError> {
        decode(url, 100).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn accepted_forms_give_their_bytes() {
        for (url, want) in [
            ("data:,", ""),
            ("data:,hello", "hello"),
            ("data:,a%20b%0A%c3%A5", "a b\nå"),
            ("data:,a,b;c=d?e&f", "a,b;c=d?e&f"),
            ("data:;base64,", ""),
            ("data:;base64,QUI=", "AB"),
            ("data:;base64,QUJD", "ABC"),
            ("data:;base64,QR==", "A"),
            ("data:text/plain,x", "x"),
            ("data:textual/,x", "x"),
            ("data:x-any/thing,x", "x"),
            ("data:text/plain;charset=utf-8;base64,QQ==", "A"),
            ("data:;base64=1,QQ==", "QQ=="),
            ("data:;a=%20,x", "x"),
            (r#"data:;a="q;,\"\x41\101\u0041\U00000041\n";b=c,x"#, "x"),
            (r#"data:;a="",x"#, "x"),
        ] {
            assert_eq!(text(url).as_deref(), Ok(want), "{url}");
        }
    }

    #[test]
    fn refused_forms_say_why() {
        let unexpected = |found: &str, part| DataUrlError::Unexpected {
            found: found.to_owned(),
            part,
        };
        for (url, want) in [
            ("DATA:,x", DataUrlError::Prefix),
            ("data:", DataUrlError::NoComma),
            ("data:text/plain", DataUrlError::NoComma),
            ("data:text", DataUrlError::NoComma),
            ("data:text,x", unexpected("`,`", "media type")),
            ("data:/plain,x", unexpected("`/`", "media type")),
            ("data:text/pl ain,x", unexpected("` `", "media type")),
            ("data:font/woff,x", DataUrlError::MediaType("font".into())),
            ("data:Text/plain,x", DataUrlError::MediaType("Text".into())),
            ("data:;,x", unexpected("`,`", "parameters")),
            ("data:;a", DataUrlError::NoComma),
            ("data:;a=,x", unexpected("`,`", "parameters")),
            ("data:;utf8,x", DataUrlError::Parameter("utf8".into())),
            ("data:;base64;a=b", unexpected("`;`", "parameters")),
            ("data:;a=%2,x", DataUrlError::Percent),
            (r#"data:;a="x,"#, DataUrlError::NoComma),
            (r#"data:;a="\q",x"#, DataUrlError::Quoting),
            (r#"data:;a="\777",x"#, DataUrlError::Quoting),
            (r#"data:;a="\ud800",x"#, DataUrlError::Quoting),
            (r#"data:;a="\x+1",x"#, DataUrlError::Quoting),
            (r#"data:;a="b"c,x"#, unexpected("`c`", "media type")),
            ("data:,a b", unexpected("` `", "data")),
            ("data:,å", unexpected("`å`", "data")),
            ("data:,a#b", unexpected("`#`", "data")),
            ("data:,%4", DataUrlError::Percent),
            ("data:,%4g", DataUrlError::Percent),
            ("data:;base64,QQ", DataUrlError::Base64),
            ("data:;base64,Q===", DataUrlError::Base64),
            ("data:;base64,QQ==QQ==", DataUrlError::Base64),
            ("data:;base64,Q-_=", unexpected("`-`", "data")),
            ("data:;base64,QQ%3D%3D", unexpected("`%`", "data")),
        ] {
            assert_eq!(text(url), Err(want), "{url}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_decoded() {
        for url in ["data:,abcd", "data:,%61%62%63%64", "data:;base64,YWJjZA=="] {
            assert_eq!(decode(url, 4).as_deref(), Ok("abcd".as_bytes()), "{url}");
            assert_eq!(decode(url, 3), Err(DataUrlError::TooLong(3)), "{url}");
        }
    }
}
