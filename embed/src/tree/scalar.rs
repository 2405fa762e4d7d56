//! What a scalar means where a string, a whole number or a boolean is wanted.
//!
//! JSON says it by its syntax. A plain YAML scalar means what the wanted type makes of it, by the
//! rules of YAML 1.1 with the octals of 1.2 that existing Butane configs are written to: `0644` is
//! octal, `yes` is a boolean only where one is wanted, `1.50` stays text where text is wanted.

use super::raw::Scalar;

/// What a scalar gives as a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// The number as written.
    Exact(i64),
    /// The number without the fraction that was written.
    Cut(i64),
    /// A number, but of more than 64 bits.
    TooLarge,
    /// No whole number.
    Not,
}

/// The string, where one is wanted.
pub(super) fn text(scalar: &Scalar) -> Option<&str> {
    match scalar {
        Scalar::Text(text) | Scalar::Plain(text) => Some(text),
        Scalar::Null | Scalar::Bool(_) | Scalar::Number(_) => None,
    }
}

/// The boolean, where one is wanted. `quoted` lets `"yes"` and its like count, as in Butane.
pub(super) fn boolean(scalar: &Scalar, quoted: bool) -> Option<bool> {
    match scalar {
        Scalar::Bool(value) => Some(*value),
        Scalar::Plain(text) => match text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => yes_or_no(text),
        },
        Scalar::Text(text) if quoted => yes_or_no(text),
        Scalar::Text(_) | Scalar::Null | Scalar::Number(_) => None,
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// The whole number, where one is wanted.
pub(super) fn whole(scalar: &Scalar) -> Whole {
    match scalar {
        Scalar::Number(text) if text.contains(['.', 'e', 'E']) => Whole::Not,
        Scalar::Number(text) => text.parse().map_or(Whole::TooLarge, Whole::Exact),
        Scalar::Plain(text) => plain_whole(text),
        Scalar::Text(_) | Scalar::Null | Scalar::Bool(_) => Whole::Not,
    }
}

fn plain_whole(text: &str) -> Whole {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Whole::Not;
    }
    let text = &text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let radix = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((lower.strip_prefix(prefix)?, radix)));
    let (places, radix) = match radix {
        Some(("", 8)) if lower == "0" => ("0", 10),
        Some(found) => found,
        None => (lower.as_str(), 10),
    };
    if !places.is_empty() && places.chars().all(|place| place.is_digit(radix)) {
        let magnitude = i128::from_str_radix(places, radix).ok();
        let number = magnitude.map(|value| if negative { -value } else { value });
        return number
            .and_then(|number| i64::try_from(number).ok())
            .map_or(Whole::TooLarge, Whole::Exact);
    }
    if is_decimal(digits) {
        return decimal_whole(text);
    }
    Whole::Not
}

/// `12`, `12.`, `.5`, `12.5`, each perhaps with an exponent.
fn is_decimal(digits: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let places = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !places.is_empty() && all_digits(places)
    });
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !before.is_empty() || !after.is_empty();
    exponent_fits && some && all_digits(before) && all_digits(after)
}

/// The largest power of two that a 64-bit whole number stays below.
const LIMIT: f64 = 9_223_372_036_854_775_808.0;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and the fraction is cut on purpose"
)]
fn decimal_whole(text: &str) -> Whole {
    match text.parse::<f64>() {
        Ok(number) if (-LIMIT..LIMIT).contains(&number) => {
            let whole = number.trunc() as i64;
            if number.fract() == 0.0 {
                Whole::Exact(whole)
            } else {
                Whole::Cut(whole)
            }
        }
        Ok(_) | Err(_) => Whole::TooLarge,
    }
}

#[cfg(test)]
mod tests;
