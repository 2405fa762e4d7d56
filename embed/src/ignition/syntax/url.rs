//! URLs, accepted and refused exactly as the Go library in Ignition does: control characters, bad
//! escapes, ports that are no number and unclosed brackets are errors; much else is not.
//!
//! Only what the rules ask for is kept: scheme, rest and query. RFC 3986 is stricter.

use super::percent;

/// The parts of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url<'a> {
    /// In lower case; empty if there is none.
    pub scheme: String,
    /// What follows the scheme and its colon if that is no path: of `arn:a:b?c`, `a:b`.
    pub opaque: &'a str,
    /// What follows the first question mark, still escaped.
    pub query: &'a str,
}

/// Why a URL was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// A byte below 0x20, or 0x7f.
    #[error("it has a control character")]
    Control,
    /// It begins with a colon.
    #[error("its scheme is missing")]
    NoScheme,
    /// A relative path whose first part looks like a scheme, and is none.
    #[error("its scheme is malformed")]
    Scheme,
    /// A `%` without two hexadecimal digits, or one that may not stand there.
    #[error("it has a malformed `%` escape")]
    Escape,
    /// A character that no host name has.
    #[error("its host has a character that cannot be there")]
    Host,
    /// A bracket that is not closed.
    #[error("its host has an unclosed `[`")]
    Bracket,
    /// A port that is no number.
    #[error("its port is not a number")]
    Port,
    /// A character that cannot stand in user name or password.
    #[error("its user name or password has a character that cannot be there")]
    User,
}

impl<'a> Url<'a> {
    /// Takes `text` apart.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(UrlError::Control);
        }
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut url = Url {
            scheme: scheme.to_ascii_lowercase(),
            opaque: "",
            query,
        };
        if rest.starts_with('/') {
            let rooted = rest.strip_prefix("//");
            match rooted.filter(|_| !scheme.is_empty() || !rest.starts_with("///")) {
                Some(rest) => {
                    let end = rest.find('/').unwrap_or(rest.len());
                    let (authority, path) = rest.split_at(end);
                    check_authority(authority)?;
                    check_escapes(path)?;
                }
                None => check_escapes(rest)?,
            }
        } else if !scheme.is_empty() {
            url.opaque = rest;
        } else {
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err(UrlError::Scheme);
            }
            check_escapes(rest)?;
        }
        check_escapes(fragment)?;
        Ok(url)
    }

    /// The first value of a query parameter, with its escapes decoded. Parameters with
    /// malformed escapes or semicolons do not count.
    pub fn parameter(&self, name: &str) -> Option<Vec<u8>> {
        let decode = |text: &str| percent::decode(text.replace('+', " ").as_bytes());
        let pieces = self.query.split('&');
        pieces
            .filter(|piece| !piece.is_empty() && !piece.contains(';'))
            .find_map(|piece| {
                let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
                let key = decode(key)?;
                let value = decode(value)?;
                (key == name.as_bytes()).then_some(value)
            })
    }
}

/// Scheme without its colon, and the rest. A text that cannot have a scheme has an empty one.
fn split_scheme(text: &str) -> Result<(&str, &str), UrlError> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let Some(end) = text.bytes().position(|byte| !is_part(byte)) else {
        return Ok(("", text));
    };
    let (scheme, rest) = text.split_at(end);
    let Some(rest) = rest.strip_prefix(':') else {
        return Ok(("", text));
    };
    match scheme.bytes().next() {
        None => Err(UrlError::NoScheme),
        Some(first) if first.is_ascii_alphabetic() => Ok((scheme, rest)),
        Some(_) => Ok(("", text)),
    }
}

fn check_authority(authority: &str) -> Result<(), UrlError> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    check_host(host)?;
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(is_allowed) {
        return Err(UrlError::User);
    }
    check_escapes(user)
}

fn check_host(host: &str) -> Result<(), UrlError> {
    if !host.starts_with('[') {
        if let Some((_, port)) = host.rsplit_once(':') {
            check_port(port)?;
        }
        return check_host_name(host);
    }
    let (address, after) = host.rsplit_once(']').ok_or(UrlError::Bracket)?;
    match after.strip_prefix(':') {
        Some(port) => check_port(port)?,
        None if after.is_empty() => {}
        None => return Err(UrlError::Port),
    }
    match address.find("%25") {
        Some(zone) => {
            let (address, zone) = address.split_at(zone);
            check_host_name(address)?;
            check_zone(zone)
        }
        None => check_host_name(address),
    }
}

fn check_port(port: &str) -> Result<(), UrlError> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(()).ok_or(UrlError::Port)
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// Of ASCII, only the percent sign itself may be escaped in a host.
fn check_host_name(host: &str) -> Result<(), UrlError> {
    each_byte(host, |byte, escaped| match escaped {
        Some(b'%') => Ok(()),
        Some(decoded) if decoded.is_ascii() => Err(UrlError::Escape),
        Some(_) => Ok(()),
        None if is_host_byte(byte) => Ok(()),
        None => Err(UrlError::Host),
    })
}

/// A zone of an IPv6 address, behind its percent sign.
fn check_zone(zone: &str) -> Result<(), UrlError> {
    each_byte(zone, |byte, escaped| match escaped {
        Some(b'%' | b' ') => Ok(()),
        Some(decoded) if is_host_byte(decoded) => Ok(()),
        Some(_) => Err(UrlError::Escape),
        None if is_host_byte(byte) => Ok(()),
        None => Err(UrlError::Host),
    })
}

fn check_escapes(text: &str) -> Result<(), UrlError> {
    each_byte(text, |_, _| Ok(()))
}

/// Calls `check` for each byte with what it stands for if it begins an escape.
fn each_byte(
    text: &str,
    check: impl Fn(u8, Option<u8>) -> Result<(), UrlError>,
) -> Result<(), UrlError> {
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let decoded = percent::escaped_byte(after).ok_or(UrlError::Escape)?;
            check(*byte, Some(decoded))?;
            rest = after.get(2..).unwrap_or_default();
        } else {
            check(*byte, None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
