//! `%41`-escapes, strictly: a percent sign without two hexadecimal digits is an error, as the
//! decoders of libraries let it pass. Which bytes may be escaped is the caller's.

/// The byte that the escape after a `%` stands for.
pub(super) fn escaped_byte(after: &[u8]) -> Option<u8> {
    let digit = |index: usize| {
        let digit = char::from(*after.get(index)?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    Some(digit(0)? << 4 | digit(1)?)
}

/// `text` with its escapes decoded; none if one is malformed.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            out.push(escaped_byte(after)?);
            rest = after.get(2..)?;
        } else {
            out.push(*byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_need_two_digits() {
        assert_eq!(decode(b"a%41%c3").as_deref(), Some(&b"aA\xc3"[..]));
        for bad in ["%", "%4", "%4g", "%+1", "%%41"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
